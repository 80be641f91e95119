#include "services/query/api/rest/search_request.h"

#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include "services/query/api/request_values.h"

namespace spanway::query::rest {
namespace {

constexpr std::int64_t kHour = 3'600'000'000'000;
constexpr double kNanosPerSecond = 1e9, kNanosMax = 9.2e18;

Error bad(std::string message) {
  return invalid_argument(std::move(message)).with_reason("bad_parameters");
}

Result<std::int64_t> time_of(std::string_view name, std::string_view text) {
  if (const auto time = parse_rfc3339(text)) return *time;
  double seconds = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() ||
      !(seconds >= 0 && seconds * kNanosPerSecond < kNanosMax))
    return bad(std::string(name) + ": neither a time of RFC 3339 nor seconds since 1970");
  return std::llround(seconds * kNanosPerSecond);
}

Result<TimeRange> range_of(const std::optional<std::string>& start,
                           const std::optional<std::string>& end, std::int64_t now_unix_nano) {
  TimeRange range{.begin = 0, .end = now_unix_nano};
  if (end) {
    SPANWAY_ASSIGN(range.end, time_of("end_time", *end));
  }
  range.begin = range.end - kHour;
  if (start) {
    SPANWAY_ASSIGN(range.begin, time_of("start_time", *start));
  }
  if (range.begin >= range.end) return bad("start_time: must be before end_time");
  return range;
}

}  // namespace

Result<std::size_t> parse_limit(std::string_view text) {
  std::size_t limit = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || limit == 0 ||
      limit > kResultsMax)
    return bad("limit: must be a number from 1 to " + std::to_string(kResultsMax));
  return limit;
}

Result<SearchRequest> parse_search(std::string_view body, std::int64_t now_unix_nano) {
  const auto members = parse_members(body.empty() ? "{}" : body);
  if (!members)
    return bad(
        "the body must be a JSON object of texts and numbers, as {\"service_name\":\"shop\"}");
  SearchRequest request;
  std::optional<std::string> start, end;
  for (const JsonMember& member : *members) {
    if (member.key == "service_name") {
      request.service_name = member.value;
    } else if (member.key == "metric_name") {
      request.metric_name = member.value;
    } else if (member.key == "aggregation") {
      request.aggregation = member.value;
    } else if (member.key == "severity") {
      request.severity = member.value;
    } else if (member.key == "start_time") {
      start = member.value;
    } else if (member.key == "end_time") {
      end = member.value;
    } else if (member.key == "limit") {
      SPANWAY_ASSIGN(request.limit, parse_limit(member.value));
    } else {
      return bad("unknown member \"" + member.key +
                 "\"; there are service_name, start_time, end_time, limit, metric_name, "
                 "aggregation and severity");
    }
  }
  SPANWAY_ASSIGN(request.range, range_of(start, end, now_unix_nano));
  return request;
}

Result<TimeRange> parse_range(const Parameters& parameters, std::int64_t now_unix_nano) {
  const auto text_of = [&](std::string_view name) -> std::optional<std::string> {
    const std::string_view text = parameters.get(name);
    if (text.empty()) return std::nullopt;
    return std::string(text);
  };
  return range_of(text_of("start_time"), text_of("end_time"), now_unix_nano);
}

}  // namespace spanway::query::rest
