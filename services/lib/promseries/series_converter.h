// OTLP metrics to the series that Prometheus's own OTLP receiver makes of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "services/lib/base/result.h"
#include "services/lib/otlp/metric_points.h"
#include "services/lib/otlp/reader.h"
#include "services/lib/promseries/conversion_options.h"
#include "services/lib/promseries/series_labels.h"
#include "services/lib/promseries/series_visitor.h"

namespace spanway::promseries {

struct Converted {
  std::uint64_t points = 0;
  // Points that Prometheus cannot have; in no series. Of them, those of delta temporality.
  std::uint64_t rejected = 0;
  std::uint64_t rejected_delta = 0;
  std::string first_reason;  // The first rejection: why, and of which metric.
};

// Single-thread; keeps its scratch memory. The calls are a function of the payload and the options:
// equal payloads make equal calls, in every process.
class Converter {
 public:
  // Half of the lookback of PromQL, so that a query always finds a sample.
  static constexpr std::int64_t kTargetInfoIntervalMs = 150'000;
  // The most of one resource; the newest ones of a longer time.
  static constexpr std::int64_t kTargetInfoSamplesMax = 1024;

  explicit Converter(Options options);

  // Broken framing: INVALID_ARGUMENT, data, "malformed_request"; the points before it have been
  // visited by then.
  Result<Converted> convert(std::string_view payload, SeriesVisitor& visitor);

 private:
  const Options options_;
  otlp::RequestReader reader_;
  otlp::PointReader points_;
  SeriesLabels labels_;
  NativeHistogramBuilder histograms_;
};

// The type of a metric's series. Delta temporality has none of Prometheus's types.
SeriesType type_of(const otlp::MetricView& metric) noexcept;
// Nanoseconds to milliseconds as the receiver does.
constexpr std::int64_t milliseconds_of(std::uint64_t unix_nano) noexcept {
  return static_cast<std::int64_t>(unix_nano) / 1'000'000;
}

}  // namespace spanway::promseries
