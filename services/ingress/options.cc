#include "services/ingress/options.h"

namespace spanway::ingress {
namespace {

std::size_t size_of(config::ByteSize size) noexcept { return static_cast<std::size_t>(size.bytes); }
std::size_t size_of(std::int64_t count) noexcept { return static_cast<std::size_t>(count); }

}  // namespace

http::ServerLimits server_limits(const LimitsConfig& c) {
  http::ServerLimits limits;
  limits.header_bytes_max = size_of(c.header_bytes_max);
  limits.header_count_max = size_of(c.header_count_max);
  limits.streams_max = static_cast<std::uint32_t>(c.streams_max);
  limits.stream_window_bytes = static_cast<std::uint32_t>(c.stream_window.bytes);
  limits.connection_window_bytes = static_cast<std::uint32_t>(c.connection_window.bytes);
  limits.connections_max = size_of(c.connections_max);
  limits.connections_per_peer_max = size_of(c.connections_per_peer_max);
  limits.handshake_timeout = c.handshake_timeout;
  limits.header_timeout = c.header_timeout;
  limits.request_timeout = c.request_timeout;
  limits.idle_timeout = c.idle_timeout;
  limits.connection_age_max = c.connection_age_max;
  limits.connection_age_grace = c.connection_age_grace;
  return limits;
}

otlp::ScanLimits scan_limits(const LimitsConfig& c) {
  otlp::ScanLimits limits;
  limits.request_bytes_max = size_of(c.body_bytes_max);
  limits.prefix_bytes_max = size_of(c.prefix_bytes_max);
  limits.item_bytes_max = size_of(c.item_bytes_max);
  limits.value_depth_max = size_of(c.value_depth_max);
  limits.submessages_max = size_of(c.submessages_max);
  return limits;
}

rpc::ExportServiceOptions grpc_options(const LimitsConfig& c) {
  rpc::ExportServiceOptions options;
  options.message_bytes_max = size_of(c.body_bytes_max);
  options.compressed_bytes_max = size_of(c.compressed_bytes_max);
  options.deadline_max = c.request_timeout;
  return options;
}

OtlpHttpOptions http_options(const IngressConfig& c, std::string_view challenge) {
  OtlpHttpOptions options;
  options.compressed_bytes_max = size_of(c.limits.compressed_bytes_max);
  options.decode.decoded_bytes_max = size_of(c.limits.body_bytes_max);
  options.json_depth_max = size_of(c.limits.json_depth_max);
  options.deadline_max = c.limits.request_timeout;
  options.cors = c.otlp.http.cors;
  options.challenge = challenge;
  return options;
}

rpc::OtlpGrpcSinkOptions next_options(const NextConfig& c, Duration timeout) {
  rpc::OtlpGrpcSinkOptions options;
  options.endpoint = c.endpoint;
  options.compression = c.compression == NextConfig::Compression::kGzip ? "gzip" : "none";
  options.tls = c.tls.enabled;
  options.tls_ca_file = c.tls.ca_file;
  options.tls_certificate_file = c.tls.certificate_file;
  options.tls_key_file = c.tls.key_file;
  options.tls_server_name = c.tls.server_name;
  options.timeout = timeout;
  options.deadline_margin = c.deadline_margin;
  options.in_flight_max = size_of(c.in_flight_max);
  options.connections = size_of(c.connections);
  return options;
}

}  // namespace spanway::ingress
