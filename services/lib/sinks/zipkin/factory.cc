#include "services/lib/sinks/zipkin/factory.h"

#include "services/lib/sinks/zipkin/zipkin_sink.h"

namespace spanway::sinks {

SinkResult create_zipkin(const DestinationConfig& config, const DestinationDeps& deps) {
  const ZipkinConfig& c = config.zipkin;
  ZipkinSinkOptions options;
  options.endpoint = c.endpoint;
  options.json.resource_tags = c.resource_tags;
  options.json.request_bytes_max = c.request_bytes_max.bytes;
  SPANWAY_ASSIGN(options.http, http_options(c.http, config.in_flight_max));
  return as_sink(ZipkinSink::create(options, {deps.io, deps.clock, deps.telemetry}));
}

}  // namespace spanway::sinks
