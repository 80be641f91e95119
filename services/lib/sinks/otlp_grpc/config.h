// destination.otlp_grpc: any server of OTLP/gRPC, such as Jaeger, Tempo or a Collector.
#pragma once

#include <map>
#include <string>

#include "services/lib/endpoint_config/otlp_grpc_client_config.h"
#include "services/lib/sinks/shared_sections.h"

namespace spanway::sinks {

struct OtlpGrpcConfig : OtlpGrpcClientConfig {
  OtlpGrpcConfig() { endpoint = "127.0.0.1:4317"; }
  std::map<std::string, std::string> headers;  // For config::secrets_of().
  Duration timeout = std::chrono::seconds(10);
  bool send_metadata = false;
};
// "http://jaeger:4317" -> "jaeger:4317". https:// turns TLS on.
std::string grpc_target(const OtlpGrpcConfig& config);
bool uses_tls(const OtlpGrpcConfig& config);

void describe(config::Binder& b, OtlpGrpcConfig& c);
// `path` is that of the section, for problems.
void validate(const OtlpGrpcConfig& c, const std::string& path, config::Problems& problems);
// For logs and /statusz: without user info, query or headers.
std::string endpoint_of(const OtlpGrpcConfig& c);

}  // namespace spanway::sinks
