#include "services/lib/sinks/loki/factory.h"

#include "services/lib/sinks/loki/loki_sink.h"

namespace spanway::sinks {

SinkResult create_loki(const DestinationConfig& config, const DestinationDeps& deps) {
  const LokiConfig& c = config.loki;
  LokiSinkOptions options;
  options.endpoint = c.endpoint;
  options.requests.protocol = c.protocol;
  options.requests.labels = c.labels;
  SPANWAY_ASSIGN(options.http, http_options(c.http, config.in_flight_max));
  return as_sink(LokiSink::create(options, {deps.io, deps.clock, deps.telemetry}));
}

}  // namespace spanway::sinks
