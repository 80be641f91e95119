// A small HTTP/2 client on nghttp2 for tests, over a plain socket.
#pragma once

#include <nghttp2/nghttp2.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/http/message.h"
#include "tests/unit/http/server_fixture.h"

namespace spanway::http {

// The answer on one stream.
struct Http2Answer {
  int status = 0;
  std::vector<int> interim;
  Headers headers;
  std::string body;
  Headers trailers;
  bool ended = false;                   // END_STREAM of the server.
  std::optional<std::uint32_t> closed;  // The stream's error code, once it is closed.
};

// Single-thread.
class Http2Peer {
 public:
  struct Options {
    int receive_buffer_bytes = 0;
    // Streams' windows for answers.
    std::uint32_t window_bytes = 65'535;
    bool send_settings = true;
  };
  explicit Http2Peer(std::uint16_t port) : Http2Peer(port, Options()) {}
  Http2Peer(std::uint16_t port, Options options);
  ~Http2Peer();
  Http2Peer(const Http2Peer&) = delete;
  Http2Peer& operator=(const Http2Peer&) = delete;

  // Without a body the request ends with its headers. A body with `more` to come stays open.
  std::int32_t request(std::string_view method, std::string_view path,
                       std::optional<std::string> body = std::nullopt, Headers headers = {},
                       bool more = false);
  void reset(std::int32_t stream, std::uint32_t error = NGHTTP2_CANCEL);
  void ping();
  // Sends raw bytes between frames.
  bool send_raw(std::string_view bytes);
  // Exchanges bytes until the condition holds; false after 10 s or when the server has closed.
  bool run_until(const std::function<bool()>& condition);
  bool run_until_closed(std::int32_t stream);
  // Exchanges bytes until the server closes the connection; false after 10 s.
  bool run_until_disconnected();

  Http2Answer& answer(std::int32_t stream) { return answers_[stream]; }
  // All GOAWAY frames, in order: last stream id and error.
  const std::vector<std::pair<std::int32_t, std::uint32_t>>& goaways() const { return goaways_; }
  std::size_t pings_answered() const noexcept { return pings_; }
  std::uint32_t setting(nghttp2_settings_id id) const {
    return nghttp2_session_get_remote_settings(session_, id);
  }
  RawClient& socket() noexcept { return socket_; }
  bool flush();

 private:
  struct Upload {
    std::string bytes;
    std::size_t sent = 0;
    bool more = false;
  };
  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                       std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                       std::uint8_t, void* user);
  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user);
  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t stream, const std::uint8_t* data,
                     std::size_t size, void* user);
  static int on_close(nghttp2_session*, std::int32_t stream, std::uint32_t error, void* user);
  static ssize_t read_body(nghttp2_session*, std::int32_t, std::uint8_t* into, std::size_t size,
                           std::uint32_t* flags, nghttp2_data_source* source, void*);
  bool pump(int wait_ms);

  RawClient socket_;
  nghttp2_session* session_ = nullptr;
  bool disconnected_ = false;
  std::map<std::int32_t, Http2Answer> answers_;
  std::vector<std::unique_ptr<Upload>> uploads_;
  std::vector<std::pair<std::int32_t, std::uint32_t>> goaways_;
  std::size_t pings_ = 0;
};

}  // namespace spanway::http
