#include "services/lib/base/repeating_task.h"

#include <utility>

#include "services/lib/base/mutex.h"

namespace spanway {

struct RepeatingTask::State {
  State(Task task_, Executor& executor_, Duration interval_)
      : task(std::move(task_)), executor(executor_), interval(interval_) {}

  static void schedule(const std::shared_ptr<State>& state, Duration delay) {
    state->executor.post_after(delay, [weak = std::weak_ptr(state)] {
      const auto alive = weak.lock();
      if (alive != nullptr && alive->run()) schedule(alive, alive->interval);
    });
  }
  // False when the owner is gone.
  bool run() {
    MutexLock lock(mutex);
    if (!stopped) task();
    return !stopped;
  }

  const Task task;
  Executor& executor;
  const Duration interval;
  Mutex mutex;
  bool stopped SPANWAY_GUARDED_BY(mutex) = false;
};

RepeatingTask::RepeatingTask(Task task, Executor& executor, Duration interval, Duration delay)
    : state_(std::make_shared<State>(std::move(task), executor, interval)) {
  State::schedule(state_, delay);
}

RepeatingTask::~RepeatingTask() {
  MutexLock lock(state_->mutex);
  state_->stopped = true;
}

}  // namespace spanway
