// An executor whose functions run when the test says so, on the test's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "services/lib/base/executor.h"
#include "tests/fakes/manual_clock.h"

namespace spanway::fakes {

// post() may be called from any thread that the test knows to be quiet; everything else from the
// test's thread.
class ManualExecutor final : public Executor {
 public:
  explicit ManualExecutor(ManualClock& clock) : clock_(clock) {}

  void post(Function function) override { ready_.push_back(std::move(function)); }
  Timer post_after(Duration wait, Function function) override {
    auto cancelled = std::make_shared<std::atomic<bool>>(false);
    timers_.emplace(std::pair(clock_.now() + wait, sequence_++),
                    Delayed{cancelled, std::move(function)});
    return Timer(std::move(cancelled));
  }
  bool on_thread() const noexcept override { return true; }
  const Clock& clock() const noexcept override { return clock_; }

  // Runs what is due until nothing is left that is.
  void run() {
    while (true) {
      while (!ready_.empty()) {
        std::vector<Function> now;
        now.swap(ready_);
        for (auto& function : now) function();
      }
      if (timers_.empty() || timers_.begin()->first.first > clock_.now()) return;
      auto node = timers_.extract(timers_.begin());
      if (!node.mapped().cancelled->load()) node.mapped().function();
    }
  }
  // Moves the clock from timer to timer and runs each at its own time.
  void advance(Duration by) {
    const SteadyTime end = clock_.now() + by;
    run();
    while (!timers_.empty() && timers_.begin()->first.first <= end) {
      clock_.advance(timers_.begin()->first.first - clock_.now());
      run();
    }
    clock_.advance(end - clock_.now());
    run();
  }
  std::size_t pending_timers() const {
    std::size_t count = 0;
    for (const auto& [key, delayed] : timers_) count += delayed.cancelled->load() ? 0 : 1;
    return count;
  }

 private:
  struct Delayed {
    std::shared_ptr<std::atomic<bool>> cancelled;
    Function function;
  };
  ManualClock& clock_;
  std::vector<Function> ready_;
  std::map<std::pair<SteadyTime, std::uint64_t>, Delayed> timers_;
  std::uint64_t sequence_ = 0;
};

}  // namespace spanway::fakes
