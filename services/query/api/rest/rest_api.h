// Spanway's own HTTP API: the newest spans, and the state of the service.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

#include "services/query/api/query_api.h"
#include "services/query/store/trace_store.h"

namespace spanway::query::rest {

// Figures of the service for /health.
struct Figures {
  std::size_t running = 0;
  std::size_t queued = 0;
  std::uint64_t answered = 0;
  std::uint64_t failed = 0;
  std::uint64_t refused = 0;
  std::uint64_t cancelled = 0;
};

// Thread-safe, as `figures` is. The store outlives it.
class RestApi final : public QueryApi {
 public:
  RestApi(TraceStore& traces, std::function<Figures()> figures)
      : traces_(traces), figures_(std::move(figures)) {}

  std::span<const ApiRoute> routes() const override;
  Status answer(const ApiRequest& request, QueryContext& context, AnswerWriter& writer) override;
  ErrorAnswer error_answer(const ApiRoute& route, const Error& error,
                           int http_status) const override;

 private:
  Status answer_health(QueryContext& context, AnswerWriter& writer) const;

  TraceStore& traces_;
  const std::function<Figures()> figures_;
};

}  // namespace spanway::query::rest
