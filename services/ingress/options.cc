#include "services/ingress/options.h"

namespace spanway::ingress {
namespace {

std::size_t size_of(config::ByteSize size) noexcept { return static_cast<std::size_t>(size.bytes); }
std::size_t size_of(std::int64_t count) noexcept { return static_cast<std::size_t>(count); }

}  // namespace

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

otlp_server::OtlpHttpOptions http_options(const IngressConfig& c, std::string_view challenge) {
  otlp_server::OtlpHttpOptions options;
  options.compressed_bytes_max = size_of(c.limits.compressed_bytes_max);
  options.decode.decoded_bytes_max = size_of(c.limits.body_bytes_max);
  options.json_depth_max = size_of(c.limits.json_depth_max);
  options.deadline_max = c.limits.request_timeout;
  options.cors = c.otlp.http.cors;
  options.challenge = challenge;
  return options;
}

rpc::OtlpGrpcSinkOptions next_options(const NextConfig& c, Duration timeout) {
  rpc::OtlpGrpcSinkOptions options = rpc::client_options(c);
  options.timeout = timeout;
  options.deadline_margin = c.deadline_margin;
  options.in_flight_max = size_of(c.in_flight_max);
  return options;
}

}  // namespace spanway::ingress
