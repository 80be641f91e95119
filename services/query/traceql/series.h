// Series of numbers over time: results of metrics queries.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "services/lib/base/result.h"
#include "services/query/traceql/value.h"

namespace spanway::query::traceql {

struct Label {
  std::string name;
  Value value;
  bool operator==(const Label&) const = default;
};
using SeriesLabels = std::vector<Label>;

inline constexpr const char* kNameLabel = "__name__";

// A span that a point of a series counts.
struct Exemplar {
  SeriesLabels labels;
  double value = 0;  // NaN: of the series at that time.
  std::int64_t time_ms = 0;
};

struct Series {
  SeriesLabels labels;
  std::vector<double> values;  // One for each interval; NaN where there is none.
  std::vector<Exemplar> exemplars = {};
};

// The intervals of a query, each (begin, begin + step]; an instant query has one, [begin, end].
class Intervals {
 public:
  static constexpr std::int64_t kCountMax = 11'000;

  // Aligned to the step, with one interval more at the begin, as Tempo's frontend does.
  // INVALID_ARGUMENT, data, "bad_range" for a range or step that is none or too many intervals.
  static Result<Intervals> range(std::int64_t begin_nanos, std::int64_t end_nanos,
                                 std::int64_t step_nanos);
  static Result<Intervals> instant(std::int64_t begin_nanos, std::int64_t end_nanos);

  std::size_t count() const noexcept { return count_; }
  std::optional<std::size_t> find(std::int64_t time_nanos) const noexcept;
  // The end of the interval.
  std::int64_t time_ms(std::size_t interval) const noexcept;
  double step_seconds() const noexcept;
  std::int64_t begin_nanos() const noexcept { return begin_; }
  std::int64_t end_nanos() const noexcept { return end_; }  // The last one that is inside.
  bool is_instant() const noexcept { return is_instant_; }

 private:
  std::int64_t begin_ = 0;
  std::int64_t end_ = 0;
  std::int64_t step_ = 0;
  std::size_t count_ = 0;
  bool is_instant_ = false;
};

// The next power of two: the upper bound of a value's bucket. Nothing for values below 2.
std::optional<double> log2_bucket(std::uint64_t value) noexcept;

struct Bucket {
  double max = 0;
  std::uint64_t count = 0;
};
// The quantile of values in buckets, which ascend; between the bounds of a bucket exponentially.
// 0 without values.
double log2_quantile(double quantile, const std::vector<Bucket>& buckets);

}  // namespace spanway::query::traceql
