#include "services/lib/otlp/json_text.h"

#include <array>
#include <cstdint>

namespace spanway::otlp {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";
constexpr std::string_view kBase64Digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
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

constexpr auto kBase64Values = [] {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNone);
  for (std::uint8_t i = 0; i < 64; ++i) values[static_cast<unsigned char>(kBase64Digits[i])] = i;
  values['-'] = 62;
  values['_'] = 63;
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

bool decode_base64(std::string_view text, char* out, std::size_t& size) noexcept {
  size = 0;
  if (text.ends_with('=')) {
    if (text.size() % 4 != 0) return false;
    text.remove_suffix(text[text.size() - 2] == '=' ? 2 : 1);
  }
  if (text.size() % 4 == 1) return false;
  std::size_t written = 0;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char digit : text) {
    const std::uint8_t value = value_of(kBase64Values, digit);
    if (value == kNone) return false;
    bits = bits << 6 | value;
    count += 6;
    if (count >= 8) {
      count -= 8;
      out[written++] = static_cast<char>(bits >> count);
    }
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

void append_base64(std::string_view bytes, std::string& out) {
  const auto put = [&out](std::uint32_t bits, unsigned digits) {
    for (unsigned i = 0; i < 4; ++i) {
      out += i < digits ? kBase64Digits[bits >> (18 - 6 * i) & 63] : '=';
    }
  };
  const auto at = [&bytes](std::size_t i) {
    return i < bytes.size() ? std::uint32_t{static_cast<unsigned char>(bytes[i])} : 0;
  };
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = bytes.size() - i;
    put(at(i) << 16 | at(i + 1) << 8 | at(i + 2), left >= 3 ? 4 : static_cast<unsigned>(left) + 1);
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
