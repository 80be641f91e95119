// Parameters of Tempo's requests. Errors: INVALID_ARGUMENT, data, "bad_parameters", in Tempo's
// words.
#pragma once

#include <optional>
#include <string>

#include "services/lib/base/clock.h"
#include "services/query/api/parameters.h"
#include "services/query/traceql/engine.h"

namespace spanway::query::tempo {

struct SearchParameters {
  std::string query;  // TraceQL; of `tags` and durations when there is no `q`.
  traceql::SearchRequest search;
};
// q, or tags, minDuration and maxDuration; limit, spss; start and end in seconds.
Result<SearchParameters> parse_search(const Parameters& parameters);
inline constexpr std::size_t kTracesDefault = 20, kTracesMax = 1500, kSpansPerSetDefault = 3;

struct SeriesParameters {
  std::string query;
  traceql::MetricsRequest series;
};
// q or query; start and end as seconds, nanoseconds or RFC 3339, or since; step; exemplars.
Result<SeriesParameters> parse_series(const Parameters& parameters, bool is_instant,
                                      SystemTime now);
inline constexpr std::size_t kExemplarsMax = 100;
// The hint with(exemplars=..): 0 for false.
std::optional<std::size_t> exemplars_hint(const traceql::Query& query);

struct TagParameters {
  std::string scope;  // "", "resource", .., "intrinsic".
  Scope store_scope = Scope::kAny;
  std::string query;
  TimeRange range = {};
  std::size_t limit = kTagValuesDefault;

  static constexpr std::size_t kTagValuesDefault = 1000, kTagValuesMax = 10'000;
};
// scope, q, start, end, limit.
Result<TagParameters> parse_tags(const Parameters& parameters);

// start and end in seconds; without them all times.
Result<TimeRange> parse_range(const Parameters& parameters);

}  // namespace spanway::query::tempo
