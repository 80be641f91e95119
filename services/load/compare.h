// Holds a ledger against what a counting sink has seen.
#pragma once

#include <cstdint>
#include <string>

#include "services/load/counting_sink.h"
#include "services/load/ledger.h"

namespace spanway::load {

struct Comparison {
  std::uint64_t acknowledged = 0;  // By the ledger; items rejected by partial success are not.
  std::uint64_t rejected = 0;
  std::uint64_t failed = 0;
  std::uint64_t received = 0;  // Items of the run at the sink, duplicates included.
  std::uint64_t unique = 0;
  std::uint64_t duplicates = 0;
  // Acknowledged and not at the sink: lost.
  std::uint64_t missing = 0;
  // In the ledger, whatever became of it, and not at the sink.
  std::uint64_t unseen = 0;
  // Failed by the ledger and at the sink all the same: allowed, since a timeout says nothing.
  std::uint64_t failed_but_received = 0;
  // At the sink and not in the ledger: sent and not decided when the sender was killed.
  std::uint64_t unrecorded = 0;
  LatencyHistogram latency;  // From when an item was due to its arrival at the sink.
};
Comparison compare(const Ledger& ledger, const CountingSink& sink);
std::string to_json(const Comparison& comparison);

}  // namespace spanway::load
