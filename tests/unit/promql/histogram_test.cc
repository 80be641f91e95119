#include "services/query/promql/histogram.h"

#include <gtest/gtest.h>

#include <cmath>

namespace spanway::query::promql {
namespace {

Histogram exponential(int schema, std::vector<Bucket> buckets) {
  Histogram result;
  result.schema = schema;
  for (const Bucket& one : buckets) result.count += one.count;
  result.positive = std::move(buckets);
  return result;
}

TEST(Histogram, BoundsArePowersOfTheSchemasBase) {
  const Histogram coarse = exponential(0, {});
  EXPECT_EQ(coarse.bound(0), 1);
  EXPECT_EQ(coarse.bound(3), 8);
  EXPECT_EQ(exponential(-1, {}).bound(1), 4);
  EXPECT_DOUBLE_EQ(exponential(1, {}).bound(1), std::sqrt(2));
}

TEST(Histogram, ASumHasTheCoarserSchema) {
  Histogram sum = exponential(1, {{1, 1}, {2, 2}, {3, 4}});
  add(sum, exponential(0, {{1, 8}}));
  EXPECT_EQ(sum.schema, 0);
  EXPECT_EQ(sum.count, 15);
  ASSERT_EQ(sum.positive.size(), 2u);
  EXPECT_EQ(sum.positive[0].count, 11);
  EXPECT_EQ(sum.positive[1].count, 4);
}

TEST(Histogram, ASumHasTheLargerZeroBucketWithWholeBuckets) {
  Histogram sum = exponential(0, {{0, 1}, {1, 2}});
  Histogram other = exponential(0, {{2, 4}});
  other.zero_threshold = 0.75;  // Within (0.5, 1].
  other.zero_count = 8;
  add(sum, other);
  EXPECT_EQ(sum.zero_threshold, 1);
  EXPECT_EQ(sum.zero_count, 9);
}

TEST(Histogram, CustomBoundsAreReconciledToTheCommonOnes) {
  Histogram sum = exponential(kCustomBuckets, {{0, 1}, {1, 2}, {2, 4}});
  sum.custom_bounds = {1, 2};
  Histogram other = exponential(kCustomBuckets, {{0, 8}});
  other.custom_bounds = {2};
  EXPECT_TRUE(add(sum, other).bounds_reconciled);
  EXPECT_EQ(sum.custom_bounds, std::vector<double>{2});
  EXPECT_EQ(sum.positive[0].count, 11);
  EXPECT_TRUE(add(sum, exponential(0, {})).incompatible);
}

TEST(Histogram, ADifferenceIsTheSumsInverse) {
  const Histogram before = exponential(0, {{0, 1}, {3, 5}});
  Histogram sum = before;
  const Histogram other = exponential(0, {{1, 2}, {3, 7}});
  add(sum, other);
  subtract(sum, other);
  EXPECT_TRUE(sum.equals(before));
}

TEST(Histogram, AResetIsAnyBucketWithFewerObservations) {
  const Histogram before = exponential(0, {{0, 1}, {1, 5}});
  EXPECT_FALSE(exponential(0, {{0, 1}, {1, 6}}).is_reset_after(before));
  EXPECT_TRUE(exponential(0, {{0, 9}, {1, 4}}).is_reset_after(before));
  EXPECT_TRUE(exponential(0, {{1, 9}}).is_reset_after(before));
  EXPECT_TRUE(exponential(1, {{0, 9}, {2, 9}}).is_reset_after(before)) << "a finer schema";
  Histogram hinted = exponential(0, {});
  hinted.hint = Histogram::Hint::kNotReset;
  EXPECT_FALSE(hinted.is_reset_after(before));
}

TEST(Histogram, ATrimKeepsTheShareOfTheBucketAtTheLimit) {
  Histogram custom = exponential(kCustomBuckets, {{1, 10}, {2, 10}});
  custom.custom_bounds = {0, 10, 20};
  custom.trim(15, true);
  EXPECT_EQ(custom.count, 15);
  custom.trim(5, false);
  EXPECT_EQ(custom.count, 10);
}

TEST(KahanAdd, KeepsWhatAnAdditionLoses) {
  double sum = 1e16;
  double lost = 0;
  for (int i = 0; i < 10; ++i) kahan_add(1, sum, lost);
  kahan_add(-1e16, sum, lost);
  EXPECT_EQ(sum + lost, 10);
}

}  // namespace
}  // namespace spanway::query::promql
