#include "services/lib/rpc/call_answer.h"

#include <utility>

#include "services/lib/otlp/status_map.h"
#include "services/lib/rpc/grpc_response.h"

namespace spanway::rpc {

CallAnswer::CallAnswer(http::Responder responder, std::shared_ptr<const ServerEvents> events,
                       const Clock& clock, Call call)
    : responder_(std::move(responder)),
      events_(std::move(events)),
      clock_(clock),
      call_(std::move(call)) {
  events_->started();
}

CallAnswer::~CallAnswer() {
  if (answered_) return;
  events_->abandoned();
  finish(Code::kCancelled);
}

void CallAnswer::succeed(std::uint64_t rejected, std::string_view message) noexcept {
  finish(Code::kOk);
  responder_.send(
      ok_response(otlp::export_response(call_.signal, rejected, message, otlp::Encoding::kProtobuf),
                  call_.gzip));
}

void CallAnswer::fail(Error error) noexcept {
  finish(otlp::grpc_code(error));
  responder_.send(error_response(error));
}

void CallAnswer::refuse(Error error) noexcept {
  events_->refused(error, call_.peer);
  fail(std::move(error));
}

void CallAnswer::finish(Code code) noexcept {
  answered_ = true;
  events_->finished(call_.signal, code, clock_.now() - call_.start);
}

}  // namespace spanway::rpc
