// Reads a Kafka record: its tenant, its number of items, and its OTLP without invalid items.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "services/lib/base/bytes.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/base/result.h"
#include "services/lib/kafka/consumer.h"
#include "services/lib/otlp/scan.h"
#include "services/lib/otlp/signal.h"

namespace spanway::kafka_bridge {

// Views into the record, or into `cleaned`.
struct ReadRecord {
  std::string_view tenant;
  std::string_view payload;
  std::uint64_t item_count = 0;
  // Set when items of the record break OTLP's rules: the record without them. The record as it is
  // belongs into the dead-letter topic.
  Bytes cleaned;
  std::uint64_t rejected = 0;
  std::string reject_message;
};

// Single-thread. Records of others are welcome (a Collector's otlp_proto has no headers).
class RecordReader {
 public:
  // `memory`, which may be null, is charged for the index of an unusually large record while it is
  // read.
  explicit RecordReader(MemoryBudget* memory = nullptr) : memory_(memory) {}
  // Data error: this is no OTLP of that signal. Transient: no memory to read it now.
  Result<ReadRecord> read(otlp::Signal signal, const kafka::RecordView& record);

 private:
  MemoryBudget* memory_;
};

}  // namespace spanway::kafka_bridge
