#include "services/query/promql/classic_histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace spanway::query::promql {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
// Relative difference of counts that is an artefact of arithmetic.
constexpr double kSmall = 1e-12;

// By bound, each once. False without +Inf.
bool prepare(std::vector<ClassicBucket>& buckets) {
  std::stable_sort(
      buckets.begin(), buckets.end(),
      [](const ClassicBucket& a, const ClassicBucket& b) { return a.upper < b.upper; });
  if (buckets.empty() || buckets.back().upper != kInfinity) return false;
  std::vector<ClassicBucket> result;
  for (const ClassicBucket& one : buckets) {
    if (!result.empty() && result.back().upper == one.upper)
      result.back().count += one.count;
    else
      result.push_back(one);
  }
  buckets = std::move(result);
  return true;
}

bool is_almost(double a, double b) {
  const double sum = std::fabs(a) + std::fabs(b);
  const double distance = std::fabs(a - b);
  if (a == 0 || b == 0 || sum < std::numeric_limits<double>::min())
    return distance < kSmall * std::numeric_limits<double>::min();
  return distance / std::min(sum, std::numeric_limits<double>::max()) < kSmall;
}

void make_monotonic(std::vector<ClassicBucket>& buckets, QuantileFix& fix) {
  double before = buckets[0].count;
  for (ClassicBucket& one : buckets) {
    if (one.count == before) continue;
    if (is_almost(before, one.count)) {
      one.count = before;
    } else if (one.count < before) {
      one.count = before;
      fix.was_needed = true;
    } else {
      before = one.count;
    }
  }
}

}  // namespace

double classic_quantile(double q, std::vector<ClassicBucket> buckets, QuantileFix& fix) {
  if (std::isnan(q)) return kNaN;
  if (q < 0) return -kInfinity;
  if (q > 1) return kInfinity;
  if (!prepare(buckets)) return kNaN;
  make_monotonic(buckets, fix);
  if (buckets.size() < 2) return kNaN;
  const double observations = buckets.back().count;
  if (observations == 0) return kNaN;
  double rank = q * observations;
  std::size_t b = 0;
  while (b + 1 < buckets.size() && !(buckets[b].count >= rank)) ++b;
  if (b + 1 == buckets.size()) return buckets[b - 1].upper;
  if (b == 0 && buckets[0].upper <= 0) return buckets[0].upper;
  double lower = 0;
  double count = buckets[b].count;
  if (b > 0) {
    lower = buckets[b - 1].upper;
    count -= buckets[b - 1].count;
    rank -= buckets[b - 1].count;
  }
  return lower + (buckets[b].upper - lower) * (rank / count);
}

double classic_fraction(double lower, double upper, std::vector<ClassicBucket> buckets) {
  if (!prepare(buckets)) return kNaN;
  const double total = buckets.back().count;
  if (total == 0 || std::isnan(lower) || std::isnan(upper)) return kNaN;
  if (lower >= upper) return 0;
  // Observations below a value.
  const auto below = [&](double value) {
    double rank = 0;
    double low = buckets[0].upper <= 0 ? -kInfinity : 0;
    for (const ClassicBucket& one : buckets) {
      if (low >= value) return rank;
      if (one.upper > value) {
        if (low == -kInfinity) return one.count;
        return rank + (one.count - rank) * (value - low) / (one.upper - low);
      }
      rank = one.count;
      low = one.upper;
    }
    return total;
  };
  return (std::min(below(upper), total) - std::min(below(lower), total)) / total;
}

}  // namespace spanway::query::promql
