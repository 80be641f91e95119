#include "services/lib/base/loop.h"

#include <utility>

#include "services/lib/base/thread.h"

namespace spanway {

Loop::Loop(std::string name, const Clock& clock) : clock_(clock) {
  thread_ = start_thread(std::move(name), [this](const std::stop_token& stop) { run(stop); });
}

Loop::~Loop() { stop(); }

void Loop::stop() {
  {
    MutexLock lock(mutex_);
    stopped_ = true;
  }
  thread_.request_stop();
  wake_.notify_all();
  if (thread_.joinable() && !on_thread()) thread_.join();
  // Destroy outside the lock: a destructor may post again.
  std::vector<Function> ready;
  std::priority_queue<Delayed, std::vector<Delayed>, std::greater<>> delayed;
  MutexLock lock(mutex_);
  ready.swap(ready_);
  delayed.swap(delayed_);
}

void Loop::post(Function function) {
  {
    MutexLock lock(mutex_);
    if (stopped_) return;
    ready_.push_back(std::move(function));
  }
  wake_.notify_one();
}

Timer Loop::post_after(Duration wait, Function function) {
  auto cancelled = std::make_shared<std::atomic<bool>>(false);
  {
    MutexLock lock(mutex_);
    if (stopped_) return Timer();
    delayed_.push(Delayed{clock_.now() + wait, sequence_++, cancelled,
                          std::make_shared<Function>(std::move(function))});
  }
  wake_.notify_one();
  return Timer(std::move(cancelled));
}

void Loop::collect_due(std::vector<Delayed>& due) {
  const SteadyTime now = clock_.now();
  while (!delayed_.empty() && delayed_.top().when <= now) {
    due.push_back(delayed_.top());
    delayed_.pop();
  }
}

void Loop::run(const std::stop_token& stop) {
  std::vector<Function> ready;
  std::vector<Delayed> due;
  while (!stop.stop_requested()) {
    {
      MutexLock lock(mutex_);
      collect_due(due);
      // Not the stop token: that is set without the lock, so its wake-up could be missed here.
      if (ready_.empty() && due.empty() && !stopped_) {
        if (delayed_.empty()) {
          wake_.wait(mutex_);
        } else {
          // A copy: the queue may grow, and move its items, while this waits.
          const SteadyTime next = delayed_.top().when;
          wake_.wait_until(mutex_, next);
        }
        collect_due(due);
      }
      ready.swap(ready_);
    }
    for (auto& function : ready) {
      if (stop.stop_requested()) break;
      function();
      function = nullptr;
    }
    for (auto& delayed : due) {
      if (stop.stop_requested()) break;
      if (!delayed.cancelled->load(std::memory_order_relaxed)) (*delayed.function)();
    }
    ready.clear();
    due.clear();
  }
}

}  // namespace spanway
