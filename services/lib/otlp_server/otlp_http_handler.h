// OTLP/HTTP: POST /v1/traces, /v1/metrics and /v1/logs, in protobuf and JSON.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "services/lib/base/memory_budget.h"
#include "services/lib/http/server.h"
#include "services/lib/otlp/otlp_json.h"
#include "services/lib/otlp_server/cors.h"
#include "services/lib/otlp_server/http_answer.h"
#include "services/lib/otlp_server/otlp_http_events.h"
#include "services/lib/pipeline/sink.h"
#include "services/lib/rpc/export_service.h"

namespace spanway::otlp_server {

struct OtlpHttpOptions {
  std::size_t compressed_bytes_max = 16u << 20;  // On the wire, when compressed.
  http::DecodeLimits decode;                     // decoded_bytes_max is for every body.
  std::size_t json_depth_max = 256;
  Duration deadline_max = std::chrono::seconds(30);  // For the whole request.
  Duration retry_after_overload = std::chrono::seconds(1);
  CorsConfig cors;
  std::string challenge;  // www-authenticate of a 401; empty = none.
};

// Thread-safe. Nothing of a body is taken before its head was admitted (path, method, who is
// calling, type, coding, declared length) and a permit covers it: the bytes themselves, twice for
// JSON. Large bodies get their permit as they arrive, so that a declared length alone occupies
// nothing. Errors are a google.rpc.Status in the request's encoding.
// `sink`, `gatekeeper`, `budget` and `events` outlive it and the server.
class OtlpHttpHandler final : public http::Handler {
 public:
  OtlpHttpHandler(OtlpHttpOptions options, pipeline::Sink& sink, rpc::Gatekeeper& gatekeeper,
                  MemoryBudget& budget, const Clock& clock, OtlpHttpEvents& events);

  std::unique_ptr<http::BodyReader> on_request(const http::RequestHead& head,
                                               http::Responder responder) override;
  // The port named to gRPC clients that use this one; 0 = gRPC is not served.
  void set_grpc_port(std::uint16_t port) noexcept { grpc_port_ = port; }

 private:
  class Body;
  struct Refused {
    OtlpHttpEvents::Refused reason;
    Error error;
    int status = 0;  // 0 = what the error says.
  };
  // The signal that path and method name.
  std::variant<otlp::Signal, Refused> route(const http::RequestHead& head) const;
  // Checks type, coding and declared length of the body. Fills in the coding.
  std::optional<Refused> check_body(const http::RequestHead& head,
                                    http::ContentCoding& coding) const;
  void refuse(HttpAnswer& answer, const std::string& peer, OtlpHttpEvents::Refused reason,
              const Error& error, int status = 0) const;
  Error memory_error() const;
  Error wrong_port() const;

  const OtlpHttpOptions options_;
  const CorsPolicy cors_;
  pipeline::Sink& sink_;
  rpc::Gatekeeper& gatekeeper_;
  MemoryBudget& budget_;
  const Clock& clock_;
  OtlpHttpEvents& events_;
  std::atomic<std::uint16_t> grpc_port_{0};
};

}  // namespace spanway::otlp_server
