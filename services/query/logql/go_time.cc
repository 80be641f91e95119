#include "services/query/logql/go_time.h"

#include <array>
#include <chrono>

namespace spanway::query::logql {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};
constexpr std::array<std::string_view, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                   "Thursday", "Friday", "Saturday"};

struct Parts {
  int year, month, day, weekday, day_of_year, hour, minute, second, nano;
};

Parts parts_of(std::int64_t unix_nano) {
  using std::chrono::days;
  using std::chrono::nanoseconds;
  const std::chrono::sys_time<nanoseconds> time{nanoseconds(unix_nano)};
  const auto day = std::chrono::floor<days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  const auto first = std::chrono::sys_days(date.year() / 1 / 1);
  return {static_cast<int>(date.year()),
          static_cast<int>(static_cast<unsigned>(date.month())),
          static_cast<int>(static_cast<unsigned>(date.day())),
          static_cast<int>(std::chrono::weekday(day).c_encoding()),
          static_cast<int>((day - first).count()) + 1,
          static_cast<int>(clock.hours().count()),
          static_cast<int>(clock.minutes().count()),
          static_cast<int>(clock.seconds().count()),
          static_cast<int>(clock.subseconds().count())};
}

std::string padded(int number, std::size_t width, char fill = '0') {
  std::string text = std::to_string(number);
  return text.size() < width ? std::string(width - text.size(), fill) + text : text;
}

// One element of a layout and what it prints. Longer ones come before their beginnings.
std::string element(std::string_view name, const Parts& t) {
  const int hour12 = t.hour % 12 == 0 ? 12 : t.hour % 12;
  const auto month = kMonths[static_cast<std::size_t>(t.month) - 1];
  const auto weekday = kDays[static_cast<std::size_t>(t.weekday)];
  if (name == "January") return std::string(month);
  if (name == "Jan") return std::string(month.substr(0, 3));
  if (name == "Monday") return std::string(weekday);
  if (name == "Mon") return std::string(weekday.substr(0, 3));
  if (name == "MST") return "UTC";
  if (name == "2006") return padded(t.year, 4);
  if (name == "06") return padded(t.year % 100, 2);
  if (name == "002") return padded(t.day_of_year, 3);
  if (name == "__2") return padded(t.day_of_year, 3, ' ');
  if (name == "01") return padded(t.month, 2);
  if (name == "02") return padded(t.day, 2);
  if (name == "_2") return padded(t.day, 2, ' ');
  if (name == "03") return padded(hour12, 2);
  if (name == "04") return padded(t.minute, 2);
  if (name == "05") return padded(t.second, 2);
  if (name == "15") return padded(t.hour, 2);
  if (name == "1") return std::to_string(t.month);
  if (name == "2") return std::to_string(t.day);
  if (name == "3") return std::to_string(hour12);
  if (name == "4") return std::to_string(t.minute);
  if (name == "5") return std::to_string(t.second);
  if (name == "PM") return t.hour >= 12 ? "PM" : "AM";
  if (name == "pm") return t.hour >= 12 ? "pm" : "am";
  if (name.starts_with('Z')) return "Z";
  if (name == "-07:00:00") return "+00:00:00";
  if (name == "-070000") return "+000000";
  if (name == "-07:00") return "+00:00";
  if (name == "-0700") return "+0000";
  return "+00";
}

constexpr std::string_view kElements[] = {
    "January", "Jan",       "Monday",  "Mon",    "MST",   "2006",      "__2",     "_2",     "002",
    "01",      "02",        "03",      "04",     "05",    "06",        "15",      "1",      "2",
    "3",       "4",         "5",       "PM",     "pm",    "Z07:00:00", "Z070000", "Z07:00", "Z0700",
    "Z07",     "-07:00:00", "-070000", "-07:00", "-0700", "-07"};

// Digits of a fraction behind its point or comma: "000" or "999"; 0 for none.
std::size_t fraction_digits(std::string_view layout) {
  if (layout.size() < 2 || (layout[0] != '.' && layout[0] != ',') ||
      (layout[1] != '0' && layout[1] != '9'))
    return 0;
  std::size_t end = 1;
  while (end < layout.size() && layout[end] == layout[1]) ++end;
  const bool is_number = end < layout.size() && layout[end] >= '0' && layout[end] <= '9';
  return is_number || end > 10 ? 0 : end - 1;
}

std::string fraction(std::string_view layout, std::size_t digits, int nano) {
  std::string text = layout.substr(0, 1).data()[0] + padded(nano, 9).substr(0, digits);
  if (layout[1] == '0') return text;
  while (text.back() == '0') text.pop_back();
  return text.size() == 1 ? "" : text;
}

}  // namespace

std::string format_go_time(std::int64_t unix_nano, std::string_view layout) {
  const Parts parts = parts_of(unix_nano);
  std::string out;
  while (!layout.empty()) {
    if (const std::size_t digits = fraction_digits(layout); digits > 0) {
      out += fraction(layout, digits, parts.nano);
      layout.remove_prefix(digits + 1);
      continue;
    }
    std::size_t taken = 0;
    for (const std::string_view name : kElements)
      if (layout.starts_with(name)) {
        out += element(name, parts);
        taken = name.size();
        break;
      }
    if (taken == 0) out += layout.front();
    layout.remove_prefix(taken == 0 ? 1 : taken);
  }
  return out;
}

std::string print_go_time(std::int64_t unix_nano) {
  return format_go_time(unix_nano, "2006-01-02 15:04:05.999999999 -0700 MST");
}

}  // namespace spanway::query::logql
