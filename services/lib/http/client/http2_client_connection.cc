#include "services/lib/http/client/http2_client_connection.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace spanway::http {
namespace {

constexpr int kReadsInARow = 4;
constexpr std::int32_t kStreamWindowBytes = 1 << 20;
constexpr std::int32_t kConnectionWindowBytes = 16 << 20;
// Bytes that wait for the socket, bounded so that a server that does not read cannot grow it.
constexpr std::size_t kOutBytes = 64 * 1024;
constexpr std::string_view kAlpn("\x02h2\x08http/1.1");

nghttp2_nv field(std::string_view name, std::string_view value) noexcept {
  // nghttp2 copies both; it only takes pointers to mutable bytes.
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(),
          value.size(), NGHTTP2_NV_FLAG_NONE};
}

std::string_view text_of(const std::uint8_t* bytes, std::size_t size) noexcept {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

// nghttp2 is C: its callbacks find the connection by the user pointer.
struct StreamCallbacksOfNghttp2 {
  static Http2ClientConnection& of(void* user) {
    return *static_cast<Http2ClientConnection*>(user);
  }

  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Http2ClientConnection& self = of(user);
    if (frame->hd.type == NGHTTP2_SETTINGS && (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0)
      self.settings_received();
    if (frame->hd.type == NGHTTP2_GOAWAY) self.draining_ = true;
    const bool carries_end = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
    if (carries_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
      self.stream_complete(frame->hd.stream_id);
    return 0;
  }
  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                       std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                       std::uint8_t, void* user) {
    of(user).header(frame->hd.stream_id, text_of(name, name_size), text_of(value, value_size));
    return 0;
  }
  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t stream, const std::uint8_t* bytes,
                     std::size_t size, void* user) {
    of(user).data(stream, text_of(bytes, size));
    return 0;
  }
  static int on_close(nghttp2_session*, std::int32_t stream, std::uint32_t error, void* user) {
    of(user).stream_closed(stream, error);
    return 0;
  }
};

Http2ClientConnection::Http2ClientConnection(std::weak_ptr<Http2ClientConnectionOwner> owner,
                                             const StreamTarget& target, IoThread& thread)
    : owner_(std::move(owner)),
      target_(target),
      thread_(thread),
      opened_at_(thread.clock().now()),
      tried_at_(opened_at_),
      received_at_(opened_at_),
      used_at_(opened_at_) {}

Http2ClientConnection::~Http2ClientConnection() { nghttp2_session_del(session_); }

// ---- Connecting.

void Http2ClientConnection::open() {
  socket_ = std::make_shared<ClientSocket>(weak_from_this(), target_, thread_, kAlpn);
  socket_->open(0);
}

void Http2ClientConnection::on_attempt(std::size_t count) {
  addresses_ = count;
  ++attempts_;
  tried_at_ = thread_.clock().now();
}

void Http2ClientConnection::on_connected() {
  if (target_.tls == nullptr || socket_->transport().alpn() == "h2") return begin_session();
  fail(configuration_error(Code::kFailedPrecondition, "the server offers no HTTP/2")
           .with_reason("no_http2"));
}

void Http2ClientConnection::on_connect_failed(Error error) { fail(std::move(error)); }

// ---- Exchanging.

void Http2ClientConnection::begin_session() {
  phase_ = Phase::kSettings;
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks,
                                                       StreamCallbacksOfNghttp2::on_frame);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, StreamCallbacksOfNghttp2::on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks,
                                                            StreamCallbacksOfNghttp2::on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks,
                                                         StreamCallbacksOfNghttp2::on_close);
  const int made = nghttp2_session_client_new(&session_, callbacks, this);
  nghttp2_session_callbacks_del(callbacks);
  if (made != 0) return fail(unavailable("no memory for an HTTP/2 session"));
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<std::uint32_t>(kStreamWindowBytes)},
  };
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindowBytes);
  socket_->wait_readable();
  flush();
}

void Http2ClientConnection::on_writable() { flush(); }

void Http2ClientConnection::on_readable() {
  if (phase_ == Phase::kClosed) return;
  for (int i = 0; i < kReadsInARow; ++i) {
    const IoResult result = socket_->transport().read(thread_.scratch());
    if (result.state == IoState::kWantRead) break;
    if (result.state == IoState::kWantWrite) {
      socket_->wait_writable();
      break;
    }
    if (result.state != IoState::kOk)
      return fail(unavailable("the connection was closed").with_reason("connection_closed"));
    receive({thread_.scratch().data(), result.bytes});
    if (phase_ == Phase::kClosed || result.bytes < thread_.scratch().size()) break;
  }
  if (phase_ == Phase::kClosed) return;
  socket_->read_on();
}

void Http2ClientConnection::receive(std::string_view bytes) {
  received_at_ = thread_.clock().now();
  pinged_ = false;
  const auto used = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (used < 0)
    return fail(
        unavailable(std::string("broken HTTP/2: ") + nghttp2_strerror(static_cast<int>(used)))
            .with_reason("response_invalid"));
  flush();
}

void Http2ClientConnection::flush() {
  if (session_ == nullptr || phase_ == Phase::kClosed) return;
  while (true) {
    while (out_.size() < kOutBytes) {
      const std::uint8_t* bytes = nullptr;
      const auto size = nghttp2_session_mem_send(session_, &bytes);
      if (size < 0) return fail(unavailable("HTTP/2 cannot be written"));
      if (size == 0) break;
      out_.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    }
    if (out_.empty()) break;
    const IoResult result = socket_->transport().write(out_);
    if (result.state == IoState::kWantRead) return socket_->wait_readable();
    if (result.state == IoState::kWantWrite) return socket_->wait_writable();
    if (result.state != IoState::kOk)
      return fail(unavailable("the connection was closed").with_reason("connection_closed"));
    out_.erase(0, result.bytes);
  }
  if (out_.capacity() > kOutBytes) out_.shrink_to_fit();
  const bool over = nghttp2_session_want_read(session_) == 0 ||
                    (draining_ && streams_.empty() && phase_ == Phase::kReady);
  if (over) fail(unavailable("the server has ended the connection").with_reason("goaway"));
}

// ---- Streams.

std::size_t Http2ClientConnection::room() const noexcept {
  if (phase_ != Phase::kReady || draining_) return 0;
  const std::size_t servers =
      nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  const std::size_t most = std::min(servers, target_.options.streams_max);
  return most > streams_.size() ? most - streams_.size() : 0;
}

bool Http2ClientConnection::submit(const std::shared_ptr<Http2Call>& call) {
  std::vector<nghttp2_nv> fields = {
      field(":method", "GET"), field(":scheme", target_.tls == nullptr ? "http" : "https"),
      field(":authority", target_.authority), field(":path", call->request.path)};
  for (const auto& [name, value] : call->request.headers.fields())
    fields.push_back(field(name, value));
  const std::int32_t stream =
      nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(), nullptr, nullptr);
  if (stream < 0) {
    draining_ = true;
    return false;
  }
  streams_.emplace(stream, call);
  stream_of_.emplace(call->id, stream);
  flush();
  return true;
}

void Http2ClientConnection::reset(Http2Client::StreamId id) {
  const auto found = stream_of_.find(id);
  if (found == stream_of_.end() || session_ == nullptr) return;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, found->second, NGHTTP2_CANCEL);
  flush();
}

Http2Call* Http2ClientConnection::find(std::int32_t stream) {
  const auto found = streams_.find(stream);
  return found == streams_.end() ? nullptr : found->second.get();
}

void Http2ClientConnection::settings_received() {
  if (phase_ == Phase::kSettings) phase_ = Phase::kReady;
  announce_room();
}

// Later, not from inside nghttp2.
void Http2ClientConnection::announce_room() {
  thread_.post([self = shared_from_this()] {
    const auto owner = self->owner_.lock();
    if (owner != nullptr && self->phase_ == Phase::kReady) owner->on_room();
  });
}

