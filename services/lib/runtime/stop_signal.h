// "Please stop", from any thread, for the thread that runs the services.
#pragma once

#include <string>
#include <utility>

#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"

namespace spanway::runtime {

// Thread-safe. Only the first request counts.
class StopSignal {
 public:
  // `reason` is for the log: "SIGTERM".
  void request(std::string reason) {
    {
      MutexLock lock(mutex_);
      if (requested_) return;
      requested_ = true;
      reason_ = std::move(reason);
    }
    wake_.notify_all();
  }
  // True when a stop was requested within `wait`.
  bool wait_for(Duration wait) {
    MutexLock lock(mutex_);
    return wake_.wait_for(mutex_, wait, [this]() SPANWAY_REQUIRES(mutex_) { return requested_; });
  }
  std::string reason() const {
    MutexLock lock(mutex_);
    return reason_;
  }

 private:
  mutable Mutex mutex_;
  CondVar wake_;
  bool requested_ SPANWAY_GUARDED_BY(mutex_) = false;
  std::string reason_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::runtime
