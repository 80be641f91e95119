#include "services/query/api/tempo/tempo_api.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "services/lib/base/json_writer.h"
#include "services/query/api/tempo/search_parameters.h"
#include "services/query/api/tempo/tag_names.h"
#include "services/query/api/tempo/tempo_json.h"
#include "services/query/api/tempo/trace_answer.h"

namespace spanway::query::tempo {
namespace {

enum Question : int {
  kEcho,
  kBuildInfo,
  kTraceV1,
  kTraceV2,
  kSearch,
  kKeysV1,
  kKeysV2,
  kValuesV1,
  kValuesV2,
  kRange,
  kInstant,
};

constexpr ApiRoute route(std::string_view pattern, std::string_view name, int question,
                         std::string_view accept = "") {
  return {
      .methods = "GET", .pattern = pattern, .name = name, .question = question, .accept = accept};
}

// Each path also below /tempo: there nothing collides with Jaeger's API, whose /api/traces/{id} is
// distinguished from Tempo's by the header Accept otherwise.
constexpr std::array kRoutes = {
    route("/api/echo", "tempo_echo", kEcho),
    route("/tempo/api/echo", "tempo_echo", kEcho),
    route("/api/status/buildinfo", "tempo_buildinfo", kBuildInfo),
    route("/tempo/api/status/buildinfo", "tempo_buildinfo", kBuildInfo),
    route("/api/traces/{id}", "tempo_trace", kTraceV1, kProtobuf),
    route("/tempo/api/traces/{id}", "tempo_trace", kTraceV1),
    route("/api/v2/traces/{id}", "tempo_trace", kTraceV2),
    route("/tempo/api/v2/traces/{id}", "tempo_trace", kTraceV2),
    route("/api/search", "tempo_search", kSearch),
    route("/tempo/api/search", "tempo_search", kSearch),
    route("/api/search/tags", "tempo_tags", kKeysV1),
    route("/tempo/api/search/tags", "tempo_tags", kKeysV1),
    route("/api/v2/search/tags", "tempo_tags", kKeysV2),
    route("/tempo/api/v2/search/tags", "tempo_tags", kKeysV2),
    route("/api/search/tag/{tag...}/values", "tempo_tag_values", kValuesV1),
    route("/tempo/api/search/tag/{tag...}/values", "tempo_tag_values", kValuesV1),
    route("/api/v2/search/tag/{tag...}/values", "tempo_tag_values", kValuesV2),
    route("/tempo/api/v2/search/tag/{tag...}/values", "tempo_tag_values", kValuesV2),
    route("/api/metrics/query_range", "tempo_metrics", kRange),
    route("/tempo/api/metrics/query_range", "tempo_metrics", kRange),
    route("/api/metrics/query", "tempo_metrics", kInstant),
    route("/tempo/api/metrics/query", "tempo_metrics", kInstant),
};

Error with_prefix(Error error, const char* prefix) {
  error.message.insert(0, prefix);
  return error;
}

bool accepts_protobuf(const ApiRequest& request) {
  return request.headers.get("accept").find(kProtobuf) != std::string_view::npos;
}

std::string build_info() {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("version", kApiVersion).member("revision", "spanway");
  json.member("branch", "").member("buildDate", "").member("buildUser", "");
  json.member("goVersion", "").end_object();
  return out;
}

}  // namespace

std::span<const ApiRoute> TempoApi::routes() const { return kRoutes; }

Status TempoApi::answer(const ApiRequest& request, QueryContext& context, AnswerWriter& writer) {
  switch (request.route->question) {
    case kEcho:
      writer.set_content_type("text/plain; charset=utf-8");
      return writer.write("echo");
    case kBuildInfo:
      return writer.write(build_info());
    case kTraceV1:
    case kTraceV2: {
      SPANWAY_ASSIGN(const TraceId trace, parse_trace_question(request));
      const bool is_v2 = request.route->question == kTraceV2;
      return accepts_protobuf(request)
                 ? answer_trace_protobuf(traces_, trace, is_v2, context, writer)
                 : answer_trace_json(traces_, trace, is_v2, context, writer);
    }
    case kSearch:
      return answer_search(request, context, writer);
    case kKeysV1:
    case kKeysV2:
      return answer_keys(request, request.route->question == kKeysV2, context, writer);
    case kValuesV1:
    case kValuesV2:
      return answer_values(request, request.route->question == kValuesV2, context, writer);
    default:
      return answer_series(request, request.route->question == kInstant, context, writer);
  }
}

Status TempoApi::answer_search(const ApiRequest& request, QueryContext& context,
                               AnswerWriter& writer) {
  SPANWAY_ASSIGN(const SearchParameters parameters, parse_search(request.parameters));
  const auto query = traceql::parse(parameters.query);
  if (!query.ok()) return with_prefix(query.error(), "invalid TraceQL query: ");
  // An answer that ends at its deadline is still to be written.
  context.deadline = context.deadline.less(context.details_time / 2);
  SPANWAY_ASSIGN(const auto result, engine_.search(*query, parameters.search, context));
  return writer.write(search_json(result, context));
}

Status TempoApi::answer_series(const ApiRequest& request, bool is_instant, QueryContext& context,
                               AnswerWriter& writer) {
  SPANWAY_ASSIGN(SeriesParameters parameters,
                 parse_series(request.parameters, is_instant, clock_.system_now()));
  const auto query = traceql::parse(parameters.query);
  if (!query.ok()) return with_prefix(query.error(), "compiling query: ");
  if (const auto hint = exemplars_hint(*query)) parameters.series.exemplars_max = *hint;
  SPANWAY_ASSIGN(auto result, engine_.metrics(*query, parameters.series, context));
  if (is_instant) return writer.write(instant_json(std::move(result), context));
  return write_range(std::move(result), parameters.series.intervals, context,
                     [&](std::string_view text) { return writer.write(text); });
}

Status TempoApi::answer_keys(const ApiRequest& request, bool is_v2, QueryContext& context,
                             AnswerWriter& writer) {
  SPANWAY_ASSIGN(const TagParameters parameters, parse_tags(request.parameters));
  std::vector<AttributeKey> keys;
  if (parameters.scope != "intrinsic") {
    SPANWAY_ASSIGN(keys, traces_.attribute_keys(parameters.store_scope, parameters.range, context));
  }
  return writer.write(is_v2 ? keys_v2_json(keys, parameters) : keys_v1_json(keys, parameters));
}

Status TempoApi::answer_values(const ApiRequest& request, bool is_v2, QueryContext& context,
                               AnswerWriter& writer) {
  const std::string tag(request.arguments.get("tag"));
  SPANWAY_ASSIGN(const TagParameters parameters, parse_tags(request.parameters));
  if (const auto known = known_values(tag, is_v2)) return writer.write(values_json(*known, is_v2));
  SPANWAY_ASSIGN(const auto attributes, attributes_of_tag(tag, is_v2));
  SpanQuery spans{parameters.range, {}, parameters.limit};
  if (const auto filter = filter_of(parameters.query)) {
    SPANWAY_ASSIGN(spans.where, engine_.condition(*filter, parameters.range, context));
  }
  std::vector<traceql::Value> values;
  for (const traceql::Attribute& attribute : attributes) {
    SPANWAY_ASSIGN(const auto more, engine_.values(attribute, spans, context));
    values.insert(values.end(), more.begin(), more.end());
  }
  return writer.write(values_json(values, is_v2));
}

ErrorAnswer TempoApi::error_answer(const ApiRoute&, const Error& error, int http_status) const {
  constexpr int kBadRequest = 400, kTooLarge = 413, kUnprocessable = 422;
  int status = http_status;
  if (error.code == Code::kUnimplemented && error.refusal == Refusal::kData && status != 405)
    status = kBadRequest;
  if (status == kTooLarge) status = kUnprocessable;
  return {status, "text/plain; charset=utf-8", error.message};
}

}  // namespace spanway::query::tempo
