// Jaeger's HTTP APIs: v1 JSON, as its page and Grafana use it, and v3.
#pragma once

#include "services/lib/base/clock.h"
#include "services/query/api/query_api.h"
#include "services/query/store/trace_store.h"

namespace spanway::query::jaeger {

// Thread-safe. The store and the clock outlive it.
class JaegerApi final : public QueryApi {
 public:
  JaegerApi(TraceStore& traces, const Clock& clock) noexcept : traces_(traces), clock_(clock) {}

  std::span<const ApiRoute> routes() const override;
  Status answer(const ApiRequest& request, QueryContext& context, AnswerWriter& writer) override;
  ErrorAnswer error_answer(const ApiRoute& route, const Error& error,
                           int http_status) const override;

 private:
  Status answer_v1(const ApiRequest& request, QueryContext& context, AnswerWriter& writer);
  Status answer_v3(const ApiRequest& request, QueryContext& context, AnswerWriter& writer);
  std::int64_t now() const;

  TraceStore& traces_;
  const Clock& clock_;
};

}  // namespace spanway::query::jaeger
