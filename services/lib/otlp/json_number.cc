#include "services/lib/otlp/json_number.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <limits>
#include <system_error>

namespace spanway::otlp {
namespace {

// No exponent beyond this changes the outcome for any text that fits into memory.
constexpr std::int64_t kExponentMax = std::int64_t{1} << 40;

struct Decimal {
  std::string_view integral;
  std::string_view fraction;
  std::int64_t exponent = 0;
  bool negative = false;
};

// Only splits: `text` is known to be a JSON number.
Decimal cut(std::string_view text) noexcept {
  Decimal decimal;
  decimal.negative = text.starts_with('-');
  if (decimal.negative) text.remove_prefix(1);
  const std::size_t e = text.find_first_of("eE");
  if (e != std::string_view::npos) {
    std::string_view digits = text.substr(e + 1);
    const bool negative = digits.starts_with('-');
    if (negative || digits.starts_with('+')) digits.remove_prefix(1);
    for (const char digit : digits) {
      decimal.exponent = std::min(decimal.exponent * 10 + (digit - '0'), kExponentMax);
    }
    if (negative) decimal.exponent = -decimal.exponent;
    text = text.substr(0, e);
  }
  const std::size_t point = text.find('.');
  decimal.integral = text.substr(0, point);
  if (point != std::string_view::npos) decimal.fraction = text.substr(point + 1);
  return decimal;
}

bool times_ten_plus(std::uint64_t& value, unsigned digit) noexcept {
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  if (value > kMax / 10 || value * 10 > kMax - digit) return false;
  value = value * 10 + digit;
  return true;
}

// The power of ten of the first digit that is not zero. False when all are zero.
bool leading_power(const Decimal& decimal, std::int64_t& power) noexcept {
  power = static_cast<std::int64_t>(decimal.integral.size()) + decimal.exponent;
  for (const std::string_view digits : {decimal.integral, decimal.fraction}) {
    for (const char digit : digits) {
      --power;
      if (digit != '0') return true;
    }
  }
  return false;
}

// The usual form: a sign at most, and so few digits that none can overflow.
bool parse_short(std::string_view text, WholeNumber& out) noexcept {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (text.size() > 19) return false;
  std::uint64_t magnitude = 0;
  for (const char digit : text) {
    const auto value = static_cast<unsigned>(digit - '0');
    if (value > 9) return false;
    magnitude = magnitude * 10 + value;
  }
  out = {magnitude, negative && magnitude != 0};
  return true;
}

}  // namespace

NumberFault parse_whole(std::string_view text, WholeNumber& out) noexcept {
  if (parse_short(text, out)) return NumberFault::kNone;
  const Decimal decimal = cut(text);
  out = {};
  // The power of ten of the digit at hand.
  std::int64_t power = static_cast<std::int64_t>(decimal.integral.size()) + decimal.exponent;
  for (const std::string_view digits : {decimal.integral, decimal.fraction}) {
    for (const char digit : digits) {
      --power;
      if (power < 0) {
        if (digit != '0') return NumberFault::kFraction;
      } else if (!times_ten_plus(out.magnitude, static_cast<unsigned>(digit - '0'))) {
        return NumberFault::kRange;
      }
    }
  }
  // "12e3": the zeros that are not written. At most 20 of them fit.
  for (; power > 0 && out.magnitude != 0; --power) {
    if (!times_ten_plus(out.magnitude, 0)) return NumberFault::kRange;
  }
  out.negative = decimal.negative && out.magnitude != 0;
  return NumberFault::kNone;
}

NumberFault parse_double(std::string_view text, double& out) noexcept {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error == std::errc()) return NumberFault::kNone;
  const Decimal decimal = cut(text);
  std::int64_t power = 0;
  if (leading_power(decimal, power) && power > 0) return NumberFault::kRange;
  out = decimal.negative ? -0.0 : 0.0;
  return NumberFault::kNone;
}

}  // namespace spanway::otlp
