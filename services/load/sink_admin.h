// The admin port of the counting sink.
//   GET  /report     what has arrived, as JSON
//   GET  /healthz    "ok"
//   GET  /metrics    Prometheus text
//   POST /reset      forgets everything
//   POST /behaviour?delay-ms=..&fail-code=..&fail-ratio=..&retry-after-ms=..   from now on; what is
//                    not named goes back to its default
//   POST /compare    with a ledger as the body: what of it is missing, as JSON
#pragma once

#include "services/lib/http/server.h"
#include "services/lib/telemetry/metrics.h"
#include "services/load/counting_sink.h"

namespace spanway::load {

// Thread-safe. Sink and metrics outlive it and its server.
class SinkAdmin final : public http::Handler {
 public:
  SinkAdmin(CountingSink& sink, const telemetry::Metrics& metrics)
      : sink_(sink), metrics_(metrics) {}
  std::unique_ptr<http::BodyReader> on_request(const http::RequestHead& head,
                                               http::Responder responder) override;

 private:
  http::Response get(std::string_view path) const;
  http::Response change_behaviour(std::string_view query);

  CountingSink& sink_;
  const telemetry::Metrics& metrics_;
};

// "delay-ms=5&fail-code=14": as the flags of the same names.
Result<Behaviour> parse_behaviour(std::string_view query);

}  // namespace spanway::load
