// OTLP/HTTP (protobuf and JSON; gzip, zstd) in front of a sink: as much of a receiver as tests and
// benchmarks need.
#pragma once

#include <cstddef>

#include "services/lib/base/memory_budget.h"
#include "services/lib/http/server.h"
#include "services/lib/pipeline/sink.h"

namespace spanway::load {

// Thread-safe. `sink`, `budget` and `clock` outlive it and its server.
class OtlpHttpReceiver final : public http::Handler {
 public:
  OtlpHttpReceiver(std::size_t body_bytes_max, pipeline::Sink& sink, MemoryBudget& budget,
                   const Clock& clock)
      : body_bytes_max_(body_bytes_max), sink_(sink), budget_(budget), clock_(clock) {}
  std::unique_ptr<http::BodyReader> on_request(const http::RequestHead& head,
                                               http::Responder responder) override;

 private:
  const std::size_t body_bytes_max_;
  pipeline::Sink& sink_;
  MemoryBudget& budget_;
  const Clock& clock_;
};

}  // namespace spanway::load
