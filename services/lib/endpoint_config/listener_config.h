// Configuration of a listener for OTLP. Plain values; no transport, so that the operator
// can link them.
#pragma once

#include <cstdint>
#include <string>

#include "services/lib/base/clock.h"
#include "services/lib/config/binder.h"
#include "services/lib/endpoint_config/tls_config.h"

namespace spanway {

// Bounds of the connections of one listener and of the heads of their requests.
struct ConnectionLimitsConfig {
  config::ByteSize header_bytes_max{8u << 10};
  std::int64_t header_count_max = 64;
  std::int64_t streams_max = 100;
  config::ByteSize stream_window{1u << 20};
  config::ByteSize connection_window{4u << 20};
  std::int64_t connections_max = 10'000;
  std::int64_t connections_per_peer_max = 0;
  Duration handshake_timeout = std::chrono::seconds(10);
  Duration header_timeout = std::chrono::seconds(10);
  Duration idle_timeout = std::chrono::seconds(60);
  Duration connection_age_max = std::chrono::minutes(5);
  Duration connection_age_grace = std::chrono::seconds(30);
};
// Binds its keys to the section at hand.
void describe_connection_limits(config::Binder& b, ConnectionLimitsConfig& c);
void validate(const ConnectionLimitsConfig& c, const std::string& path, config::Problems& problems);

// The keys that every OTLP listener has. A service adds its own: ports, and the section of its
// limits.
struct OtlpListenerConfig {
  std::string host = "127.0.0.1";
  ServerTlsConfig tls;
};
// `host_alias` is the environment variable that also sets the host; empty = none.
void describe_listener(config::Binder& b, OtlpListenerConfig& c, const char* host_alias = "");
void validate(const OtlpListenerConfig& c, const std::string& path, config::Problems& problems);

}  // namespace spanway
