// The configuration of the query service: structs, their keys and their rules. No transport, so
// that the operator can link it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "services/lib/auth/auth_config.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/secret.h"
#include "services/lib/config/binder.h"
#include "services/lib/endpoint_config/listener_config.h"
#include "services/lib/sinks/s3/config.h"
#include "services/query/insight_config.h"

namespace spanway::query {

struct ApiConfig : OtlpListenerConfig {
  std::uint16_t port = 8081;
  std::uint16_t jaeger_grpc_port = 16685;
  ConnectionLimitsConfig connections;  // Its keys are on the same level as the ones above.
};

struct ClickHouseStoreConfig {
  std::string endpoint = "http://127.0.0.1:8123";
  std::string database = "otel";
  std::string username;
  Secret password;
  ClientTlsConfig tls;
  std::int64_t connections = 8;
};
struct S3StoreConfig : sinks::S3Config {
  config::ByteSize cache_bytes{32u << 20};
};
struct MemoryStoreConfig {
  config::ByteSize bytes{64u << 20};
  std::uint16_t grpc_port = 4347;
  bool trust_metadata = false;
};
// Only the sections of the stores that are read are used.
struct StoresConfig {
  ClickHouseStoreConfig clickhouse;
  S3StoreConfig s3;
  MemoryStoreConfig memory;
};
enum class StoreType { kClickHouse, kS3, kMemory };
// The store of logs or of metrics.
enum class SignalStore { kAsTraces, kClickHouse, kMemory };

struct PromqlConfig {
  Duration lookback = std::chrono::minutes(5);
  bool experimental = false;
  bool span_metrics = true;
};

struct LimitsConfig {
  Duration query_time = std::chrono::seconds(30);
  Duration client_wait = std::chrono::seconds(10);
  std::int64_t rows_read = 200'000'000;
  config::ByteSize bytes_read{20'000'000'000};
  config::ByteSize store_memory{1u << 30};
  config::ByteSize query_memory{64u << 20};
  std::int64_t spans_per_trace = 1'000'000;
  std::int64_t running = 4;
  std::int64_t queued = 64;
};

struct PipelineConfig {
  std::map<std::string, std::string> services;

  static constexpr std::size_t kServicesMax = 32;
};

struct QueryConfig {
  ApiConfig api;
  StoresConfig stores;
  StoreType traces_from = StoreType::kClickHouse;
  SignalStore logs_from = SignalStore::kAsTraces;
  SignalStore metrics_from = SignalStore::kAsTraces;
  PromqlConfig promql;
  InsightConfig insight;
  LimitsConfig limits;
  PipelineConfig pipeline;
  auth::AuthConfig auth;
  auth::TenantConfig tenant;
  config::ByteSize memory_limit{256u << 20};
};

// Binds the sections at the top level of the service's file.
void describe(config::Binder& b, QueryConfig& c);
// The store of logs or metrics; nothing where there is none.
std::optional<StoreType> store_of(const QueryConfig& c, SignalStore signal) noexcept;
// The insight runs: it is enabled, and its tenants are known.
bool has_insight(const QueryConfig& c) noexcept;
// The signals that the memory store keeps.
std::size_t signals_in_memory(const QueryConfig& c) noexcept;

// Rules that go across keys.
void validate(const QueryConfig& c, config::Problems& problems);
// The bytes that permits may cover: blocks, answers and connections.
std::uint64_t budget_bytes(const QueryConfig& c) noexcept;

}  // namespace spanway::query
