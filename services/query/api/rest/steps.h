// The time range of a request in steps. Internal to query/api/rest.
#pragma once

#include <cstdint>

#include "services/query/api/parameters.h"
#include "services/query/store/span_query.h"

namespace spanway::query::rest {

// Most steps of an answer.
inline constexpr std::int64_t kStepsMax = 1000;

struct Steps {
  TimeRange range;  // Whole steps.
  std::int64_t step_ns = kRollupNanos;
  std::int64_t count() const noexcept { return (range.end - range.begin) / step_ns; }
};

// start_time, end_time, step in seconds: rounded up to a multiple of five minutes, and so that
// there are at most 48 steps without it. INVALID_ARGUMENT, data, "bad_parameters".
Result<Steps> parse_steps(const Parameters& parameters, std::int64_t now_unix_nano);

}  // namespace spanway::query::rest
