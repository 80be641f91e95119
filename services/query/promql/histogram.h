// Native histograms. Source: Prometheus's native histogram specification.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "services/lib/base/result.h"

namespace spanway::query::promql {

inline constexpr int kCustomBuckets = -53;  // The schema of explicit upper bounds.

struct Bucket {
  int index = 0;
  double count = 0;
};

// With its bounds; `(lower, upper]` for positive ones.
struct BoundedBucket {
  double lower = 0;
  double upper = 0;
  double count = 0;
};

// A new total of sum and increment, with what the addition lost in `compensation`. (Neumaier's
// variant of Kahan's summation, so that results are the same as Prometheus's to the last bit.)
void kahan_add(double increment, double& sum, double& compensation);

// A value; buckets ascend by index. Copied before it is changed.
struct Histogram {
  enum class Hint : unsigned char { kUnknown, kReset, kNotReset, kGauge };

  int schema = 0;
  double zero_threshold = 0;
  double zero_count = 0;
  double count = 0;
  double sum = 0;
  std::vector<Bucket> positive;
  std::vector<Bucket> negative;
  std::vector<double> custom_bounds;
  Hint hint = Hint::kUnknown;

  bool is_custom() const { return schema == kCustomBuckets; }
  // Upper bound of a positive bucket.
  double bound(int index) const;
  // From the lowest to the highest, the zero bucket between; without empty ones.
  std::vector<BoundedBucket> buckets() const;
  void compact();
  void multiply(double factor);
  void divide(double divisor);
  void reduce_to(int target_schema);
  // Observations above, or with `keep_upper` below, the limit are dropped.
  void trim(double limit, bool drop_above);
  bool has_overflow() const;
  // True when the counter was reset between `previous` and this.
  bool is_reset_after(const Histogram& previous) const;
  bool equals(const Histogram& other) const;
};
using HistogramPtr = std::shared_ptr<const Histogram>;

// Findings of an addition.
struct AddOutcome {
  bool incompatible = false;  // Exponential and custom buckets: nothing was added.
  bool hint_collision = false;
  bool bounds_reconciled = false;  // Custom bounds differed: their intersection remains.
};

// `sum` += or -= `other`, in the coarser schema and the larger zero bucket of both. With a
// compensation that histogram keeps what the additions lost.
AddOutcome add(Histogram& sum, const Histogram& other, Histogram* compensation = nullptr);
AddOutcome subtract(Histogram& sum, const Histogram& other);

// As Prometheus prints it.
std::string to_string(const Histogram& histogram);

}  // namespace spanway::query::promql
