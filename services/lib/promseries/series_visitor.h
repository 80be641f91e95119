// Results of a conversion: one sample or native histogram of one series after the other.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "services/lib/base/result.h"
#include "services/lib/promseries/native_histogram.h"
#include "services/lib/promseries/series_labels.h"

namespace spanway::promseries {

// Types of remote write 2.0's metadata, with its numbers.
enum class SeriesType : unsigned char {
  kUnknown = 0,
  kCounter = 1,
  kGauge = 2,
  kHistogram = 3,
  kSummary = 5,
};

struct Metadata {
  SeriesType type = SeriesType::kUnknown;
  std::string_view family;  // "http_server_duration_seconds", without _bucket, _sum and _count.
  std::string_view unit;
  std::string_view help;
};

struct Exemplar {
  Labels labels;  // Ascending by name; may be empty.
  double value = 0;
  std::int64_t timestamp_ms = 0;
};

// All views are valid during the call only.
struct Series {
  Labels labels;
  const Metadata& metadata;
  std::int64_t start_timestamp_ms = 0;  // 0 = unknown.
  std::int64_t timestamp_ms = 0;
  std::span<const Exemplar> exemplars;
};

class SeriesVisitor {
 public:
  virtual ~SeriesVisitor() = default;
  virtual void on_sample(const Series& series, double value) = 0;
  virtual void on_histogram(const Series& series, const NativeHistogram& histogram) = 0;
  // After all series of one data point, and after those of a target_info. An error ends the
  // conversion and is its result.
  virtual Status on_point_end() { return {}; }
};

}  // namespace spanway::promseries
