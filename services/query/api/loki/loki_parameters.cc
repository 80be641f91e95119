#include "services/query/api/loki/loki_parameters.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

#include "services/lib/base/ascii.h"
#include "services/query/api/request_values.h"
#include "services/query/logql/go_text.h"

namespace spanway::query::loki {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr std::int64_t kHour = 3600 * kNanosPerSecond;
constexpr std::int64_t kStepsMax = 11'000;

Error bad(std::string what) {
  return invalid_argument(std::move(what)).with_reason("bad_parameters");
}

template <class T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size())
    return std::nullopt;
  return value;
}

Result<std::int64_t> time_or(const Parameters& parameters, std::string_view name,
                             std::int64_t otherwise) {
  const std::string_view text = parameters.get(name);
  if (text.empty()) return otherwise;
  auto time = parse_time(text);
  if (!time.ok())
    return bad("could not parse '" + std::string(name) + "' parameter: " + time.error().message);
  return time;
}

}  // namespace

Result<std::int64_t> parse_time(std::string_view text) {
  if (text.find('.') != text.npos) {
    if (const auto seconds = number<double>(text); seconds && std::fabs(*seconds) < 9.2e9) {
      double integral = 0;
      // As Loki, to a millisecond.
      const double fraction = std::round(std::modf(*seconds, &integral) * 1000) / 1000;
      return static_cast<std::int64_t>(integral) * kNanosPerSecond +
             static_cast<std::int64_t>(fraction * static_cast<double>(kNanosPerSecond));
    }
  }
  if (const auto nanos = number<std::int64_t>(text))
    return text.size() <= 10 ? *nanos * kNanosPerSecond : *nanos;
  if (const auto time = parse_rfc3339(text); time && *time >= 0) return *time;
  return bad("cannot parse " + logql::quoted(text) + " as a time");
}

Result<std::int64_t> parse_step(std::string_view text) {
  if (const auto seconds = number<double>(text)) {
    const double nanos = *seconds * static_cast<double>(kNanosPerSecond);
    if (!(std::fabs(nanos) < 9.2e18))
      return bad("cannot parse " + logql::quoted(text) +
                 " to a valid duration. It overflows int64");
    return static_cast<std::int64_t>(nanos);
  }
  if (const auto duration = logql::parse_prometheus_duration(text); duration.ok()) return *duration;
  return bad("cannot parse " + logql::quoted(text) + " to a valid duration");
}

Result<TimeRange> parse_range(const Parameters& parameters, std::int64_t now) {
  std::int64_t since = kHour;
  if (const std::string_view text = parameters.get("since"); !text.empty()) {
    const auto duration = logql::parse_prometheus_duration(text);
    if (!duration.ok())
      return bad("could not parse 'since' parameter: " + duration.error().message);
    since = *duration;
  }
  TimeRange range;
  SPANWAY_ASSIGN(range.end, time_or(parameters, "end", now));
  SPANWAY_ASSIGN(range.begin, time_or(parameters, "start", std::min(range.end, now) - since));
  return range;
}

Result<std::size_t> parse_count(const Parameters& parameters, std::string_view name,
                                std::size_t otherwise) {
  const std::string_view text = parameters.get(name);
  if (text.empty()) return otherwise;
  const auto count = number<std::int64_t>(text);
  if (!count) return bad("strconv.Atoi: parsing " + logql::quoted(text) + ": invalid syntax");
  if (*count <= 0) return bad("limit must be a positive value");
  return static_cast<std::size_t>(*count);
}

Result<logql::RangeQuery> parse_range_query(const Parameters& parameters, std::int64_t now) {
  logql::RangeQuery query;
  SPANWAY_ASSIGN(const TimeRange range, parse_range(parameters, now));
  query.start = range.begin;
  query.end = range.end;
  if (query.end < query.start)
    return bad("end timestamp must not be before or equal to start time");
  SPANWAY_ASSIGN(query.limit, parse_count(parameters, "limit", kEntriesDefault));
  const std::string direction = to_lower(parameters.get("direction"));
  if (!direction.empty() && direction != "forward" && direction != "backward")
    return bad("invalid direction '" + std::string(parameters.get("direction")) + "'");
  query.is_newest_first = direction != "forward";
  query.step = std::max((query.end - query.start) / kNanosPerSecond / 250, std::int64_t{1}) *
               kNanosPerSecond;
  if (const std::string_view text = parameters.get("step"); !text.empty()) {
    SPANWAY_ASSIGN(query.step, parse_step(text));
  }
  if (query.step <= 0)
    return bad(
        "zero or negative query resolution step widths are not accepted. Try a positive integer");
  if ((query.end - query.start) / query.step > kStepsMax)
    return bad(
        "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of "
        "the step parameter");
  if (const std::string_view text = parameters.get("interval"); !text.empty()) {
    SPANWAY_ASSIGN(query.interval, parse_step(text));
  }
  if (query.interval < 0) return bad("interval must be >= 0");
  return query;
}

}  // namespace spanway::query::loki
