#include "services/query/promql/native_quantile.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace spanway::query::promql {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// The zero bucket ends at 0 on the side without observations.
void narrow_zero(const Histogram& histogram, BoundedBucket& bucket) {
  if (bucket.lower > 0 || bucket.upper < 0) return;
  if (histogram.negative.empty() && !histogram.positive.empty()) bucket.lower = 0;
  if (histogram.positive.empty() && !histogram.negative.empty()) bucket.upper = 0;
}

bool is_linear(const Histogram& histogram, const BoundedBucket& bucket) {
  return histogram.is_custom() || (bucket.lower <= 0 && bucket.upper >= 0);
}

double total_of(const std::vector<BoundedBucket>& buckets) {
  double total = 0;
  for (const BoundedBucket& bucket : buckets) total += bucket.count;
  return total;
}

// Observations in buckets below a value.
double rank_of(double value, const Histogram& histogram, const std::vector<BoundedBucket>& buckets,
               double total) {
  double rank = 0;
  for (BoundedBucket bucket : buckets) {
    const bool linear = is_linear(histogram, bucket);
    narrow_zero(histogram, bucket);
    if (bucket.lower >= value) return std::min(rank, total);
    if (bucket.upper > value) {
      if (bucket.lower == -kInfinity) return std::min(bucket.count, total);
      double share = 0;
      if (linear) {
        share = (value - bucket.lower) / (bucket.upper - bucket.lower);
      } else {
        const double low = std::log2(std::fabs(bucket.lower));
        const double high = std::log2(std::fabs(bucket.upper));
        const double at = std::log2(std::fabs(value));
        share = value > 0 ? (at - low) / (high - low) : 1 - (at - high) / (low - high);
      }
      return std::min(rank + bucket.count * share, total);
    }
    rank += bucket.count;
  }
  return total;
}

}  // namespace

NativeFigure native_quantile(double q, const Histogram& histogram) {
  if (q < 0) return {-kInfinity, false};
  if (q > 1) return {kInfinity, false};
  if (histogram.count == 0 || std::isnan(q)) return {kNaN, false};
  const std::vector<BoundedBucket> buckets = histogram.buckets();
  const bool may_have_nan = std::isnan(histogram.sum);
  const bool forward = may_have_nan || q < 0.5;
  double rank = (forward ? q : 1 - q) * histogram.count;
  double count = 0;
  BoundedBucket bucket;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    bucket = buckets[forward ? i : buckets.size() - 1 - i];
    count += bucket.count;
    if (count >= rank) break;
  }
  const bool linear = is_linear(histogram, bucket);
  if (!histogram.is_custom()) narrow_zero(histogram, bucket);
  if (histogram.is_custom()) {
    if (bucket.lower == -kInfinity) {
      if (bucket.upper <= 0) return {bucket.upper, false};
      bucket.lower = 0;
    } else if (bucket.upper == kInfinity) {
      return {bucket.lower, false};
    }
  }
  count = std::min(count, histogram.count);
  if (count < rank) {
    if (may_have_nan) return {kNaN, true};
    return {bucket.upper, false};
  }
  rank = forward ? rank - (count - bucket.count) : count - rank;
  const bool has_nan = may_have_nan && total_of(buckets) < histogram.count;
  const double share = rank / bucket.count;
  if (linear) return {bucket.lower + (bucket.upper - bucket.lower) * share, has_nan};
  const double low = std::log2(std::fabs(bucket.lower));
  const double high = std::log2(std::fabs(bucket.upper));
  if (bucket.lower > 0) return {std::exp2(low + (high - low) * share), has_nan};
  return {-std::exp2(high + (low - high) * (1 - share)), has_nan};
}

NativeFigure native_fraction(double lower, double upper, const Histogram& histogram) {
  if (histogram.count == 0 || std::isnan(lower) || std::isnan(upper)) return {kNaN, false};
  if (lower >= upper) return {0, false};
  const std::vector<BoundedBucket> buckets = histogram.buckets();
  double total = histogram.count;
  bool has_nan = false;
  if (std::isnan(histogram.sum)) {
    total = total_of(buckets);
    has_nan = total < histogram.count;
  }
  const double below_upper = rank_of(upper, histogram, buckets, total);
  const double below_lower = rank_of(lower, histogram, buckets, total);
  return {(below_upper - below_lower) / histogram.count, has_nan};
}

}  // namespace spanway::query::promql
