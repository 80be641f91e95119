// Durations as text, in Prometheus's and in Go's form.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>

#include "services/query/traceql/lexer.h"
#include "services/query/traceql/value.h"

namespace spanway::query::traceql {
namespace {

constexpr std::int64_t kMicro = 1'000, kMilli = 1'000'000, kSecond = 1'000'000'000,
                       kMinute = 60 * kSecond, kHour = 60 * kMinute, kDay = 24 * kHour;
constexpr auto kMax = std::numeric_limits<std::int64_t>::max();

struct Unit {
  std::string_view text;
  std::int64_t nanos;
};
// From large to small; Prometheus has each once and in this order.
constexpr Unit kPrometheusUnits[] = {{"y", 365 * kDay}, {"w", 7 * kDay}, {"d", kDay},
                                     {"h", kHour},      {"m", kMinute},  {"s", kSecond},
                                     {"ms", kMilli}};
constexpr Unit kGoUnits[] = {{"ns", 1},           {"us", kMicro}, {"\u00b5s", kMicro},
                             {"\u03bcs", kMicro}, {"ms", kMilli}, {"s", kSecond},
                             {"m", kMinute},      {"h", kHour}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The characters before the next digit or point.
std::string_view unit_of(std::string_view text) {
  std::size_t n = 0;
  while (n < text.size() && !is_digit(text[n]) && text[n] != '.') ++n;
  return text.substr(0, n);
}

bool add(std::int64_t& total, std::int64_t count, std::int64_t unit) {
  if (count > kMax / unit || total > kMax - count * unit) return false;
  total += count * unit;
  return true;
}

std::optional<std::int64_t> prometheus_duration(std::string_view text) {
  std::int64_t total = 0;
  std::size_t next_unit = 0;
  while (!text.empty()) {
    std::int64_t count = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), count);
    if (parsed.ec != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
    const std::string_view unit = unit_of(text);
    text.remove_prefix(unit.size());
    while (next_unit < std::size(kPrometheusUnits) && kPrometheusUnits[next_unit].text != unit)
      ++next_unit;
    if (next_unit == std::size(kPrometheusUnits) ||
        !add(total, count, kPrometheusUnits[next_unit++].nanos))
      return std::nullopt;
  }
  return total;
}

std::optional<std::int64_t> go_duration(std::string_view text) {
  std::int64_t total = 0;
  while (!text.empty()) {
    std::size_t whole_digits = 0, digits = 0;
    while (digits < text.size() && is_digit(text[digits])) ++digits;
    whole_digits = digits;
    if (digits < text.size() && text[digits] == '.') do
        ++digits;
      while (digits < text.size() && is_digit(text[digits]));
    if (whole_digits == 0 && digits < 2) return std::nullopt;
    std::int64_t count = 0;
    if (whole_digits > 0 &&
        std::from_chars(text.data(), text.data() + whole_digits, count).ec != std::errc())
      return std::nullopt;
    const std::string_view fraction =
        text.substr(whole_digits, digits - whole_digits);  // With its point.
    text.remove_prefix(digits);
    const std::string_view unit = unit_of(text);
    text.remove_prefix(unit.size());
    const auto* found = std::find_if(std::begin(kGoUnits), std::end(kGoUnits),
                                     [&](const Unit& known) { return known.text == unit; });
    if (found == std::end(kGoUnits) || !add(total, count, found->nanos)) return std::nullopt;
    double part = 0, scale = static_cast<double>(found->nanos);
    for (const char c : fraction.substr(std::min<std::size_t>(1, fraction.size())))
      part += (scale /= 10) * (c - '0');
    if (!add(total, static_cast<std::int64_t>(part + 1e-6), 1)) return std::nullopt;
  }
  return total;
}

// With at most `digits` digits behind the point and no zeros at their end.
std::string decimal(std::int64_t value, std::int64_t unit) {
  std::string text = std::to_string(value / unit);
  if (value % unit == 0) return text;
  std::string fraction = std::to_string(unit + value % unit).substr(1);
  fraction.erase(fraction.find_last_not_of('0') + 1);
  return text + "." + fraction;
}

}  // namespace

std::optional<std::int64_t> parse_duration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const auto result = prometheus_duration(text);
  return result ? result : go_duration(text);
}

std::string print_duration(std::int64_t nanos) {
  if (nanos == 0) return "0s";
  if (nanos == std::numeric_limits<std::int64_t>::min()) return "-2562047h47m16.854775808s";
  if (nanos < 0) return "-" + print_duration(-nanos);
  if (nanos < kMicro) return std::to_string(nanos) + "ns";
  if (nanos < kMilli) return decimal(nanos, kMicro) + "\u00b5s";
  if (nanos < kSecond) return decimal(nanos, kMilli) + "ms";
  std::string text;
  if (nanos >= kHour) text += std::to_string(nanos / kHour) + "h";
  if (nanos >= kMinute) text += std::to_string(nanos % kHour / kMinute) + "m";
  return text + decimal(nanos % kMinute, kSecond) + "s";
}

}  // namespace spanway::query::traceql
