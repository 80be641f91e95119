// Spans that come in over OTLP, into the memory store.
#pragma once

#include "services/lib/pipeline/sink.h"
#include "services/query/store/memory/memory_trace_store.h"

namespace spanway::query {

// Thread-safe; the store outlives it. A batch is acknowledged once it is in the ring; metrics and
// logs are refused as configuration, so that a bridge keeps them.
class MemorySink final : public pipeline::Sink {
 public:
  explicit MemorySink(MemoryTraceStore& store) noexcept : store_(store) {}
  void send(pipeline::Batch batch, pipeline::AckToken token) noexcept override;
  bool drain(Deadline) override { return true; }
  pipeline::SinkHealth health() const override {
    return {.reachable = true, .last_error = "", .last_error_reason = ""};
  }

 private:
  MemoryTraceStore& store_;
};

}  // namespace spanway::query
