#include "services/kafka-bridge/exporter_client_options.h"

namespace spanway::kafka_bridge {

rpc::OtlpGrpcSinkOptions exporter_client_options(const DestinationConfig& c) {
  rpc::OtlpGrpcSinkOptions options = rpc::client_options(c);
  for (const HeaderConfig& header : c.headers) options.headers[header.name] = header.value;
  options.timeout = c.timeout;
  options.log_failures = false;  // ConsumeEvents::refused() logs each.
  options.in_flight_max = static_cast<std::size_t>(c.in_flight_max);
  return options;
}

}  // namespace spanway::kafka_bridge
