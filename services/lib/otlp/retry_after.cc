#include "services/lib/otlp/retry_after.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include "services/lib/base/ascii.h"

namespace spanway::otlp {
namespace {

using std::chrono::milliseconds;

// Reads fields of fixed formats from the front; `ok` is false once something was missing.
struct Cursor {
  std::string_view rest;
  bool ok = true;

  void expect(std::string_view text) {
    ok = ok && rest.starts_with(text);
    if (ok) rest.remove_prefix(text.size());
  }
  int number(std::size_t digits) {
    if (rest.size() < digits) ok = false;
    if (!ok) return 0;
    int value = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + digits, value);
    ok = error == std::errc() && end == rest.data() + digits && value >= 0;
    rest.remove_prefix(digits);
    return value;
  }
  unsigned month() {
    constexpr std::array<std::string_view, 12> names = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto at = std::find(names.begin(), names.end(), rest.substr(0, 3));
    if (at == names.end()) ok = false;
    if (!ok) return 1;
    rest.remove_prefix(3);
    return static_cast<unsigned>(at - names.begin()) + 1;
  }
};

struct Date {
  int year = 0;
  unsigned month = 1;
  int day = 0, hour = 0, minute = 0, second = 0;
};

void read_time(Cursor& in, Date& date) {
  date.hour = in.number(2);
  in.expect(":");
  date.minute = in.number(2);
  in.expect(":");
  date.second = in.number(2);
}

// "Sun, 06 Nov 1994 08:49:37 GMT" and the obsolete "Sunday, 06-Nov-94 08:49:37 GMT".
Date read_gmt(Cursor& in, std::string_view separator) {
  Date date;
  date.day = in.number(2);
  in.expect(separator);
  date.month = in.month();
  in.expect(separator);
  if (separator == "-") {
    date.year = in.number(2);
    date.year += date.year < 70 ? 2000 : 1900;
  } else {
    date.year = in.number(4);
  }
  in.expect(" ");
  read_time(in, date);
  in.expect(" GMT");
  return date;
}

// "Sun Nov  6 08:49:37 1994", obsolete.
Date read_asctime(Cursor& in) {
  Date date;
  in.expect(" ");
  date.month = in.month();
  in.expect(" ");
  if (in.rest.starts_with(" ")) {
    in.expect(" ");
    date.day = in.number(1);
  } else {
    date.day = in.number(2);
  }
  in.expect(" ");
  read_time(in, date);
  in.expect(" ");
  date.year = in.number(4);
  return date;
}

// In seconds: nanoseconds of std::chrono::system_clock end in 2262.
std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text) {
  Date date;
  Cursor in{text};
  if (const std::size_t comma = text.find(", "); comma != std::string_view::npos) {
    in.rest.remove_prefix(comma + 2);
    date = read_gmt(in, in.rest.substr(0, 3).find('-') != std::string_view::npos ? "-" : " ");
  } else {
    in.rest.remove_prefix(std::min<std::size_t>(3, in.rest.size()));
    date = read_asctime(in);
  }
  const std::chrono::year_month_day day{std::chrono::year(date.year),
                                        std::chrono::month(date.month),
                                        std::chrono::day(static_cast<unsigned>(date.day))};
  const bool time_ok = date.hour < 24 && date.minute < 60 && date.second <= 60;
  if (!in.ok || !in.rest.empty() || !day.ok() || !time_ok) return std::nullopt;
  return std::chrono::sys_days(day) + std::chrono::hours(date.hour) +
         std::chrono::minutes(date.minute) + std::chrono::seconds(date.second);
}

milliseconds clamp(milliseconds wait) { return std::clamp(wait, milliseconds(0), kRetryAfterMax); }

}  // namespace

std::optional<milliseconds> parse_retry_after(std::string_view header,
                                              std::chrono::system_clock::time_point now) {
  header = trim(header);
  if (header.empty()) return std::nullopt;
  const bool digits =
      std::all_of(header.begin(), header.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (digits) {
    std::int64_t seconds = 0;
    const auto [end, error] =
        std::from_chars(header.data(), header.data() + header.size(), seconds);
    const std::int64_t seconds_max =
        std::chrono::duration_cast<std::chrono::seconds>(kRetryAfterMax).count();
    if (error != std::errc() || seconds > seconds_max) return kRetryAfterMax;
    return clamp(std::chrono::seconds(seconds));
  }
  const auto date = parse_http_date(header);
  if (!date) return std::nullopt;
  return clamp(*date - std::chrono::time_point_cast<milliseconds>(now));
}

}  // namespace spanway::otlp
