#include "services/lib/sinks/destination.h"

namespace spanway::sinks {
namespace {

constexpr std::array<bool, 3> kAllSignals = {true, true, true};
constexpr std::array<bool, 3> kTracesOnly = {true, false, false};
constexpr std::array<bool, 3> kMetricsOnly = {false, true, false};
constexpr std::array<bool, 3> kLogsOnly = {false, false, true};
// gRPC servers refuse messages above 4 MiB by default.
constexpr std::size_t kUsualBatchBytes = 3'670'016;
// One batch is one part in the store: few large ones.
constexpr std::size_t kStoredBatchBytes = 32u << 20;
// Records become longer in Loki, which repeats the resource in each; its components exchange at
// most 4 MiB.
constexpr std::size_t kLokiBatchBytes = 1u << 20;

// The functions of a row, from the member of DestinationConfig that is its section.
template <auto kMember>
constexpr Descriptor row(Descriptor d) {
  d.describe = [](config::Binder& b, DestinationConfig& c, const Descriptor& self) {
    b.section(self.name, c.*kMember, self.summary);
  };
  d.validate = [](const DestinationConfig& c, config::Problems& problems) {
    sinks::validate(c.*kMember, "destination." + std::string(to_string(c.type)), problems);
  };
  d.endpoint_of = [](const DestinationConfig& c) { return sinks::endpoint_of(c.*kMember); };
  return d;
}

constexpr std::array<Descriptor, kDestinationTypeCount> kTable = {
    row<&DestinationConfig::otlp_grpc>(
        {.type = DestinationType::kOtlpGrpc,
         .name = "otlp_grpc",
         .crd_name = "OtlpGrpc",
         .summary = "OTLP/gRPC: Jaeger, Tempo, an OpenTelemetry Collector, ...",
         .signals = kAllSignals,
         .endpoint = EndpointKind::kHostPort,
         .compressions = Compressions::kNoneAndGzip,
         .batch_bytes_max = kUsualBatchBytes}),
    row<&DestinationConfig::otlp_http>({.type = DestinationType::kOtlpHttp,
                                        .name = "otlp_http",
                                        .crd_name = "OtlpHttp",
                                        .summary = "OTLP/HTTP.",
                                        .signals = kAllSignals,
                                        .endpoint = EndpointKind::kUrl,
                                        .batch_bytes_max = kUsualBatchBytes}),
    row<&DestinationConfig::zipkin>({.type = DestinationType::kZipkin,
                                     .name = "zipkin",
                                     .crd_name = "Zipkin",
                                     .summary = "Zipkin's JSON API, version 2. Traces only.",
                                     .signals = kTracesOnly,
                                     .endpoint = EndpointKind::kUrl,
                                     .batch_bytes_max = kUsualBatchBytes}),
    row<&DestinationConfig::file>({.type = DestinationType::kFile,
                                   .name = "file",
                                   .crd_name = "File",
                                   .summary = "Files of OTLP/JSON lines.",
                                   .signals = kAllSignals,
                                   .endpoint = EndpointKind::kPath,
                                   .batch_bytes_max = kUsualBatchBytes}),
    row<&DestinationConfig::debug>(
        {.type = DestinationType::kDebug,
         .name = "debug",
         .crd_name = "Debug",
         .summary = "Shows what arrives in the log, and takes everything.",
         .signals = kAllSignals,
         .endpoint = EndpointKind::kNone,
         .batch_bytes_max = kUsualBatchBytes}),
    row<&DestinationConfig::clickhouse>(
        {.type = DestinationType::kClickHouse,
         .name = "clickhouse",
         .crd_name = "ClickHouse",
         .summary = "ClickHouse: spans, data points and log records in the tables that "
                    "`spanway-exporter migrate` creates, each exactly once.",
         .signals = kAllSignals,
         .endpoint = EndpointKind::kUrl,
         .compressions = Compressions::kNoneAndZstd,
         .own_authentication = true,
         .needs_batch_identity = true,
         .batch_bytes_max = kStoredBatchBytes}),
    row<&DestinationConfig::s3>({.type = DestinationType::kS3,
                                 .name = "s3",
                                 .crd_name = "S3",
                                 .summary = "S3: spans, data points and log records as Parquet "
                                            "files in a bucket, each exactly once.",
                                 .signals = kAllSignals,
                                 .endpoint = EndpointKind::kOptionalUrl,
                                 .compressions = Compressions::kOwn,
                                 .own_authentication = true,
                                 .needs_batch_identity = true,
                                 .batch_bytes_max = kStoredBatchBytes}),
    row<&DestinationConfig::loki>({.type = DestinationType::kLoki,
                                   .name = "loki",
                                   .crd_name = "Loki",
                                   .summary = "Grafana Loki. Logs only.",
                                   .signals = kLogsOnly,
                                   .endpoint = EndpointKind::kUrl,
                                   .ordered = true,
                                   .batch_bytes_max = kLokiBatchBytes}),
    row<&DestinationConfig::prometheus_remote_write>(
        {.type = DestinationType::kPrometheusRemoteWrite,
         .name = "prometheus_remote_write",
         .crd_name = "PrometheusRemoteWrite",
         .summary = "Prometheus and all that take its remote write, 2.0 or 1.0: Mimir, Thanos, "
                    "VictoriaMetrics, ... Metrics only.",
         .signals = kMetricsOnly,
         .endpoint = EndpointKind::kUrl,
         .compressions = Compressions::kOwn,
         .ordered = true,
         .batch_bytes_max = kUsualBatchBytes}),
};

constexpr bool is_in_order() {
  for (std::size_t i = 0; i < kTable.size(); ++i)
    if (static_cast<std::size_t>(kTable[i].type) != i) return false;
  return true;
}
static_assert(is_in_order());

}  // namespace

std::span<const Descriptor> destinations() noexcept { return kTable; }

const Descriptor& descriptor_of(DestinationType type) noexcept {
  return kTable[static_cast<std::size_t>(type)];
}

std::string_view to_string(DestinationType type) noexcept { return descriptor_of(type).name; }

void describe(config::Binder& b, DestinationConfig& c) {
  config::EnumNames names;
  for (const Descriptor& d : kTable) names.push_back(d.name);
  b.key("type", c.type, names, {.doc = "Which of the sections below is used."});
  b.key("in_flight_max", c.in_flight_max,
        {.doc = "Batches that may wait for the destination's answer; more are refused for now.",
         .min = 1,
         .max = 65'536});
  for (const Descriptor& d : kTable) d.describe(b, c, d);
}

void validate(const DestinationConfig& c, config::Problems& problems) {
  descriptor_of(c.type).validate(c, problems);
}

std::string endpoint_of(const DestinationConfig& c) { return descriptor_of(c.type).endpoint_of(c); }

}  // namespace spanway::sinks
