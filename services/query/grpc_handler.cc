#include "services/query/grpc_handler.h"

#include <string>
#include <utility>

#include "services/query/api/http_status.h"
#include "services/query/api/message_writer.h"

namespace spanway::query {
namespace {

constexpr int kOk = 200, kBadRequest = 400, kUnauthorized = 401, kForbidden = 403,
              kTooManyRequests = 429;
// As other servers log it; no client sees it.
constexpr int kClientClosedRequest = 499;
// A query that has used up its time is still answered with what it lacked.
constexpr Duration kAnswerMargin = std::chrono::seconds(1);

}  // namespace

class GrpcHandler::Method final : public rpc::StreamingMethod {
 public:
  Method(GrpcHandler& owner, const jaeger::JaegerGrpcApi::Method& method) noexcept
      : owner_(owner), method_(method) {}

  Result<std::string> admit(const http::RequestHead& head) override {
    auto tenant = owner_.parts_.admission.tenant_of(head);
    if (!tenant.ok()) {
      const Code code = tenant.error().code;
      owner_.parts_.events.refused(method_.name, code == Code::kUnauthenticated   ? kUnauthorized
                                                 : code == Code::kInvalidArgument ? kBadRequest
                                                                                  : kForbidden);
    }
    return tenant;
  }
  void on_call(rpc::StreamingCall call) override { owner_.submit(method_, std::move(call)); }

 private:
  GrpcHandler& owner_;
  const jaeger::JaegerGrpcApi::Method& method_;
};

// One call between its request and the end of its answer.
struct GrpcHandler::Waiting {
  const jaeger::JaegerGrpcApi::Method& method;
  rpc::StreamingCall call;
  SteadyTime admitted;
  CancelToken cancel = {};  // By the client that goes away, in the queue already.
};

GrpcHandler::GrpcHandler(const Parts& parts)
    : parts_(parts),
      api_(parts.traces),
      service_({.deadline_max = parts.admission.query_time() + kAnswerMargin}, parts.budget,
               parts.clock) {
  for (const auto& method : jaeger::JaegerGrpcApi::methods()) {
    methods_.push_back(std::make_unique<Method>(*this, method));
    service_.add(std::string(method.path), *methods_.back());
  }
}

GrpcHandler::~GrpcHandler() = default;

void GrpcHandler::submit(const jaeger::JaegerGrpcApi::Method& method, rpc::StreamingCall call) {
  auto waiting = std::make_shared<Waiting>(
      Waiting{.method = method, .call = std::move(call), .admitted = parts_.clock.now()});
  waiting->call.on_peer_gone([cancel = waiting->cancel] { cancel.cancel(); });
  QueryWorkers::Query query = [this, waiting] { answer(*waiting); };
  // The worker may have taken the call before submit() returns.
  const std::string tenant = waiting->call.caller();
  const bool admitted = parts_.admission.submit(tenant, query);
  parts_.events.waiting(parts_.workers.queued());
  if (admitted) return;
  parts_.events.refused(method.name, kTooManyRequests);
  waiting->call.refuse(
      transient_error(Code::kResourceExhausted, "too many queries at once; try again"));
}

void GrpcHandler::answer(Waiting& waiting) {
  parts_.events.started();
  parts_.events.waiting(parts_.workers.queued());
  const CancelToken by_client = waiting.cancel;
  QueryContext context = parts_.admission.context_of(waiting.call.caller(), waiting.admitted,
                                                     Duration::max(), by_client);
  // The client's, where it is nearer than ours.
  const bool is_clients = waiting.call.deadline().when() < context.deadline.when();
  context.deadline = context.deadline.earlier(waiting.call.deadline());
  const auto stopped = parts_.admission.end_with_all(by_client);

  MessageWriter writer(std::move(waiting.call), by_client, parts_.admission.client_wait());
  context.begin(parts_.clock);
  Status result = by_client.cancelled()
                      ? Status(transient_error(Code::kCancelled, "the client has gone"))
                      : api_.answer(waiting.method, writer.request(), context, writer);
  const bool is_late = !result.ok() && is_clients && result.error().code == Code::kDeadlineExceeded;
  // Before the end of the answer, so that a client that has it reads this state. A deadline
  // of the client says nothing of the store.
  if (!is_late) parts_.health.query_ended(result);
  int status = kOk;
  if (result.ok()) {
    writer.finish(context.coverage);
  } else {
    status = http_status_of(result.error());
    writer.refuse(result.error());
  }
  if (is_late || (!result.ok() && by_client.cancelled())) status = kClientClosedRequest;
  parts_.events.ended(waiting.method.name, status, parts_.clock.now() - waiting.admitted,
                      context.cost, result);
}

}  // namespace spanway::query
