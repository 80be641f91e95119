#include "services/lib/rpc/export_service.h"

#include <atomic>
#include <optional>
#include <string>
#include <utility>

#include "services/lib/http/content_coding.h"
#include "services/lib/otlp/status_map.h"
#include "services/lib/rpc/call_answer.h"
#include "services/lib/rpc/call_head.h"
#include "services/lib/rpc/events.h"
#include "services/lib/rpc/grpc_response.h"
#include "services/lib/rpc/grpc_wire.h"
#include "services/lib/rpc/health_service.h"
#include "services/lib/rpc/message_reader.h"

namespace spanway::rpc {
namespace {

std::optional<otlp::Signal> signal_of(std::string_view path) noexcept {
  for (const otlp::Signal signal : otlp::kSignals) {
    if (otlp::grpc_path(signal) == path) return signal;
  }
  return std::nullopt;
}

Error unknown_method(std::string_view path) {
  return configuration_error(Code::kUnimplemented,
                             "unknown method " + std::string(path.substr(0, 128)))
      .with_reason("grpc_unknown_method");
}

// One Export call while its body arrives. On the connection's io thread.
class ExportCall final : public http::BodyReader {
 public:
  struct Head {
    otlp::Signal signal;
    pipeline::Metadata metadata;
    Deadline deadline;
  };
  ExportCall(Head head, std::unique_ptr<CallAnswer> answer, MessageReader reader,
             pipeline::Sink& sink, const Clock& clock, const ServerEvents& events)
      : head_(std::move(head)),
        answer_(std::move(answer)),
        reader_(std::move(reader)),
        sink_(sink),
        clock_(clock),
        events_(events) {}
  ~ExportCall() override { events_.received(head_.signal, reader_.wire_bytes()); }

  bool on_data(std::string_view data) override {
    if (answer_ == nullptr) return false;
    if (Status status = reader_.append(data); !status.ok()) {
      refuse(std::move(status).error());
      return false;
    }
    return true;
  }

  void on_end() override {
    if (answer_ == nullptr) return;
    if (Status status = reader_.finish(); !status.ok()) return refuse(std::move(status).error());
    if (head_.deadline.passed(clock_.now())) return refuse(deadline_passed());
    pipeline::Batch batch;
    batch.payload = reader_.take_message();
    // An empty request: OTLP requires success, and it is not forwarded.
    if (batch.payload.empty()) return std::exchange(answer_, nullptr)->succeed(0, {});
    batch.signal = head_.signal;
    batch.metadata = std::move(head_.metadata);
    batch.deadline = head_.deadline;
    batch.permit = reader_.take_permit();
    sink_.send(std::move(batch), make_token());
  }

 private:
  void refuse(Error error) { std::exchange(answer_, nullptr)->refuse(std::move(error)); }

  pipeline::AckToken make_token() {
    // Shared only because a std::function must be copyable; there is one owner.
    std::shared_ptr<CallAnswer> answer = std::move(answer_);
    return pipeline::AckToken([answer](Result<pipeline::Outcome> result) {
      if (result.ok()) return answer->succeed(result->rejected, result->message);
      answer->fail(std::move(result).error());
    });
  }

  Head head_;
  std::unique_ptr<CallAnswer> answer_;  // Null once it has been given or handed to the sink.
  MessageReader reader_;
  pipeline::Sink& sink_;
  const Clock& clock_;
  const ServerEvents& events_;
};

}  // namespace

struct ExportService::Impl {
  ExportServiceOptions options;
  pipeline::Sink& sink;
  Gatekeeper& gatekeeper;
  MemoryBudget& budget;
  const Clock& clock;
  // Shared with the answers, which may be given after this service has gone.
  std::shared_ptr<const ServerEvents> events;
  std::atomic<bool> serving{true};
  std::atomic<std::uint16_t> http_port{0};

  MessageLimits message_limits() const {
    return {.message_bytes_max = options.message_bytes_max,
            .compressed_bytes_max = options.compressed_bytes_max,
            .retry_after = std::chrono::duration_cast<std::chrono::milliseconds>(
                options.retry_after_overload)};
  }
  std::unique_ptr<http::BodyReader> start_export(const http::RequestHead& head, ContentType type,
                                                 otlp::Signal signal, http::Responder responder);
  std::unique_ptr<http::BodyReader> refuse_method(const http::RequestHead& head,
                                                  http::Responder responder);
};

std::unique_ptr<http::BodyReader> ExportService::Impl::start_export(const http::RequestHead& head,
                                                                    ContentType type,
                                                                    otlp::Signal signal,
                                                                    http::Responder responder) {
  const SteadyTime start = clock.now();
  auto answer = std::make_unique<CallAnswer>(
      std::move(responder), events, clock,
      CallAnswer::Call{.signal = signal,
                       .peer = head.peer_address,
                       .gzip = lists(head.headers.get("grpc-accept-encoding"), "gzip"),
                       .start = start});
  Result<CallHead> call = read_head(head, type, options.deadline_max);
  if (!call.ok()) {
    answer->refuse(std::move(call).error());
    return nullptr;
  }
  Result<pipeline::Metadata> metadata = gatekeeper.admit(head, signal);
  if (!metadata.ok()) {
    answer->refuse(std::move(metadata).error());
    return nullptr;
  }
  if (!budget.admits()) {
    answer->refuse(transient_error(Code::kResourceExhausted,
                                   "the process is near its memory limit; send it again later")
                       .with_reason("no_memory")
                       .with_retry_after(message_limits().retry_after));
    return nullptr;
  }
  return std::make_unique<ExportCall>(
      ExportCall::Head{signal, std::move(metadata).value(), Deadline::at(start + call->timeout)},
      std::move(answer), MessageReader(call->coding, message_limits(), budget.empty_permit()), sink,
      clock, *events);
}

std::unique_ptr<http::BodyReader> ExportService::Impl::refuse_method(const http::RequestHead& head,
                                                                     http::Responder responder) {
  const Error error = unknown_method(head.path);
  events->refused(error, head.peer_address);
  responder.send(error_response(error));
  return nullptr;
}

ExportService::ExportService(ExportServiceOptions options, pipeline::Sink& sink,
                             Gatekeeper& gatekeeper, MemoryBudget& budget, const Clock& clock,
                             telemetry::Telemetry telemetry, std::string listener)
    : impl_(new Impl{.options = options,
                     .sink = sink,
                     .gatekeeper = gatekeeper,
                     .budget = budget,
                     .clock = clock,
                     .events = std::make_shared<const ServerEvents>(telemetry, listener)}) {}

ExportService::~ExportService() = default;

std::unique_ptr<http::BodyReader> ExportService::on_request(const http::RequestHead& head,
                                                            http::Responder responder) {
  const ContentType type = parse_content_type(head.headers.get("content-type"));
  if (auto refusal = check_transport(head, type, impl_->http_port)) {
    responder.send(std::move(*refusal));
    return nullptr;
  }
  if (const auto signal = signal_of(head.path)) {
    return impl_->start_export(head, type, *signal, std::move(responder));
  }
  if (head.path == kHealthCheckPath) return health_check(std::move(responder), impl_->serving);
  return impl_->refuse_method(head, std::move(responder));
}

void ExportService::set_http_port(std::uint16_t port) noexcept {
  impl_->http_port.store(port, std::memory_order_relaxed);
}

void ExportService::set_serving(bool serving) noexcept {
  impl_->serving.store(serving, std::memory_order_relaxed);
}

}  // namespace spanway::rpc
