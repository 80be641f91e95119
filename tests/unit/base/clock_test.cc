#include "services/lib/base/clock.h"

#include <gtest/gtest.h>

#include "tests/fakes/manual_clock.h"

namespace spanway {
namespace {

using std::chrono::seconds;

TEST(Deadline, PassesAtItsTime) {
  fakes::ManualClock clock;
  const Deadline deadline = Deadline::after(clock, seconds(2));
  EXPECT_FALSE(deadline.passed(clock.now()));
  EXPECT_EQ(deadline.remaining(clock.now()), Duration(seconds(2)));
  clock.advance(seconds(2));
  EXPECT_TRUE(deadline.passed(clock.now()));
  EXPECT_EQ(deadline.remaining(clock.now()), Duration::zero());
  clock.advance(seconds(1));
  EXPECT_EQ(deadline.remaining(clock.now()), Duration::zero());
}

TEST(Deadline, NeverStaysNever) {
  fakes::ManualClock clock;
  const Deadline never = Deadline::never();
  EXPECT_TRUE(never.is_never());
  EXPECT_FALSE(never.passed(clock.now()));
  EXPECT_EQ(never.remaining(clock.now()), Duration::max());
  EXPECT_TRUE(never.less(seconds(1)).is_never());
  const Deadline soon = Deadline::after(clock, seconds(1));
  EXPECT_EQ(never.earlier(soon).when(), soon.when());
}

TEST(Deadline, LeavesAMarginForTheAnswer) {
  fakes::ManualClock clock;
  const Deadline deadline = Deadline::after(clock, seconds(5));
  EXPECT_EQ(deadline.less(seconds(2)).remaining(clock.now()), Duration(seconds(3)));
  EXPECT_EQ(deadline.earlier(deadline.less(seconds(1))).remaining(clock.now()),
            Duration(seconds(4)));
}

TEST(SystemClock, MovesForward) {
  const SteadyTime first = system_clock().now();
  EXPECT_GE(system_clock().now(), first);
  EXPECT_GT(system_clock().system_now().time_since_epoch(), std::chrono::hours(24 * 365 * 50));
}

}  // namespace
}  // namespace spanway
