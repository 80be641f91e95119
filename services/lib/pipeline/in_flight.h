// Counts what a sink has in flight, and lets drain() wait for the last one.
#pragma once

#include <cstddef>

#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"

namespace spanway::pipeline {

// Thread-safe. enter() before the work, leave() after the answer.
class InFlight {
 public:
  // False once closed.
  [[nodiscard]] bool enter() {
    MutexLock lock(mutex_);
    if (closed_) return false;
    ++count_;
    return true;
  }
  void leave() {
    MutexLock lock(mutex_);
    if (--count_ == 0) idle_.notify_all();
  }
  // Refuses further enter() and waits for count 0. True when reached in time.
  bool close_and_wait(Deadline deadline) {
    MutexLock lock(mutex_);
    closed_ = true;
    const auto is_idle = [this]() SPANWAY_REQUIRES(mutex_) { return count_ == 0; };
    if (deadline.is_never()) {
      idle_.wait(mutex_, is_idle);
      return true;
    }
    return idle_.wait_until(mutex_, deadline.when(), is_idle);
  }
  std::size_t count() const {
    MutexLock lock(mutex_);
    return count_;
  }

 private:
  mutable Mutex mutex_;
  CondVar idle_;
  std::size_t count_ SPANWAY_GUARDED_BY(mutex_) = 0;
  bool closed_ SPANWAY_GUARDED_BY(mutex_) = false;
};

}  // namespace spanway::pipeline
