#include "services/lib/rpc/otlp_grpc_sink.h"

namespace spanway::rpc {

OtlpGrpcSinkOptions client_options(const OtlpGrpcClientConfig& c) {
  OtlpGrpcSinkOptions options;
  options.endpoint = c.endpoint;
  options.compression = c.compression == OtlpGrpcClientConfig::Compression::kGzip ? "gzip" : "none";
  if (c.tls.enabled) options.tls = c.tls;
  options.connections = static_cast<std::size_t>(c.connections);
  return options;
}

}  // namespace spanway::rpc
