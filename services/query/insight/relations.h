// Attributes that slow or failed traces have and others have not.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "services/query/insight/finding.h"
#include "services/query/insight/sampled_trace.h"
#include "services/query/insight/thresholds.h"

namespace spanway::query::insight {

// For each operation of a root, its traces that have failed (the root's status is error) against
// the others, and its slow traces against the others; a failed trace is not slow. A token is
// "key=value" of any span or resource of a trace. Findings of an operation are in the order of
// chi-squared, the token that separates best first; of tokens that occur in exactly the same traces
// the first by name is the finding, the others are in `also`. `observed` and `baseline` are the
// part of the bad and of the good traces that have the token; the score is the log odds.
// `slow_ns` has the duration beyond which a trace of an operation is slow; without one it is the
// quantile `slow_quantile` of these traces. Memory: 100 bytes for each of `tokens_max`.
std::vector<Finding> relations(std::span<const SampledTrace> traces,
                               const std::map<OperationKey, std::int64_t>& slow_ns,
                               TimeRange window, const Thresholds& thresholds);

}  // namespace spanway::query::insight
