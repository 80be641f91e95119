#include "services/exporter/destination_config.h"

#include <algorithm>
#include <utility>

#include "services/lib/config/endpoint.h"

namespace spanway::exporter {
namespace {

using config::Binder;
using config::Problems;

constexpr double kSecond = 1000.0;  // Bounds of durations are in milliseconds.
constexpr double kHour = 3600.0 * kSecond;
constexpr double kKibi = 1024.0;
constexpr double kMebi = 1024.0 * kKibi;
constexpr double kGibi = 1024.0 * kMebi;
constexpr double kConnectionsMax = 64;

constexpr std::array<bool, 3> kAllSignals = {true, true, true};
constexpr std::array<bool, 3> kTracesOnly = {true, false, false};
// gRPC servers refuse messages above 4 MiB by default.
constexpr std::size_t kUsualBatchBytes = 3'670'016;

constexpr std::array<DestinationTraits, kDestinationTypeCount> kTraits = {{
    {DestinationType::kOtlpGrpc, kAllSignals, false, false, kUsualBatchBytes},
    {DestinationType::kOtlpHttp, kAllSignals, false, false, kUsualBatchBytes},
    {DestinationType::kZipkin, kTracesOnly, false, false, kUsualBatchBytes},
    {DestinationType::kFile, kAllSignals, false, false, kUsualBatchBytes},
    {DestinationType::kDebug, kAllSignals, false, false, kUsualBatchBytes},
}};
constexpr std::array<std::string_view, kDestinationTypeCount> kNames = {"otlp_grpc", "otlp_http",
                                                                        "zipkin", "file", "debug"};

bool is_url(std::string_view text) {
  return text.starts_with("http://") || text.starts_with("https://");
}

void add_problem(const std::string& path, std::string problem, Problems& problems) {
  if (!problem.empty()) problems.add(path, std::move(problem));
}

void check_url(const std::string& path, std::string_view url, Problems& problems) {
  config::UrlParts parts;
  add_problem(path, config::parse_url(url, parts), problems);
}

void check_pair(const std::string& path, const std::string& certificate, const std::string& key,
                Problems& problems) {
  if (certificate.empty() != key.empty())
    problems.add(path, "certificate_file and key_file must be set together");
}

void check_http(const std::string& path, const HttpConfig& c, Problems& problems) {
  check_pair(path + ".tls", c.tls.certificate_file, c.tls.key_file, problems);
  config::check_headers(path + ".headers", c.headers, config::HeaderUse::kHttp, problems);
  if (!c.tenant_header.empty())
    add_problem(path + ".tenant_header",
                config::header_name_problem(c.tenant_header, config::HeaderUse::kHttp), problems);
}

void check_grpc(const OtlpGrpcConfig& c, Problems& problems) {
  config::HostPort target;
  add_problem("destination.otlp_grpc.endpoint", config::parse_host_port(grpc_target(c), target),
              problems);
  config::check_headers("destination.otlp_grpc.headers", c.headers, config::HeaderUse::kGrpc,
                        problems);
}

void describe_client_files(Binder& b, std::string& ca, std::string& certificate, std::string& key,
                           std::string& server_name) {
  b.key("ca_file", ca, {.doc = "PEM file with the CAs that are trusted; empty = the system's."});
  b.key("certificate_file", certificate,
        {.doc = "PEM file with the client certificate, for mutual TLS."});
  b.key("key_file", key, {.doc = "PEM file with its private key."});
  b.key("server_name", server_name,
        {.doc = "The name that the server's certificate must have, where it is not the host's."});
}

void describe_headers(Binder& b, std::map<std::string, std::string>& headers) {
  b.key("headers", headers,
        {.doc = "Sent with each request; the case of names makes no difference. Values are "
                "secrets: refer to the "
                "environment or to a file.",
         .example = "{authorization: \"Bearer ${env:TOKEN}\"}",
         .secret = true});
}

void describe_timeout(Binder& b, Duration& timeout) {
  b.key("timeout", timeout,
        {.doc = "Longest wait for one answer. Never longer than the sender's own deadline.",
         .min = 10,
         .max = 300 * kSecond});
}

}  // namespace

// Not in the unnamed namespace: the binder finds them next to their types.
static void describe(Binder& b, ClientTlsConfig& c) {
  b.key("enabled", c.enabled,
        {.doc = "Use TLS. An endpoint that begins with https:// turns it on."});
  describe_client_files(b, c.ca_file, c.certificate_file, c.key_file, c.server_name);
}

static void describe(Binder& b, HttpTlsConfig& c) {
  describe_client_files(b, c.ca_file, c.certificate_file, c.key_file, c.server_name);
  b.key("insecure_skip_verify", c.insecure_skip_verify,
        {.doc = "Accept any certificate. Only for tests."});
}

static void describe(Binder& b, OtlpGrpcConfig& c) {
  b.key("endpoint", c.endpoint,
        {.doc = "host:port, with or without http:// or https://. All addresses of the name are "
                "used, round robin.",
         .alias = "JAEGER_ENDPOINT",
         .example = "jaeger-collector:4317"});
  b.section("tls", c.tls, "TLS towards the destination.");
  describe_headers(b, c.headers);
  b.key("compression", c.compression, {"none", "gzip"}, {.doc = "Compression of requests."});
  describe_timeout(b, c.timeout);
  b.key("connections", c.connections,
        {.doc = "Connections to keep; 0 = two per core, at most 8.",
         .min = 0,
         .max = kConnectionsMax});
  b.key("send_metadata", c.send_metadata,
        {.doc = "Pass on spanway-tenant, spanway-batch and traceparent. For destinations that are "
                "Spanway services themselves."});
}

static void describe_http(Binder& b, HttpConfig& c) {
  b.key("compression", c.compression, {"none", "gzip", "zstd"},
        {.doc = "Compression of requests."});
  describe_headers(b, c.headers);
  b.section("tls", c.tls, "TLS, for https:// endpoints.");
  describe_timeout(b, c.timeout);
  b.key("connections", c.connections,
        {.doc = "Most connections to one host.", .min = 1, .max = kConnectionsMax});
  b.key("tenant_header", c.tenant_header,
        {.doc = "Name of a header that carries the batch's tenant; empty = none.",
         .example = "x-scope-orgid",
         .pattern = "[A-Za-z0-9-]{0,64}"});
}

static void describe(Binder& b, OtlpHttpConfig& c) {
  b.key("endpoint", c.endpoint,
        {.doc = "Base URL; /v1/traces, /v1/metrics and /v1/logs are appended.",
         .example = "https://otlp.example.com"});
  b.key("traces_endpoint", c.traces_endpoint,
        {.doc = "URL for traces, taken as it is; empty = from `endpoint`."});
  b.key("metrics_endpoint", c.metrics_endpoint,
        {.doc = "URL for metrics, taken as it is; empty = from `endpoint`.",
         .example = "http://prometheus:9090/api/v1/otlp/v1/metrics"});
  b.key("logs_endpoint", c.logs_endpoint,
        {.doc = "URL for logs, taken as it is; empty = from `endpoint`.",
         .example = "http://loki:3100/otlp/v1/logs"});
  b.key("encoding", c.encoding, {"protobuf", "json"}, {.doc = "Encoding of requests."});
  describe_http(b, c.http);
}

static void describe(Binder& b, ZipkinConfig& c) {
  b.key("endpoint", c.endpoint,
        {.doc = "URL of the server. Without a path, /api/v2/spans is used.",
         .example = "http://zipkin:9411/api/v2/spans"});
  b.key("resource_tags", c.resource_tags,
        {.doc = "Resource attributes that become tags of each span; names, or prefixes that end "
                "in *."});
  b.key("request_bytes_max", c.request_bytes_max,
        {.doc = "A larger batch is sent as several requests of at most this much JSON.",
         .min = 64 * kKibi,
         .max = 64 * kMebi});
  describe_http(b, c.http);
}

static void describe(Binder& b, FileConfig::Rotate& c) {
  b.key("bytes_max", c.bytes_max,
        {.doc = "A file is put aside before it grows above this; 0 = never.",
         .min = 0,
         .max = 1024 * kGibi});
  b.key("age_max", c.age_max,
        {.doc = "A file is put aside when it has been open for this long; 0 = never.",
         .min = 0,
         .max = 24 * 366 * kHour});
  b.key("files_max", c.files_max,
        {.doc = "Files kept besides the open one: <path>.1 (the newest) and so on.",
         .min = 0,
         .max = 10'000});
}

static void describe(Binder& b, FileConfig& c) {
  b.key("path", c.path,
        {.doc = "The file to append to, one OTLP/JSON request a line. {signal} becomes traces, "
                "metrics or logs; without it all share one file.",
         .example = "/var/lib/spanway/otlp-{signal}.jsonl"});
  b.key("fsync", c.fsync, {"always", "interval", "never"},
        {.doc = "When a batch counts as taken: `always` = on the disk (batches that wait together "
                "share one sync); `interval`, `never` = written, and lost if the machine fails "
                "before the kernel has synced."});
  b.key("fsync_interval", c.fsync_interval,
        {.doc = "For fsync: interval.", .min = 10, .max = 60 * kSecond});
  b.section("rotate", c.rotate, "When files are put aside.");
  b.key("queue_bytes_max", c.queue_bytes_max,
        {.doc = "JSON that may wait for the disk; more is refused for now.",
         .min = kMebi,
         .max = 64 * kGibi});
}

static void describe(Binder& b, DebugConfig& c) {
  b.key("verbosity", c.verbosity, {"basic", "detailed"},
        {.doc = "basic: one log line a batch with its counts. detailed: its content too."});
  b.key("detail_bytes_max", c.detail_bytes_max,
        {.doc = "How much of a batch's content `detailed` shows.", .min = 256, .max = kMebi});
  b.key("lines_per_second_max", c.lines_per_second_max,
        {.doc = "Batches shown per second; 0 = all.", .min = 0, .max = 1'000'000});
}

std::string_view to_string(DestinationType type) noexcept {
  return kNames[static_cast<std::size_t>(type)];
}

const DestinationTraits& traits_of(DestinationType type) noexcept {
  return kTraits[static_cast<std::size_t>(type)];
}

std::string grpc_target(const OtlpGrpcConfig& config) {
  std::string_view target = config.endpoint;
  if (is_url(target)) target.remove_prefix(target.find("//") + 2);
  while (target.ends_with('/')) target.remove_suffix(1);
  return std::string(target);
}

bool uses_tls(const OtlpGrpcConfig& config) {
  return config.tls.enabled || config.endpoint.starts_with("https://");
}

void describe(Binder& b, DestinationConfig& c) {
  b.key("type", c.type, config::EnumNames(kNames.begin(), kNames.end()),
        {.doc = "Which of the sections below is used."});
  b.key("in_flight_max", c.in_flight_max,
        {.doc = "Batches that may wait for the destination's answer; more are refused for now.",
         .min = 1,
         .max = 65'536});
  b.section("otlp_grpc", c.otlp_grpc, "OTLP/gRPC: Jaeger, Tempo, an OpenTelemetry Collector, ...");
  b.section("otlp_http", c.otlp_http, "OTLP/HTTP.");
  b.section("zipkin", c.zipkin, "Zipkin's JSON API, version 2. Traces only.");
  b.section("file", c.file, "Files of OTLP/JSON lines.");
  b.section("debug", c.debug, "Shows what arrives in the log, and takes everything.");
}

void validate(const DestinationConfig& c, Problems& problems) {
  switch (c.type) {
    case DestinationType::kOtlpGrpc:
      check_grpc(c.otlp_grpc, problems);
      check_pair("destination.otlp_grpc.tls", c.otlp_grpc.tls.certificate_file,
                 c.otlp_grpc.tls.key_file, problems);
      return;
    case DestinationType::kOtlpHttp:
      check_url("destination.otlp_http.endpoint", c.otlp_http.endpoint, problems);
      for (const auto& [name, url] : {std::pair("traces_endpoint", &c.otlp_http.traces_endpoint),
                                      std::pair("metrics_endpoint", &c.otlp_http.metrics_endpoint),
                                      std::pair("logs_endpoint", &c.otlp_http.logs_endpoint)})
        if (!url->empty()) check_url(std::string("destination.otlp_http.") + name, *url, problems);
      return check_http("destination.otlp_http", c.otlp_http.http, problems);
    case DestinationType::kZipkin:
      check_url("destination.zipkin.endpoint", c.zipkin.endpoint, problems);
      return check_http("destination.zipkin", c.zipkin.http, problems);
    case DestinationType::kFile:
      if (c.file.path.empty() || c.file.path.ends_with('/'))
        problems.add("destination.file.path", "must name a file");
      return;
    case DestinationType::kDebug:
      return;
  }
}

std::string endpoint_of(const DestinationConfig& c) {
  const auto without_query = [](const std::string& url) { return url.substr(0, url.find('?')); };
  switch (c.type) {
    case DestinationType::kOtlpGrpc:
      return grpc_target(c.otlp_grpc);
    case DestinationType::kOtlpHttp:
      return without_query(c.otlp_http.endpoint);
    case DestinationType::kZipkin:
      return without_query(c.zipkin.endpoint);
    case DestinationType::kFile:
      return c.file.path;
    case DestinationType::kDebug:
      return "log";
  }
  return "";
}

}  // namespace spanway::exporter
