#include "services/lib/runtime/stop_watchdog.h"

#include <gtest/gtest.h>

#include <future>

namespace spanway::runtime {
namespace {

TEST(StopWatchdog, CallsWhenTheStopLastsLongerThanTheLimit) {
  std::promise<void> expired;
  StopWatchdog watchdog(Duration::zero(), [&expired] { expired.set_value(); });
  watchdog.arm();
  watchdog.arm();  // A second call changes nothing.
  expired.get_future().wait();
}

TEST(StopWatchdog, DoesNotCallWhenTheStopEndsInTime) {
  bool expired = false;
  {
    StopWatchdog watchdog(std::chrono::hours(1), [&expired] { expired = true; });
    watchdog.arm();
  }
  EXPECT_FALSE(expired);
}

TEST(StopWatchdog, DoesNotCallBeforeTheStopBegins) {
  bool expired = false;
  {
    StopWatchdog watchdog(Duration::zero(), [&expired] { expired = true; });
  }
  EXPECT_FALSE(expired);
}

}  // namespace
}  // namespace spanway::runtime
