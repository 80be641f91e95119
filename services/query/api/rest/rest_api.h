// Spanway's own HTTP API: the newest spans, searches, figures of services, their graph, findings,
// and the state of this one and of the services before it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "services/lib/base/clock.h"
#include "services/query/api/query_api.h"
#include "services/query/store/insight_store.h"
#include "services/query/store/log_store.h"
#include "services/query/store/metric_store.h"
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

// Thread-safe, as `figures` and `pipeline` are. The stores and the clock outlive it.
class RestApi final : public QueryApi {
 public:
  struct Parts {
    TraceStore& traces;
    LogStore& logs;
    MetricStore& metrics;
    const Clock& clock;
    std::function<Figures()> figures;
    InsightStore* insight = nullptr;  // Null without the insight.
    // The state of the services before the store, as JSON; may block.
    std::function<std::string()> pipeline;
  };
  explicit RestApi(Parts parts) : parts_(std::move(parts)) {}

  std::span<const ApiRoute> routes() const override;
  Status answer(const ApiRequest& request, QueryContext& context, AnswerWriter& writer) override;
  ErrorAnswer error_answer(const ApiRoute& route, const Error& error,
                           int http_status) const override;

 private:
  Status answer_health(QueryContext& context, AnswerWriter& writer) const;

  const Parts parts_;
};

}  // namespace spanway::query::rest
