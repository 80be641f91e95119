// The parameters of Jaeger's searches. Internal to query/api/jaeger.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/lib/base/result.h"
#include "services/query/api/parameters.h"
#include "services/query/store/span_query.h"

namespace spanway::query::jaeger {

inline constexpr std::size_t kTracesDefault = 100;
inline constexpr std::size_t kTracesMax = 1500;

struct SearchParameters {
  SpanQuery query;
  std::vector<TraceId> trace_ids;  // v1: these traces, and no search.
};

// service, operation, tag, tags, start, end (us), minDuration, maxDuration, limit, traceID. The
// last two days without start and end. INVALID_ARGUMENT, data, "bad_parameters" with Jaeger's
// words; unlike Jaeger, a search needs no service.
Result<SearchParameters> parse_v1_search(const Parameters& parameters, std::int64_t now_unix_nano);

// The conditions of a search, of either version and of gRPC.
struct JaegerConditions {
  std::string service, operation;
  std::vector<std::pair<std::string, std::string>> tags;
  std::int64_t duration_min_ns = 0, duration_max_ns = 0;  // 0 = none.
};
// A tag holds for an attribute of the span, its resource, scope or events, whose text is equal.
// "error" is the status of the span.
SpanCondition condition_of(const JaegerConditions& conditions);

// Spans that start from `begin` to `end` or then; at most `limit` traces, 0 = kTracesDefault.
Result<SearchParameters> make_search(const JaegerConditions& conditions, std::int64_t begin,
                                     std::int64_t end, std::int64_t limit);

// query.service_name, query.start_time_min and so on, in snake_case or in camelCase.
Result<SearchParameters> parse_v3_search(const Parameters& parameters);

// Name of a span kind in Jaeger's lower case; "" = unspecified.
std::string_view kind_name(int kind);
std::optional<int> kind_number(std::string_view name);

// "unable to parse param 'x': ..."
Error bad_parameter(std::string_view name, std::string_view why);

}  // namespace spanway::query::jaeger
