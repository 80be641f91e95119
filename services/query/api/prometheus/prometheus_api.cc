#include "services/query/api/prometheus/prometheus_api.h"

#include <array>
#include <string>

#include "services/lib/base/json_writer.h"
#include "services/query/api/prometheus/label_questions.h"
#include "services/query/api/prometheus/query_answers.h"

namespace spanway::query::prometheus {
namespace {

enum Question : int {
  kQuery,
  kQueryRange,
  kQueryExemplars,
  kFormatQuery,
  kParseQuery,
  kSeries,
  kLabels,
  kLabelValues,
  kMetadata,
  kBuildInfo,
  kRules,
  kAlerts,
};

constexpr std::string_view kGet = "GET", kBoth = "GET POST";
constexpr std::array kRoutes = {
    ApiRoute{.methods = kBoth,
             .pattern = "/api/v1/query",
             .name = "prometheus_query",
             .question = kQuery},
    ApiRoute{.methods = kBoth,
             .pattern = "/api/v1/query_range",
             .name = "prometheus_query_range",
             .question = kQueryRange},
    ApiRoute{.methods = kBoth,
             .pattern = "/api/v1/query_exemplars",
             .name = "prometheus_query_exemplars",
             .question = kQueryExemplars},
    ApiRoute{.methods = kBoth,
             .pattern = "/api/v1/format_query",
             .name = "prometheus_format_query",
             .question = kFormatQuery},
    ApiRoute{.methods = kBoth,
             .pattern = "/api/v1/parse_query",
             .name = "prometheus_parse_query",
             .question = kParseQuery},
    ApiRoute{.methods = kBoth,
             .pattern = "/api/v1/series",
             .name = "prometheus_series",
             .question = kSeries},
    ApiRoute{.methods = kBoth,
             .pattern = "/api/v1/labels",
             .name = "prometheus_labels",
             .question = kLabels},
    ApiRoute{.methods = kGet,
             .pattern = "/api/v1/label/{name...}/values",
             .name = "prometheus_label_values",
             .question = kLabelValues},
    ApiRoute{.methods = kGet,
             .pattern = "/api/v1/metadata",
             .name = "prometheus_metadata",
             .question = kMetadata},
    ApiRoute{.methods = kGet,
             .pattern = "/api/v1/status/buildinfo",
             .name = "prometheus_status",
             .question = kBuildInfo},
    ApiRoute{.methods = kGet,
             .pattern = "/api/v1/rules",
             .name = "prometheus_status",
             .question = kRules},
    ApiRoute{.methods = kGet,
             .pattern = "/api/v1/alerts",
             .name = "prometheus_status",
             .question = kAlerts},
};

// Samples of one query at most, as in Prometheus.
constexpr std::uint64_t kSamplesMax = 50'000'000;
// The version whose API this is: Grafana offers features by it.
constexpr std::string_view kBuildInfoJson =
    R"({"status":"success","data":{"version":"3.15.0","revision":"","branch":"","buildUser":"",)"
    R"("buildDate":"","goVersion":"","application":"Spanway )" SPANWAY_VERSION R"("}})";

struct Shape {
  int status;
  std::string_view type;
};

Shape shape_of(const Error& error, int http_status) {
  constexpr int kBadData = 400, kUnauthorized = 401, kForbidden = 403, kMethod = 405,
                kTooMany = 429, kExecution = 422, kUnavailable = 503;
  switch (http_status) {
    case kUnauthorized:
      return {http_status, "unauthorized"};
    case kForbidden:
      return {http_status, "forbidden"};
    case kMethod:
    case kBadData:
      return {http_status, "bad_data"};
    case kTooMany:
      return {http_status, "too_many_requests"};
    case kUnavailable:
      if (error.code == Code::kDeadlineExceeded) return {http_status, "timeout"};
      if (error.code == Code::kCancelled) return {http_status, "canceled"};
      return {http_status, "unavailable"};
    default:
      break;
  }
  if (error.code == Code::kFailedPrecondition || error.code == Code::kResourceExhausted)
    return {kExecution, "execution"};
  return {http_status, error.code == Code::kUnimplemented ? "unavailable" : "internal"};
}

}  // namespace

std::span<const ApiRoute> PrometheusApi::routes() const { return kRoutes; }

Status PrometheusApi::answer(const ApiRequest& request, QueryContext& context,
                             AnswerWriter& writer) {
  context.budget.spans_max = kSamplesMax;
  const QueryParts parts{metrics_, options_, clock_};
  switch (request.route->question) {
    case kQuery:
      return answer_query(parts, request.parameters, context, writer);
    case kQueryRange:
      return answer_query_range(parts, request.parameters, context, writer);
    case kQueryExemplars:
      return answer_query_exemplars(parts, request.parameters, writer);
    case kFormatQuery:
      return answer_format_query(parts, request.parameters, writer);
    case kParseQuery:
      return answer_parse_query(parts, request.parameters, writer);
    case kSeries:
      return answer_series(metrics_, request, options_.parse, context, writer);
    case kLabels:
      return answer_labels(metrics_, request, options_.parse, context, writer);
    case kLabelValues:
      return answer_label_values(metrics_, request, options_.parse, context, writer);
    case kMetadata:
      return answer_metadata(metrics_, request, context, writer);
    case kBuildInfo:
      return writer.write(kBuildInfoJson);
    case kRules:
      return writer.write(R"({"status":"success","data":{"groups":[]}})");
    default:
      return writer.write(R"({"status":"success","data":{"alerts":[]}})");
  }
}

ErrorAnswer PrometheusApi::error_answer(const ApiRoute&, const Error& error,
                                        int http_status) const {
  const Shape shape = shape_of(error, http_status);
  std::string body;
  JsonWriter json(body);
  json.begin_object().member("status", "error").member("errorType", shape.type);
  json.member("error", error.message).end_object();
  return {shape.status, "application/json", std::move(body)};
}

}  // namespace spanway::query::prometheus
