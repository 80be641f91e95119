// Questions to a store of metrics, and its answers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/lib/base/result.h"
#include "services/query/labels/label_matcher.h"
#include "services/query/store/query_context.h"

namespace spanway::query {

// The label that holds the name of a metric.
inline constexpr const char* kMetricName = "__name__";

// As the enumeration of series.type.
enum class SeriesType : std::int8_t {
  kUnknown = 0,
  kGauge = 1,
  kCounter = 2,
  kHistogram = 3,
  kExponentialHistogram = 4,
  kSummary = 5,
};

struct Series {
  std::string id;  // The 16 bytes of the column series_id.
  Labels labels;   // By name, kMetricName first.
  SeriesType type = SeriesType::kUnknown;
  bool is_delta = false;
  bool operator==(const Series&) const = default;
};

// The description of a metric by its sender.
struct MetricMetadata {
  std::string metric;
  SeriesType type = SeriesType::kUnknown;
  bool is_delta = false;
  std::string unit;  // As sent: "By/s".
  std::string help;
  bool operator==(const MetricMetadata&) const = default;
};

// Data points of the series that match. A point is in the range by its time.
struct MetricSelect {
  TimeRange range = {};
  std::vector<LabelMatcher> matchers = {};
};

// Numbers of one series, ascending by time; the vectors have one element for each sample. A value
// may be Prometheus's stale marker.
struct SeriesSamples {
  Series series;
  std::vector<std::int64_t> times_ms;        // Since 1970.
  std::vector<std::int64_t> start_times_ms;  // 0 = unknown.
  std::vector<double> values;
};

// Pulled by one thread, which next() blocks; destroyed early, it ends the query at the store.
class SeriesStream {
 public:
  virtual ~SeriesStream() = default;
  // The next series with samples, complete; nothing at the end. An error ends the stream: what came
  // before it is not the whole answer.
  virtual Result<std::optional<SeriesSamples>> next() = 0;
};
using SeriesStreamPtr = std::unique_ptr<SeriesStream>;

}  // namespace spanway::query
