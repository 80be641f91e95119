// The rate of a replay.
#pragma once

#include <algorithm>
#include <cstdint>

#include "services/lib/base/clock.h"

namespace spanway::kafka_bridge {

// Items are paid for before they are sent: from the start, and between any two records, never more
// than `items_per_second` have been sent for the time that has passed; a process that is started
// again begins with nothing to spend. Unused time is not credited. External lock.
class Pace {
 public:
  Pace(double items_per_second, SteadyTime start)
      : items_per_second_(items_per_second), last_(start) {}

  // The wait before `items` may be sent; they count as sent after it.
  Duration take(std::uint64_t items, SteadyTime now) {
    const double seconds = static_cast<double>(items) / items_per_second_;
    const auto cost = std::chrono::duration_cast<Duration>(
        std::chrono::duration<double>(std::min(seconds, kSecondsMax)));
    last_ = std::max(now, last_ + cost);
    return last_ - now;
  }

 private:
  static constexpr double kSecondsMax = 1e9;  // The clock counts nanoseconds in 64 bits.
  const double items_per_second_;
  SteadyTime last_;
};

}  // namespace spanway::kafka_bridge
