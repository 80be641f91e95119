// Figures of spans as series. Internal to query/store/span_metrics.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "services/lib/block/block.h"
#include "services/query/store/metric_query.h"
#include "services/query/store/span_query.h"

namespace spanway::query {

inline constexpr const char* kSpanCalls = "traces_spanmetrics_calls_total";
inline constexpr const char* kSpanLatency = "traces_spanmetrics_latency";

// The steps of one service, name and kind, ascending by time.
using SpanRows = std::vector<const RedRow*>;

// Steps that begin at multiples of `length`; the last one may end early.
struct Steps {
  std::int64_t length = kRollupNanos;
  std::int64_t end = 0;  // Unix nanoseconds.
};
// About a hundred at most. Five minutes that are not over are no step.
Steps steps_of(TimeRange range, std::int64_t now_unix_nano) noexcept;
// Rows by service, name and kind. They outlive the result.
std::vector<SpanRows> grouped(const std::vector<RedRow>& rows);

// The series of the spans with an error, or of all others.
Series calls_series(const RedRow& row, bool is_error);
Series latency_series(const RedRow& row);

// Samples and points whose time is in the range. Empty when the calls are 0 throughout.
SeriesSamples calls_samples(const SpanRows& rows, const Steps& steps, bool is_error,
                            TimeRange range);
// As columns of the table of histograms.
block::Block latency_points(const SpanRows& rows, const Steps& steps, TimeRange range);

}  // namespace spanway::query
