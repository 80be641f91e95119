#include "services/query/api/rest/rest_api.h"

#include <array>
#include <chrono>
#include <string>

#include "services/lib/base/json_writer.h"
#include "services/query/api/rest/newest_spans.h"
#include "services/query/api/rest/problem.h"

namespace spanway::query::rest {
namespace {

enum Question : int { kSpans, kHealth };

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
  if (request.route->question == kHealth) return answer_health(context, writer);
  SPANWAY_ASSIGN(const std::size_t limit, parse_limit(request.parameters));
  return answer_spans(traces_, limit, context, writer);
}

Status RestApi::answer_health(QueryContext& context, AnswerWriter& writer) const {
  const auto store = traces_.status(context);
  const std::string health = health_json(store, figures_());
  if (store.ok()) return writer.write(health);
  writer.add_header("retry-after", "1");
  writer.refuse(kUnavailable, health);
  return store.error();
}

ErrorAnswer RestApi::error_answer(const ApiRoute&, const Error& error, int http_status) const {
  return {http_status, kProblemType, problem(http_status, error.message)};
}

}  // namespace spanway::query::rest
