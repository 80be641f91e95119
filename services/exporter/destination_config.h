// Where an exporter sends to: the `destination` section, and what each type of destination can do.
// No transport, so that the operator can link it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/config/binder.h"
#include "services/lib/otlp/signal.h"

namespace spanway::exporter {

enum class DestinationType { kOtlpGrpc, kOtlpHttp, kZipkin, kFile, kDebug };
inline constexpr std::size_t kDestinationTypeCount = 5;
// The value of `destination.type`: "otlp_grpc".
std::string_view to_string(DestinationType type) noexcept;

// What the bridge, the operator and `signals` need to know about a type of destination.
struct DestinationTraits {
  DestinationType type;
  std::array<bool, 3> signals;  // By otlp::index_of.
  // Must be sent the same batches with the same identity after a restart (effectively once).
  bool needs_batch_identity;
  // Wants the batches of a partition one after the other.
  bool ordered;
  // Uncompressed; the most that it takes well in one request.
  std::size_t batch_bytes_max;
};
const DestinationTraits& traits_of(DestinationType type) noexcept;

struct ClientTlsConfig {
  bool enabled = false;
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;
  std::string server_name;
};

struct OtlpGrpcConfig {
  std::string endpoint = "127.0.0.1:4317";
  ClientTlsConfig tls;
  std::map<std::string, std::string> headers;  // Secrets.
  enum class Compression { kNone, kGzip } compression = Compression::kNone;
  Duration timeout = std::chrono::seconds(10);
  std::int64_t connections = 0;
  bool send_metadata = false;
};
// "http://jaeger:4317" -> "jaeger:4317". https:// turns TLS on.
std::string grpc_target(const OtlpGrpcConfig& config);
bool uses_tls(const OtlpGrpcConfig& config);

struct HttpTlsConfig {
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;
  std::string server_name;
  bool insecure_skip_verify = false;
};

// Shared by the destinations that are reached by HTTP.
struct HttpConfig {
  enum class Compression { kNone, kGzip, kZstd } compression = Compression::kGzip;
  std::map<std::string, std::string> headers;  // Secrets.
  HttpTlsConfig tls;
  Duration timeout = std::chrono::seconds(10);
  std::int64_t connections = 8;
  std::string tenant_header;
};

struct OtlpHttpConfig {
  std::string endpoint = "http://127.0.0.1:4318";
  std::string traces_endpoint;
  std::string metrics_endpoint;
  std::string logs_endpoint;
  enum class Encoding { kProtobuf, kJson } encoding = Encoding::kProtobuf;
  HttpConfig http;
};

struct ZipkinConfig {
  ZipkinConfig() { http.compression = HttpConfig::Compression::kNone; }
  std::string endpoint = "http://127.0.0.1:9411";
  std::vector<std::string> resource_tags = {"service.*"};
  config::ByteSize request_bytes_max{5'000'000};
  HttpConfig http;
};

struct FileConfig {
  std::string path = "otlp-{signal}.jsonl";
  enum class Fsync { kAlways, kInterval, kNever } fsync = Fsync::kAlways;
  Duration fsync_interval = std::chrono::seconds(1);
  struct Rotate {
    config::ByteSize bytes_max{100u << 20};
    Duration age_max = Duration::zero();
    std::int64_t files_max = 10;
  } rotate;
  config::ByteSize queue_bytes_max{64u << 20};
};

struct DebugConfig {
  enum class Verbosity { kBasic, kDetailed } verbosity = Verbosity::kBasic;
  config::ByteSize detail_bytes_max{4096};
  std::int64_t lines_per_second_max = 20;
};

// Only the section of `type` is used.
struct DestinationConfig {
  DestinationType type = DestinationType::kOtlpGrpc;
  OtlpGrpcConfig otlp_grpc;
  OtlpHttpConfig otlp_http;
  ZipkinConfig zipkin;
  FileConfig file;
  DebugConfig debug;
  std::int64_t in_flight_max = 256;
};

void describe(config::Binder& b, DestinationConfig& c);
void validate(const DestinationConfig& c, config::Problems& problems);

// For logs and /statusz: the address or path, without user info, query or headers.
std::string endpoint_of(const DestinationConfig& c);

}  // namespace spanway::exporter
