// Hexadecimal digits. Stateless; thread-safe. The hot encoders (otlp, zipkin) have loops of their
// own over these digits.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace spanway {

inline constexpr std::string_view kHexDigits = "0123456789abcdef";
inline constexpr std::string_view kUpperHexDigits = "0123456789ABCDEF";

// The value of a digit of either case; -1 for anything else.
constexpr int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Two digits.
inline void append_hex(std::string& out, char byte, std::string_view digits = kHexDigits) {
  out += digits[static_cast<unsigned char>(byte) >> 4];
  out += digits[static_cast<unsigned char>(byte) & 15];
}

// Two digits for each byte.
inline std::string to_hex(std::string_view bytes) {
  std::string out;
  out.reserve(2 * bytes.size());
  for (const char byte : bytes) append_hex(out, byte);
  return out;
}

// 16 digits, to `out`.
inline void put_hex(std::uint64_t value, char* out) noexcept {
  for (int i = 15; i >= 0; --i, value >>= 4) out[i] = kHexDigits[value & 15];
}
inline std::string to_hex(std::uint64_t value) {
  std::string out(16, '0');
  put_hex(value, out.data());
  return out;
}

}  // namespace spanway
