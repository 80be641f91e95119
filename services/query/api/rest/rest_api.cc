#include "services/query/api/rest/rest_api.h"

#include <array>
#include <chrono>
#include <string>

#include "services/lib/base/json_writer.h"
#include "services/query/api/rest/newest_spans.h"
#include "services/query/api/rest/problem.h"
#include "services/query/api/rest/search_request.h"
#include "services/query/api/rest/searches.h"

namespace spanway::query::rest {
namespace {

enum Question : int { kSpans, kHealth, kTraces, kLogs, kMetrics, kServiceStats };

constexpr int kUnavailable = 503;
// A probe waits no longer for the store, however long a query may take.
constexpr Duration kHealthTimeMax = std::chrono::seconds(5);

constexpr std::array kRoutes = {
    ApiRoute{.methods = "GET", .pattern = "/spans", .name = "spans", .question = kSpans},
    ApiRoute{.methods = "GET",
             .pattern = "/health",
             .name = "health",
             .question = kHealth,
             .time_max = kHealthTimeMax},
    ApiRoute{
        .methods = "POST", .pattern = "/api/v1/traces", .name = "rest_traces", .question = kTraces},
    ApiRoute{.methods = "POST", .pattern = "/api/v1/logs", .name = "rest_logs", .question = kLogs},
    ApiRoute{.methods = "POST",
             .pattern = "/api/v1/metrics",
             .name = "rest_metrics",
             .question = kMetrics},
    ApiRoute{.methods = "GET",
             .pattern = "/api/v1/services/stats",
             .name = "rest_service_stats",
             .question = kServiceStats},
};

// The store's error = its state is unknown.
std::string health_json(const Result<StoreStatus>& store, const Figures& figures) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("status", store.ok() ? "ok" : "unavailable").begin_object("store");
  if (store.ok()) {
    json.member("type", store->type).member("endpoint", store->endpoint);
    json.member("spans", store->spans);
    if (store->newest_unix_nano)
      json.member("newestUnixNano", std::to_string(*store->newest_unix_nano));
  } else {
    json.member("error", store.error().message);
  }
  json.end_object().begin_object("queries");
  json.member("running", figures.running).member("queued", figures.queued);
  json.member("answered", figures.answered).member("failed", figures.failed);
  json.member("refused", figures.refused).member("cancelled", figures.cancelled);
  json.end_object().end_object();
  return out;
}

}  // namespace

std::span<const ApiRoute> RestApi::routes() const { return kRoutes; }

Status RestApi::answer(const ApiRequest& request, QueryContext& context, AnswerWriter& writer) {
  const std::int64_t now = parts_.clock.system_now().time_since_epoch().count();
  switch (request.route->question) {
    case kHealth:
      return answer_health(context, writer);
    case kTraces: {
      SPANWAY_ASSIGN(const auto search, parse_search(request.body, now));
      return answer_traces(parts_.traces, search, context, writer);
    }
    case kLogs: {
      SPANWAY_ASSIGN(const auto search, parse_search(request.body, now));
      return answer_logs(parts_.logs, search, context, writer);
    }
    case kMetrics: {
      SPANWAY_ASSIGN(const auto search, parse_search(request.body, now));
      return answer_metrics(parts_.metrics, search, context, writer);
    }
    case kServiceStats: {
      SPANWAY_ASSIGN(const TimeRange range, parse_range(request.parameters, now));
      return answer_service_stats(parts_.traces, range, context, writer);
    }
    default: {
      SPANWAY_ASSIGN(const std::size_t limit, parse_limit(request.parameters));
      return answer_spans(parts_.traces, limit, context, writer);
    }
  }
}

Status RestApi::answer_health(QueryContext& context, AnswerWriter& writer) const {
  const auto store = parts_.traces.status(context);
  const std::string health = health_json(store, parts_.figures());
  if (store.ok()) return writer.write(health);
  writer.add_header("retry-after", "1");
  writer.refuse(kUnavailable, health);
  return store.error();
}

ErrorAnswer RestApi::error_answer(const ApiRoute&, const Error& error, int http_status) const {
  return {http_status, kProblemType, problem(http_status, error.message)};
}

}  // namespace spanway::query::rest
