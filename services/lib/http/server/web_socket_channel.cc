#include "services/lib/http/server/web_socket_channel.h"

#include <algorithm>
#include <utility>

namespace spanway::http {
namespace {

constexpr std::uint16_t kGoingAway = 1001;
// Counted for each message, so that empty ones are bounded, too.
constexpr std::size_t kMessageBytes = 64;

}  // namespace

WebSocketChannel::WebSocketChannel(std::shared_ptr<WebSocketObserver> observer,
                                   WebSocketOptions options, StreamAccount account,
                                   std::function<void()> wake)
    : options_(std::move(options)),
      account_(std::move(account)),
      wake_(std::move(wake)),
      observer_(std::move(observer)) {
  account_->fetch_add(options_.buffer_bytes_max, std::memory_order_relaxed);
}

WebSocketChannel::~WebSocketChannel() {
  account_->fetch_sub(options_.buffer_bytes_max, std::memory_order_relaxed);
}

WebSocket::Write WebSocketChannel::send(std::string_view message, bool text) {
  std::function<void()> wake;
  {
    MutexLock lock(mutex_);
    if (ended_ || close_code_) return WebSocket::Write::kClosed;
    if (pending_bytes_ > 0 &&
        pending_bytes_ + message.size() + kMessageBytes > options_.buffer_bytes_max) {
      owner_waits_ = true;
      return WebSocket::Write::kFull;
    }
    pending_bytes_ += message.size() + kMessageBytes;
    messages_.push_back({std::string(message), text});
    if (!std::exchange(woken_, true)) wake = wake_;
  }
  if (wake) wake();
  return WebSocket::Write::kTaken;
}

void WebSocketChannel::close(std::uint16_t code) {
  std::function<void()> wake;
  {
    MutexLock lock(mutex_);
    if (ended_ || close_code_) return;
    close_code_ = code;
    if (!std::exchange(woken_, true)) wake = wake_;
  }
  if (wake) wake();
}

std::optional<WebSocketMessage> WebSocketChannel::next() {
  MutexLock lock(mutex_);
  if (messages_.empty()) {
    woken_ = false;
    return std::nullopt;
  }
  WebSocketMessage message = std::move(messages_.front());
  messages_.pop_front();
  return message;
}

void WebSocketChannel::written(std::size_t bytes) {
  std::shared_ptr<WebSocketObserver> observer;
  {
    MutexLock lock(mutex_);
    pending_bytes_ -= std::min(pending_bytes_, bytes + kMessageBytes);
    if (!owner_waits_ || pending_bytes_ > options_.buffer_bytes_max / 2) return;
    owner_waits_ = false;
    observer = observer_;
  }
  if (observer) observer->on_writable();
}

std::optional<std::uint16_t> WebSocketChannel::close_code() const {
  MutexLock lock(mutex_);
  return close_code_;
}

void WebSocketChannel::receive(std::string_view message, bool text) {
  std::shared_ptr<WebSocketObserver> observer;
  {
    MutexLock lock(mutex_);
    observer = observer_;
  }
  if (observer) observer->on_message(message, text);
}

void WebSocketChannel::end(std::uint16_t code, bool report) {
  std::shared_ptr<WebSocketObserver> observer;
  std::function<void()> wake;
  {
    MutexLock lock(mutex_);
    if (std::exchange(ended_, true)) return;
    observer.swap(observer_);
    wake.swap(wake_);
    messages_.clear();
    pending_bytes_ = 0;
  }
  if (report && observer) observer->on_closed(code);
}

WebSocket& WebSocket::operator=(WebSocket&& other) noexcept {
  if (this != &other) {
    close(kGoingAway);
    channel_ = std::move(other.channel_);
  }
  return *this;
}

WebSocket::~WebSocket() { close(kGoingAway); }

WebSocket::Write WebSocket::send(std::string_view message, bool text) {
  const auto channel = channel_;
  return channel == nullptr ? Write::kClosed : channel->send(message, text);
}

void WebSocket::close(std::uint16_t code) {
  if (const auto channel = channel_) channel->close(code);
}

}  // namespace spanway::http
