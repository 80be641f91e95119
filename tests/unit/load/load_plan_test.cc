#include "services/load/load_plan.h"

#include <gtest/gtest.h>

#include <limits>

namespace spanway::load {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const SteadyTime kStart{seconds(100)};

TEST(Plan, HasExactlyRateTimesDurationItems) {
  const Plan plan({.rate = 20'000, .duration = seconds(5), .batch = 512}, kStart);
  EXPECT_EQ(plan.item_count(), 100'000u);
  EXPECT_EQ(plan.request_count(), 196u);
  std::uint64_t items = 0;
  for (std::uint64_t k = 0; k < plan.request_count(); ++k) {
    EXPECT_EQ(plan.first_item(k), items + 1);
    items += plan.items_of(k);
  }
  EXPECT_EQ(items, 100'000u);
  EXPECT_EQ(plan.items_of(195), 160u);
  EXPECT_EQ(plan.items_of(196), 0u);
}

TEST(Plan, SpreadsRequestsEvenly) {
  const Plan plan({.rate = 1000, .duration = seconds(10), .batch = 100}, kStart);
  EXPECT_EQ(plan.due(0), kStart);
  EXPECT_EQ(plan.due(1), kStart + milliseconds(100));
  EXPECT_EQ(plan.due(99), kStart + milliseconds(9900));
  EXPECT_EQ(plan.end(), kStart + seconds(10));
}

TEST(Plan, DoesNotDriftOverADay) {
  const Plan plan({.rate = 3, .duration = std::chrono::hours(24), .batch = 1}, kStart);
  EXPECT_EQ(plan.due(3 * 86'400), kStart + std::chrono::hours(24));
}

TEST(Plan, TakesFractionalRates) {
  const Plan plan({.rate = 0.5, .duration = seconds(10), .batch = 1}, kStart);
  EXPECT_EQ(plan.item_count(), 5u);
  EXPECT_EQ(plan.due(1), kStart + seconds(2));
}

TEST(Plan, WithoutARateEverythingIsDueAtOnce) {
  const Plan plan({.rate = 0, .duration = seconds(1), .batch = 10}, kStart);
  EXPECT_FALSE(plan.has_rate());
  EXPECT_EQ(plan.request_count(), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(plan.due(12345), kStart);
  EXPECT_EQ(plan.items_of(12345), 10u);
}

TEST(Plan, WithNothingToSendHasNoRequest) {
  const Plan plan({.rate = 100, .duration = Duration::zero(), .batch = 10}, kStart);
  EXPECT_EQ(plan.request_count(), 0u);
}

}  // namespace
}  // namespace spanway::load
