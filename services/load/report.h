// The result of a run of the load tool.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/load/latency_histogram.h"

namespace spanway::load {

struct Report {
  std::uint64_t run = 0;
  std::string endpoint;
  double rate = 0;             // Requested, items per second; 0 = no limit.
  Duration took{0};            // From the start to the last decision.
  double cpu_seconds = 0;      // Used by this process.
  std::uint64_t requests = 0;  // Decided.
  std::uint64_t attempts = 0;
  std::uint64_t bytes = 0;  // In all attempts, before compression.
  std::uint64_t acknowledged = 0;
  std::uint64_t rejected = 0;  // By partial success; not acknowledged.
  std::uint64_t failed = 0;
  std::uint64_t unsent = 0;
  LatencyHistogram latency;              // Acknowledged requests, from when they were due.
  std::map<Code, std::uint64_t> errors;  // Answers that were not good, by code; retried ones too.
  std::string first_error;

  // Adds what another worker has done.
  void merge(const Report& other);
};

std::string to_json(const Report& report);  // One line, without its end.
std::string to_text(const Report& report);

}  // namespace spanway::load
