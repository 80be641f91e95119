// Calls that a loop makes one by one, where one call for all of them would do.
#pragma once

#include <span>
#include <vector>

#include "services/query/insight/finding.h"
#include "services/query/insight/sampled_trace.h"
#include "services/query/insight/thresholds.h"

namespace spanway::query::insight {

// A finding for each parent's operation and normalized call with `siblings_min` client spans under
// one parent, `sequential_part_min` of which begin after all before them have ended. Calls that
// failed do not count: they are retries. `observed` is the median of siblings of a parent.
std::vector<Finding> n_plus_one(std::span<const SampledTrace> traces, TimeRange window,
                                const Thresholds& thresholds);

}  // namespace spanway::query::insight
