// Waiting for what other threads do: polls with a deadline.
#pragma once

#include <chrono>
#include <functional>

#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"

namespace spanway::fakes {

// True as soon as `holds` is; false when it is not within `timeout`.
inline bool eventually(const std::function<bool()>& holds,
                       Duration timeout = std::chrono::seconds(30)) {
  const Deadline deadline = Deadline::after(system_clock(), timeout);
  Mutex mutex;
  CondVar never;
  while (!holds()) {
    if (deadline.passed(system_clock().now())) return false;
    MutexLock lock(mutex);
    never.wait_for(mutex, std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace spanway::fakes
