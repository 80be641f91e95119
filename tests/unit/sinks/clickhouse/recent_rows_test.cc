#include "services/lib/sinks/clickhouse/recent_rows.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/fakes/manual_clock.h"

namespace spanway::sinks {
namespace {

using std::chrono::minutes;

TEST(RecentRows, AreKnownForHalfAnHourAndForgottenAfterOne) {
  fakes::ManualClock clock;
  RecentRows rows(clock);
  clock.advance(minutes(29));
  rows.add(std::vector<std::uint64_t>{1});
  EXPECT_TRUE(rows.contains(1));
  EXPECT_FALSE(rows.contains(2));
  clock.advance(minutes(29));
  EXPECT_TRUE(rows.contains(1));
  clock.advance(minutes(31));
  EXPECT_FALSE(rows.contains(1));
}

TEST(RecentRows, AreForgottenAfterALongSilence) {
  fakes::ManualClock clock;
  RecentRows rows(clock);
  rows.add(std::vector<std::uint64_t>{1});
  clock.advance(minutes(61));
  EXPECT_FALSE(rows.contains(1));
}

TEST(RecentRows, AnyNumberOfRowsIsBounded) {
  fakes::ManualClock clock;
  RecentRows rows(clock);
  std::vector<std::uint64_t> all;
  for (std::uint64_t i = 1; i <= 3 * RecentRows::kRowsMax; ++i) all.push_back(i);
  rows.add(all);
  std::size_t known = 0;
  for (const std::uint64_t identity : all) known += rows.contains(identity) ? 1 : 0;
  EXPECT_LE(known, RecentRows::kRowsMax);
  EXPECT_GE(known, RecentRows::kRowsMax / 2);
  EXPECT_TRUE(rows.contains(all.back()));
}

}  // namespace
}  // namespace spanway::sinks
