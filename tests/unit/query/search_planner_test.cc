// Which part of the spans a search in ClickHouse reads first.
#include "services/query/store/clickhouse/search_planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace spanway::query {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::int64_t kSecond = 1'000'000'000;

Bucket5m bucket(std::int64_t number, std::uint64_t candidates) {
  return {.begin_unix_nano = number * kRollupNanos, .candidates = candidates};
}

TEST(SearchPlanner, WindowsGrowFromTheNewestOnAndDoNotOverlap) {
  SearchPlanner planner({.begin = kRollupNanos + 7, .end = 9 * kRollupNanos + 5}, 10,
                        {bucket(9, 4), bucket(8, 7), bucket(6, 30), bucket(5, 15), bucket(1, 1)});
  const auto first = planner.next();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->range.begin, 8 * kRollupNanos);
  EXPECT_EQ(first->range.end, 9 * kRollupNanos + 5);
  EXPECT_THAT(first->buckets_s, IsEmpty()) << "every bucket of the window can hold a match";
  const auto second = planner.next();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->range.begin, 5 * kRollupNanos);
  EXPECT_EQ(second->range.end, 7 * kRollupNanos) << "nothing between 7 and 8 can match";
  const auto third = planner.next();
  ASSERT_TRUE(third);
  EXPECT_EQ(third->range.begin, kRollupNanos + 7);
  EXPECT_EQ(third->range.end, 2 * kRollupNanos);
  EXPECT_FALSE(planner.next());
}

TEST(SearchPlanner, AWindowWithGapsListsItsBuckets) {
  SearchPlanner planner({}, SearchPlanner::kOneWindow, {bucket(9, 1), bucket(7, 1), bucket(2, 1)});
  const auto window = planner.next();
  ASSERT_TRUE(window);
  EXPECT_THAT(window->buckets_s, ElementsAre(2700, 2100, 600));
  EXPECT_FALSE(planner.next());
  clickhouse::Select select;
  append_buckets(*window, select);
  EXPECT_EQ(select.sql.text(), "AND toStartOfFiveMinutes(ts) IN {buckets:Array(DateTime)}");
}

TEST(SearchPlanner, NoBucketNoWindow) { EXPECT_FALSE(SearchPlanner({}, 1, {}).next()); }

TEST(SearchPlanner, TheRollupsAreSearchedByWhatEveryMatchFulfils) {
  const auto service = compare(Field::kService, Op::kEqual, "a");
  const auto name = compare(Field::kName, Op::kEqual, "op");
  const auto error = compare(Field::kStatus, Op::kEqual, std::int64_t{2});
  const auto slow = compare(Field::kDuration, Op::kGreater, std::int64_t{4 * kSecond});
  const auto conditions = rollup_conditions(all_of({service, name, error, slow}));
  EXPECT_EQ(conditions.service, "a");
  EXPECT_EQ(conditions.name, "op");
  EXPECT_TRUE(conditions.is_error);
  EXPECT_EQ(conditions.duration_min_ns, 4'000'000'000u);
  EXPECT_EQ(rollup_conditions(
                compare(Subject{.scope = Scope::kResource, .key = "service.name"}, Op::kEqual, "b"))
                .service,
            "b");
  // A match need not fulfil one of several, nor what is compared otherwise.
  const auto loose = rollup_conditions(any_of({service, name}));
  EXPECT_FALSE(loose.service || loose.name || loose.is_error);
  EXPECT_FALSE(rollup_conditions(compare(Field::kService, Op::kNotEqual, "a")).service);
  EXPECT_EQ(rollup_conditions(compare(Field::kDuration, Op::kLess, kSecond)).duration_min_ns, 0u);
}

}  // namespace
}  // namespace spanway::query
