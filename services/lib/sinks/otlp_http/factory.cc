#include "services/lib/sinks/otlp_http/factory.h"

#include "services/lib/sinks/otlp_http/otlp_http_sink.h"

namespace spanway::sinks {

SinkResult create_otlp_http(const DestinationConfig& config, const DestinationDeps& deps) {
  const OtlpHttpConfig& c = config.otlp_http;
  OtlpHttpSinkOptions options;
  options.endpoint = c.endpoint;
  options.signal_endpoints = {c.traces_endpoint, c.metrics_endpoint, c.logs_endpoint};
  options.encoding = c.encoding == OtlpHttpConfig::Encoding::kJson ? otlp::Encoding::kJson
                                                                   : otlp::Encoding::kProtobuf;
  SPANWAY_ASSIGN(options.http, http_options(c.http, config.in_flight_max));
  return as_sink(OtlpHttpSink::create(options, {deps.io, deps.clock, deps.telemetry}));
}

}  // namespace spanway::sinks
