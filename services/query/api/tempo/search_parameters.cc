#include "services/query/api/tempo/search_parameters.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "services/query/api/tempo/tag_search.h"
#include "services/query/api/tempo/time_text.h"
#include "services/query/traceql/lexer.h"

namespace spanway::query::tempo {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr std::int64_t kSecondsMax = 0xFFFFFFFF;

Error bad(std::string what) {
  return invalid_argument(std::move(what)).with_reason("bad_parameters");
}

std::optional<std::int64_t> integer_of(std::string_view text) {
  std::int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

// A number from 0 to `max`; the default without one.
Result<std::int64_t> number_of(const Parameters& parameters, const char* name, std::int64_t max,
                               std::int64_t otherwise) {
  const std::string_view text = parameters.get(name);
  if (text.empty()) return otherwise;
  const auto value = integer_of(text);
  if (!value || *value < 0 || *value > max)
    return bad("invalid " + std::string(name) + ": \"" + std::string(text) +
               "\" is no number from 0 to " + std::to_string(max));
  return *value;
}

Result<std::int64_t> time_parameter(const Parameters& parameters, const char* name,
                                    std::int64_t otherwise) {
  const std::string_view text = parameters.get(name);
  if (text.empty()) return otherwise;
  const auto time = parse_time(text);
  if (!time)
    return bad("could not parse '" + std::string(name) + "' parameter: \"" + std::string(text) +
               "\" is neither seconds, nanoseconds nor RFC 3339");
  return *time;
}

Result<std::int64_t> step_of(std::string_view text, std::int64_t range) {
  if (text.empty()) return default_step(range);
  double seconds = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), seconds);
  const bool is_number = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  constexpr double kStepSecondsMax = 1e9;
  if (is_number && seconds < kStepSecondsMax && seconds >= 0)
    return static_cast<std::int64_t>(seconds * static_cast<double>(kNanosPerSecond));
  if (const auto duration = traceql::parse_duration(text)) return *duration;
  return bad("cannot parse \"" + std::string(text) + "\" to a valid duration");
}

}  // namespace

Result<TimeRange> parse_range(const Parameters& parameters) {
  SPANWAY_ASSIGN(const std::int64_t start, number_of(parameters, "start", kSecondsMax, 0));
  SPANWAY_ASSIGN(const std::int64_t end, number_of(parameters, "end", kSecondsMax, 0));
  if (start == 0 && end == 0) return TimeRange();
  if (end <= start)
    return bad("http parameter start must be before end. received start=" + std::to_string(start) +
               " end=" + std::to_string(end));
  // The last second belongs to it.
  return TimeRange{start * kNanosPerSecond, (end + 1) * kNanosPerSecond};
}

Result<SearchParameters> parse_search(const Parameters& parameters) {
  SearchParameters result;
  result.query = parameters.get("q");
  if (!result.query.empty() && !parameters.get("tags").empty())
    return bad("invalid request: can't specify tags and q in the same query");
  if (result.query.empty()) {
    SPANWAY_ASSIGN(result.query, query_of_tags(parameters));
  }
  SPANWAY_ASSIGN(const std::int64_t limit,
                 number_of(parameters, "limit", kSecondsMax, kTracesDefault));
  if (limit == 0) return bad("invalid limit: must be a positive number");
  if (limit > static_cast<std::int64_t>(kTracesMax))
    return bad("limit " + std::to_string(limit) + " exceeds max limit " +
               std::to_string(kTracesMax));
  SPANWAY_ASSIGN(const std::int64_t spans,
                 number_of(parameters, "spss", kSecondsMax, kSpansPerSetDefault));
  SPANWAY_ASSIGN(result.search.range, parse_range(parameters));
  result.search.limit = static_cast<std::size_t>(limit);
  constexpr std::int64_t kSpansPerSetMax = 1000;
  result.search.spans_per_set =
      spans == 0 ? kSpansPerSetDefault : static_cast<std::size_t>(std::min(spans, kSpansPerSetMax));
  return result;
}

Result<SeriesParameters> parse_series(const Parameters& parameters, bool is_instant,
                                      SystemTime now) {
  constexpr std::int64_t kSinceDefault = 3600 * kNanosPerSecond;
  SeriesParameters result;
  result.query = parameters.get("q").empty() ? parameters.get("query") : parameters.get("q");
  std::int64_t since = kSinceDefault;
  if (const std::string_view text = parameters.get("since"); !text.empty()) {
    const auto duration = traceql::parse_duration(text);
    if (!duration)
      return bad("could not parse 'since' parameter: \"" + std::string(text) + "\" is no duration");
    since = *duration;
  }
  const std::int64_t now_nanos =
      std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch()).count();
  SPANWAY_ASSIGN(const std::int64_t end, time_parameter(parameters, "end", now_nanos));
  SPANWAY_ASSIGN(const std::int64_t start,
                 time_parameter(parameters, "start", std::min(end, now_nanos) - since));
  if (is_instant) {
    SPANWAY_ASSIGN(result.series.intervals, traceql::Intervals::instant(start, end));
    return result;
  }
  SPANWAY_ASSIGN(const std::int64_t step, step_of(parameters.get("step"), end - start));
  SPANWAY_ASSIGN(result.series.intervals, traceql::Intervals::range(start, end, step));
  SPANWAY_ASSIGN(const std::int64_t exemplars, number_of(parameters, "exemplars", kSecondsMax, 0));
  result.series.exemplars_max =
      exemplars == 0 ? kExemplarsMax
                     : std::min<std::size_t>(static_cast<std::size_t>(exemplars), kExemplarsMax);
  return result;
}

std::optional<std::size_t> exemplars_hint(const traceql::Query& query) {
  for (const auto& [name, value] : query.hints) {
    if (name != "exemplars") continue;
    if (value.type == traceql::Type::kBoolean && value.integer == 0) return 0;
    if (value.type == traceql::Type::kInt)
      return std::min<std::size_t>(
          kExemplarsMax, static_cast<std::size_t>(std::max<std::int64_t>(0, value.integer)));
  }
  return std::nullopt;
}

Result<TagParameters> parse_tags(const Parameters& parameters) {
  TagParameters result;
  result.scope = parameters.get("scope");
  result.query = parameters.get("q");
  if (result.scope == "none") result.scope = "";
  const auto scope = traceql::find_scope(result.scope);
  if (!scope && result.scope != "intrinsic") return bad("invalid scope: " + result.scope);
  constexpr Scope kScopes[] = {Scope::kAny,   Scope::kResource, Scope::kSpan,
                               Scope::kEvent, Scope::kLink,     Scope::kInstrumentation};
  if (scope) result.store_scope = kScopes[static_cast<std::size_t>(*scope)];
  SPANWAY_ASSIGN(result.range, parse_range(parameters));
  SPANWAY_ASSIGN(const std::int64_t limit, number_of(parameters, "limit", kSecondsMax, 0));
  if (limit > 0)
    result.limit =
        std::min<std::size_t>(static_cast<std::size_t>(limit), TagParameters::kTagValuesMax);
  return result;
}

}  // namespace spanway::query::tempo
