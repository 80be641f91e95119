#include "services/lib/base/ecmascript_number.h"

#include <charconv>
#include <cmath>
#include <string_view>

#include "services/lib/base/check.h"

namespace spanway {
namespace {

// Outside, numbers are written with an exponent.
constexpr double kPlainMin = 1e-6;
constexpr double kPlainMax = 1e21;

// The digits and the exponent of the shortest form, "1.25e-07".
struct Shortest {
  std::string digits;  // "125"
  int exponent = 0;    // That of the first digit.
};

Shortest shortest_of(double magnitude) {
  char text[32];
  const auto end =
      std::to_chars(text, text + sizeof(text), magnitude, std::chars_format::scientific).ptr;
  const std::string_view form(text, static_cast<std::size_t>(end - text));
  const std::size_t e = form.find('e');
  Shortest shortest;
  for (const char c : form.substr(0, e))
    if (c != '.') shortest.digits += c;
  const std::string_view exponent = form.substr(e + 1);
  std::from_chars(exponent.data() + (exponent.front() == '+' ? 1 : 0),
                  exponent.data() + exponent.size(), shortest.exponent);
  return shortest;
}

// Without an exponent.
std::string plain(const Shortest& number) {
  const std::string& digits = number.digits;
  if (number.exponent < 0)
    return "0." + std::string(static_cast<std::size_t>(-number.exponent - 1), '0') + digits;
  const auto integer_digits = static_cast<std::size_t>(number.exponent) + 1;
  if (digits.size() <= integer_digits)
    return digits + std::string(integer_digits - digits.size(), '0');
  return digits.substr(0, integer_digits) + "." + digits.substr(integer_digits);
}

std::string with_exponent(const Shortest& number) {
  std::string text(1, number.digits.front());
  if (number.digits.size() > 1) text += "." + number.digits.substr(1);
  return text + (number.exponent < 0 ? "e" : "e+") + std::to_string(number.exponent);
}

}  // namespace

void append_ecmascript_number(double number, std::string& out) {
  SPANWAY_CHECK(std::isfinite(number));
  if (std::signbit(number)) out += '-';
  const double magnitude = std::fabs(number);
  if (magnitude == 0) {
    out += '0';
    return;
  }
  const Shortest shortest = shortest_of(magnitude);
  const bool is_plain = magnitude >= kPlainMin && magnitude < kPlainMax;
  out += is_plain ? plain(shortest) : with_exponent(shortest);
}

}  // namespace spanway
