// Operations that fail more often, or are called more or less often, than they were.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "services/query/insight/finding.h"
#include "services/query/insight/thresholds.h"

namespace spanway::query::insight {

struct CallCounts {
  std::uint64_t calls = 0;
  std::uint64_t errors = 0;
};

// Windows of five minutes, also those without calls, as zeros.
struct RateHistory {
  OperationKey operation;
  std::vector<CallCounts> windows;          // The newest last: WindowThresholds::windows.
  std::vector<CallCounts> same_hours = {};  // The hour around the newest, in each of four weeks.
  std::vector<CallCounts> last_day = {};    // The 24 hours before `windows`.
};

// Operations whose errors are more than a binomial distribution gives. The expected rate is the
// larger of both baselines'; of a baseline, the larger of the median rate of its windows plus
// `deviations` (beyond those of the distribution), and of the rate of all its calls without the
// tenth of windows that failed most: an earlier incident does not hide the next one. `observed` and
// `baseline` are rates.
std::vector<Finding> error_rates(std::span<const RateHistory> operations, TimeRange window,
                                 const Thresholds& thresholds);

// Operations whose calls are more or fewer than a Poisson distribution gives, whose mean is the
// median of the same hours, plus or minus `deviations` beyond its own; of the last day when there
// are too few of those hours. `observed` and `baseline` are calls in a window.
std::vector<Finding> call_rates(std::span<const RateHistory> operations, TimeRange window,
                                const Thresholds& thresholds);

}  // namespace spanway::query::insight
