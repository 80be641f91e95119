#include "services/query/configured_apis.h"

#include <chrono>
#include <memory>

#include "services/query/api/jaeger/jaeger_api.h"
#include "services/query/api/loki/loki_api.h"
#include "services/query/api/prometheus/prometheus_api.h"
#include "services/query/api/tempo/tempo_api.h"

namespace spanway::query {

ApiRegistry make_apis(const QueryConfig& config, const ApiParts& parts) {
  ApiRegistry apis;
  apis.add(std::make_unique<rest::RestApi>(rest::RestApi::Parts{.traces = parts.traces,
                                                                .logs = parts.logs,
                                                                .metrics = parts.metrics,
                                                                .clock = parts.clock,
                                                                .figures = parts.figures,
                                                                .insight = parts.insight,
                                                                .pipeline = parts.pipeline}));
  apis.add(std::make_unique<jaeger::JaegerApi>(parts.traces, parts.clock));
  apis.add(std::make_unique<prometheus::PrometheusApi>(
      parts.metrics,
      promql::EngineOptions{.parse = {.experimental = config.promql.experimental},
                            .lookback_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                                               config.promql.lookback)
                                               .count()},
      parts.clock));
  apis.add(std::make_unique<tempo::TempoApi>(parts.traces, parts.clock));
  apis.add(std::make_unique<loki::LokiApi>(parts.logs, parts.clock));
  return apis;
}

}  // namespace spanway::query
