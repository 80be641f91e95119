#include "services/lib/runtime/process.h"

#include <gtest/gtest.h>

namespace spanway::runtime {
namespace {

TEST(UsableCores, RoundsTheLimitUpWithinTheMachine) {
  EXPECT_EQ(usable_cores("150000 100000", 64), 2U);
  EXPECT_EQ(usable_cores("200000 100000\n", 64), 2U);
  EXPECT_EQ(usable_cores("10000 100000", 64), 1U);
  EXPECT_EQ(usable_cores("800000 100000", 2), 2U);
}

TEST(UsableCores, WithoutALimitAreThoseOfTheMachine) {
  EXPECT_EQ(usable_cores("max 100000", 64), 64U);
  EXPECT_EQ(usable_cores("", 4), 4U);
  EXPECT_EQ(usable_cores("nonsense", 4), 4U);
  EXPECT_EQ(usable_cores("1 ", 4), 4U);
  EXPECT_EQ(usable_cores("1 0", 4), 4U);
  EXPECT_EQ(usable_cores("", 0), 1U);
  EXPECT_GE(usable_cores(), 1U);
}

}  // namespace
}  // namespace spanway::runtime
