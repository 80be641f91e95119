#include "services/query/api/request_values.h"

#include <algorithm>
#include <chrono>

#include "services/lib/base/hex.h"
#include "services/lib/otlp/json_reader.h"

namespace spanway::query {
namespace {

constexpr int kNanoDigits = 9;
constexpr std::size_t kTraceIdDigits = 32, kSpanIdDigits = 16;

// The bytes of an id; empty when it is none.
std::string id_of(std::string_view text, std::size_t digits_max) {
  std::string digits(text);
  bool is_id = digits.size() <= digits_max && digits.find_first_not_of('0') != std::string::npos;
  for (const char digit : digits) is_id = is_id && hex_value(digit) >= 0;
  if (!is_id) return "";
  digits.insert(0, digits_max - digits.size(), '0');
  std::string id;
  for (std::size_t i = 0; i < digits_max; i += 2)
    id += static_cast<char>(hex_value(digits[i]) << 4 | hex_value(digits[i + 1]));
  return id;
}

// Digits of a fixed number, cut from the front; -1 for something else.
int take_digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return -1;
  int number = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    number = number * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return number;
}

bool take(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

// The digits behind a point, as nanoseconds.
std::optional<std::int64_t> take_fraction(std::string_view& text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 0) return std::nullopt;
  std::int64_t nanos = 0;
  for (int i = 0; i < kNanoDigits; ++i)
    nanos = nanos * 10 +
            (static_cast<std::size_t>(i) < digits ? text[static_cast<std::size_t>(i)] - '0' : 0);
  text.remove_prefix(digits);
  return nanos;
}

// Seconds east of UTC.
std::optional<std::int64_t> take_zone(std::string_view& text) {
  if (take(text, 'Z')) return 0;
  const bool is_west = !text.empty() && text.front() == '-';
  if (!take(text, '+') && !take(text, '-')) return std::nullopt;
  const int hours = take_digits(text, 2);
  if (hours < 0 || hours > 23 || !take(text, ':')) return std::nullopt;
  const int minutes = take_digits(text, 2);
  if (minutes < 0 || minutes > 59) return std::nullopt;
  const std::int64_t seconds = hours * 3'600 + minutes * 60;
  return is_west ? -seconds : seconds;
}

std::string text_of(const otlp::JsonString& text) {
  std::string out(text.raw.size(), '\0');
  out.resize(otlp::JsonReader::unescape(text, out.data()));
  return out;
}

}  // namespace

std::optional<std::int64_t> parse_rfc3339(std::string_view text) {
  using namespace std::chrono;
  const int year_number = take_digits(text, 4);
  if (year_number < 0 || !take(text, '-')) return std::nullopt;
  const int month_number = take_digits(text, 2);
  if (month_number < 0 || !take(text, '-')) return std::nullopt;
  const int day_number = take_digits(text, 2);
  if (day_number < 0 || !(take(text, 'T') || take(text, 't'))) return std::nullopt;
  const year_month_day date(year(year_number), month(static_cast<unsigned>(month_number)),
                            day(static_cast<unsigned>(day_number)));
  const int hour_number = take_digits(text, 2);
  if (!date.ok() || hour_number < 0 || hour_number > 23 || !take(text, ':')) return std::nullopt;
  const int minute_number = take_digits(text, 2);
  if (minute_number < 0 || minute_number > 59 || !take(text, ':')) return std::nullopt;
  const int second_number = take_digits(text, 2);
  if (second_number < 0 || second_number > 59) return std::nullopt;
  std::int64_t nanos = 0;
  if (take(text, '.')) {
    const auto fraction = take_fraction(text);
    if (!fraction) return std::nullopt;
    nanos = *fraction;
  }
  const auto zone = take_zone(text);
  // Within the years that nanoseconds in 64 bits can count.
  if (!zone || !text.empty() || year_number < 1700 || year_number > 2260) return std::nullopt;
  const std::int64_t seconds = sys_days(date).time_since_epoch().count() * std::int64_t{86'400} +
                               hour_number * 3'600 + minute_number * 60 + second_number - *zone;
  return seconds * 1'000'000'000 + nanos;
}

std::optional<std::vector<JsonMember>> parse_members(std::string_view json) {
  using Next = otlp::JsonReader::Next;
  std::vector<JsonMember> result;
  otlp::JsonReader reader(json, 1);
  if (reader.peek() != Next::kObject || !reader.open_object()) return std::nullopt;
  otlp::JsonString key, text;
  while (reader.next_member(key)) {
    JsonMember& member = result.emplace_back();
    member.key = text_of(key);
    const Next next = reader.peek();
    if (next == Next::kString) {
      if (!reader.read_string(text)) return std::nullopt;
      member.value = text_of(text);
      member.is_text = true;
    } else if (next == Next::kNumber) {
      std::string_view number;
      if (!reader.read_number(number)) return std::nullopt;
      member.value = number;
    } else if (next == Next::kTrue || next == Next::kFalse || next == Next::kNull) {
      if (!reader.read_literal()) return std::nullopt;
      member.value = next == Next::kTrue ? "true" : next == Next::kFalse ? "false" : "";
    } else {
      return std::nullopt;
    }
  }
  if (!reader.finish()) return std::nullopt;
  return result;
}

Result<std::string> parse_trace_id(std::string_view text) {
  std::string id = id_of(text, kTraceIdDigits);
  if (id.empty())
    return invalid_argument("a trace id has 1 to 32 hexadecimal digits and is not zero")
        .with_reason("bad_trace_id");
  return id;
}

Result<std::string> parse_span_id(std::string_view text) {
  std::string id = id_of(text, kSpanIdDigits);
  if (id.empty())
    return invalid_argument("a span id has 1 to 16 hexadecimal digits and is not zero")
        .with_reason("bad_span_id");
  return id;
}

}  // namespace spanway::query
