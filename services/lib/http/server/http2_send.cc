// Answers: complete ones, streamed ones, and those of the session itself.
#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "services/lib/base/check.h"
#include "services/lib/http/request_target.h"
#include "services/lib/http/server/http2_callbacks.h"
#include "services/lib/http/server/http2_session_impl.h"
#include "services/lib/http/server/http_date.h"

namespace spanway::http {
namespace {

constexpr std::string_view kGrpcType = "application/grpc";

}  // namespace

void Http2Session::answer(std::uint64_t id, Response response, std::shared_ptr<StreamBody> body) {
  Http2Stream* const stream = find(static_cast<std::int32_t>(id));
  if (stream == nullptr || stream->answered || stream->reset) {
    if (body) body->cancel(CancelReason::kPeerGone);
    return;
  }
  stream->response = std::move(response);
  stream->body = std::move(body);
  submit_answer(*stream);
}

void Http2Session::resume(std::uint64_t id) {
  const Http2Stream* const stream = find(static_cast<std::int32_t>(id));
  if (stream != nullptr && stream->body) nghttp2_session_resume_data(session_, stream->id);
}

void Http2Session::on_peer_gone(std::uint64_t id, std::function<void()> callback) {
  Http2Stream* const stream = find(static_cast<std::int32_t>(id));
  if (stream == nullptr || stream->answered || stream->reset) return callback();
  stream->on_peer_gone = std::move(callback);
}

void Http2Session::peer_gone(Http2Stream& stream) {
  if (const auto callback = std::exchange(stream.on_peer_gone, nullptr)) callback();
}

void Http2Session::cancel_body(Http2Stream& stream, CancelReason reason) {
  if (const auto body = std::exchange(stream.body, nullptr)) body->cancel(reason);
}

void Http2Session::answer_self(Http2Stream& stream, int status, std::string_view text) {
  stream.response.status = status;
  stream.response.headers.add("content-type", "text/plain; charset=utf-8");
  stream.response.body = Bytes(text);
  submit_answer(stream);
}

// gRPC clients take any HTTP status for a fault of a proxy and do not show its text.
void Http2Session::refuse_grpc_headers(Http2Stream& stream, std::size_t bytes) {
  constexpr std::string_view kResourceExhausted = "8";
  Headers& headers = stream.response.headers;
  stream.response.status = 200;
  headers.add("content-type", std::string(kGrpcType));
  headers.add("grpc-status", std::string(kResourceExhausted));
  headers.add("grpc-message", "the request's metadata of " + std::to_string(bytes) +
                                  " bytes is above the limit of " +
                                  std::to_string(limits_.header_bytes_max) + " bytes or " +
                                  std::to_string(limits_.header_count_max) +
                                  " entries: send less metadata");
  submit_answer(stream);
}

void Http2Session::add_fields(const Headers& headers) {
  for (const auto& [name, value] : headers.fields()) {
    const bool ours = name == "content-length" || name == "transfer-encoding" ||
                      name == "connection" || name == "date";
    if (ours) continue;
    if (is_sendable_field(name, value)) {
      fields_.push_back(make_field(name, value));
    } else {
      count_bug("http2_unsendable_field");
    }
  }
}

void Http2Session::submit_answer(Http2Stream& stream) {
  Response& response = stream.response;
  stream.answered = true;
  stream.on_peer_gone = nullptr;
  if (response.status < 200 || response.status > 599) response.status = 500;
  context_.events.answered(Protocol::kHttp2, response.status);
  const std::string status = std::to_string(response.status);
  const std::string length = std::to_string(response.body.size());
  const bool grpc = response.headers.get("content-type").starts_with(kGrpcType);
  const bool bodiless = response.status == 204 || response.status == 304;
  fields_.clear();
  fields_.push_back(make_field(":status", status));
  add_fields(response.headers);
  // gRPC clients want neither, and they are many.
  if (!grpc) fields_.push_back(make_field("date", http_date(context_.clock)));
  if (!grpc && !bodiless && !stream.body) fields_.push_back(make_field("content-length", length));
  if (bodiless || stream.head_request) {
    response.body = Bytes();
    cancel_body(stream, CancelReason::kNoBody);
  }
  if (stream.head_request) response.trailers = Headers();
  queued_answer_bytes_ += response.body.size();

  // A stream without write progress is aborted; stalls of the whole connection are Connection's.
  const SteadyTime stall = now() + limits_.idle_timeout;
  if (stream.body_done || stall < stream.deadline) set_deadline(stream, stall);
  if (stream.body) set_deadline(stream, std::min(stream.deadline, stream.body->deadline()));
  const bool has_trailers = !response.trailers.fields().empty();
  nghttp2_data_provider provider{};
  provider.source.ptr = &stream;
  provider.read_callback = Http2Callbacks::read;
  if (response.body.empty() && has_trailers && !stream.body) {
    nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream.id, nullptr, fields_.data(),
                           fields_.size(), nullptr);
    submit_trailers(stream);
  } else {
    nghttp2_submit_response(session_, stream.id, fields_.data(), fields_.size(),
                            response.body.empty() && !stream.body ? nullptr : &provider);
  }
}

