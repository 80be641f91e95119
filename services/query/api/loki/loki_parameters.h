// Parameters of Loki's HTTP API, with its defaults and in its words. Pure; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "services/lib/base/result.h"
#include "services/query/api/parameters.h"
#include "services/query/logql/engine.h"
#include "services/query/store/query_context.h"

namespace spanway::query::loki {

inline constexpr std::size_t kEntriesDefault = 100;

// Unix nanoseconds of seconds with a fraction, seconds, nanoseconds or RFC 3339. All errors:
// INVALID_ARGUMENT, data, "bad_parameters".
Result<std::int64_t> parse_time(std::string_view text);
// Nanoseconds of "15" (seconds), "1.5" or "1h30m".
Result<std::int64_t> parse_step(std::string_view text);
// `start`, `end` and `since`; without them the last hour.
Result<TimeRange> parse_range(const Parameters& parameters, std::int64_t now);
// A positive number; `otherwise` without one.
Result<std::size_t> parse_count(const Parameters& parameters, std::string_view name,
                                std::size_t otherwise);
// All parameters of query_range.
Result<logql::RangeQuery> parse_range_query(const Parameters& parameters, std::int64_t now);

}  // namespace spanway::query::loki
