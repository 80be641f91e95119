// A clock that only advance() moves.
#pragma once

#include <atomic>

#include "services/lib/base/clock.h"

namespace spanway::fakes {

class ManualClock final : public Clock {
 public:
  SteadyTime now() const noexcept override { return SteadyTime(Duration(elapsed_.load())); }
  // Starts at 2026-01-01T00:00:00Z.
  SystemTime system_now() const noexcept override {
    return SystemTime(Duration(1'767'225'600'000'000'000LL + elapsed_.load() + skew_.load()));
  }
  void advance(Duration by) noexcept { elapsed_ += by.count(); }
  // Moves the wall clock only.
  void jump_system(Duration by) noexcept { skew_ += by.count(); }

 private:
  std::atomic<Duration::rep> elapsed_{1'000'000'000};
  std::atomic<Duration::rep> skew_{0};
};

}  // namespace spanway::fakes