void Http2Session::submit_trailers(Http2Stream& stream) {
  fields_.clear();
  add_fields(stream.response.trailers);
  nghttp2_submit_trailer(session_, stream.id, fields_.data(), fields_.size());
}

ssize_t Http2Session::read_body(Http2Stream& stream, std::span<std::uint8_t> into,
                                std::uint32_t& flags) {
  if (stream.body) return read_stream(stream, into, flags);
  const Bytes& body = stream.response.body;
  const std::size_t size = std::min(into.size(), body.size() - stream.body_sent);
  std::memcpy(into.data(), body.data() + stream.body_sent, size);
  stream.body_sent += size;
  queued_answer_bytes_ -= size;
  control_tokens_.add_tokens(2);
  if (stream.body_done) set_deadline(stream, now() + limits_.idle_timeout);
  if (stream.body_sent == body.size()) {
    flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!stream.response.trailers.fields().empty()) {
      flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      submit_trailers(stream);
    }
  }
  return static_cast<ssize_t>(size);
}

ssize_t Http2Session::read_stream(Http2Stream& stream, std::span<std::uint8_t> into,
                                  std::uint32_t& flags) {
  StreamBody::State after = StreamBody::State::kOpen;
  const std::size_t size =
      stream.body->read({reinterpret_cast<char*>(into.data()), into.size()}, after);
  if (after == StreamBody::State::kAborted) {
    context_.events.aborted(place(stream.id), AbortReason::kHandlerAborted);
    stream.reset = true;
    stream.deadline = SteadyTime::max();
    stream.reader.reset();
    cancel_body(stream, CancelReason::kConnectionEnded);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // RST_STREAM INTERNAL_ERROR.
  }
  // While there is nothing to send the peer owes nothing.
  const bool waits = size == 0 && after == StreamBody::State::kOpen;
  if (stream.body_done)
    set_deadline(stream, std::min(stream.body->deadline(),
                                  waits ? SteadyTime::max() : now() + limits_.idle_timeout));
  if (waits) return NGHTTP2_ERR_DEFERRED;
  control_tokens_.add_tokens(2);
  if (after == StreamBody::State::kComplete) {
    flags |= NGHTTP2_DATA_FLAG_EOF;
    stream.response.trailers = stream.body->take_trailers();
    stream.body.reset();
    if (!stream.response.trailers.fields().empty()) {
      flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      submit_trailers(stream);
    }
  }
  return static_cast<ssize_t>(size);
}

// Reports what nghttp2 ends by itself; what this class ends is reported where that is decided.
void Http2Session::report_sent_end(const nghttp2_frame& frame) {
  if (frame.hd.type == NGHTTP2_GOAWAY) {
    const std::uint32_t error = frame.goaway.error_code;
    if (error == NGHTTP2_NO_ERROR || terminated_) return;
    context_.events.aborted(place(0), error == NGHTTP2_ENHANCE_YOUR_CALM
                                          ? AbortReason::kFlood
                                          : AbortReason::kProtocolError);
  } else if (frame.hd.type == NGHTTP2_RST_STREAM) {
    // Refused streams are reported here alone: nghttp2 refuses those beyond the limit before it
    // announces them.
    const std::uint32_t error = frame.rst_stream.error_code;
    Http2Stream* const stream = find(frame.hd.stream_id);
    const bool is_own = stream == nullptr || std::exchange(stream->reset, true);
    if (error == NGHTTP2_REFUSED_STREAM) {
      context_.events.aborted(place(frame.hd.stream_id), AbortReason::kRefusedStream);
    } else if (!is_own && error != NGHTTP2_NO_ERROR) {
      context_.events.aborted(place(frame.hd.stream_id), AbortReason::kProtocolError);
    }
  }
}

int Http2Session::on_frame_sent(const nghttp2_frame& frame) {
  report_sent_end(frame);
  const bool provoked = frame.hd.type == NGHTTP2_RST_STREAM &&
                        frame.rst_stream.error_code != NGHTTP2_NO_ERROR &&
                        frame.rst_stream.error_code != NGHTTP2_REFUSED_STREAM;
  if (provoked && !reset_tokens_.try_take(now()))
    terminate(NGHTTP2_ENHANCE_YOUR_CALM, AbortReason::kFlood);
  const bool ends = (frame.hd.type == NGHTTP2_HEADERS || frame.hd.type == NGHTTP2_DATA) &&
                    (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  if (!ends) return 0;
  Http2Stream* const stream = find(frame.hd.stream_id);
  if (stream == nullptr) return 0;
  stream->answer_sent = true;
  if (!stream->body_done) {
    stream->reader.reset();
    discard(*stream, 0);
  }
  return 0;
}

void Http2Session::reset(Http2Stream& stream, std::uint32_t error) {
  if (stream.reset) return;
  stream.reset = true;
  stream.deadline = SteadyTime::max();
  drop_incoming(stream);
  stream.reader.reset();
  cancel_body(stream, CancelReason::kConnectionEnded);
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id, error);
}

}  // namespace spanway::http
