// Numbers of JSON as exact values: 64-bit integers do not pass through a double.
#pragma once

#include <cstdint>
#include <string_view>

namespace spanway::otlp {

enum class NumberFault : unsigned char { kNone, kFraction, kRange };

// A whole number; zero is never negative.
struct WholeNumber {
  std::uint64_t magnitude = 0;
  bool negative = false;
};

// `text` is a JSON number. "1e3" and "10.0" are integers, as protobuf's JSON has it.
NumberFault parse_whole(std::string_view text, WholeNumber& out) noexcept;
// kRange when it is too large for a double; too small becomes zero.
NumberFault parse_double(std::string_view text, double& out) noexcept;

}  // namespace spanway::otlp
