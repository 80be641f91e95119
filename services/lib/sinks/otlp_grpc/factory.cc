#include "services/lib/sinks/otlp_grpc/factory.h"

#include <utility>

#include "services/lib/config/secret_reloader.h"
#include "services/lib/rpc/otlp_grpc_sink.h"
#include "services/lib/sinks/otlp_grpc/tenant_shares_sink.h"

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
  options.log_failures = false;  // The exporter logs each batch that was not taken.
  const std::size_t in_flight_max = options.in_flight_max;
  std::unique_ptr<pipeline::Sink> client;
  SPANWAY_ASSIGN(client, rpc::OtlpGrpcSink::create(std::move(options), deps.clock, deps.telemetry));
  return std::unique_ptr<pipeline::Sink>(
      std::make_unique<TenantSharesSink>(std::move(client), in_flight_max, deps.clock));
}

}  // namespace spanway::sinks
