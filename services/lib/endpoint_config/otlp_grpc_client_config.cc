#include "services/lib/endpoint_config/otlp_grpc_client_config.h"

namespace spanway {

void describe_client(config::Binder& b, OtlpGrpcClientConfig& c) {
  b.section("tls", c.tls, "TLS towards the server.");
  b.key("compression", c.compression, {"none", "gzip"}, {.doc = "Compression of requests."});
  b.key("connections", c.connections,
        {.doc = "Connections to keep; 0 = two per core, at most 8.", .min = 0, .max = 256});
}

}  // namespace spanway
