// Where an exporter sends to: the `destination` section, and the one table of what each type of
// destination is. The exporter, the bridge, the operator with its CRD, CONFIG.md and the contract
// tests read the table. No transport, so that the operator can link it.
//
// A new destination: a folder here with config.h, a sink, factory.h, README.md and its tests; its
// type, section and row in destination.*; its factory in registry.cc; a backend in tests/contract,
// whose suite it must pass.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "services/lib/config/binder.h"
#include "services/lib/otlp/signal.h"
#include "services/lib/sinks/clickhouse/config.h"
#include "services/lib/sinks/debug/config.h"
#include "services/lib/sinks/file/config.h"
#include "services/lib/sinks/loki/config.h"
#include "services/lib/sinks/otlp_grpc/config.h"
#include "services/lib/sinks/otlp_http/config.h"
#include "services/lib/sinks/prometheus/config.h"
#include "services/lib/sinks/s3/config.h"
#include "services/lib/sinks/zipkin/config.h"

namespace spanway::sinks {

enum class DestinationType {
  kOtlpGrpc,
  kOtlpHttp,
  kZipkin,
  kFile,
  kDebug,
  kClickHouse,
  kS3,
  kLoki,
  kPrometheusRemoteWrite
};
inline constexpr std::size_t kDestinationTypeCount = 9;

// Only the section of `type` is used.
struct DestinationConfig {
  DestinationType type = DestinationType::kOtlpGrpc;
  OtlpGrpcConfig otlp_grpc;
  OtlpHttpConfig otlp_http;
  ZipkinConfig zipkin;
  FileConfig file;
  DebugConfig debug;
  ClickHouseConfig clickhouse;
  S3Config s3;
  LokiConfig loki;
  PrometheusRemoteWriteConfig prometheus_remote_write;
  std::int64_t in_flight_max = 256;
};

// The form of an endpoint, in the section and in the Pipeline's `destination.endpoint`.
enum class EndpointKind { kHostPort, kUrl, kOptionalUrl, kPath, kNone };

// The compressions of requests that a section may name.
enum class Compressions { kAll, kNoneAndGzip, kNoneAndZstd, kOwn };

// One row of the table. Immutable; lives for the whole process.
struct Descriptor {
  DestinationType type;
  std::string_view name;        // `destination.type` and the section: "otlp_grpc".
  std::string_view crd_name;    // `spec.exporters[].destination.type`: "OtlpGrpc".
  const char* summary;          // CONFIG.md shows it for the section.
  std::array<bool, 3> signals;  // That it takes, by otlp::index_of.
  EndpointKind endpoint = EndpointKind::kUrl;
  Compressions compressions = Compressions::kAll;
  // Authenticates by keys of its own section: it is sent neither headers nor basic_auth.
  bool own_authentication = false;
  // Must be sent the same batches with the same identity after a restart (effectively once).
  bool needs_batch_identity = false;
  // Takes the batches of a partition one after the other.
  bool ordered = false;
  // Uncompressed; the most that it takes well in one request.
  std::size_t batch_bytes_max = 0;
  // Access to its section; set by the table.
  void (*describe)(config::Binder& b, DestinationConfig& c, const Descriptor& self) = nullptr;
  void (*validate)(const DestinationConfig& c, config::Problems& problems) = nullptr;
  std::string (*endpoint_of)(const DestinationConfig& c) = nullptr;
};

// All rows, in the order of DestinationType.
std::span<const Descriptor> destinations() noexcept;
const Descriptor& descriptor_of(DestinationType type) noexcept;
// The value of `destination.type`: "otlp_grpc".
std::string_view to_string(DestinationType type) noexcept;

void describe(config::Binder& b, DestinationConfig& c);
void validate(const DestinationConfig& c, config::Problems& problems);
// For logs and /statusz: the address or path, without user info, query or headers.
std::string endpoint_of(const DestinationConfig& c);

}  // namespace spanway::sinks
