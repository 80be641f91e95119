#include "services/lib/sinks/otlp_grpc/factory.h"

#include <utility>

#include "services/lib/config/fresh_secrets.h"
#include "services/lib/rpc/otlp_grpc_sink.h"

namespace spanway::sinks {

SinkResult create_otlp_grpc(const DestinationConfig& config, const DestinationDeps& deps) {
  const OtlpGrpcConfig& c = config.otlp_grpc;
  rpc::OtlpGrpcSinkOptions options = rpc::client_options(c);
  options.endpoint = grpc_target(c);
  if (uses_tls(c)) options.tls = c.tls;
  SPANWAY_ASSIGN(options.headers, config::secrets_of("headers", c.headers));
  options.timeout = c.timeout;
  options.in_flight_max = static_cast<std::size_t>(config.in_flight_max);
  options.send_metadata = c.send_metadata;
  return as_sink(rpc::OtlpGrpcSink::create(std::move(options), deps.clock, deps.telemetry));
}

}  // namespace spanway::sinks
