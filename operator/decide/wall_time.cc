#include "operator/decide/wall_time.h"

#include <array>
#include <cstdio>

namespace spanway::decide {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// The digits at `at`, or -1 when one of them is none.
int digits(std::string_view text, std::size_t at, std::size_t count) {
  int value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

// ".25" as nanoseconds; nothing when it is no fraction. Digits beyond nanoseconds do not count.
std::optional<Duration> fraction(std::string_view text) {
  if (text.empty()) return Duration::zero();
  if (text[0] != '.' || text.size() == 1 || text.size() > 20) return std::nullopt;
  std::int64_t value = 0;
  std::int64_t unit = 1'000'000'000;
  for (const char digit : text.substr(1)) {
    if (digit < '0' || digit > '9') return std::nullopt;
    unit /= 10;
    value += unit * (digit - '0');
  }
  return Duration(value);
}

}  // namespace

std::optional<SystemTime> parse_wall_time(std::string_view text) {
  constexpr std::string_view kShape = "0000-00-00T00:00:00";
  if (text.size() <= kShape.size() || text.back() != 'Z') return std::nullopt;
  for (const std::size_t at : {4u, 7u, 10u, 13u, 16u}) {
    if (text[at] != kShape[at]) return std::nullopt;
  }
  const int year = digits(text, 0, 4);
  const int month = digits(text, 5, 2);
  const int day = digits(text, 8, 2);
  const int hour = digits(text, 11, 2);
  const int minute = digits(text, 14, 2);
  const int second = digits(text, 17, 2);
  const auto rest = fraction(text.substr(kShape.size(), text.size() - kShape.size() - 1));
  // Outside these years nanoseconds do not fit; the API server has none.
  if (year < 1700 || year > 2200 || month < 1 || day < 1 || hour < 0 || hour > 23 || minute < 0 ||
      minute > 59 || second < 0 || second > 60 || !rest) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  return SystemTime(std::chrono::sys_days(date)) + std::chrono::hours(hour) +
         std::chrono::minutes(minute) + seconds(second) + *rest;
}

std::string wall_time_text(std::int64_t unix_ms) {
  const std::chrono::sys_time<milliseconds> time{milliseconds(unix_ms)};
  const auto midnight = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(midnight);
  const std::int64_t of_day = (time - midnight).count();
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d", int(date.year()),
                unsigned(date.month()), unsigned(date.day()), static_cast<int>(of_day / 3'600'000),
                static_cast<int>(of_day / 60'000 % 60), static_cast<int>(of_day / 1000 % 60));
  std::string out(text.data());
  if (of_day % 1000 != 0) {
    std::snprintf(text.data(), text.size(), ".%03d", static_cast<int>(of_day % 1000));
    out += text.data();
  }
  return out + "Z";
}

std::int64_t unix_ms(SystemTime time) noexcept {
  return std::chrono::floor<milliseconds>(time.time_since_epoch()).count();
}

}  // namespace spanway::decide
