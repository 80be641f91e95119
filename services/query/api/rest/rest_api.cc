#include "services/query/api/rest/rest_api.h"

#include <array>
#include <chrono>
#include <optional>
#include <string>

#include "services/lib/base/json_writer.h"
#include "services/lib/http/accept_encoding.h"
#include "services/query/api/request_values.h"
#include "services/query/api/rest/finding_list.h"
#include "services/query/api/rest/newest_spans.h"
#include "services/query/api/rest/problem.h"
#include "services/query/api/rest/search_request.h"
#include "services/query/api/rest/searches.h"
#include "services/query/api/rest/service_graph.h"
#include "services/query/api/rest/service_series.h"
#include "services/query/api/rest/trace_skeleton.h"

namespace spanway::query::rest {
namespace {

enum Question : int {
  kSpans,
  kHealth,
  kTraces,
  kLogs,
  kMetrics,
  kServiceStats,
  kServiceSeries,
  kGraph,
  kFindings,
  kPipeline,
  kSkeleton,
  kSpan
};

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
    ApiRoute{.methods = "GET",
             .pattern = "/api/v1/services/series",
             .name = "rest_service_series",
             .question = kServiceSeries},
    ApiRoute{
        .methods = "GET", .pattern = "/api/v1/graph", .name = "rest_graph", .question = kGraph},
    ApiRoute{.methods = "GET",
             .pattern = "/api/v1/findings",
             .name = "rest_findings",
             .question = kFindings},
    ApiRoute{.methods = "GET",
             .pattern = "/api/v1/pipeline",
             .name = "rest_pipeline",
             .question = kPipeline},
    ApiRoute{.methods = "GET",
             .pattern = "/api/v1/traces/{id}/skeleton",
             .name = "rest_skeleton",
             .question = kSkeleton},
    ApiRoute{.methods = "GET",
             .pattern = "/api/v1/traces/{id}/spans/{span}",
             .name = "rest_span",
             .question = kSpan},
};

// The range in which a trace starts, when the client knows it.
Result<std::optional<TimeRange>> hint_of(const Parameters& parameters, std::int64_t now) {
  if (parameters.get("start_time").empty() && parameters.get("end_time").empty())
    return std::optional<TimeRange>();
  SPANWAY_ASSIGN(const TimeRange range, parse_range(parameters, now));
  return std::optional(range);
}

Status needs_insight(const InsightStore* store) {
  if (store != nullptr) return {};
  return configuration_error(Code::kUnimplemented,
                             "the insight is switched off: set insight.enabled, and with S3 "
                             "insight.tenants")
      .with_reason("no_insight");
}

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
    case kServiceSeries: {
      SPANWAY_ASSIGN(const SeriesRequest series, parse_series(request.parameters, now));
      return answer_series(parts_.traces, series, context, writer);
    }
    case kGraph: {
      SPANWAY_TRY(needs_insight(parts_.insight));
      SPANWAY_ASSIGN(const GraphRequest graph, parse_graph(request.parameters, now));
      return answer_graph(*parts_.insight, parts_.traces, graph, now, context, writer);
    }
    case kFindings: {
      SPANWAY_TRY(needs_insight(parts_.insight));
      SPANWAY_ASSIGN(const FindingsRequest findings, parse_findings(request.parameters, now));
      return answer_findings(*parts_.insight, findings, now, context, writer);
    }
    case kPipeline:
      return writer.write(parts_.pipeline());
    case kSkeleton: {
      SPANWAY_ASSIGN(const TraceId id, parse_trace_id(request.arguments.get("id")));
      SPANWAY_ASSIGN(const auto hint, hint_of(request.parameters, now));
      const bool may_gzip = http::accepts_gzip(request.headers.get("accept-encoding"));
      return answer_skeleton(parts_.traces, id, hint, may_gzip, context, writer);
    }
    case kSpan: {
      SPANWAY_ASSIGN(const TraceId id, parse_trace_id(request.arguments.get("id")));
      SPANWAY_ASSIGN(const std::string span, parse_span_id(request.arguments.get("span")));
      SPANWAY_ASSIGN(const auto hint, hint_of(request.parameters, now));
      return answer_span(parts_.traces, id, span, hint, context, writer);
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
