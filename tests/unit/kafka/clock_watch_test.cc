#include "services/lib/kafka/clock_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace spanway::kafka {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr SystemTime kNow{hours(480'000)};

TEST(ClockWatch, TheTimeThatARequestTookIsNoDifference) {
  EXPECT_EQ(clock_difference(kNow - seconds(8), kNow, kNow - seconds(8)), Duration::zero());
  EXPECT_EQ(clock_difference(kNow - seconds(8), kNow, kNow), Duration::zero());
}

TEST(ClockWatch, ADifferenceIsWhatTheRequestCannotExplain) {
  EXPECT_EQ(clock_difference(kNow - seconds(1), kNow, kNow + hours(48)), -Duration(hours(48)));
  EXPECT_EQ(clock_difference(kNow - seconds(1), kNow, kNow - hours(2)),
            Duration(hours(2) - seconds(1)));
}

TEST(ClockWatch, NamesTheClockWhenItHarms) {
  EXPECT_EQ(describe_clock_difference(seconds(20)), "");
  EXPECT_EQ(describe_clock_difference(-milliseconds(29'900)), "");
  EXPECT_THAT(describe_clock_difference(-hours(48)), HasSubstr("172800 s behind the brokers'"));
  EXPECT_THAT(describe_clock_difference(hours(2)), HasSubstr("7200 s ahead of the brokers'"));
}

}  // namespace
}  // namespace spanway::kafka
