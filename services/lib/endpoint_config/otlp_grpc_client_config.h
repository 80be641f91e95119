// Configuration of a client that sends OTLP/gRPC. Plain values; no transport, so that the
// operator can link them.
#pragma once

#include <cstdint>
#include <string>

#include "services/lib/config/binder.h"
#include "services/lib/endpoint_config/tls_config.h"

namespace spanway {

// The keys that every OTLP/gRPC client has. A service adds its own, with their documentation of the
// endpoint, and may choose other defaults.
struct OtlpGrpcClientConfig {
  std::string endpoint;
  SwitchedClientTlsConfig tls;
  enum class Compression { kNone, kGzip } compression = Compression::kNone;
  std::int64_t connections = 0;
};
// All but the endpoint.
void describe_client(config::Binder& b, OtlpGrpcClientConfig& c);

}  // namespace spanway
