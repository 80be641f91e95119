// A function that runs at intervals on an executor, for as long as its owner wants.
#pragma once

#include <functional>
#include <memory>

#include "services/lib/base/clock.h"
#include "services/lib/base/executor.h"

namespace spanway {

// Calls `task` first after `delay`, then `interval` after each call has ended, on the executor, for
// as long as it exists. Any thread may destroy it, except from within `task`: the destructor waits
// for a call that is running, and there is none after it. The executor outlives it.
class RepeatingTask {
 public:
  using Task = std::function<void()>;
  RepeatingTask(Task task, Executor& executor, Duration interval, Duration delay);
  ~RepeatingTask();
  RepeatingTask(const RepeatingTask&) = delete;
  RepeatingTask& operator=(const RepeatingTask&) = delete;

 private:
  struct State;
  const std::shared_ptr<State> state_;
};

}  // namespace spanway
