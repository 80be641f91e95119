#include <map>
#include <utility>

#include "services/exporter/destination.h"
#include "services/lib/rpc/otlp_grpc_sink.h"
#include "services/lib/sinks/debug_sink.h"
#include "services/lib/sinks/file_sink.h"
#include "services/lib/sinks/otlp_http_sink.h"
#include "services/lib/sinks/zipkin_sink.h"

namespace spanway::exporter {
namespace {

using SinkResult = Result<std::unique_ptr<pipeline::Sink>>;

std::map<std::string, Secret> secret_headers(const std::map<std::string, std::string>& headers) {
  std::map<std::string, Secret> secrets;
  for (const auto& [name, value] : headers) secrets.emplace(name, Secret(value));
  return secrets;
}

http::ContentCoding coding_of(HttpConfig::Compression compression) {
  switch (compression) {
    case HttpConfig::Compression::kGzip:
      return http::ContentCoding::kGzip;
    case HttpConfig::Compression::kZstd:
      return http::ContentCoding::kZstd;
    case HttpConfig::Compression::kNone:
      break;
  }
  return http::ContentCoding::kIdentity;
}

sinks::HttpOptions http_options(const HttpConfig& c, std::int64_t in_flight_max) {
  sinks::HttpOptions options;
  options.compression = coding_of(c.compression);
  options.headers = secret_headers(c.headers);
  options.tls = {.ca_file = c.tls.ca_file,
                 .certificate_file = c.tls.certificate_file,
                 .key_file = c.tls.key_file,
                 .server_name = c.tls.server_name,
                 .insecure_skip_verify = c.tls.insecure_skip_verify};
  options.timeout = c.timeout;
  options.connections_max = static_cast<std::size_t>(c.connections);
  options.in_flight_max = static_cast<std::size_t>(in_flight_max);
  options.tenant_header = c.tenant_header;
  return options;
}

template <typename SinkType>
SinkResult as_sink(Result<std::unique_ptr<SinkType>> made) {
  if (!made.ok()) return std::move(made).error();
  return std::unique_ptr<pipeline::Sink>(std::move(made).value());
}

SinkResult make_otlp_grpc(const DestinationConfig& config, const DestinationDeps& deps) {
  const OtlpGrpcConfig& c = config.otlp_grpc;
  rpc::OtlpGrpcSinkOptions options;
  options.endpoint = grpc_target(c);
  options.compression = c.compression == OtlpGrpcConfig::Compression::kGzip ? "gzip" : "none";
  options.tls = uses_tls(c);
  options.tls_ca_file = c.tls.ca_file;
  options.tls_certificate_file = c.tls.certificate_file;
  options.tls_key_file = c.tls.key_file;
  options.tls_server_name = c.tls.server_name;
  options.headers = secret_headers(c.headers);
  options.timeout = c.timeout;
  options.in_flight_max = static_cast<std::size_t>(config.in_flight_max);
  options.connections = static_cast<std::size_t>(c.connections);
  options.send_metadata = c.send_metadata;
  return as_sink(rpc::OtlpGrpcSink::create(std::move(options), deps.clock, deps.telemetry));
}

SinkResult make_otlp_http(const DestinationConfig& config, const DestinationDeps& deps) {
  const OtlpHttpConfig& c = config.otlp_http;
  sinks::OtlpHttpSinkOptions options;
  options.endpoint = c.endpoint;
  options.signal_endpoints = {c.traces_endpoint, c.metrics_endpoint, c.logs_endpoint};
  options.encoding = c.encoding == OtlpHttpConfig::Encoding::kJson ? otlp::Encoding::kJson
                                                                   : otlp::Encoding::kProtobuf;
  options.http = http_options(c.http, config.in_flight_max);
  return as_sink(sinks::OtlpHttpSink::create(options, {deps.io, deps.clock, deps.telemetry}));
}

SinkResult make_zipkin(const DestinationConfig& config, const DestinationDeps& deps) {
  const ZipkinConfig& c = config.zipkin;
  sinks::ZipkinSinkOptions options;
  options.endpoint = c.endpoint;
  options.json.resource_tags = c.resource_tags;
  options.json.request_bytes_max = c.request_bytes_max.bytes;
  options.http = http_options(c.http, config.in_flight_max);
  return as_sink(sinks::ZipkinSink::create(options, {deps.io, deps.clock, deps.telemetry}));
}

SinkResult make_file(const DestinationConfig& config, const DestinationDeps& deps) {
  const FileConfig& c = config.file;
  sinks::FileSinkOptions options;
  options.path = c.path;
  options.fsync = static_cast<sinks::Fsync>(c.fsync);
  options.fsync_interval = c.fsync_interval;
  options.rotation = {.bytes_max = c.rotate.bytes_max.bytes,
                      .age_max = c.rotate.age_max,
                      .files_max = static_cast<std::size_t>(c.rotate.files_max)};
  options.queue_batches_max = static_cast<std::size_t>(config.in_flight_max);
  options.queue_bytes_max = c.queue_bytes_max.bytes;
  const sinks::FileSinkDeps file_deps{sinks::posix_file_ops(), deps.io.executor(0), deps.clock,
                                      deps.telemetry};
  return std::unique_ptr<pipeline::Sink>(
      std::make_unique<sinks::FileSink>(std::move(options), file_deps));
}

SinkResult make_debug(const DestinationConfig& config, const DestinationDeps& deps) {
  const DebugConfig& c = config.debug;
  const sinks::DebugSinkOptions options{
      .verbosity = c.verbosity == DebugConfig::Verbosity::kDetailed ? sinks::Verbosity::kDetailed
                                                                    : sinks::Verbosity::kBasic,
      .detail_bytes_max = c.detail_bytes_max.bytes,
      .lines_per_second_max = static_cast<std::size_t>(c.lines_per_second_max)};
  return std::unique_ptr<pipeline::Sink>(
      std::make_unique<sinks::DebugSink>(options, deps.clock, deps.telemetry));
}

// The two enums are declared apart, because the configuration knows no sinks.
static_assert(static_cast<int>(FileConfig::Fsync::kAlways) ==
              static_cast<int>(sinks::Fsync::kAlways));
static_assert(static_cast<int>(FileConfig::Fsync::kInterval) ==
              static_cast<int>(sinks::Fsync::kInterval));
static_assert(static_cast<int>(FileConfig::Fsync::kNever) ==
              static_cast<int>(sinks::Fsync::kNever));

}  // namespace

const DestinationRegistry& builtin_destinations() {
  static const DestinationRegistry registry = [] {
    DestinationRegistry r;
    r.add(DestinationType::kOtlpGrpc, make_otlp_grpc);
    r.add(DestinationType::kOtlpHttp, make_otlp_http);
    r.add(DestinationType::kZipkin, make_zipkin);
    r.add(DestinationType::kFile, make_file);
    r.add(DestinationType::kDebug, make_debug);
    return r;
  }();
  return registry;
}

}  // namespace spanway::exporter
