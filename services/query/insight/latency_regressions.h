// Operations that have become slower than they were.
#pragma once

#include <span>
#include <vector>

#include "services/query/insight/finding.h"
#include "services/query/insight/significance.h"
#include "services/query/insight/thresholds.h"

namespace spanway::query::insight {

struct LatencyHistory {
  OperationKey operation;
  std::vector<Durations> windows;  // Five minutes each, the newest last: WindowThresholds::windows.
  Durations same_hours = {};       // The hour around the newest window, in each of four weeks.
  Durations last_day = {};         // The 24 hours before `windows`.
};

// A finding for each operation that is slower than each of its baselines that has enough calls:
// p-value (the larger) and growth of the 95th percentile (the smaller), also of all the windows
// together. `observed` and `baseline` are that percentile in ns; the score is -log10 of the
// p-value, at most 300.
std::vector<Finding> latency_regressions(std::span<const LatencyHistory> operations,
                                         TimeRange window, const Thresholds& thresholds);

}  // namespace spanway::query::insight
