// Posts answers to an executor that may end before they arrive.
#pragma once

#include <utility>

#include "services/lib/base/executor.h"
#include "services/lib/base/mutex.h"

namespace spanway::kafka_bridge {

// Thread-safe. Shared by all pending answers: a destination may give one long after the
// partition, the group and the executor have gone.
class Mailbox {
 public:
  explicit Mailbox(Executor& executor) : executor_(&executor) {}
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

}  // namespace spanway::kafka_bridge
