#include "tests/unit/http/http2_peer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <cstring>

namespace spanway::http {
namespace {

nghttp2_nv field(std::string_view name, std::string_view value) {
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(),
          value.size(), NGHTTP2_NV_FLAG_NONE};
}

std::string_view view(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace

Http2Peer::Http2Peer(std::uint16_t port, Options options)
    : socket_(port, options.receive_buffer_bytes) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
  nghttp2_session_client_new(&session_, callbacks, this);
  nghttp2_session_callbacks_del(callbacks);
  if (options.send_settings) {
    const nghttp2_settings_entry window{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options.window_bytes};
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, &window, 1);
  }
  flush();
}

Http2Peer::~Http2Peer() { nghttp2_session_del(session_); }

std::int32_t Http2Peer::request(std::string_view method, std::string_view path,
                                std::optional<std::string> body, Headers headers, bool more) {
  std::vector<nghttp2_nv> fields{field(":method", method), field(":scheme", "http"),
                                 field(":path", path), field(":authority", "a")};
  for (const auto& [name, value] : headers.fields()) fields.push_back(field(name, value));
  nghttp2_data_provider provider{};
  if (body) {
    uploads_.push_back(std::make_unique<Upload>(Upload{std::move(*body), 0, more}));
    provider.source.ptr = uploads_.back().get();
    provider.read_callback = read_body;
  }
  const std::int32_t stream = nghttp2_submit_request(
      session_, nullptr, fields.data(), fields.size(), body ? &provider : nullptr, nullptr);
  EXPECT_GT(stream, 0);
  flush();
  return stream;
}

ssize_t Http2Peer::read_body(nghttp2_session*, std::int32_t, std::uint8_t* into, std::size_t size,
                             std::uint32_t* flags, nghttp2_data_source* source, void*) {
  auto& upload = *static_cast<Upload*>(source->ptr);
  const std::size_t take = std::min(size, upload.bytes.size() - upload.sent);
  if (take == 0 && upload.more) return NGHTTP2_ERR_DEFERRED;
  std::memcpy(into, upload.bytes.data() + upload.sent, take);
  upload.sent += take;
  if (upload.sent == upload.bytes.size() && !upload.more) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return static_cast<ssize_t>(take);
}

void Http2Peer::reset(std::int32_t stream, std::uint32_t error) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream, error);
  flush();
}

void Http2Peer::ping() {
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
  flush();
}

bool Http2Peer::send_raw(std::string_view bytes) { return flush() && socket_.send(bytes); }

bool Http2Peer::flush() {
  while (true) {
    const std::uint8_t* data = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &data);
    if (size <= 0) return size == 0;
    if (!socket_.send(view(data, static_cast<std::size_t>(size)))) return false;
  }
}

bool Http2Peer::pump(int wait_ms) {
  flush();
  pollfd entry{.fd = socket_.fd(), .events = POLLIN, .revents = 0};
  if (::poll(&entry, 1, wait_ms) <= 0) return true;
  const std::string bytes = socket_.receive_some();
  if (bytes.empty()) {
    disconnected_ = true;
    return false;
  }
  nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()),
                           bytes.size());
  flush();
  return true;
}

bool Http2Peer::run_until(const std::function<bool()>& condition) {
  const Deadline deadline = Deadline::after(system_clock(), std::chrono::seconds(10));
  while (!condition()) {
    if (deadline.passed(system_clock().now())) return false;
    if (!pump(10)) return condition();
  }
  return true;
}

bool Http2Peer::run_until_closed(std::int32_t stream) {
  return run_until([&] { return answers_[stream].closed.has_value(); });
}

bool Http2Peer::run_until_disconnected() {
  return run_until([&] { return disconnected_; }) && disconnected_;
}

int Http2Peer::on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                         std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                         std::uint8_t, void* user) {
  Http2Answer& answer = static_cast<Http2Peer*>(user)->answers_[frame->hd.stream_id];
  const std::string key(view(name, name_size));
  const std::string text(view(value, value_size));
  if (key == ":status") {
    if (answer.status != 0) answer.interim.push_back(answer.status);
    answer.status = std::stoi(text);
  } else if (answer.status >= 200 && frame->headers.cat == NGHTTP2_HCAT_HEADERS &&
             !answer.headers.fields().empty()) {
    answer.trailers.add(key, text);
  } else {
    answer.headers.add(key, text);
  }
  return 0;
}

int Http2Peer::on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
  auto& self = *static_cast<Http2Peer*>(user);
  if (frame->hd.type == NGHTTP2_GOAWAY)
    self.goaways_.emplace_back(frame->goaway.last_stream_id, frame->goaway.error_code);
  if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) ++self.pings_;
  const bool of_stream = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
  if (of_stream && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
    self.answers_[frame->hd.stream_id].ended = true;
  return 0;
}

int Http2Peer::on_data(nghttp2_session*, std::uint8_t, std::int32_t stream,
                       const std::uint8_t* data, std::size_t size, void* user) {
  static_cast<Http2Peer*>(user)->answers_[stream].body += view(data, size);
  return 0;
}

int Http2Peer::on_close(nghttp2_session*, std::int32_t stream, std::uint32_t error, void* user) {
  static_cast<Http2Peer*>(user)->answers_[stream].closed = error;
  return 0;
}

}  // namespace spanway::http
