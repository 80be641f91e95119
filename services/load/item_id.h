// How the load tool numbers what it sends, so that a receiver can say of every single item whether
// it came, and how often.
//
// Each run has an id of 64 bits, whose upper 16 are kRunMark. Items are numbered from 1 within the
// run, over all signals.
//   spans:        trace_id = run (8 bytes) + number of the trace's first span (8 bytes),
//                 span_id = number; both big-endian. start_time_unix_nano = when it was due.
//   log records:  attribute "spanway.load.id" = 32 hex digits: run, number. time_unix_nano = due.
//   data points:  the same attribute; time_unix_nano = due.
// The ids are the same in every retry of a request.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "services/lib/base/hex.h"

namespace spanway::load {

inline constexpr std::string_view kIdAttribute = "spanway.load.id";
inline constexpr std::size_t kIdTextBytes = 32;
inline constexpr std::uint64_t kRunMark = 0x5357;  // "SW"

constexpr std::uint64_t make_run(std::uint64_t random) noexcept {
  return kRunMark << 48 | (random & 0xffff'ffff'ffffULL);
}
constexpr bool is_run(std::uint64_t value) noexcept { return value >> 48 == kRunMark; }

inline void put_big_endian(std::uint64_t value, char* out) noexcept {
  for (int i = 7; i >= 0; --i) {
    out[i] = static_cast<char>(value & 0xff);
    value >>= 8;
  }
}
inline std::uint64_t get_big_endian(const char* bytes) noexcept {
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

// Nothing unless it is 16 lower-case digits.
inline std::optional<std::uint64_t> parse_hex(std::string_view text) noexcept {
  if (text.size() != 16) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    const bool upper = c >= 'A' && c <= 'F';
    const int digit = hex_value(c);
    if (digit < 0 || upper) return std::nullopt;
    value = value << 4 | static_cast<std::uint64_t>(digit);
  }
  return value;
}

}  // namespace spanway::load
