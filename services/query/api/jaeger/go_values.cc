#include "services/query/api/jaeger/go_values.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "services/query/api/request_values.h"

namespace spanway::query::jaeger {
namespace {

struct Unit {
  std::string_view name;
  double nanos;
};
// Longer names first where one begins with another.
constexpr Unit kUnits[] = {{"ns", 1},   {"us", 1e3}, {"µs", 1e3}, {"μs", 1e3},
                           {"ms", 1e6}, {"s", 1e9},  {"m", 60e9}, {"h", 3'600e9}};
constexpr double kNanosMax = 9.2e18;

}  // namespace

std::optional<std::int64_t> parse_go_duration(std::string_view text) {
  const bool is_negative = !text.empty() && text.front() == '-';
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  if (text == "0") return 0;
  if (text.empty()) return std::nullopt;
  double nanos = 0;
  while (!text.empty()) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
    double number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + digits, number);
    if (digits == 0 || parsed.ec != std::errc() || parsed.ptr != text.data() + digits)
      return std::nullopt;
    text.remove_prefix(digits);
    // "m" is no beginning of "ms", which stands before it.
    const auto* unit = std::find_if(std::begin(kUnits), std::end(kUnits),
                                    [&](const Unit& one) { return text.starts_with(one.name); });
    if (unit == std::end(kUnits)) return std::nullopt;
    text.remove_prefix(unit->name.size());
    nanos += number * unit->nanos;
  }
  if (nanos > kNanosMax) return std::nullopt;
  const std::int64_t result = std::llround(nanos);
  return is_negative ? -result : result;
}

std::optional<std::int64_t> parse_number(std::string_view text) {
  std::int64_t number = 0;
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size())
    return std::nullopt;
  return number;
}

std::optional<bool> parse_bool(std::string_view text) {
  for (const std::string_view yes : {"1", "t", "T", "TRUE", "true", "True"})
    if (text == yes) return true;
  for (const std::string_view no : {"0", "f", "F", "FALSE", "false", "False"})
    if (text == no) return false;
  return std::nullopt;
}

std::optional<std::vector<std::pair<std::string, std::string>>> parse_text_map(
    std::string_view json) {
  auto members = parse_members(json);
  if (!members) return std::nullopt;
  std::vector<std::pair<std::string, std::string>> result;
  for (JsonMember& member : *members) {
    if (!member.is_text) return std::nullopt;
    result.emplace_back(std::move(member.key), std::move(member.value));
  }
  return result;
}

}  // namespace spanway::query::jaeger
