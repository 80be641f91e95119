// Quantiles and fractions of native histograms.
#pragma once

#include "services/query/promql/histogram.h"

namespace spanway::query::promql {

struct NativeFigure {
  double value = 0;
  bool has_nan = false;  // Observations that are no numbers are counted, in no bucket.
};

// Exponential within a bucket; linear within the zero bucket and custom ones.
NativeFigure native_quantile(double q, const Histogram& histogram);
NativeFigure native_fraction(double lower, double upper, const Histogram& histogram);

}  // namespace spanway::query::promql
