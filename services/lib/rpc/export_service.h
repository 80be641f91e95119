// Serves OTLP/gRPC Export for the three signals, and grpc.health.v1 Check, on http::Server.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "services/lib/base/memory_budget.h"
#include "services/lib/http/server.h"
#include "services/lib/otlp/signal.h"
#include "services/lib/pipeline/sink.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::rpc {

// Decides from the headers alone, before a byte of the body is taken, who is calling.
// Thread-safe; must not block.
class Gatekeeper {
 public:
  virtual ~Gatekeeper() = default;
  // The metadata the batch will carry (tenant, trace context), or the refusal. The default
  // implementations: trusting_gatekeeper() takes spanway-tenant, spanway-batch and traceparent as
  // sent, plain_gatekeeper() strips them. Both take spanway-all-or-nothing.
  virtual Result<pipeline::Metadata> admit(const http::RequestHead& head, otlp::Signal signal) = 0;
};
std::unique_ptr<Gatekeeper> trusting_gatekeeper();
std::unique_ptr<Gatekeeper> plain_gatekeeper();

struct ExportServiceOptions {
  std::size_t message_bytes_max = 64u << 20;  // Before and after decompression.
  std::size_t compressed_bytes_max = 16u << 20;
  Duration deadline_max = std::chrono::seconds(30);         // Effective = min(grpc-timeout, this).
  Duration retry_after_overload = std::chrono::seconds(1);  // RetryInfo when the budget is used up.
};

// An http::Handler: give it to a Server (or use it behind a router by path). For each call: admit,
// take the permit for the declared length, read the message (identity, gzip or zstd, streamed and
// bounded), build a Batch, sink.send(), answer with grpc-status (+ details) in trailers.
// Answers compressed where grpc-accept-encoding asks and the body is larger than 1 KiB.
// Thread-safe. `sink`, `gatekeeper`, `budget` and telemetry outlive it and the server.
class ExportService final : public http::Handler {
 public:
  ExportService(ExportServiceOptions options, pipeline::Sink& sink, Gatekeeper& gatekeeper,
                MemoryBudget& budget, const Clock& clock, telemetry::Telemetry telemetry,
                std::string listener);
  ~ExportService() override;
  std::unique_ptr<http::BodyReader> on_request(const http::RequestHead& head,
                                               http::Responder responder) override;
  // The port named to HTTP/1.1 clients that use this one; 0 = OTLP/HTTP is not served.
  void set_http_port(std::uint16_t port) noexcept;
  // grpc.health.v1: SERVING until set to false (drain).
  void set_serving(bool serving) noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace spanway::rpc
