#include "services/query/query_handler.h"

#include <chrono>
#include <utility>

#include "services/lib/base/ascii.h"
#include "services/query/api/answer_headers.h"
#include "services/query/api/answer_writer.h"
#include "services/query/api/http_status.h"
#include "services/query/api/rest/problem.h"

namespace spanway::query {
namespace {

constexpr int kOk = 200, kBadRequest = 400, kUnauthorized = 401, kForbidden = 403, kNotFound = 404,
              kMethodNotAllowed = 405, kTooLarge = 413, kTooManyRequests = 429;
// As other servers log it; no client sees it.
constexpr int kClientClosedRequest = 499;
// A probe waits no longer for the store, however long a query may take.
constexpr Duration kProbeTimeMax = std::chrono::seconds(5);
constexpr std::string_view kForm = "application/x-www-form-urlencoded";

Error client_gone() {
  return transient_error(Code::kCancelled, "the client has closed its request")
      .with_reason("cancelled");
}

void send_not_found(http::Responder responder) {
  http::Response response;
  response.status = kNotFound;
  response.headers.add("content-type", rest::kProblemType);
  response.body = Bytes(rest::problem(
      kNotFound, "no API has this path; services/query/README.md lists those that there are"));
  responder.send(std::move(response));
}

}  // namespace

// One request between its head and the end of its answer.
struct QueryHandler::Waiting {
  QueryApi* api = nullptr;
  ApiRequest request = {};
  std::string query = {};  // The URL's, raw.
  std::string tenant = {};
  http::Responder responder = {};
  SteadyTime admitted = {};
  CancelToken cancel = {};  // By the client that goes away, in the queue already.
  Permit body_memory = {};
};

// The body of a POST, up to ApiRequest::kBodyBytesMax.
class QueryHandler::Body final : public http::BodyReader {
 public:
  Body(QueryHandler& owner, std::shared_ptr<Waiting> waiting)
      : owner_(owner), waiting_(std::move(waiting)) {}

  bool on_data(std::string_view data) override {
    if (!waiting_) return false;
    std::string& body = waiting_->request.body;
    const std::size_t total = body.size() + data.size();
    if (total > ApiRequest::kBodyBytesMax) {
      refuse(data_error(Code::kResourceExhausted, "the body has more than 1 MiB"), kTooLarge);
      return false;
    }
    if (!waiting_->body_memory.grow_to(total)) {
      refuse(transient_error(Code::kResourceExhausted, "no memory for the body; try again"),
             kTooManyRequests);
      return false;
    }
    body += data;
    return true;
  }
  void on_end() override {
    if (waiting_) owner_.submit(std::move(waiting_));
  }

 private:
  void refuse(const Error& error, int status) {
    owner_.refuse(*waiting_->api, *waiting_->request.route, std::move(waiting_->responder), error,
                  status);
    waiting_.reset();
  }

