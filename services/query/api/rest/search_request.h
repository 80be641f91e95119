// The body of Spanway's own searches. Internal to query/api/rest.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "services/lib/base/result.h"
#include "services/query/api/parameters.h"
#include "services/query/store/query_context.h"

namespace spanway::query::rest {

inline constexpr std::size_t kResultsDefault = 100;
inline constexpr std::size_t kResultsMax = 1500;

struct SearchRequest {
  std::string service_name = {};  // Empty = all.
  std::string metric_name = {};
  std::string aggregation = {};
  std::string severity = {};
  TimeRange range = {};  // The last hour without start_time and end_time.
  std::size_t limit = kResultsDefault;
};

// {"service_name":"shop","start_time":"2026-11-29T18:00:00Z","limit":20}; an empty body is {}.
// Times are RFC 3339, or seconds since 1970 as a number. INVALID_ARGUMENT, data, "bad_parameters"
// with the name of the member.
Result<SearchRequest> parse_search(std::string_view body, std::int64_t now_unix_nano);

// 1 to kResultsMax; other text is INVALID_ARGUMENT, data, "bad_parameters".
Result<std::size_t> parse_limit(std::string_view text);

// The same times in a URL, as start_time and end_time.
Result<TimeRange> parse_range(const Parameters& parameters, std::int64_t now_unix_nano);

}  // namespace spanway::query::rest
