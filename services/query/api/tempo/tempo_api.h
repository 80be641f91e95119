// Tempo's HTTP API, as Grafana's Tempo data source uses it.
#pragma once

#include "services/lib/base/clock.h"
#include "services/query/api/query_api.h"
#include "services/query/store/trace_store.h"
#include "services/query/traceql/engine.h"

namespace spanway::query::tempo {

// The release of Tempo whose API this is: Grafana switches features on by it.
inline constexpr const char* kApiVersion = "2.9.0";

// Thread-safe. The store and the clock outlive it.
class TempoApi final : public QueryApi {
 public:
  TempoApi(TraceStore& traces, const Clock& clock)
      : traces_(traces), clock_(clock), engine_(traces, clock) {}

  std::span<const ApiRoute> routes() const override;
  Status answer(const ApiRequest& request, QueryContext& context, AnswerWriter& writer) override;
  // Plain text, as Tempo's.
  ErrorAnswer error_answer(const ApiRoute& route, const Error& error,
                           int http_status) const override;

 private:
  Status answer_search(const ApiRequest& request, QueryContext& context, AnswerWriter& writer);
  Status answer_series(const ApiRequest& request, bool is_instant, QueryContext& context,
                       AnswerWriter& writer);
  Status answer_keys(const ApiRequest& request, bool is_v2, QueryContext& context,
                     AnswerWriter& writer);
  Status answer_values(const ApiRequest& request, bool is_v2, QueryContext& context,
                       AnswerWriter& writer);

  TraceStore& traces_;
  const Clock& clock_;
  const traceql::Engine engine_;
};

}  // namespace spanway::query::tempo
