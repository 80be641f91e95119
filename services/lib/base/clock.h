// Time comes through the constructor: components take a Clock, never call std::chrono themselves.
#pragma once

#include <algorithm>
#include <chrono>

namespace spanway {

using Duration = std::chrono::nanoseconds;
using SteadyTime = std::chrono::time_point<std::chrono::steady_clock, Duration>;
using SystemTime = std::chrono::time_point<std::chrono::system_clock, Duration>;

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // For timers, deadlines and latencies: never jumps.
  virtual SteadyTime now() const noexcept = 0;
  // For timestamps that leave the process.
  virtual SystemTime system_now() const noexcept = 0;
};

// The machine's clocks. Lives for the whole process.
const Clock& system_clock() noexcept;

// A point in time by which something must be over. Immutable.
class Deadline {
 public:
  static Deadline at(SteadyTime when) noexcept { return Deadline(when); }
  static Deadline after(const Clock& clock, Duration wait) noexcept {
    return Deadline(clock.now() + wait);
  }
  static Deadline never() noexcept { return Deadline(SteadyTime::max()); }

  SteadyTime when() const noexcept { return when_; }
  bool is_never() const noexcept { return when_ == SteadyTime::max(); }
  bool passed(SteadyTime now) const noexcept { return now >= when_; }
  // Zero once it has passed.
  Duration remaining(SteadyTime now) const noexcept {
    return now >= when_ ? Duration::zero() : (is_never() ? Duration::max() : when_ - now);
  }
  Deadline earlier(Deadline other) const noexcept { return Deadline(std::min(when_, other.when_)); }
  // The deadline to pass on, so that the answer from behind still arrives in time here.
  Deadline less(Duration margin) const noexcept {
    return is_never() ? *this : Deadline(when_ - margin);
  }

 private:
  explicit Deadline(SteadyTime when) noexcept : when_(when) {}
  SteadyTime when_;
};

}  // namespace spanway
