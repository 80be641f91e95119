// An Executor with a thread of its own: for work that is neither network nor Kafka polling.
#pragma once

#include <cstdint>
#include <queue>
#include <string>
#include <thread>
#include <vector>

#include "services/lib/base/executor.h"
#include "services/lib/base/mutex.h"

namespace spanway {

// Thread-safe. Functions run in the order they were posted; timers in the order of their times.
// Unbounded by itself: the callers bound what they post (one function per held Permit or per
// connection). The destructor stops the thread; functions not yet run are destroyed.
class Loop final : public Executor {
 public:
  explicit Loop(std::string name, const Clock& clock = system_clock());
  ~Loop() override;

  void post(Function function) override;
  Timer post_after(Duration wait, Function function) override;
  bool on_thread() const noexcept override {
    return std::this_thread::get_id() == thread_.get_id();
  }
  const Clock& clock() const noexcept override { return clock_; }
  // Idempotent. Waits for the function that is running, unless called from it.
  void stop();

 private:
  struct Delayed {
    SteadyTime when;
    std::uint64_t sequence;
    std::shared_ptr<std::atomic<bool>> cancelled;
    std::shared_ptr<Function> function;
    bool operator>(const Delayed& other) const noexcept {
      return when != other.when ? when > other.when : sequence > other.sequence;
    }
  };
  void run(const std::stop_token& stop);
  void collect_due(std::vector<Delayed>& due) SPANWAY_REQUIRES(mutex_);

  const Clock& clock_;
  Mutex mutex_;
  CondVar wake_;
  std::vector<Function> ready_ SPANWAY_GUARDED_BY(mutex_);
  std::priority_queue<Delayed, std::vector<Delayed>, std::greater<>> delayed_
      SPANWAY_GUARDED_BY(mutex_);
  std::uint64_t sequence_ SPANWAY_GUARDED_BY(mutex_) = 0;
  bool stopped_ SPANWAY_GUARDED_BY(mutex_) = false;
  std::jthread thread_;
};

}  // namespace spanway
