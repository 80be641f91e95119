// A WebSocket between its owner, on any thread, and the session, on the connection's io thread. For
// this module only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "services/lib/base/mutex.h"
#include "services/lib/http/server/stream_body.h"
#include "services/lib/http/web_socket.h"

namespace spanway::http {

struct WebSocketMessage {
  std::string bytes;
  bool text = true;
};

// Thread-safe. Holds at most WebSocketOptions::buffer_bytes_max of messages, or one.
class WebSocketChannel {
 public:
  // `wake` is called, from any thread, when next() or close_code() has something new.
  WebSocketChannel(std::shared_ptr<WebSocketObserver> observer, WebSocketOptions options,
                   StreamAccount account, std::function<void()> wake);
  ~WebSocketChannel();
  WebSocketChannel(const WebSocketChannel&) = delete;
  WebSocketChannel& operator=(const WebSocketChannel&) = delete;

  const WebSocketOptions& options() const noexcept { return options_; }

  // --- The owner's side.
  WebSocket::Write send(std::string_view message, bool text);
  void close(std::uint16_t code);

  // --- The session's side.
  std::optional<WebSocketMessage> next();
  // The message of next() has been written.
  void written(std::size_t bytes);
  std::optional<std::uint16_t> close_code() const;
  void receive(std::string_view message, bool text);
  // Once; drops what is left.
  void end(std::uint16_t code, bool report = true);

 private:
  const WebSocketOptions options_;
  const StreamAccount account_;
  mutable Mutex mutex_;
  std::function<void()> wake_ SPANWAY_GUARDED_BY(mutex_);
  std::shared_ptr<WebSocketObserver> observer_ SPANWAY_GUARDED_BY(mutex_);
  std::deque<WebSocketMessage> messages_ SPANWAY_GUARDED_BY(mutex_);
  std::size_t pending_bytes_ SPANWAY_GUARDED_BY(mutex_) = 0;
  bool woken_ SPANWAY_GUARDED_BY(mutex_) = false;  // Until next() finds nothing.
  bool owner_waits_ SPANWAY_GUARDED_BY(mutex_) = false;
  bool ended_ SPANWAY_GUARDED_BY(mutex_) = false;
  std::optional<std::uint16_t> close_code_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::http
