// Values of parameters as Prometheus's HTTP API reads them. Internal to query/api/prometheus.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/query/api/parameters.h"
#include "services/query/labels/label_matcher.h"
#include "services/query/promql/parser.h"
#include "services/query/store/query_context.h"

namespace spanway::query::prometheus {

// All errors are INVALID_ARGUMENT, data, "bad_parameters", in Prometheus's words.

// Unix milliseconds: seconds as a number, or RFC 3339.
Result<std::int64_t> parse_time(std::string_view text);
// Nanoseconds: seconds as a number, or a duration such as "1h30m".
Result<std::int64_t> parse_duration(std::string_view text);
// 0 = none.
Result<std::size_t> parse_limit(const Parameters& parameters);
// The parameters "start" and "end"; all of time without them.
Result<TimeRange> parse_range(const Parameters& parameters);
// The parameters "match[]", each with a condition that does not hold for an empty value.
Result<std::vector<std::vector<LabelMatcher>>> parse_selectors(const Parameters& parameters,
                                                               const promql::ParseOptions& options);

// `invalid parameter "name": ..`
Error invalid_parameter(std::string_view name, const Error& error);
// A label's name as a path has it: "U__http_2e_status" is "http.status".
std::string unescaped_label(std::string_view name);

}  // namespace spanway::query::prometheus
