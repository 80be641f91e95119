#include "services/query/promql/number_text.h"

#include <array>
#include <charconv>
#include <cmath>

namespace spanway::query::promql {
namespace {

std::string print(double value, std::chars_format format) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::array<char, 1100> text{};
  const auto result = std::to_chars(text.data(), text.data() + text.size(), value, format);
  return {text.data(), result.ptr};
}

}  // namespace

std::string print_fixed(double value) { return print(value, std::chars_format::fixed); }

std::string print_general(double value) {
  const double size = std::fabs(value);
  const bool is_fixed = size == 0 || (size >= 1e-4 && size < 1e21) || !std::isfinite(value);
  return print(value, is_fixed ? std::chars_format::fixed : std::chars_format::scientific);
}

}  // namespace spanway::query::promql
