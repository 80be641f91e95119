// Frames of the peer, and the calls to the handler that follow from them.
#include <cstring>
#include <utility>

#include "services/lib/http/request_target.h"
#include "services/lib/http/server/http2_session_impl.h"

namespace spanway::http {
namespace {

// The rest of a body whose answer was sent is read up to this, then the stream is reset.
constexpr std::uint64_t kDiscardBytesMax = 64 * 1024;
// A field counts as its name and value plus this (RFC 9113, 6.5.2).
constexpr std::size_t kFieldOverheadBytes = 32;
// Fields beyond the limit are dropped as they come, and the request is answered with 431, or what
// that is in gRPC; beyond this many times the limit the connection ends.
constexpr std::size_t kHeaderExcessMax = 16;
constexpr std::string_view kGrpcType = "application/grpc";
// Answers not yet given by the handler for streams that are gone, in multiples of streams_max.
constexpr std::size_t kOrphansFactor = 2;
// Answers that wait for the peer: beyond this no new request of the connection is taken.
constexpr std::size_t kQueuedAnswerBytesMax = 16 * 1024 * 1024;

}  // namespace

int Http2Session::on_begin_frame(const nghttp2_frame_hd& frame) {
  bool within = true;
  switch (frame.type) {
    case NGHTTP2_DATA:
      if (frame.length > 0) {
        control_tokens_.add_tokens(1);
      } else if ((frame.flags & NGHTTP2_FLAG_END_STREAM) == 0) {
        within = control_tokens_.try_take(now());
      }
      break;
    case NGHTTP2_RST_STREAM:
      within = peer_reset_tokens_.try_take(now());
      break;
    case NGHTTP2_HEADERS:
    case NGHTTP2_CONTINUATION:
      break;
    case NGHTTP2_WINDOW_UPDATE:
      within = window_update_tokens_.try_take(now());
      break;
    default:
      within = control_tokens_.try_take(now());
  }
  if (!within) terminate(NGHTTP2_ENHANCE_YOUR_CALM, AbortReason::kFlood);
  return 0;
}

int Http2Session::on_begin_headers(const nghttp2_frame& frame) {
  if (frame.headers.cat != NGHTTP2_HCAT_REQUEST) return 0;  // Trailers.
  // The rest of the input is parsed to its end and discarded.
  if (terminated_) return 0;
  auto created = std::make_unique<Http2Stream>();
  Http2Stream& stream = *created;
  stream.id = frame.hd.stream_id;
  stream.incoming.emplace();
  streams_.emplace(stream.id, std::move(created));
  context_.events.stream_opened();
  control_tokens_.add_tokens(4);
  set_deadline(stream, now() + limits_.header_timeout);
  if (responders_.unanswered() > kOrphansFactor * limits_.streams_max ||
      queued_answer_bytes_ > kQueuedAnswerBytesMax)
    reset(stream, NGHTTP2_REFUSED_STREAM);
  return 0;
}

int Http2Session::on_header(const nghttp2_frame& frame, std::string_view name,
                            std::string_view value) {
  Http2Stream* const stream = find(frame.hd.stream_id);
  if (stream == nullptr || stream->reset || !stream->incoming) return 0;
  Http2Incoming& incoming = *stream->incoming;
  incoming.bytes += name.size() + value.size() + kFieldOverheadBytes;
  header_bytes_ += name.size() + value.size() + kFieldOverheadBytes;
  incoming.count += 1;
  if (incoming.bytes > kHeaderExcessMax * limits_.header_bytes_max ||
      incoming.count > kHeaderExcessMax * limits_.header_count_max) {
    terminate(NGHTTP2_ENHANCE_YOUR_CALM, AbortReason::kHeadersTooBig);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  // The count is of regular fields; the bytes are of all.
  const std::size_t pseudo_fields = 4;
  incoming.too_big = incoming.too_big || incoming.bytes > limits_.header_bytes_max ||
                     incoming.count > limits_.header_count_max + pseudo_fields;
  if (name == "content-type") incoming.grpc = value.starts_with(kGrpcType);
  if (incoming.too_big) return 0;
  if (name == ":method") {
    incoming.method = value;
  } else if (name == ":path") {
    incoming.target = value;
  } else if (name == ":authority") {
    incoming.authority = value;
  } else if (name.front() != ':') {
    incoming.headers.add(std::string(name), std::string(value));
  }
  return 0;
}

int Http2Session::on_frame(const nghttp2_frame& frame) {
  const bool end_stream = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  if (frame.hd.type == NGHTTP2_SETTINGS) settings_seen_ = true;
  if (frame.hd.type == NGHTTP2_PING && (frame.hd.flags & NGHTTP2_FLAG_ACK) != 0 && draining_ &&
      std::memcmp(frame.ping.opaque_data, kHttp2DrainPing.data(), kHttp2DrainPing.size()) == 0)
    final_goaway();
  Http2Stream* const stream = find(frame.hd.stream_id);
  if (stream == nullptr || stream->reset || terminated_) return 0;
  if (frame.hd.type == NGHTTP2_RST_STREAM && frame.rst_stream.error_code != NGHTTP2_NO_ERROR)
    context_.events.reset_by_peer(place(stream->id), frame.rst_stream.error_code);
  if (frame.hd.type != NGHTTP2_HEADERS && frame.hd.type != NGHTTP2_DATA) return 0;
  if (frame.hd.type == NGHTTP2_HEADERS && !stream->headers_done) {
    headers_done(*stream, end_stream);
  } else if (end_stream) {
    body_done(*stream);
  }
  return 0;
}

void Http2Session::drop_incoming(Http2Stream& stream) {
  if (!stream.incoming) return;
  header_bytes_ -= stream.incoming->bytes;
  stream.incoming.reset();
}

void Http2Session::headers_done(Http2Stream& stream, bool end_stream) {
  stream.headers_done = true;
  set_deadline(stream, now() + limits_.request_timeout);
  Http2Incoming incoming = std::move(*stream.incoming);
  drop_incoming(stream);
  stream.head_request = incoming.method == "HEAD";
  stream.body_done = end_stream;
  if (incoming.too_big) {
    context_.events.aborted(place(stream.id), AbortReason::kHeadersTooBig);
    return incoming.grpc ? refuse_grpc_headers(stream, incoming.bytes)
                         : answer_self(stream, 431, "the request's headers are too big");
  }
  if (incoming.method == "CONNECT") return answer_self(stream, 501, "CONNECT is not supported");
  auto target = parse_request_target(incoming.target);
  const auto host = incoming.headers.find("host");
  const bool one_host = incoming.headers.count("host") <= 1 &&
                        (!host || incoming.authority.empty() || *host == incoming.authority);
  if (!target.ok() || !one_host)
    return answer_self(stream, 400, "the request's path or host is malformed");
  if (!host && !incoming.authority.empty()) incoming.headers.add("host", incoming.authority);

  RequestHead head{.method = std::move(incoming.method),
                   .path = std::move(target->path),
                   .query = std::move(target->query),
                   .headers = std::move(incoming.headers),
                   .protocol = Protocol::kHttp2,
                   .content_length = std::nullopt,
                   .peer_address = context_.peer_address,
                   .tls = context_.tls,
                   .peer_certificate_cn = context_.peer_certificate_cn};
  call_handler(stream, std::move(head), end_stream);
}

void Http2Session::call_handler(Http2Stream& stream, RequestHead head, bool end_stream) {
  // nghttp2 has checked that it is one number and will check it against the body.
  if (const auto length = head.headers.find("content-length")) {
    std::uint64_t value = 0;
    for (const char c : *length) value = value * 10 + static_cast<std::uint64_t>(c - '0');
    head.content_length = value;
  } else if (end_stream) {
    head.content_length = 0;
  }
  const bool expects_continue = !end_stream && head.headers.get("expect") == "100-continue";
  stream.reader = context_.handler.on_request(
      head, responders_.make_responder(static_cast<std::uint64_t>(stream.id)));
  if (stream.reader && expects_continue) {
    const nghttp2_nv interim = make_field(":status", "100");
    nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream.id, nullptr, &interim, 1, nullptr);
  }
  if (end_stream) body_done(stream);
}

int Http2Session::on_data(std::int32_t id, std::string_view bytes) {
  Http2Stream* const stream = find(id);
  if (stream == nullptr || stream->reset) return 0;
  if (!stream->reader) {
    discard(*stream, bytes.size());
  } else if (!stream->reader->on_data(bytes)) {
    stream->reader.reset();
  }
  return 0;
}

void Http2Session::discard(Http2Stream& stream, std::size_t bytes) {
  stream.discarded += bytes;
  if (stream.discarded <= kDiscardBytesMax || !stream.answer_sent) return;
  context_.events.aborted(place(stream.id), AbortReason::kRestTooBig);
  reset(stream, NGHTTP2_NO_ERROR);
}

void Http2Session::body_done(Http2Stream& stream) {
  stream.body_done = true;
  if (!std::exchange(stream.owed, true)) ++owed_;
  if (!stream.answered) stream.deadline = SteadyTime::max();
  if (const auto reader = std::move(stream.reader)) reader->on_end();
}

int Http2Session::on_stream_close(std::int32_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return 0;
  // Out of the map first: the reader's end may reach far.
  const std::unique_ptr<Http2Stream> stream = std::move(found->second);
  streams_.erase(found);
  queued_answer_bytes_ -= stream->response.body.size() - stream->body_sent;
  drop_incoming(*stream);
  cancel_body(*stream, CancelReason::kPeerGone);
  peer_gone(*stream);
  if (stream->owed) --owed_;
  context_.events.stream_closed();
  if (!streams_.empty()) return 0;
  idle_deadline_ = now() + limits_.idle_timeout;
  next_deadline_ = std::min(next_deadline_, idle_deadline_);
  return 0;
}

}  // namespace spanway::http
