#include "services/query/api/jaeger/jaeger_api.h"

#include <array>
#include <string>

#include "services/query/api/jaeger/go_values.h"
#include "services/query/api/jaeger/jaeger_error.h"
#include "services/query/api/jaeger/metrics_answers.h"
#include "services/query/api/jaeger/search_answers.h"
#include "services/query/api/jaeger/trace_answers.h"
#include "services/query/api/request_values.h"

namespace spanway::query::jaeger {
namespace {

enum Question : int {
  kTraceV1,
  kSearchV1,
  kServicesV1,
  kOperationsV1,
  kOperationNames,
  kDependenciesV1,
  kCalls,
  kErrors,
  kLatencies,
  kMinStep,
  kTraceV3,
  kSearchV3,
  kSummaries,
  kServicesV3,
  kOperationsV3,
  kDependenciesV3,
};

constexpr ApiRoute get(std::string_view pattern, std::string_view name, Question question) {
  return {.methods = "GET", .pattern = pattern, .name = name, .question = question};
}

constexpr std::array kRoutes = {
    get("/api/traces/{id}", "jaeger_v1_trace", kTraceV1),
    get("/api/traces", "jaeger_v1_search", kSearchV1),
    get("/api/services", "jaeger_v1_services", kServicesV1),
    get("/api/operations", "jaeger_v1_operations", kOperationsV1),
    get("/api/services/{service}/operations", "jaeger_v1_operations", kOperationNames),
    get("/api/dependencies", "jaeger_v1_dependencies", kDependenciesV1),
    get("/api/metrics/calls", "jaeger_v1_metrics", kCalls),
    get("/api/metrics/errors", "jaeger_v1_metrics", kErrors),
    get("/api/metrics/latencies", "jaeger_v1_metrics", kLatencies),
    get("/api/metrics/minstep", "jaeger_v1_metrics", kMinStep),
    get("/api/v3/traces/{id}", "jaeger_v3_trace", kTraceV3),
    get("/api/v3/traces", "jaeger_v3_search", kSearchV3),
    get("/api/v3/trace-summaries", "jaeger_v3_summaries", kSummaries),
    get("/api/v3/services", "jaeger_v3_services", kServicesV3),
    get("/api/v3/operations", "jaeger_v3_operations", kOperationsV3),
    get("/api/v3/dependencies", "jaeger_v3_dependencies", kDependenciesV3),
};

constexpr std::int64_t kNanosPerMicro = 1'000, kNanosPerMs = 1'000'000;
constexpr std::int64_t kNumberMax = 9'000'000'000'000;  // Its ns as ms fit into 64 bits.

bool is_v3(const ApiRoute& route) { return route.pattern.starts_with("/api/v3/"); }

// A whole number of units; `otherwise` without the parameter.
Result<std::int64_t> nanos_in(const Parameters& parameters, std::string_view name,
                              std::int64_t unit, std::int64_t otherwise) {
  const std::string_view text = parameters.get(name);
  if (text.empty()) return otherwise;
  const auto number = parse_number(text);
  if (!number || *number < 0 || *number > kNumberMax * (kNanosPerMs / unit))
    return bad_parameter(name, "invalid syntax");
  return *number * unit;
}

// The range of a trace by `start` and `end`, when both are given.
Result<std::optional<TimeRange>> hint_v1(const Parameters& parameters) {
  SPANWAY_ASSIGN(const std::int64_t begin, nanos_in(parameters, "start", kNanosPerMicro, -1));
  SPANWAY_ASSIGN(const std::int64_t end, nanos_in(parameters, "end", kNanosPerMicro, -1));
  if (begin < 0 || end < 0) return std::optional<TimeRange>();
  return std::optional(TimeRange{.begin = begin, .end = end + kNanosPerMicro});
}

Result<std::int64_t> time_v3(const Parameters& parameters, std::string_view camel,
                             std::string_view snake) {
  std::string_view text = parameters.get(camel);
  if (text.empty()) text = parameters.get(snake);
  if (text.empty()) return -1;
  const auto time = parse_rfc3339(text);
  if (!time)
    return invalid_argument("malformed parameter " + std::string(snake) +
                            ": not a time of RFC 3339")
        .with_reason("bad_parameters");
  return *time;
}

Result<std::optional<TimeRange>> range_v3(const Parameters& parameters) {
  SPANWAY_ASSIGN(const std::int64_t begin, time_v3(parameters, "startTime", "start_time"));
  SPANWAY_ASSIGN(const std::int64_t end, time_v3(parameters, "endTime", "end_time"));
  if (begin < 0 || end < 0) return std::optional<TimeRange>();
  return std::optional(TimeRange{.begin = begin, .end = end + 1});
}

}  // namespace

std::span<const ApiRoute> JaegerApi::routes() const { return kRoutes; }

std::int64_t JaegerApi::now() const { return clock_.system_now().time_since_epoch().count(); }

Status JaegerApi::answer(const ApiRequest& request, QueryContext& context, AnswerWriter& writer) {
  return is_v3(*request.route) ? answer_v3(request, context, writer)
                               : answer_v1(request, context, writer);
}

Status JaegerApi::answer_v1(const ApiRequest& request, QueryContext& context,
                            AnswerWriter& writer) {
  const Parameters& parameters = request.parameters;
  const std::string service(parameters.get("service"));
  switch (request.route->question) {
    case kTraceV1: {
      SPANWAY_ASSIGN(const TraceId id, parse_trace_id(request.arguments.get("id")));
      SPANWAY_ASSIGN(const auto hint, hint_v1(parameters));
      return answer_trace_v1(traces_, id, hint, context, writer);
    }
    case kSearchV1: {
      SPANWAY_ASSIGN(const auto search, parse_v1_search(parameters, now()));
      return answer_search_v1(traces_, search, context, writer);
    }
    case kServicesV1:
      return answer_services_v1(traces_, {}, context, writer);
    case kOperationNames:
      return answer_operation_names(traces_, std::string(request.arguments.get("service")), {},
                                    context, writer);
    case kOperationsV1:
      if (service.empty())
        return invalid_argument("parameter 'service' is required").with_reason("bad_parameters");
      return answer_operations_v1(traces_, service, parameters.get("spanKind"), {}, context,
                                  writer);
    case kDependenciesV1: {
      SPANWAY_ASSIGN(const std::int64_t end, nanos_in(parameters, "endTs", kNanosPerMs, now()));
      SPANWAY_ASSIGN(const std::int64_t lookback,
                     nanos_in(parameters, "lookback", kNanosPerMs, kDayNanos));
      return answer_dependencies_v1(traces_, service, {.begin = end - lookback, .end = end},
                                    context, writer);
    }
    case kCalls:
      return answer_metrics(traces_, Metric::kCalls, parameters, now(), context, writer);
    case kErrors:
      return answer_metrics(traces_, Metric::kErrors, parameters, now(), context, writer);
    case kLatencies:
      return answer_metrics(traces_, Metric::kLatencies, parameters, now(), context, writer);
    default:
      return answer_min_step(writer);
  }
}

Status JaegerApi::answer_v3(const ApiRequest& request, QueryContext& context,
                            AnswerWriter& writer) {
  const Parameters& parameters = request.parameters;
  switch (request.route->question) {
    case kTraceV3: {
      SPANWAY_ASSIGN(const TraceId id, parse_trace_id(request.arguments.get("id")));
      SPANWAY_ASSIGN(const auto hint, range_v3(parameters));
      return answer_trace_v3(traces_, id, hint, context, writer);
    }
    case kSearchV3: {
      SPANWAY_ASSIGN(const auto search, parse_v3_search(parameters));
      return answer_search_v3(traces_, search, context, writer);
    }
    case kSummaries: {
      SPANWAY_ASSIGN(const auto search, parse_v3_search(parameters));
      return answer_summaries(traces_, search, context, writer);
    }
    case kServicesV3:
      return answer_services_v3(traces_, {}, context, writer);
    case kOperationsV3: {
      const std::string_view camel = parameters.get("spanKind");
      return answer_operations_v3(traces_, std::string(parameters.get("service")),
                                  camel.empty() ? parameters.get("span_kind") : camel, {}, context,
                                  writer);
    }
    default: {
      SPANWAY_ASSIGN(const auto range, range_v3(parameters));
      if (!range)
        return invalid_argument("start_time and end_time are required")
            .with_reason("bad_parameters");
      return answer_dependencies_v3(traces_, *range, context, writer);
    }
  }
}

ErrorAnswer JaegerApi::error_answer(const ApiRoute& route, const Error& error,
                                    int http_status) const {
  return {http_status, "application/json",
          is_v3(route) ? v3_error(error.code, http_status, error.message)
                       : v1_error(http_status, error.message)};
}

}  // namespace spanway::query::jaeger