void Http2ClientConnection::header(std::int32_t stream, std::string_view name,
                                   std::string_view value) {
  Http2Call* const call = find(stream);
  if (call == nullptr) return;
  if (name == ":status") {
    std::from_chars(value.data(), value.data() + value.size(), call->response.status);
    call->deadline = thread_.clock().now() + call->request.silence_max;
  } else if (name == "retry-after") {
    call->response.headers.add(std::string(name), std::string(value));
  }
}

void Http2ClientConnection::data(std::int32_t stream, std::string_view bytes) {
  Http2Call* const call = find(stream);
  if (call == nullptr || call->ended()) return;
  call->deadline = thread_.clock().now() + call->request.silence_max;
  if (call->response.status != 200) {
    const std::size_t has = call->response.body.size();
    const std::size_t most = target_.options.error_bytes_max;
    call->response.body.append(bytes.substr(0, most > has ? most - has : 0));
    return;
  }
  if (call->bytes(bytes) || call->ended()) return;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
  call->end(std::move(call->response));
}

void Http2ClientConnection::stream_complete(std::int32_t stream) {
  Http2Call* const call = find(stream);
  // An interim answer (1xx) does not end a stream.
  if (call != nullptr && call->response.status != 0) call->complete = true;
}

void Http2ClientConnection::stream_closed(std::int32_t stream, std::uint32_t error) {
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return;
  const auto call = found->second;
  streams_.erase(found);
  stream_of_.erase(call->id);
  used_at_ = thread_.clock().now();
  if (call->complete) {
    call->end(std::move(call->response));
  } else {
    call->end(unavailable(std::string("the server has reset the stream: ") +
                          nghttp2_http2_strerror(error))
                  .with_reason("stream_reset"));
  }
  announce_room();
}

// ---- The end.

void Http2ClientConnection::on_time(SteadyTime now) {
  if (phase_ == Phase::kClosed) return;
  if (!streams_.empty()) used_at_ = now;
  if (phase_ != Phase::kReady) return on_time_connecting(now);
  const Duration silent = now - received_at_;
  if (pinged_ && silent >= target_.options.ping_after + target_.options.ping_timeout)
    return fail(unavailable("the server does not answer a PING").with_reason("connection_dead"));
  if (!pinged_ && silent >= target_.options.ping_after) {
    pinged_ = true;
    nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
    return flush();
  }
  if (streams_.empty() && now - used_at_ >= target_.options.idle_timeout)
    fail(unavailable("idle").with_reason("idle"));
}

void Http2ClientConnection::on_time_connecting(SteadyTime now) {
  const Duration all = target_.options.connect_timeout;
  if (now - opened_at_ >= all)
    return fail(unavailable("no connection in time" +
                            (socket_->last_failure().empty() ? "" : ": " + socket_->last_failure()))
                    .with_reason("connect_timeout"));
  // Each address of a name has its share of the time.
  if (phase_ == Phase::kConnect && attempts_ < addresses_ &&
      now - tried_at_ >= all / static_cast<Duration::rep>(addresses_))
    socket_->try_next_address("no answer in time");
}

void Http2ClientConnection::end_streams(const Error& why) {
  stream_of_.clear();
  for (const auto& [stream, call] : std::exchange(streams_, {})) call->end(why);
}

void Http2ClientConnection::close(const Error& why) {
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kClosed;
  owner_.reset();
  if (socket_ != nullptr) socket_->close();
  end_streams(why);
}

void Http2ClientConnection::fail(Error error) {
  if (phase_ == Phase::kClosed) return;
  const auto self = shared_from_this();
  const bool before_ready = phase_ != Phase::kReady;
  const auto owner = owner_;
  error = std::move(error).with_context("HTTP/2 to " + target_.authority);
  close(error);
  // Later: the owner may be in the middle of a call of ours.
  thread_.post([self, owner, before_ready, error] {
    if (const auto alive = owner.lock()) alive->on_closed(self, before_ready, error);
  });
}

}  // namespace spanway::http
