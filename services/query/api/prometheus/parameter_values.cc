#include "services/query/api/prometheus/parameter_values.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "services/lib/base/hex.h"
#include "services/query/promql/lexer.h"
#include "services/query/promql/token.h"
#include "services/query/series/store_series_source.h"

namespace spanway::query::prometheus {
namespace {

constexpr double kNanosPerSecond = 1e9;
constexpr std::int64_t kNanosPerMs = 1'000'000;
constexpr std::int64_t kMsPerSecond = 1000;
constexpr std::string_view kEscapedPrefix = "U__";
constexpr std::string_view kOnlyEmpty = "must contain at least one non-empty matcher";
constexpr const char* kNoCondition = "match[] must contain at least one non-empty matcher";

Error bad(std::string message) {
  return invalid_argument(std::move(message)).with_reason("bad_parameters");
}

// A whole decimal number; also "Inf" and "NaN", as Go reads them.
std::optional<double> number_of(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || parsed.ec == std::errc::invalid_argument ||
      parsed.ptr != text.data() + text.size())
    return std::nullopt;
  return value;
}

// Reads `digits` digits from the front.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  int value = 0;
  if (text.size() < digits) return std::nullopt;
  for (std::size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return value;
}
bool take(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

// The zone of RFC 3339, to its end: minutes east of UTC.
std::optional<int> zone_of(std::string_view text) {
  if (text == "Z") return 0;
  const bool is_east = text.starts_with('+');
  if (!is_east && !text.starts_with('-')) return std::nullopt;
  text.remove_prefix(1);
  const auto hours = take_number(text, 2);
  const bool has_colon = take(text, ':');
  const auto minutes = take_number(text, 2);
  if (!hours || !has_colon || !minutes || !text.empty() || *hours > 23 || *minutes > 59)
    return std::nullopt;
  return (is_east ? 1 : -1) * (*hours * 60 + *minutes);
}

// RFC 3339 with any number of digits of a second.
std::optional<std::int64_t> rfc3339_ms(std::string_view text) {
  const auto year = take_number(text, 4);
  const bool dash1 = take(text, '-');
  const auto month = take_number(text, 2);
  const bool dash2 = take(text, '-');
  const auto day = take_number(text, 2);
  const bool has_time = take(text, 'T');
  const auto hour = take_number(text, 2);
  const bool colon1 = take(text, ':');
  const auto minute = take_number(text, 2);
  const bool colon2 = take(text, ':');
  const auto second = take_number(text, 2);
  if (!year || !dash1 || !month || !dash2 || !day || !has_time || !hour || !colon1 || !minute ||
      !colon2 || !second || *hour > 23 || *minute > 59 || *second > 59)
    return std::nullopt;
  std::int64_t ms = 0;
  if (take(text, '.')) {
    std::size_t digits = 0;
    std::int64_t scale = 100;
    for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
      ms += (text[digits] - '0') * scale;
      scale /= 10;
    }
    if (digits == 0) return std::nullopt;
    text.remove_prefix(digits);
  }
  const auto zone = zone_of(text);
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!zone || !date.ok()) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return ((days * 24 + *hour) * 60 + *minute - *zone) * 60 * kMsPerSecond + *second * kMsPerSecond +
         ms;
}

Result<std::int64_t> parse_time_or(const Parameters& parameters, std::string_view name,
                                   std::int64_t otherwise) {
  const std::string_view text = parameters.get(name);
  if (text.empty()) return otherwise;
  auto time = parse_time(text);
  if (time.ok()) return time;
  return invalid_parameter(
      name, bad("invalid time value for '" + std::string(name) + "': " + time.error().message));
}

