#include "services/lib/http/server/stream_body.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace spanway::http {
namespace {

// Small chunks are joined up to this, so that a buffer of single bytes costs no more than its
// bytes.
constexpr std::size_t kJoinedBytes = 4 * 1024;

}  // namespace

StreamBody::StreamBody(std::shared_ptr<StreamObserver> observer, StreamOptions options,
                       StreamAccount account, std::function<void()> resume)
    : options_(std::move(options)),
      account_(std::move(account)),
      resume_(std::move(resume)),
      observer_(std::move(observer)) {
  MutexLock lock(mutex_);
  this->account(options_.buffer_bytes_max);
}

StreamBody::~StreamBody() {
  MutexLock lock(mutex_);
  account(0);
}

void StreamBody::account(std::size_t bytes) {
  // Modulo arithmetic: a smaller number subtracts.
  account_->fetch_add(bytes - accounted_, std::memory_order_relaxed);
  accounted_ = bytes;
}

ResponseStream::Write StreamBody::write(std::string_view chunk, Bytes* owned) {
  {
    MutexLock lock(mutex_);
    if (is_over()) return ResponseStream::Write::kCancelled;
    if (chunk.empty()) return ResponseStream::Write::kTaken;
    if (pending_bytes_ > 0 && pending_bytes_ + chunk.size() > options_.buffer_bytes_max) {
      writer_waits_ = true;
      return ResponseStream::Write::kFull;
    }
    pending_bytes_ += chunk.size();
    if (!chunks_.empty() && chunks_.back().size() + chunk.size() <= kJoinedBytes) {
      chunks_.back().append(chunk);
    } else {
      chunks_.push_back(owned != nullptr ? std::move(*owned) : Bytes(chunk));
    }
    account(std::max(options_.buffer_bytes_max, pending_bytes_));
  }
  resume_reader();
  return ResponseStream::Write::kTaken;
}

void StreamBody::finish(Headers trailers) {
  std::shared_ptr<StreamObserver> observer;
  {
    MutexLock lock(mutex_);
    if (is_over()) return;
    finished_ = true;
    trailers_ = std::move(trailers);
    observer.swap(observer_);
  }
  resume_reader();
}

void StreamBody::abort() noexcept {
  std::shared_ptr<StreamObserver> observer;
  {
    MutexLock lock(mutex_);
    if (is_over()) return;
    aborted_ = true;
    chunks_.clear();
    pending_bytes_ = 0;
    observer.swap(observer_);
  }
  resume_reader();
}

bool StreamBody::cancelled() const {
  MutexLock lock(mutex_);
  return cancelled_ || expired_;
}

void StreamBody::resume_reader() {
  std::function<void()> resume;
  {
    MutexLock lock(mutex_);
    if (!std::exchange(reader_waits_, false)) return;
    resume = resume_;
  }
  if (resume) resume();
}

std::size_t StreamBody::read(std::span<char> into, State& state) {
  std::size_t size = 0;
  std::shared_ptr<StreamObserver> to_wake;
  {
    MutexLock lock(mutex_);
    while (size < into.size() && !chunks_.empty()) {
      const std::string_view rest = chunks_.front().view().substr(first_read_);
      const std::size_t part = std::min(rest.size(), into.size() - size);
      std::memcpy(into.data() + size, rest.data(), part);
      size += part;
      first_read_ += part;
      if (part < rest.size()) break;
      chunks_.pop_front();
      first_read_ = 0;
    }
    pending_bytes_ -= size;
    account(std::max(options_.buffer_bytes_max, pending_bytes_));
    const bool ended = aborted_ || cancelled_;
    state =
        ended ? State::kAborted
              : ((finished_ || expired_) && pending_bytes_ == 0 ? State::kComplete : State::kOpen);
    reader_waits_ = size == 0 && state == State::kOpen;
    if (writer_waits_ && pending_bytes_ <= options_.buffer_bytes_max / 2) {
      writer_waits_ = false;
      to_wake = observer_;
    }
  }
  if (to_wake) to_wake->on_writable();
  return size;
}

Headers StreamBody::take_trailers() {
  MutexLock lock(mutex_);
  return std::move(trailers_);
}

SteadyTime StreamBody::deadline() const {
  MutexLock lock(mutex_);
  return expired_ ? SteadyTime::max() : options_.deadline.when();
}

bool StreamBody::expire() {
  std::shared_ptr<StreamObserver> observer;
  std::deque<Bytes> dropped;
  {
    MutexLock lock(mutex_);
    if (options_.deadline_trailers.fields().empty() || cancelled_ || aborted_ || expired_)
      return false;
    expired_ = true;
    trailers_ = options_.deadline_trailers;
    // A reader gets complete messages: a chunk is one or more.
    dropped.swap(chunks_);
    pending_bytes_ = 0;
    if (first_read_ > 0) {
      pending_bytes_ = dropped.front().size() - first_read_;
      chunks_.push_back(std::move(dropped.front()));
      dropped.pop_front();
    }
    observer.swap(observer_);
  }
  if (observer) observer->on_cancelled(CancelReason::kDeadline);
  resume_reader();
  return true;
}

void StreamBody::cancel(CancelReason reason) {
  if (const auto observer = end()) observer->on_cancelled(reason);
}

void StreamBody::abandon() { end(); }

std::shared_ptr<StreamObserver> StreamBody::end() {
  std::shared_ptr<StreamObserver> observer;
  // Destroyed without the lock.
  std::function<void()> resume;
  std::deque<Bytes> chunks;
  MutexLock lock(mutex_);
  if (cancelled_) return nullptr;
  cancelled_ = true;
  observer.swap(observer_);
  resume.swap(resume_);
  chunks.swap(chunks_);
  pending_bytes_ = 0;
  account(0);
  return observer;
}

ResponseStream& ResponseStream::operator=(ResponseStream&& other) noexcept {
  if (this != &other) {
    const ResponseStream old(std::move(*this));
    body_ = std::move(other.body_);
  }
  return *this;
}

ResponseStream::~ResponseStream() { abort(); }

ResponseStream::Write ResponseStream::write(Bytes& chunk) {
  return body_ == nullptr ? Write::kCancelled : body_->write(chunk.view(), &chunk);
}

ResponseStream::Write ResponseStream::write(std::string_view chunk) {
  return body_ == nullptr ? Write::kCancelled : body_->write(chunk, nullptr);
}

void ResponseStream::finish(Headers trailers) {
  if (const auto body = body_) body->finish(std::move(trailers));
}

void ResponseStream::abort() noexcept {
  if (const auto body = body_) body->abort();
}

bool ResponseStream::cancelled() const { return body_ == nullptr || body_->cancelled(); }

}  // namespace spanway::http
