// Posts to an executor that may end before the last post: where callbacks come from other threads
// and CallbackGuard, which needs one thread, is not enough.
#pragma once

#include <utility>

#include "services/lib/base/executor.h"
#include "services/lib/base/mutex.h"

namespace spanway {

// Thread-safe. Shared by all pending callbacks: an answer may come long after the owner and the
// executor have gone.
class ClosableExecutor {
 public:
  explicit ClosableExecutor(Executor& executor) : executor_(&executor) {}
  // Runs on the executor, or not at all.
  void post(Executor::Function function) {
    MutexLock lock(mutex_);
    if (executor_ != nullptr) executor_->post(std::move(function));
  }
  // To be called before the executor goes.
  void close() {
    MutexLock lock(mutex_);
    executor_ = nullptr;
  }

 private:
  Mutex mutex_;
  Executor* executor_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway
