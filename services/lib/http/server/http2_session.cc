#include "services/lib/http/server/http2_session.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "services/lib/base/check.h"
#include "services/lib/http/server/http2_callbacks.h"
#include "services/lib/http/server/http2_session_impl.h"

namespace spanway::http {
namespace {

// Larger frames than the protocol's 16 KiB: fewer calls per body.
constexpr std::uint32_t kFrameBytesMax = 64 * 1024;
constexpr Duration kDrainPingTimeout = std::chrono::seconds(1);
// For the rest of a chunk and the trailers of an answer whose deadline has passed.
constexpr Duration kLateTrailersWithin = std::chrono::seconds(5);

}  // namespace

Http2Session::Http2Session(SessionContext context, ResponderSource& responders)
    : context_(std::move(context)),
      limits_(context_.options.limits),
      responders_(responders),
      settings_deadline_(now() + limits_.header_timeout),
      idle_deadline_(now() + limits_.idle_timeout),
      next_deadline_(std::min(settings_deadline_, idle_deadline_)),
      control_tokens_(1000, 100, now()),
      window_update_tokens_(10'000, 5'000, now()),
      reset_tokens_(200, 20, now()),
      peer_reset_tokens_(1000, 33, now()) {
  SPANWAY_CHECK(nghttp2_session_server_new2(&session_, Http2Callbacks::table(), this,
                                            Http2Callbacks::options()) == 0);
  submit_settings();
}

Http2Session::~Http2Session() {
  for (const auto& [id, stream] : streams_) {
    cancel_body(*stream, CancelReason::kConnectionEnded);
    peer_gone(*stream);
    context_.events.stream_closed();
  }
  streams_.clear();
  nghttp2_session_del(session_);
}

void Http2Session::submit_settings() {
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits_.streams_max},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits_.stream_window_bytes},
      {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, kFrameBytesMax},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits_.header_bytes_max)},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  };
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                        static_cast<std::int32_t>(limits_.connection_window_bytes));
}

void Http2Session::receive(std::string_view bytes) {
  if (!wants_read()) return;
  const ssize_t used = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (used >= 0) return;
  context_.events.aborted(
      place(0), used == NGHTTP2_ERR_FLOODED ? AbortReason::kFlood : AbortReason::kProtocolError);
  broken_ = true;
}

void Http2Session::receive_end() {
  if (!streams_.empty() && !broken_) context_.events.closed_by_peer(place(0));
  broken_ = true;
}

void Http2Session::produce(Bytes& out, std::size_t bytes_max) {
  while (!broken_ && out.size() < bytes_max) {
    const std::uint8_t* data = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &data);
    if (size == 0) return;
    if (size < 0) {
      context_.events.aborted(place(0), AbortReason::kProtocolError);
      broken_ = true;
      return;
    }
    out.append({reinterpret_cast<const char*>(data), static_cast<std::size_t>(size)});
  }
}

SessionState Http2Session::state() const {
  if (broken_) return SessionState::kAborted;
  if (nghttp2_session_want_read(session_) || nghttp2_session_want_write(session_))
    return SessionState::kOpen;
  return SessionState::kFinished;
}

Http2Stream* Http2Session::find(std::int32_t id) {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second.get();
}

void Http2Session::set_deadline(Http2Stream& stream, SteadyTime at) {
  stream.deadline = at;
  next_deadline_ = std::min(next_deadline_, at);
}

void Http2Session::terminate(std::uint32_t error, AbortReason reason) {
  if (terminated_) return;
  terminated_ = true;
  context_.events.aborted(place(0), reason);
  nghttp2_session_terminate_session(session_, error);
}

void Http2Session::on_time(SteadyTime time) {
  next_deadline_ = SteadyTime::max();
  if (!settings_seen_) {
    if (time >= settings_deadline_)
      return terminate(NGHTTP2_SETTINGS_TIMEOUT, AbortReason::kHeaderTimeout);
    next_deadline_ = settings_deadline_;
  }
  if (streams_.empty() && time >= idle_deadline_ && !draining_) drain();
  if (streams_.empty() && !draining_) next_deadline_ = std::min(next_deadline_, idle_deadline_);
  if (time >= drain_deadline_) final_goaway();
  next_deadline_ = std::min(next_deadline_, drain_deadline_);
  for (auto& [id, stream] : streams_) {
    if (time >= stream->deadline) {
      abort_late(*stream);
    } else {
      next_deadline_ = std::min(next_deadline_, stream->deadline);
    }
  }
}

void Http2Session::abort_late(Http2Stream& stream) {
  // An unfinished header block blocks the whole connection.
  if (!stream.headers_done)
    return terminate(NGHTTP2_ENHANCE_YOUR_CALM, AbortReason::kHeaderTimeout);
  if (stream.body && now() >= stream.body->deadline()) {
    context_.events.aborted(place(stream.id), AbortReason::kStreamDeadline);
    if (stream.body->expire()) return set_deadline(stream, now() + kLateTrailersWithin);
    cancel_body(stream, CancelReason::kDeadline);
    return reset(stream, NGHTTP2_CANCEL);
  }
  context_.events.aborted(
      place(stream.id), stream.body_done ? AbortReason::kWriteStall : AbortReason::kRequestTimeout);
  reset(stream, stream.answer_sent ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL);
}

void Http2Session::drain() {
  if (draining_) return;
  draining_ = true;
  // First "no new ones soon", then, once that has surely arrived, what was the last one.
  nghttp2_submit_shutdown_notice(session_);
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE,
                      reinterpret_cast<const std::uint8_t*>(kHttp2DrainPing.data()));
  drain_deadline_ = now() + kDrainPingTimeout;
  next_deadline_ = std::min(next_deadline_, drain_deadline_);
}

void Http2Session::final_goaway() {
  drain_deadline_ = SteadyTime::max();
  if (goaway_final_ || terminated_) return;
  goaway_final_ = true;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                        nullptr, 0);
}

std::unique_ptr<Session> make_http2_session(SessionContext context, ResponderSource& responders) {
  return std::make_unique<Http2Session>(std::move(context), responders);
}

}  // namespace spanway::http
