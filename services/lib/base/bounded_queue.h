// A queue with a written bound, between threads.
#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <utility>

#include "services/lib/base/mutex.h"

namespace spanway {

// Thread-safe. Holds at most `items_max` items; push never blocks and never drops silently.
template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t items_max) : items_max_(items_max) {}

  // False when the queue is full or closed; `item` is then untouched.
  [[nodiscard]] bool try_push(T& item) {
    {
      MutexLock lock(mutex_);
      if (closed_ || items_.size() >= items_max_) return false;
      items_.push_back(std::move(item));
    }
    wake_.notify_one();
    return true;
  }
  // Nothing when the wait is over or the queue is closed and empty.
  template <typename Rep, typename Period>
  std::optional<T> pop_for(std::chrono::duration<Rep, Period> wait) {
    MutexLock lock(mutex_);
    wake_.wait_for(mutex_, wait, [this] { return closed_ || !items_.empty(); });
    if (items_.empty()) return std::nullopt;
    std::optional<T> item(std::move(items_.front()));
    items_.pop_front();
    return item;
  }
  // After close() nothing is accepted; what is queued can still be popped.
  void close() {
    {
      MutexLock lock(mutex_);
      closed_ = true;
    }
    wake_.notify_all();
  }
  std::size_t size() const {
    MutexLock lock(mutex_);
    return items_.size();
  }

 private:
  const std::size_t items_max_;
  mutable Mutex mutex_;
  CondVar wake_;
  std::deque<T> items_ SPANWAY_GUARDED_BY(mutex_);
  bool closed_ SPANWAY_GUARDED_BY(mutex_) = false;
};

}  // namespace spanway
