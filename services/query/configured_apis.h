// The APIs that this service serves, over the stores of its configuration.
#pragma once

#include <functional>
#include <string>

#include "services/query/api/api_registry.h"
#include "services/query/api/rest/rest_api.h"
#include "services/query/config.h"
#include "services/query/store/log_store.h"
#include "services/query/store/metric_store.h"
#include "services/query/store/trace_store.h"

namespace spanway::query {

// All of them outlive the registry.
struct ApiParts {
  TraceStore& traces;
  LogStore& logs;
  MetricStore& metrics;
  const Clock& clock;
  std::function<rest::Figures()> figures;
  InsightStore* insight = nullptr;  // Null without the insight.
  std::function<std::string()> pipeline;
};

ApiRegistry make_apis(const QueryConfig& config, const ApiParts& parts);

}  // namespace spanway::query
