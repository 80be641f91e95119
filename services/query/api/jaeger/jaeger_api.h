// Jaeger's HTTP APIs: v1 JSON and v3.
#pragma once

#include "services/query/api/query_api.h"
#include "services/query/store/trace_store.h"

namespace spanway::query::jaeger {

// Thread-safe. The store outlives it.
class JaegerApi final : public QueryApi {
 public:
  explicit JaegerApi(TraceStore& traces) noexcept : traces_(traces) {}

  std::span<const ApiRoute> routes() const override;
  Status answer(const ApiRequest& request, QueryContext& context, AnswerWriter& writer) override;
  ErrorAnswer error_answer(const ApiRoute& route, const Error& error,
                           int http_status) const override;

 private:
  TraceStore& traces_;
};

}  // namespace spanway::query::jaeger
