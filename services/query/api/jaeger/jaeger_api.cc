#include "services/query/api/jaeger/jaeger_api.h"

#include <array>

#include "services/query/api/jaeger/jaeger_error.h"
#include "services/query/api/jaeger/trace_answers.h"

namespace spanway::query::jaeger {
namespace {

enum Question : int { kTraceV1, kTraceV3 };

constexpr std::array kRoutes = {
    ApiRoute{.methods = "GET",
             .pattern = "/api/traces/{id}",
             .name = "jaeger_v1_trace",
             .question = kTraceV1},
    ApiRoute{.methods = "GET",
             .pattern = "/api/v3/traces/{id}",
             .name = "jaeger_v3_trace",
             .question = kTraceV3},
};

bool is_v3(const ApiRoute& route) { return route.pattern.starts_with("/api/v3/"); }

}  // namespace

std::span<const ApiRoute> JaegerApi::routes() const { return kRoutes; }

Status JaegerApi::answer(const ApiRequest& request, QueryContext& context, AnswerWriter& writer) {
  SPANWAY_ASSIGN(const TraceId id, parse_trace_id(request.arguments.get("id")));
  if (request.route->question == kTraceV1) return answer_trace_v1(traces_, id, context, writer);
  return answer_trace_v3(traces_, id, context, writer);
}

ErrorAnswer JaegerApi::error_answer(const ApiRoute& route, const Error& error,
                                    int http_status) const {
  return {http_status, "application/json",
          is_v3(route) ? v3_error(error.code, http_status, error.message)
                       : v1_error(http_status, error.message)};
}

}  // namespace spanway::query::jaeger
