#include "services/lib/otlp/json_text.h"

#include <array>
#include <cstdint>

#include "services/lib/base/hex.h"

namespace spanway::otlp {
namespace {

constexpr std::uint8_t kNone = 0xff;

constexpr auto kHexValues = [] {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNone);
  for (std::uint8_t i = 0; i < 10; ++i) values[std::size_t{'0'} + i] = i;
  for (std::uint8_t i = 10; i < 16; ++i) {
    values[std::size_t{'a'} + i - 10] = i;
    values[std::size_t{'A'} + i - 10] = i;
  }
  return values;
}();

std::uint8_t value_of(const std::array<std::uint8_t, 256>& values, char digit) noexcept {
  return values[static_cast<unsigned char>(digit)];
}

}  // namespace

bool decode_hex(std::string_view text, char* out, std::size_t& size) noexcept {
  size = 0;
  if (text.size() % 2 != 0) return false;
  std::size_t written = 0;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const std::uint8_t high = value_of(kHexValues, text[i]);
    const std::uint8_t low = value_of(kHexValues, text[i + 1]);
    if (high == kNone || low == kNone) return false;
    out[written++] = static_cast<char>(high << 4 | low);
  }
  size = written;
  return true;
}

void append_hex(std::string_view bytes, std::string& out) {
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += kHexDigits[byte >> 4];
    out += kHexDigits[byte & 15];
  }
}

void append_quoted(std::string_view text, std::string& out) {
  out += '"';
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7f) continue;
    out += text.substr(begin, i - begin);
    begin = i + 1;
    out += '\\';
    constexpr std::string_view kShort = "\"\\\b\f\n\r\t";
    if (const std::size_t letter = kShort.find(text[i]); letter != std::string_view::npos) {
      out += "\"\\bfnrt"[letter];
    } else {
      out += "u00";
      out += kHexDigits[byte >> 4];
      out += kHexDigits[byte & 15];
    }
  }
  out += text.substr(begin);
  out += '"';
}

}  // namespace spanway::otlp
