#include "services/lib/rpc/streaming_service.h"

#include <map>
#include <utility>

#include "services/lib/rpc/call_head.h"
#include "services/lib/rpc/grpc_response.h"
#include "services/lib/rpc/grpc_wire.h"
#include "services/lib/rpc/message_reader.h"

namespace spanway::rpc {
namespace {

// The request of one call while it arrives. On the connection's io thread.
class RequestReader final : public http::BodyReader {
 public:
  RequestReader(http::RequestHead head, std::string caller, Deadline deadline, MessageReader reader,
                StreamingMethod& method, const Clock& clock, http::Responder responder)
      : head_(std::move(head)),
        caller_(std::move(caller)),
        deadline_(deadline),
        reader_(std::move(reader)),
        method_(method),
        clock_(clock),
        responder_(std::move(responder)) {}

  bool on_data(std::string_view data) override {
    if (!responder_) return false;
    if (const Status status = reader_.append(data); !status.ok()) {
      responder_.send(error_response_as_is(status.error()));
      return false;
    }
    return true;
  }

  void on_end() override {
    if (!responder_) return;
    if (const Status status = reader_.finish(); !status.ok())
      return responder_.send(error_response_as_is(status.error()));
    if (deadline_.passed(clock_.now()))
      return responder_.send(error_response_as_is(deadline_passed()));
    Bytes message = reader_.take_message();
    method_.on_call(StreamingCall(std::move(head_), std::move(caller_), deadline_,
                                  std::move(message), reader_.take_permit(),
                                  std::move(responder_)));
  }

 private:
  http::RequestHead head_;
  std::string caller_;
  const Deadline deadline_;
  MessageReader reader_;
  StreamingMethod& method_;
  const Clock& clock_;
  http::Responder responder_;
};

http::Headers late_trailers() {
  return status_trailers(
      transient_error(Code::kDeadlineExceeded, "the deadline passed before the answer was complete")
          .with_reason("deadline_exceeded"));
}

}  // namespace

MessageStream::Write MessageStream::write(std::string_view message) {
  Bytes one = framed(message);
  return stream_.write(one);
}

Bytes MessageStream::framed(std::string_view message) { return frame_message(message, false); }

void MessageStream::finish(http::Headers trailers) {
  trailers.add("grpc-status", "0");
  stream_.finish(std::move(trailers));
}

void MessageStream::finish(const Error& error) { stream_.finish(status_trailers(error)); }

MessageStream StreamingCall::start(std::shared_ptr<http::StreamObserver> observer,
                                   std::size_t buffer_bytes_max) {
  http::Response head;
  head.headers.add("content-type", "application/grpc");
  return MessageStream(responder_.start_stream(std::move(head), std::move(observer),
                                               {.buffer_bytes_max = buffer_bytes_max,
                                                .deadline = deadline_,
                                                .deadline_trailers = late_trailers()}));
}

void StreamingCall::refuse(const Error& error) { responder_.send(error_response_as_is(error)); }

struct StreamingService::Impl {
  const StreamingServiceOptions options;
  MemoryBudget& budget;
  const Clock& clock;
  std::map<std::string, StreamingMethod*, std::less<>> methods;
};

StreamingService::StreamingService(StreamingServiceOptions options, MemoryBudget& budget,
                                   const Clock& clock)
    : impl_(new Impl{.options = options, .budget = budget, .clock = clock, .methods = {}}) {}

StreamingService::~StreamingService() = default;

void StreamingService::add(std::string path, StreamingMethod& method) {
  impl_->methods.insert_or_assign(std::move(path), &method);
}

bool StreamingService::serves(std::string_view path) const {
  return impl_->methods.find(path) != impl_->methods.end();
}

std::unique_ptr<http::BodyReader> StreamingService::on_request(const http::RequestHead& head,
                                                               http::Responder responder) {
  const ContentType type = parse_content_type(head.headers.get("content-type"));
  if (auto refusal = check_transport(head, type, 0)) {
    responder.send(std::move(*refusal));
    return nullptr;
  }
  const auto method = impl_->methods.find(head.path);
  if (method == impl_->methods.end()) {
    responder.send(error_response_as_is(
        configuration_error(Code::kUnimplemented, "unknown method " + head.path.substr(0, 128))));
    return nullptr;
  }
  const Result<CallHead> call = read_head(head, type, impl_->options.deadline_max);
  if (!call.ok()) {
    responder.send(error_response_as_is(call.error()));
    return nullptr;
  }
  Result<std::string> caller = method->second->admit(head);
  if (!caller.ok()) {
    responder.send(error_response_as_is(caller.error()));
    return nullptr;
  }
  const MessageLimits limits{.message_bytes_max = impl_->options.message_bytes_max,
                             .compressed_bytes_max = impl_->options.message_bytes_max};
  return std::make_unique<RequestReader>(
      head, std::move(*caller), Deadline::after(impl_->clock, call->timeout),
      MessageReader(call->coding, limits, impl_->budget.empty_permit()), *method->second,
      impl_->clock, std::move(responder));
}

}  // namespace spanway::rpc