Result<std::vector<LabelMatcher>> parse_selector(std::string_view text,
                                                 const promql::ParseOptions& options) {
  auto parsed = promql::parse(text, options);
  // Prometheus finds this one behind the parser.
  if (!parsed.ok() && parsed.error().message.find(kOnlyEmpty) != std::string::npos)
    return bad(kNoCondition);
  if (!parsed.ok()) return bad(parsed.error().message);
  const promql::ExprPtr expr = std::move(*parsed);
  const promql::Modifiers& modifiers = expr->modifiers;
  if (expr->kind != promql::NodeKind::kSelector || modifiers.at_ms || modifiers.offset ||
      modifiers.offset_ms != 0 || modifiers.at_word != promql::Token::kEof)
    return bad("1:1: parse error: " + promql::quoted(text) + " is no selector of series");
  SPANWAY_ASSIGN(const LabelMatchers compiled, LabelMatchers::create(expr->matchers));
  // Each condition alone, on a series without labels.
  for (const LabelMatcher& one : expr->matchers) {
    SPANWAY_ASSIGN(const LabelMatchers alone, LabelMatchers::create({&one, 1}));
    if (!alone.matches({})) return expr->matchers;
  }
  return bad(kNoCondition);
}

}  // namespace

Error invalid_parameter(std::string_view name, const Error& error) {
  return bad("invalid parameter " + promql::quoted(name) + ": " + error.message);
}

Result<std::int64_t> parse_time(std::string_view text) {
  if (const auto seconds = number_of(text)) {
    double full = 0;
    const double fraction = std::modf(*seconds, &full);
    if (std::fabs(full) < 9e15)
      return static_cast<std::int64_t>(full) * kMsPerSecond +
             static_cast<std::int64_t>(std::round(fraction * 1000));
  } else if (const auto ms = rfc3339_ms(text)) {
    return *ms;
  }
  return bad("cannot parse " + promql::quoted(text) + " to a valid timestamp");
}

Result<std::int64_t> parse_duration(std::string_view text) {
  if (const auto seconds = number_of(text)) {
    const double nanos = *seconds * kNanosPerSecond;
    if (!(std::fabs(nanos) < static_cast<double>(std::numeric_limits<std::int64_t>::max())))
      return bad("cannot parse " + promql::quoted(text) +
                 " to a valid duration. It overflows int64");
    return static_cast<std::int64_t>(nanos);
  }
  if (const auto ms = promql::parse_duration(text); ms.ok()) return *ms * kNanosPerMs;
  return bad("cannot parse " + promql::quoted(text) + " to a valid duration");
}

Result<std::size_t> parse_limit(const Parameters& parameters) {
  const std::string_view text = parameters.get("limit");
  if (text.empty()) return std::size_t{0};
  std::int64_t limit = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size())
    return invalid_parameter(
        "limit", bad("strconv.Atoi: parsing " + promql::quoted(text) + ": invalid syntax"));
  if (limit < 0) return invalid_parameter("limit", bad("limit must be non-negative"));
  return static_cast<std::size_t>(limit);
}

Result<TimeRange> parse_range(const Parameters& parameters) {
  constexpr std::int64_t kAll = std::numeric_limits<std::int64_t>::max();
  SPANWAY_ASSIGN(const std::int64_t start, parse_time_or(parameters, "start", -kAll));
  SPANWAY_ASSIGN(const std::int64_t end, parse_time_or(parameters, "end", kAll));
  return range_of(start, end);
}

Result<std::vector<std::vector<LabelMatcher>>> parse_selectors(
    const Parameters& parameters, const promql::ParseOptions& options) {
  std::vector<std::vector<LabelMatcher>> result;
  for (const std::string_view text : parameters.all("match[]")) {
    SPANWAY_ASSIGN(auto matchers, parse_selector(text, options));
    result.push_back(std::move(matchers));
  }
  return result;
}

std::string unescaped_label(std::string_view name) {
  if (!name.starts_with(kEscapedPrefix)) return std::string(name);
  const std::string_view escaped = name.substr(kEscapedPrefix.size());
  std::string result;
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    if (escaped[i] != '_') {
      result += escaped[i];
      continue;
    }
    if (escaped.substr(i, 2) == "__") {
      result += '_';
      ++i;
      continue;
    }
    // "_2e_": a code point.
    const std::size_t end = escaped.find('_', i + 1);
    const std::string_view digits =
        end == std::string_view::npos ? "" : escaped.substr(i + 1, end - i - 1);
    std::uint32_t code = 0;
    for (const char digit : digits) {
      if (hex_value(digit) < 0) return std::string(name);
      code = code << 4 | static_cast<std::uint32_t>(hex_value(digit));
    }
    if (digits.empty() || digits.size() > 6) return std::string(name);
    promql::append_utf8(result, code);
    i = end;
  }
  return result;
}

}  // namespace spanway::query::prometheus
