// Telemetry that comes in over OTLP, into the memory stores.
#pragma once

#include "services/lib/pipeline/sink.h"
#include "services/query/store/memory/memory_log_store.h"
#include "services/query/store/memory/memory_metric_store.h"
#include "services/query/store/memory/memory_trace_store.h"

namespace spanway::query {

// The stores of the signals that are kept in memory; null for the others. They outlive the sink.
struct MemoryStores {
  MemoryTraceStore* traces = nullptr;
  MemoryLogStore* logs = nullptr;
  MemoryMetricStore* metrics = nullptr;
  bool empty() const noexcept { return traces == nullptr && logs == nullptr && metrics == nullptr; }
};

// Thread-safe. A batch is acknowledged once it is in the ring; a signal without a store is refused
// as configuration, so that a bridge keeps it.
class MemorySink final : public pipeline::Sink {
 public:
  explicit MemorySink(MemoryStores stores) noexcept : stores_(stores) {}
  void send(pipeline::Batch batch, pipeline::AckToken token) noexcept override;
  bool drain(Deadline) override { return true; }
  pipeline::SinkHealth health() const override {
    return {.reachable = true, .last_error = "", .last_error_reason = ""};
  }

 private:
  Status add(const pipeline::Batch& batch);

  const MemoryStores stores_;
};

}  // namespace spanway::query
