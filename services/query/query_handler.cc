#include "services/query/query_handler.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "services/query/api/answer_writer.h"
#include "services/query/api/http_status.h"
#include "services/query/api/jaeger/jaeger_api.h"
#include "services/query/api/jaeger/jaeger_error.h"
#include "services/query/api/rest/rest_api.h"

namespace spanway::query {
namespace {

constexpr int kUnauthorized = 401, kForbidden = 403, kNotFound = 404, kMethodNotAllowed = 405,
              kBadRequest = 400, kTooManyRequests = 429, kUnavailable = 503;
// As other servers log it; no client sees it.
constexpr int kClientClosedRequest = 499;
// A probe of the health waits no longer for the store, however long a query may take.
constexpr Duration kHealthTimeMax = std::chrono::seconds(5);
constexpr std::string_view kTraceV1 = "/api/traces/", kTraceV3 = "/api/v3/traces/";

std::string error_body(Api api, Code code, int status, const std::string& message) {
  switch (api) {
    case Api::kTraceV1:
      return jaeger::v1_error(status, message);
    case Api::kTraceV3:
      return jaeger::v3_error(code, status, message);
    default:
      return rest::problem(status, message);
  }
}

Error client_gone() {
  return transient_error(Code::kCancelled, "the client has closed its request")
      .with_reason("cancelled");
}

std::string content_type_of(Api api) {
  return api == Api::kSpans || api == Api::kHealth ? "application/problem+json"
                                                   : "application/json";
}

}  // namespace

// One query between its admission and its end.
struct QueryHandler::Waiting {
  Route route;
  std::string tenant;
  http::Responder responder;
  SteadyTime admitted;
  CancelToken cancel = {};  // By the client that goes away, in the queue already.
};

QueryHandler::QueryHandler(const QueryConfig& config, const Parts& parts)
    : limits_(config.limits), parts_(parts), tenants_(config.tenant) {}

std::unique_ptr<http::BodyReader> QueryHandler::on_request(const http::RequestHead& head,
                                                           http::Responder responder) {
  std::optional<Route> route;
  if (head.path == "/spans") route = Route{Api::kSpans, "", head.query};
  if (head.path == "/health") route = Route{Api::kHealth, "", head.query};
  for (const auto& [prefix, api] :
       {std::pair(kTraceV1, Api::kTraceV1), std::pair(kTraceV3, Api::kTraceV3)})
    if (head.path.starts_with(prefix))
      route = Route{api, head.path.substr(prefix.size()), head.query};
  if (!route) {
    http::Response response;
    response.status = kNotFound;
    response.headers.add("content-type", "application/problem+json");
    response.body = Bytes(rest::problem(
        kNotFound, "there are /spans, /health, /api/traces/{id} and /api/v3/traces/{id}"));
    responder.send(std::move(response));
    return nullptr;
  }
  if (head.method != "GET") {
    refuse(*route, std::move(responder), Code::kUnimplemented, kMethodNotAllowed,
           "only GET is answered here");
    return nullptr;
  }
  auto tenant = tenant_of(head);
  if (!tenant.ok()) {
    const Error& error = tenant.error();
    const int status = error.code == Code::kUnauthenticated   ? kUnauthorized
                       : error.code == Code::kInvalidArgument ? kBadRequest
                                                              : kForbidden;
    refuse(*route, std::move(responder), error.code, status, error.message);
    return nullptr;
  }
  submit({std::move(*route), std::move(*tenant), std::move(responder), parts_.clock.now()});
  return nullptr;
}

Result<std::string> QueryHandler::tenant_of(const http::RequestHead& head) const {
  SPANWAY_ASSIGN(const auto identity, parts_.authenticator.authenticate(head));
  return tenants_.resolve(head, identity);
}

void QueryHandler::refuse(const Route& route, http::Responder responder, Code code, int status,
                          const std::string& message) {
  parts_.events.refused(route.api, status);
  http::Response response;
  response.status = status;
  response.headers.add("content-type", content_type_of(route.api));
  if (may_retry(status)) response.headers.add("retry-after", "1");
  if (status == kMethodNotAllowed) response.headers.add("allow", "GET");
  if (status == kUnauthorized)
    response.headers.add("www-authenticate", std::string(parts_.authenticator.challenge()));
  response.body = Bytes(error_body(route.api, code, status, message));
  responder.send(std::move(response));
}

void QueryHandler::submit(Waiting waiting) {
  const auto shared = std::make_shared<Waiting>(std::move(waiting));
  shared->responder.on_peer_gone([cancel = shared->cancel] { cancel.cancel(); });
  QueryWorkers::Query query = [this, shared] { run(*shared); };
  const bool admitted = parts_.budget.admits() && parts_.workers.submit(shared->tenant, query);
  parts_.events.waiting(parts_.workers.queued());
  if (!admitted)
    refuse(shared->route, std::move(shared->responder), Code::kResourceExhausted, kTooManyRequests,
           "too many queries at once; try again");
}

QueryContext QueryHandler::context_of(Waiting& waiting) const {
  const Duration longest = waiting.route.api == Api::kHealth
                               ? std::min<Duration>(limits_.query_time, kHealthTimeMax)
                               : limits_.query_time;
  QueryContext context;
  context.tenant = waiting.tenant;
  context.deadline = Deadline::at(waiting.admitted + longest);
  context.budget.rows_max = static_cast<std::uint64_t>(limits_.rows_read);
  context.budget.bytes_max = limits_.bytes_read.bytes;
  context.budget.store_memory_max = limits_.store_memory.bytes;
  context.budget.spans_max = static_cast<std::uint64_t>(limits_.spans_per_trace);
  context.budget.memory_max = limits_.query_memory.bytes;
  context.budget.memory = parts_.budget.empty_permit();
  context.budget.reading = parts_.budget.empty_permit();
  context.cancel = waiting.cancel;
  return context;
}

void QueryHandler::run(Waiting& waiting) {
  parts_.events.started();
  parts_.events.waiting(parts_.workers.queued());
  QueryContext context = context_of(waiting);
  const CancelToken by_client = waiting.cancel;
  const auto stopped = all_.on_cancel([by_client] { by_client.cancel(); });

  const Api api = waiting.route.api;
  AnswerWriter writer(std::move(waiting.responder), context.cancel, context.deadline);
  Status result = by_client.cancelled() ? Status(client_gone()) : answer(waiting, context, writer);
  // Before the end of the answer, so that a client that has it reads this state. What follows says
  // nothing of the store.
  parts_.health.query_ended(result);
  if (result.ok()) result = writer.finish();
  int status = 200;
  if (!result.ok()) {
    status = http_status_of(result.error());
    writer.set_content_type(content_type_of(api));
    if (writer.can_refuse() && may_retry(status)) writer.add_header("retry-after", "1");
    writer.refuse(status, error_body(api, result.error().code, status, result.error().message));
    if (by_client.cancelled()) status = kClientClosedRequest;
  }
  parts_.events.ended(api, status, parts_.clock.now() - waiting.admitted, context.cost, result);
}

void QueryHandler::probe() {
  const auto waiting = std::make_shared<Waiting>(
      Waiting{Route{.api = Api::kHealth, .argument = "", .query = ""}, "", {}, parts_.clock.now()});
  QueryWorkers::Query query = [this, waiting] {
    QueryContext context = context_of(*waiting);
    const auto stopped = all_.on_cancel([cancel = waiting->cancel] { cancel.cancel(); });
    parts_.health.probe_ended(parts_.store.ping(context));
  };
  (void)parts_.workers.submit("", query);
}

Status QueryHandler::answer(const Waiting& waiting, QueryContext& context, AnswerWriter& writer) {
  const Route& route = waiting.route;
  switch (route.api) {
    case Api::kSpans: {
      SPANWAY_ASSIGN(const std::size_t limit, rest::parse_limit(route.query));
      return rest::answer_spans(parts_.store, limit, context, writer);
    }
    case Api::kTraceV1:
    case Api::kTraceV3: {
      SPANWAY_ASSIGN(const TraceId id, jaeger::parse_trace_id(route.argument));
      return route.api == Api::kTraceV1
                 ? jaeger::answer_trace_v1(parts_.store, id, context, writer)
                 : jaeger::answer_trace_v3(parts_.store, id, context, writer);
    }
    case Api::kHealth:
      break;
  }
  const auto store = parts_.store.status(context);
  const std::string health = rest::health_json(store, {.running = parts_.events.running(),
                                                       .queued = parts_.workers.queued(),
                                                       .answered = parts_.events.answered(),
                                                       .failed = parts_.events.failed(),
                                                       .refused = parts_.events.refused(),
                                                       .cancelled = parts_.events.cancelled()});
  if (!store.ok()) {
    writer.add_header("retry-after", "1");
    writer.refuse(kUnavailable, health);
    return store.error();
  }
  return writer.write(health);
}

}  // namespace spanway::query
