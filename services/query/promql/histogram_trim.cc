// Observations above or below a limit dropped: the operators </ and >/.
#include <cmath>

#include "services/query/promql/histogram.h"

namespace spanway::query::promql {
namespace {

struct Kept {
  double count = 0;
  double middle = 0;  // Where its observations are taken to be.
};

double middle_of(double lower, double upper, bool is_linear) {
  if (std::isinf(lower)) {
    if (std::isinf(upper)) return 0;
    return upper > 0 ? upper / 2 : upper;
  }
  if (std::isinf(upper)) return lower;
  if (is_linear) return (lower + upper) / 2;
  const double size = std::sqrt(std::fabs(lower * upper));
  return lower < 0 ? -size : size;
}

// Within the first or the last bucket of explicit bounds the distribution is unknown.
Kept keep_open(const BoundedBucket& bucket, double limit, bool drop_above) {
  const auto finite = [](double v) { return std::isinf(v) ? 0 : v; };
  const bool has_upper = !std::isinf(bucket.upper);
  if (std::isinf(bucket.lower)) {
    if (drop_above) {
      // With positive bounds the first bucket begins at 0.
      if (limit > 0 && bucket.upper > 0 && has_upper)
        return {bucket.count * limit / bucket.upper, limit / 2};
      if (bucket.upper <= 0) return {bucket.count, limit};
      return {0, finite(bucket.upper)};
    }
    if (limit >= 0 && bucket.upper > limit && has_upper)
      return {bucket.count * (1 - limit / bucket.upper), (limit + bucket.upper) / 2};
    return {0, finite(bucket.upper)};
  }
  if (!drop_above && limit >= bucket.lower) return {bucket.count, limit};
  return {0, finite(bucket.lower)};
}

double share_below(const BoundedBucket& bucket, double limit, bool is_linear) {
  if (is_linear) return (limit - bucket.lower) / (bucket.upper - bucket.lower);
  const double low = std::log2(std::fabs(bucket.lower));
  const double high = std::log2(std::fabs(bucket.upper));
  const double at = std::log2(std::fabs(limit));
  return limit > 0 ? (at - low) / (high - low) : 1 - (at - high) / (low - high);
}

Kept keep(const BoundedBucket& bucket, double limit, bool drop_above, bool is_linear) {
  if (drop_above ? bucket.upper <= limit : bucket.lower >= limit)
    return {bucket.count, middle_of(bucket.lower, bucket.upper, is_linear)};
  if (drop_above ? bucket.lower >= limit : bucket.upper <= limit) return {};
  if (std::isinf(bucket.lower) || std::isinf(bucket.upper))
    return keep_open(bucket, limit, drop_above);
  const double below = bucket.count * share_below(bucket, limit, is_linear);
  if (drop_above) return {below, middle_of(bucket.lower, limit, is_linear)};
  return {bucket.count - below, middle_of(limit, bucket.upper, is_linear)};
}

}  // namespace

void Histogram::trim(double limit, bool drop_above) {
  double total = 0;
  double total_sum = 0;
  bool is_trimmed = false;
  const auto apply = [&](double lower, double upper, double& bucket, bool is_linear) {
    if (bucket == 0) return;
    const Kept kept = keep({lower, upper, bucket}, limit, drop_above, is_linear);
    is_trimmed |= kept.count != bucket;
    bucket = kept.count;
    total += kept.count;
    total_sum += kept.count * kept.middle;
  };
  const bool has_positive = !positive.empty();
  const bool has_negative = !negative.empty();
  for (Bucket& one : positive)
    apply(bound(one.index - 1), bound(one.index), one.count, is_custom());
  for (Bucket& one : negative)
    apply(-bound(one.index), -bound(one.index - 1), one.count, is_custom());
  apply(has_positive && !has_negative ? 0 : -zero_threshold,
        has_negative && !has_positive ? 0 : zero_threshold, zero_count, true);
  if (!is_trimmed) return;
  count = total;
  sum = total_sum;
  compact();
}

}  // namespace spanway::query::promql
