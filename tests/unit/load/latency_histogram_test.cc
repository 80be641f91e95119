#include "services/load/latency_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "services/lib/base/random.h"

namespace spanway::load {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(LatencyHistogram, IsZeroWhenEmpty) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.quantile(0.99), Duration::zero());
  EXPECT_EQ(histogram.mean(), Duration::zero());
}

TEST(LatencyHistogram, KnowsMaximumAndMeanExactly) {
  LatencyHistogram histogram;
  histogram.record(milliseconds(1));
  histogram.record(milliseconds(4), 3);
  EXPECT_EQ(histogram.count(), 4u);
  EXPECT_EQ(histogram.max(), milliseconds(4));
  EXPECT_EQ(histogram.mean(), microseconds(3250));
  EXPECT_EQ(histogram.quantile(1), milliseconds(4));
}

TEST(LatencyHistogram, QuantilesOfARandomSampleAreWithinOnePercent) {
  Random random(7);
  LatencyHistogram histogram;
  std::vector<Duration> sorted;
  for (int i = 0; i < 100'000; ++i) {
    // From 10 us to 100 s, evenly in the logarithm.
    const auto latency =
        Duration(static_cast<Duration::rep>(1e4 * std::pow(1e7, random.next_unit())));
    histogram.record(latency);
    sorted.push_back(latency);
  }
  std::ranges::sort(sorted);
  for (const double q : {0.5, 0.9, 0.99, 0.999}) {
    const double exact =
        static_cast<double>(sorted[static_cast<std::size_t>(std::ceil(q * 100'000)) - 1].count());
    const double shown = static_cast<double>(histogram.quantile(q).count());
    EXPECT_GE(shown, exact);
    EXPECT_LE(shown, exact * 1.01 + 1000) << q;
  }
}

TEST(LatencyHistogram, EveryLatencyFallsIntoABucketThatHoldsIt) {
  for (Duration latency = microseconds(1); latency < hours(100);
       latency = Duration(latency.count() * 17 / 16 + 1)) {
    LatencyHistogram histogram;
    histogram.record(latency);
    histogram.record(hours(1000));  // Keeps max() from hiding the bucket's edge.
    const Duration shown = histogram.quantile(0.5);
    ASSERT_GE(shown, latency);
    ASSERT_LE(static_cast<double>(shown.count()),
              static_cast<double>(latency.count()) * 1.008 + 1000);
  }
}

TEST(LatencyHistogram, TakesNegativeAndEndlessLatencies) {
  LatencyHistogram histogram;
  histogram.record(-seconds(5));
  EXPECT_EQ(histogram.max(), Duration::zero());
  histogram.record(Duration::max());
  EXPECT_EQ(histogram.count(), 2u);
  EXPECT_EQ(histogram.max(), Duration::max());
}

TEST(LatencyHistogram, MergesAsIfRecordedInOne) {
  LatencyHistogram a;
  LatencyHistogram b;
  LatencyHistogram both;
  for (int i = 1; i <= 100; ++i) {
    (i % 2 == 0 ? a : b).record(milliseconds(i));
    both.record(milliseconds(i));
  }
  a.merge(b);
  EXPECT_EQ(a.count(), 100u);
  EXPECT_EQ(a.max(), both.max());
  EXPECT_EQ(a.mean(), both.mean());
  EXPECT_EQ(a.quantile(0.9), both.quantile(0.9));
}

}  // namespace
}  // namespace spanway::load