  QueryHandler& owner_;
  std::shared_ptr<Waiting> waiting_;  // Null once it is answered or submitted.
};

QueryHandler::QueryHandler(const QueryConfig& config, const Parts& parts)
    : parts_(parts), admission_(config, parts.authenticator, parts.workers, parts.budget) {}

std::unique_ptr<http::BodyReader> QueryHandler::on_request(const http::RequestHead& head,
                                                           http::Responder responder) {
  if (auto file = parts_.page.answer(head)) {
    responder.send(std::move(*file));
    return nullptr;
  }
  ApiRegistry::Match match = parts_.apis.find(head);
  if (match.api == nullptr) {
    send_not_found(std::move(responder));
    return nullptr;
  }
  const ApiRoute& route = *match.route;
  if (!match.allow.empty()) {
    refuse(*match.api, route, std::move(responder),
           data_error(Code::kUnimplemented, "this path answers " + match.allow), kMethodNotAllowed,
           match.allow);
    return nullptr;
  }
  auto tenant = admission_.tenant_of(head);
  if (!tenant.ok()) {
    const Error& error = tenant.error();
    const int status = error.code == Code::kUnauthenticated   ? kUnauthorized
                       : error.code == Code::kInvalidArgument ? kBadRequest
                                                              : kForbidden;
    refuse(*match.api, route, std::move(responder), error, status);
    return nullptr;
  }
  auto waiting = std::make_shared<Waiting>();
  waiting->api = match.api;
  waiting->request.route = &route;
  waiting->request.method = head.method;
  waiting->request.arguments = std::move(match.arguments);
  waiting->request.headers = head.headers;
  waiting->query = head.query;
  waiting->tenant = std::move(*tenant);
  waiting->admitted = parts_.clock.now();
  waiting->body_memory = parts_.budget.empty_permit();
  if (route.is_web_socket) {
    Status parsed = waiting->request.parameters.parse(head.query);
    if (parsed.ok() && !http::is_web_socket_request(head))
      parsed = invalid_argument("this path takes WebSocket requests only");
    if (parsed.ok()) {
      match.api->open_web_socket(std::move(waiting->request), std::move(waiting->tenant),
                                 std::move(responder), *this);
    } else {
      refuse(*match.api, route, std::move(responder), parsed.error(), kBadRequest);
    }
    return nullptr;
  }
  waiting->responder = std::move(responder);
  if (head.method == "POST") return std::make_unique<Body>(*this, std::move(waiting));
  submit(std::move(waiting));
  return nullptr;
}

void QueryHandler::refuse(const QueryApi& api, const ApiRoute& route, http::Responder responder,
                          const Error& error, int status, const std::string& allow) {
  ErrorAnswer answer = api.error_answer(route, error, status);
  parts_.events.refused(route.name, answer.status);
  http::Response response;
  response.status = answer.status;
  response.headers.add("content-type", std::move(answer.content_type));
  if (may_retry(status)) response.headers.add("retry-after", "1");
  if (!allow.empty()) response.headers.add("allow", allow);
  if (status == kUnauthorized)
    response.headers.add("www-authenticate", std::string(parts_.authenticator.challenge()));
  response.body = Bytes(answer.body);
  responder.send(std::move(response));
}

void QueryHandler::submit(std::shared_ptr<Waiting> waiting) {
  waiting->responder.on_peer_gone([cancel = waiting->cancel] { cancel.cancel(); });
  QueryWorkers::Query query = [this, waiting] { answer(*waiting); };
  const bool admitted = admission_.submit(waiting->tenant, query);
  parts_.events.waiting(parts_.workers.queued());
  if (!admitted)
    refuse(*waiting->api, *waiting->request.route, std::move(waiting->responder),
           transient_error(Code::kResourceExhausted, "too many queries at once; try again"),
           kTooManyRequests);
}

bool QueryHandler::run(const std::string& tenant, const CancelToken& cancel, Work work) {
  return run_within(Duration::max(), tenant, cancel, std::move(work));
}

bool QueryHandler::run_within(Duration time_max, const std::string& tenant,
                              const CancelToken& cancel, Work work) {
  QueryWorkers::Query query = [this, time_max, tenant, cancel, work = std::move(work),
                               admitted = parts_.clock.now()] {
    QueryContext context = admission_.context_of(tenant, admitted, time_max, cancel);
    const auto stopped = admission_.end_with_all(cancel);
    work(context);
  };
  return admission_.submit(tenant, query);
}

void QueryHandler::answer(Waiting& waiting) {
  parts_.events.started();
  parts_.events.waiting(parts_.workers.queued());
  ApiRequest& request = waiting.request;
  const ApiRoute& route = *request.route;
  QueryContext context =
      admission_.context_of(waiting.tenant, waiting.admitted, route.time_max, waiting.cancel);
  const CancelToken by_client = waiting.cancel;
  const auto stopped = admission_.end_with_all(by_client);

  AnswerWriter writer(std::move(waiting.responder), context.cancel, context.deadline,
                      admission_.client_wait());
  const SteadyTime begin = parts_.clock.now();
  context.begin(parts_.clock);
  writer.on_head([&](http::Headers& headers, bool is_error) {
    if (context.cost.statements > 0)
      headers.add(kCostHeader, cost_text(context.cost, parts_.clock.now() - begin));
    if (!is_error && !context.coverage.complete)
      headers.add(kCoverageHeader, coverage_text(context.coverage));
  });
  Status result = by_client.cancelled() ? Status(client_gone()) : Status();
  if (result.ok() && to_lower(request.headers.get("content-type")).starts_with(kForm)) {
    result = request.parameters.parse(request.body);
    request.body.clear();
  }
  if (result.ok()) result = request.parameters.parse(waiting.query);
  if (result.ok()) result = waiting.api->answer(request, context, writer);
  // Before the end of the answer, so that a client that has it reads this state. What follows says
  // nothing of the store.
  parts_.health.query_ended(result);
  if (result.ok()) result = writer.finish();
  int status = kOk;
  if (!result.ok()) {
    ErrorAnswer error =
        waiting.api->error_answer(route, result.error(), http_status_of(result.error()));
    status = error.status;
    writer.set_content_type(std::move(error.content_type));
    if (writer.can_refuse() && may_retry(status)) writer.add_header("retry-after", "1");
    writer.refuse(status, std::move(error.body));
    if (by_client.cancelled()) status = kClientClosedRequest;
  }
  parts_.events.ended(route.name, status, parts_.clock.now() - waiting.admitted, context.cost,
                      result);
}

void QueryHandler::probe() {
  (void)run_within(kProbeTimeMax, "", CancelToken(), [this](QueryContext& context) {
    parts_.health.probe_ended(parts_.traces.ping(context));
  });
}

}  // namespace spanway::query
