// Prometheus's HTTP API over a MetricStore.
#pragma once

#include "services/lib/base/clock.h"
#include "services/query/api/query_api.h"
#include "services/query/promql/engine.h"
#include "services/query/store/metric_store.h"

namespace spanway::query::prometheus {

// Thread-safe. The store and the clock outlive it.
class PrometheusApi final : public QueryApi {
 public:
  PrometheusApi(MetricStore& metrics, promql::EngineOptions options, const Clock& clock)
      : metrics_(metrics), options_(options), clock_(clock) {}

  std::span<const ApiRoute> routes() const override;
  Status answer(const ApiRequest& request, QueryContext& context, AnswerWriter& writer) override;
  ErrorAnswer error_answer(const ApiRoute& route, const Error& error,
                           int http_status) const override;

 private:
  MetricStore& metrics_;
  const promql::EngineOptions options_;
  const Clock& clock_;
};

}  // namespace spanway::query::prometheus
