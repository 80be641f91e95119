// WebSocket (RFC 6455) on the server's HTTP/1.1 port: messages both ways, with back-pressure and
// bounds. Responder::accept_web_socket() makes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "services/lib/base/clock.h"
#include "services/lib/http/message.h"

namespace spanway::http {

// Called on the connection's io thread; must not block; may call the WebSocket.
class WebSocketObserver {
 public:
  virtual ~WebSocketObserver() = default;
  virtual void on_message(std::string_view message, bool text) = 0;
  // There is room again after send() has returned kFull.
  virtual void on_writable() = 0;
  // Once, last: the peer's close code; 1006 when the connection ended without one.
  virtual void on_closed(std::uint16_t code) = 0;
};

struct WebSocketOptions {
  std::size_t message_bytes_max = 64 * 1024;  // Received; a larger one closes with 1009.
  std::size_t buffer_bytes_max = 64 * 1024;   // Sent and not yet written, as of a streamed answer.
  std::string protocol = {};                  // The chosen Sec-WebSocket-Protocol; empty = none.
  // Without a byte of the peer for this long it is pinged at half, then closed.
  Duration idle_timeout = std::chrono::seconds(60);
};

// True when the request asks for an upgrade that accept_web_socket() can give.
bool is_web_socket_request(const RequestHead& head) noexcept;

class WebSocketChannel;

// Thread-safe; move-only; dropped = close(1001). May outlive the connection.
class WebSocket {
 public:
  enum class Write : unsigned char { kTaken, kFull, kClosed };
  WebSocket() = default;
  explicit WebSocket(std::shared_ptr<WebSocketChannel> channel) : channel_(std::move(channel)) {}
  WebSocket(WebSocket&&) noexcept = default;
  WebSocket& operator=(WebSocket&& other) noexcept;
  ~WebSocket();

  // Text must be valid UTF-8.
  Write send(std::string_view message, bool text = true);
  // After the messages that were taken. on_closed() follows.
  void close(std::uint16_t code = 1000);

 private:
  std::shared_ptr<WebSocketChannel> channel_;
};

}  // namespace spanway::http
