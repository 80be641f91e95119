// Answers on their way from any thread to the connection's io thread. For this module only.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "services/lib/base/mutex.h"
#include "services/lib/http/server.h"
#include "services/lib/http/server/stream_body.h"
#include "services/lib/http/server/web_socket_channel.h"

namespace spanway::http {

// Thread-safe. Holds at most one answer, one resumption and one callback per request handed out,
// and the session bounds those. After close() answers are dropped, so a responder may outlive its
// connection, server and pool.
class ResponseQueue final : public std::enable_shared_from_this<ResponseQueue> {
 public:
  struct Answer {
    std::uint64_t id = 0;
    Response response;                             // Without a body where there is a stream.
    std::shared_ptr<StreamBody> stream = nullptr;  // The body of a streamed answer.
    std::shared_ptr<WebSocketChannel> web_socket = nullptr;  // In place of an answer.
    bool resumes = false;  // No answer: the stream of this request has more to send.
    std::function<void()> on_peer_gone = nullptr;  // No answer: for the end of this request.
  };

  // `wake` is called, from any thread, when the first answer enters an empty queue.
  explicit ResponseQueue(std::function<void()> wake) : wake_(std::move(wake)) {}

  Responder make_responder(std::uint64_t id);
  std::size_t unanswered() const noexcept { return unanswered_.load(std::memory_order_relaxed); }
  // Bytes that open streams may hold.
  std::size_t stream_bytes() const noexcept {
    return stream_bytes_->load(std::memory_order_relaxed);
  }
  // Moves the answers to `into`, which is emptied first.
  void take(std::vector<Answer>& into);
  void close();

 private:
  class Slot;
  // False when the box is closed.
  bool put(Answer answer);
  ResponseStream start_stream(std::uint64_t id, Response head,
                              std::shared_ptr<StreamObserver> observer, StreamOptions options);
  WebSocket accept_web_socket(std::uint64_t id, std::shared_ptr<WebSocketObserver> observer,
                              WebSocketOptions options);
  void on_peer_gone(std::uint64_t id, std::function<void()> callback);
  std::function<void()> resumer(std::uint64_t id);

  const StreamAccount stream_bytes_ = std::make_shared<std::atomic<std::size_t>>(0);
  std::atomic<std::size_t> unanswered_{0};
  Mutex mutex_;
  std::function<void()> wake_ SPANWAY_GUARDED_BY(mutex_);
  std::vector<Answer> answers_ SPANWAY_GUARDED_BY(mutex_);
  bool closed_ SPANWAY_GUARDED_BY(mutex_) = false;
};

}  // namespace spanway::http
