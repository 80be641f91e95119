// Reads one data point of a metric, of any type: what MetricView::points hands out encoded.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "services/lib/otlp/reader.h"

namespace spanway::otlp {

enum class NumberKind : unsigned char { kNone, kInteger, kReal };

struct ExemplarView {
  std::uint64_t time_unix_nano = 0;
  NumberKind kind = NumberKind::kNone;
  std::int64_t integer = 0;
  double real = 0;
  std::string_view trace_id;  // Raw bytes, as sent.
  std::string_view span_id;
  Attributes attributes;
};

struct QuantileView {
  double quantile = 0;
  double value = 0;
};

// Bucket i of an exponential histogram counts values in (base^(offset+i), base^(offset+i+1)].
struct BucketsView {
  std::int32_t offset = 0;
  std::span<const std::uint64_t> counts;
};

// The fields of all five kinds of points; those that a kind does not have keep their defaults.
struct PointView {
  std::uint64_t start_time_unix_nano = 0;
  std::uint64_t time_unix_nano = 0;
  std::uint32_t flags = 0;
  Attributes attributes;
  std::span<const ExemplarView> exemplars;
  // Gauge and sum.
  NumberKind kind = NumberKind::kNone;
  std::int64_t integer = 0;
  double real = 0;
  // Histograms and summary.
  std::uint64_t count = 0;
  std::optional<double> sum, min, max;
  std::span<const double> bounds;         // Explicit histogram.
  std::span<const std::uint64_t> counts;  // Explicit histogram: one more than bounds.
  std::int32_t scale = 0;                 // From here: exponential histogram.
  std::uint64_t zero_count = 0;
  double zero_threshold = 0;
  BucketsView positive, negative;
  std::span<const QuantileView> quantiles;  // Summary.

  // DataPointFlags: the point says that there was no measurement.
  bool has_no_recorded_value() const noexcept { return (flags & 1) != 0; }
  // The number of a gauge or sum; 0 without a value.
  double number() const noexcept {
    return kind == NumberKind::kInteger ? static_cast<double>(integer) : real;
  }
};

// Single-thread; keeps its scratch memory from point to point.
class PointReader {
 public:
  // False on broken framing. `point` and its views are valid until the next call; strings are views
  // into `message`.
  bool read(MetricType type, std::string_view message, PointView& point);

 private:
  struct Range {
    std::size_t begin = 0, end = 0;
  };
  bool read_number(std::string_view message, PointView& point);
  bool read_histogram(std::string_view message, PointView& point);
  bool read_exponential(std::string_view message, PointView& point);
  bool read_summary(std::string_view message, PointView& point);
  bool read_exemplar(std::string_view message);
  void finish_views(PointView& point);

  std::vector<AttributeView> attributes_, exemplar_attributes_;
  std::vector<ExemplarView> exemplars_;
  std::vector<Range> exemplar_ranges_;
  std::vector<double> bounds_;
  std::vector<std::uint64_t> counts_, negative_counts_;
  std::vector<QuantileView> quantiles_;
};

}  // namespace spanway::otlp
