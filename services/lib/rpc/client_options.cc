#include "services/lib/rpc/otlp_grpc_sink.h"

namespace spanway::rpc {

OtlpGrpcSinkOptions client_options(const OtlpGrpcClientConfig& c) {
  OtlpGrpcSinkOptions options;
  options.endpoint = c.endpoint;
  options.compression = c.compression == OtlpGrpcClientConfig::Compression::kGzip ? "gzip" : "none";
  options.tls = c.tls.enabled;
  options.tls_ca_file = c.tls.ca_file;
  options.tls_certificate_file = c.tls.certificate_file;
  options.tls_key_file = c.tls.key_file;
  options.tls_server_name = c.tls.server_name;
  options.connections = static_cast<std::size_t>(c.connections);
  return options;
}

}  // namespace spanway::rpc
