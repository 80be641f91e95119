#include "services/query/api/tempo/time_text.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <string>

namespace spanway::query::tempo {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000, kMinute = 60 * kSecond;

template <typename T>
std::optional<T> number_of(std::string_view text) {
  T value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

// Nanoseconds of ".123", off the front.
std::optional<std::int64_t> take_fraction(std::string_view& text) {
  if (!text.starts_with('.')) return 0;
  text.remove_prefix(1);
  std::int64_t nanos = 0, scale = kSecond / 10;
  std::size_t digits = 0;
  for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
    nanos += (text[digits] - '0') * scale;
    scale /= 10;
  }
  text.remove_prefix(digits);
  return digits == 0 ? std::nullopt : std::optional(nanos);
}

// Minutes east of UTC.
std::optional<int> zone_of(const std::string& text) {
  if (text == "Z" || text == "z") return 0;
  char sign = 0;
  int hours = 0, minutes = 0, end = 0;
  if (std::sscanf(text.c_str(), "%c%2d:%2d%n", &sign, &hours, &minutes, &end) != 3 ||
      end != static_cast<int>(text.size()) || (sign != '+' && sign != '-') || hours > 23 ||
      minutes > 59)
    return std::nullopt;
  constexpr int kMinutes = 60;
  return (sign == '-' ? -1 : 1) * (hours * kMinutes + minutes);
}

std::optional<std::int64_t> rfc3339(std::string_view text) {
  constexpr std::size_t kDateTime = 19;
  if (text.size() <= kDateTime) return std::nullopt;
  const std::string date_time(text.substr(0, kDateTime));
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, end = 0;
  if (std::sscanf(date_time.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &year, &month, &day, &hour,
                  &minute, &second, &end) != 6 ||
      end != static_cast<int>(kDateTime) || hour > 23 || minute > 59 || second > 59)
    return std::nullopt;
  text.remove_prefix(kDateTime);
  const auto fraction = take_fraction(text);
  const auto zone = zone_of(std::string(text));
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  // Nanoseconds of 64 bits hold these years.
  if (!fraction || !zone || !date.ok() || year < 1970 || year > 2261) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return ((days * 24 + hour) * 60 + minute - *zone) * kMinute + second * kSecond + *fraction;
}

}  // namespace

std::optional<std::int64_t> parse_time(std::string_view text) {
  constexpr std::size_t kSecondsDigits = 10;
  constexpr double kMillis = 1000, kSecondsMax = 9e9;
  if (text.find('.') != std::string_view::npos)
    if (const auto seconds = number_of<double>(text); seconds && std::abs(*seconds) < kSecondsMax)
      return std::llround(*seconds * kMillis) * (kSecond / 1000);
  if (const auto value = number_of<std::int64_t>(text))
    return text.size() <= kSecondsDigits ? *value * kSecond : *value;
  return rfc3339(text);
}

std::int64_t default_step(std::int64_t range_nanos) {
  constexpr std::int64_t kPoints = 240, kShort = kSecond / 20;
  const std::int64_t each = range_nanos / kPoints;
  if (range_nanos < kMinute) return each > kShort ? each / kShort * kShort : kShort;
  for (const std::int64_t step : {60 * kMinute, 5 * kMinute, kMinute, 15 * kSecond, 5 * kSecond})
    if (each > step) return each / step * step;
  return std::max(kSecond, each / kSecond * kSecond);
}

}  // namespace spanway::query::tempo
