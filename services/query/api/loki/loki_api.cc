#include "services/query/api/loki/loki_api.h"

#include <array>
#include <string>
#include <utility>

#include "services/lib/base/json_writer.h"
#include "services/query/api/loki/detected_fields.h"
#include "services/query/api/loki/stream_questions.h"
#include "services/query/api/loki/volume_answers.h"

namespace spanway::query::loki {
namespace {

enum Question : int {
  kQuery,
  kQueryRange,
  kLabels,
  kLabelValues,
  kSeries,
  kStats,
  kVolume,
  kVolumeRange,
  kDetectedLabels,
  kDetectedFields,
  kDetectedFieldValues,
  kFormatQuery,
  kBuildInfo,
  kTail,
};

constexpr ApiRoute route(std::string_view pattern, std::string_view name, Question question,
                         std::string_view methods = "GET POST") {
  return {.methods = methods, .pattern = pattern, .name = name, .question = question};
}

constexpr std::array kRoutes = {
    route("/loki/api/v1/query", "loki_query", kQuery),
    route("/loki/api/v1/query_range", "loki_query_range", kQueryRange),
    route("/loki/api/v1/labels", "loki_labels", kLabels),
    route("/loki/api/v1/label", "loki_labels", kLabels),
    route("/loki/api/v1/label/{name}/values", "loki_label_values", kLabelValues),
    route("/loki/api/v1/series", "loki_series", kSeries),
    route("/loki/api/v1/index/stats", "loki_index_stats", kStats),
    route("/loki/api/v1/index/volume", "loki_volume", kVolume),
    route("/loki/api/v1/index/volume_range", "loki_volume", kVolumeRange),
    route("/loki/api/v1/detected_labels", "loki_detected", kDetectedLabels),
    route("/loki/api/v1/detected_fields", "loki_detected", kDetectedFields),
    route("/loki/api/v1/detected_field/{name}/values", "loki_detected", kDetectedFieldValues),
    route("/loki/api/v1/format_query", "loki_format_query", kFormatQuery),
    route("/loki/api/v1/status/buildinfo", "loki_buildinfo", kBuildInfo, "GET"),
    ApiRoute{.methods = "GET",
             .pattern = "/loki/api/v1/tail",
             .name = "loki_tail",
             .question = kTail,
             .is_web_socket = true},
};

// The version of Loki whose API this is: Grafana turns features on by it.
constexpr const char* kBuildInfoJson =
    "{\"version\":\"3.7.8\",\"revision\":\"spanway\",\"branch\":\"\",\"buildUser\":\"\","
    "\"buildDate\":\"\",\"goVersion\":\"\"}\n";

}  // namespace

std::span<const ApiRoute> LokiApi::routes() const { return kRoutes; }

Status LokiApi::answer(const ApiRequest& request, QueryContext& context, AnswerWriter& writer) {
  writer.set_content_type("application/json; charset=UTF-8");
  switch (request.route->question) {
    case kQuery:
      return answer_query(request, parts_, context, writer);
    case kQueryRange:
      return answer_query_range(request, parts_, context, writer);
    case kLabels:
      return answer_labels(request, parts_, context, writer);
    case kLabelValues:
      return answer_label_values(request, parts_, context, writer);
    case kSeries:
      return answer_series(request, parts_, context, writer);
    case kStats:
      return answer_stats(request, parts_, context, writer);
    case kVolume:
      return answer_volume(request, parts_, context, writer);
    case kVolumeRange:
      return answer_volume_range(request, parts_, context, writer);
    case kDetectedLabels:
      return answer_detected_labels(request, parts_, context, writer);
    case kDetectedFields:
      return answer_detected_fields(request, parts_, context, writer);
    case kDetectedFieldValues:
      return answer_detected_field_values(request, parts_, context, writer);
    case kFormatQuery:
      return answer_format_query(request, writer);
    default:
      return writer.write(kBuildInfoJson);
  }
}

ErrorAnswer LokiApi::error_answer(const ApiRoute& route, const Error& error,
                                  int http_status) const {
  // A query that fails by what it says or reads is the client's to change.
  const bool is_query = error.code == Code::kFailedPrecondition ||
                        (error.code == Code::kResourceExhausted && error.refusal == Refusal::kData);
  const int status = is_query ? 400 : http_status;
  if (route.question == kFormatQuery && status == 400) {
    std::string text;
    JsonWriter json(text);
    json.begin_object().member("status", "invalid-query").member("error", error.message);
    json.end_object();
    return {status, "application/json; charset=UTF-8", text + "\n"};
  }
  return {status, "text/plain; charset=utf-8", error.message + "\n"};
}

void LokiApi::open_web_socket(ApiRequest request, std::string tenant, http::Responder responder,
                              QueryRunner& runner) {
  tails_.open(request, std::move(tenant), std::move(responder), runner);
}

}  // namespace spanway::query::loki
