// Quantiles and fractions of classic histograms: cumulative buckets by upper bound.
#pragma once

#include <vector>

namespace spanway::query::promql {

struct ClassicBucket {
  double upper = 0;
  double count = 0;  // With all buckets below it.
};

// Counts that fell from one bucket to the next were raised.
struct QuantileFix {
  bool was_needed = false;
};

// Linear within a bucket. Not a number without the bucket +Inf or without observations.
double classic_quantile(double q, std::vector<ClassicBucket> buckets, QuantileFix& fix);
double classic_fraction(double lower, double upper, std::vector<ClassicBucket> buckets);

}  // namespace spanway::query::promql
