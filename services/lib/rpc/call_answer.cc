#include "services/lib/rpc/call_answer.h"

#include <utility>

#include "services/lib/http/content_coding.h"
#include "services/lib/otlp/status_map.h"
#include "services/lib/rpc/grpc_wire.h"

namespace spanway::rpc {
namespace {

constexpr std::size_t kCompressAboveBytes = 1024;

http::Response grpc_response() {
  http::Response response;
  response.headers.add("content-type", "application/grpc");
  return response;
}

// Whether the status alone would lose something.
bool has_details(const Error& error) noexcept {
  return error.refusal == Refusal::kTransient || error.retry_after.has_value() ||
         *error.reason != '\0';
}

}  // namespace

http::Response ok_response(Bytes message, bool gzip) {
  http::Response response = grpc_response();
  response.trailers.add("grpc-status", "0");
  if (gzip && message.size() > kCompressAboveBytes) {
    Result<Bytes> smaller = http::encode(http::ContentCoding::kGzip, message.view());
    if (smaller.ok() && smaller->size() < message.size()) {
      response.headers.add("grpc-encoding", "gzip");
      response.body = frame_message(smaller->view(), true);
      return response;
    }
  }
  response.body = frame_message(message.view(), false);
  return response;
}

http::Response error_response(const Error& error) {
  http::Response response = grpc_response();
  response.headers.add("grpc-status", std::to_string(static_cast<int>(otlp::grpc_code(error))));
  response.headers.add("grpc-message", percent_encode(error.message));
  // So that a client whose encoding was refused learns which ones are not.
  if (error.code == Code::kUnimplemented) {
    response.headers.add("grpc-accept-encoding", "identity,gzip,zstd");
  }
  if (has_details(error)) {
    Error bounded = error;
    if (bounded.message.size() > kStatusMessageBytesMax) {
      std::size_t size = kStatusMessageBytesMax;
      while (size > 0 && (static_cast<unsigned char>(bounded.message[size]) & 0xc0) == 0x80) --size;
      bounded.message.resize(size);
    }
    response.headers.add("grpc-status-details-bin",
                         base64(otlp::status_body(bounded, otlp::Encoding::kProtobuf).view()));
  }
  return response;
}

http::Response plain_response(int status, std::string_view text) {
  http::Response response;
  response.status = status;
  response.headers.add("content-type", "text/plain; charset=utf-8");
  response.body = Bytes(text);
  return response;
}

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
