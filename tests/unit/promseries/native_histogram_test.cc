#include "services/lib/promseries/native_histogram.h"

#include <gtest/gtest.h>

#include <bit>
#include <map>

namespace spanway::promseries {
namespace {

using Buckets = std::map<std::int64_t, std::int64_t>;

// Counts that are not 0, by the index of Prometheus.
Buckets buckets(std::span<const BucketSpan> spans, std::span<const std::int64_t> deltas) {
  Buckets found;
  std::int64_t index = 0, count = 0;
  std::size_t next = 0;
  for (const BucketSpan& span : spans) {
    index += span.offset;
    for (std::uint32_t i = 0; i < span.length; ++i, ++index) {
      count += deltas[next++];
      if (count != 0) found[index] = count;
    }
  }
  EXPECT_EQ(next, deltas.size());
  return found;
}

struct Converted {
  bool good = false;
  NativeHistogram native;
  Buckets positive;
  std::vector<BucketSpan> spans;
};
Converted convert(std::int32_t scale, std::int32_t offset, std::vector<std::uint64_t> counts) {
  NativeHistogramBuilder builder;
  otlp::PointView point;
  point.scale = scale;
  point.count = 10;
  point.sum = 2.5;
  point.positive = {.offset = offset, .counts = counts};
  Converted result;
  result.good = builder.from_exponential(point, false, result.native);
  result.positive = buckets(result.native.positive_spans, result.native.positive_deltas);
  result.spans.assign(result.native.positive_spans.begin(), result.native.positive_spans.end());
  return result;
}

TEST(NativeHistogram, BucketsAreOneHigher) {
  const Converted result = convert(3, 4, {4, 2, 3, 7});
  ASSERT_TRUE(result.good);
  EXPECT_EQ(result.native.schema, 3);
  EXPECT_EQ(result.native.count, 10u);
  EXPECT_EQ(result.native.sum, 2.5);
  EXPECT_EQ(result.native.zero_threshold, 1e-128);
  EXPECT_EQ(result.positive, (Buckets{{5, 4}, {6, 2}, {7, 3}, {8, 7}}));
}

TEST(NativeHistogram, ShortGapsAreFilledAndLongOnesAreSpans) {
  EXPECT_EQ(convert(0, 0, {1, 0, 0, 2}).spans, (std::vector<BucketSpan>{{1, 4}}));
  EXPECT_EQ(convert(0, 0, {1, 0, 0, 0, 2}).spans, (std::vector<BucketSpan>{{1, 1}, {3, 1}}));
  EXPECT_EQ(convert(0, 0, {0, 0, 0, 0}).spans, (std::vector<BucketSpan>{}));
}

TEST(NativeHistogram, FineScalesAreMergedDown) {
  const Converted two = convert(9, 0, {4, 2, 3, 7, 1});
  EXPECT_EQ(two.native.schema, 8);
  EXPECT_EQ(two.positive, (Buckets{{1, 6}, {2, 10}, {3, 1}}));
  EXPECT_EQ(convert(9, -3, {1, 2, 4}).positive, (Buckets{{-1, 1}, {0, 6}}));
  // So fine that a side has one bucket below 1 and one above.
  EXPECT_EQ(convert(2'000'000'000, -1, {1, 2, 4}).positive, (Buckets{{0, 1}, {1, 6}}));
}

TEST(NativeHistogram, WhatCannotBeHeldIsRefused) {
  EXPECT_FALSE(convert(-5, 0, {1}).good);
  EXPECT_TRUE(convert(-4, 0, {1}).good);
  EXPECT_FALSE(convert(0, 2'147'483'647, {1}).good);
}

TEST(NativeHistogram, NoRecordedValueIsStale) {
  NativeHistogramBuilder builder;
  otlp::PointView point;
  point.flags = 1;
  NativeHistogram native;
  ASSERT_TRUE(builder.from_exponential(point, true, native));
  EXPECT_EQ(std::bit_cast<std::uint64_t>(native.sum), kStaleBits);
  EXPECT_EQ(native.count, kStaleBits);
  EXPECT_TRUE(native.is_gauge);
}

TEST(NativeHistogram, ExplicitBoundsAreCustomValues) {
  NativeHistogramBuilder builder;
  const std::vector<double> bounds = {1, 5, 10};
  const std::vector<std::uint64_t> counts = {0, 3, 0, 1};
  otlp::PointView point;
  point.bounds = bounds;
  point.counts = counts;
  point.count = 4;
  NativeHistogram native;
  ASSERT_TRUE(builder.from_explicit(point, false, native));
  EXPECT_EQ(native.schema, kCustomBuckets);
  EXPECT_EQ(native.zero_threshold, 0);
  EXPECT_EQ(std::vector<double>(native.custom_values.begin(), native.custom_values.end()), bounds);
  EXPECT_EQ(buckets(native.positive_spans, native.positive_deltas), (Buckets{{1, 3}, {3, 1}}));
}

}  // namespace
}  // namespace spanway::promseries
