// The configuration of the ingress: structs, their keys and their rules. No transport, so that the
// operator can link it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "services/lib/auth/auth_config.h"
#include "services/lib/base/clock.h"
#include "services/lib/config/binder.h"
#include "services/lib/endpoint_config/cors_config.h"
#include "services/lib/endpoint_config/listener_config.h"
#include "services/lib/endpoint_config/otlp_grpc_client_config.h"

namespace spanway::ingress {

struct GrpcListenerConfig {
  bool enabled = true;
  std::uint16_t port = 4317;
};

struct HttpListenerConfig {
  bool enabled = true;
  std::uint16_t port = 4318;
  CorsConfig cors;
};

struct OtlpConfig : OtlpListenerConfig {
  GrpcListenerConfig grpc;
  HttpListenerConfig http;
};

struct MergeConfig {
  bool enabled = true;
  config::ByteSize bytes_max{1u << 20};
  config::ByteSize small_request_bytes{128u << 10};
  std::int64_t items_max = 20'000;
  std::int64_t requests_max = 512;
  std::int64_t buckets_max = 1'000;
  Duration linger = std::chrono::milliseconds(2);
};

struct LimitsConfig : ConnectionLimitsConfig {
  config::ByteSize body_bytes_max{64u << 20};
  config::ByteSize compressed_bytes_max{16u << 20};
  config::ByteSize item_bytes_max{900u << 10};
  config::ByteSize prefix_bytes_max{64u << 10};
  std::int64_t value_depth_max = 32;
  std::int64_t json_depth_max = 256;
  std::int64_t submessages_max = 4'000'000;
  Duration request_timeout = std::chrono::seconds(30);
};

struct NextConfig : OtlpGrpcClientConfig {
  NextConfig() { endpoint = "127.0.0.1:4327"; }
  Duration deadline_margin = std::chrono::milliseconds(200);
  std::int64_t in_flight_max = 1'024;
};

struct IngressConfig {
  OtlpConfig otlp;
  auth::AuthConfig auth;
  auth::TenantConfig tenant;
  auth::RateLimitConfig rate_limit;
  MergeConfig merge;
  LimitsConfig limits;
  config::ByteSize memory_limit{256u << 20};
  // Set by the caller, not by the configuration, where other services share the process: the part
  // of its budget that is the ingress's. 0 = what follows from memory_limit.
  std::uint64_t budget_share = 0;
  NextConfig next;
};

// The bytes that permits may cover: requests and the state of their clients.
std::uint64_t budget_bytes(const IngressConfig& c) noexcept;

// Binds the sections at the top level of the service's file.
void describe(config::Binder& b, IngressConfig& c);
// All but memory_limit: a process of several services has one for all.
struct IngressSections {
  IngressConfig& config;
};
void describe(config::Binder& b, IngressSections& sections);
// Rules that go across keys.
void validate(const IngressConfig& c, config::Problems& problems);

}  // namespace spanway::ingress
