#include "services/lib/sinks/otlp_grpc/factory.h"

#include <utility>

#include "services/lib/rpc/otlp_grpc_sink.h"

namespace spanway::sinks {

SinkResult create_otlp_grpc(const DestinationConfig& config, const DestinationDeps& deps) {
  const OtlpGrpcConfig& c = config.otlp_grpc;
  rpc::OtlpGrpcSinkOptions options;
  options.endpoint = grpc_target(c);
  options.compression = c.compression == OtlpGrpcConfig::Compression::kGzip ? "gzip" : "none";
  options.tls = uses_tls(c);
  options.tls_ca_file = c.tls.ca_file;
  options.tls_certificate_file = c.tls.certificate_file;
  options.tls_key_file = c.tls.key_file;
  options.tls_server_name = c.tls.server_name;
  options.headers = secret_headers(c.headers);
  options.timeout = c.timeout;
  options.in_flight_max = static_cast<std::size_t>(config.in_flight_max);
  options.connections = static_cast<std::size_t>(c.connections);
  options.send_metadata = c.send_metadata;
  return as_sink(rpc::OtlpGrpcSink::create(std::move(options), deps.clock, deps.telemetry));
}

}  // namespace spanway::sinks
