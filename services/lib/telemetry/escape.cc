#include "services/lib/telemetry/escape.h"

#include <cstdint>
#include <cstdio>

namespace spanway::telemetry {
namespace {

struct CodePoint {
  std::uint32_t value = 0;
  std::size_t length = 0;  // 0 = not valid UTF-8.
};

// The code point at the start of `text`, which is not empty.
CodePoint decode(std::string_view text) noexcept {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return {};
  std::uint32_t value = first & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    value = (value << 6) | (byte(i) & 0x3fu);
  }
  static constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (value < kSmallest[length] || value > 0x10ffff || surrogate) return {};
  return {value, length};
}

// Characters that change how the rest of a line is shown, or end it.
bool needs_escape(std::uint32_t c) noexcept {
  return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x2028 || c == 0x2029 ||
         (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

void append_code(std::string& out, std::uint32_t c) {
  char buffer[8];
  std::snprintf(buffer, sizeof buffer, "\\u%04x", c & 0xffffu);
  out += buffer;
}

void append_character(std::string& out, std::string_view bytes, std::uint32_t c) {
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: break;
  }
  if (needs_escape(c)) {
    append_code(out, c);
  } else {
    out += bytes;
  }
}

}  // namespace

void append_escaped(std::string& out, std::string_view text, std::size_t bytes_max) {
  std::size_t taken = 0;
  while (!text.empty()) {
    const CodePoint c = decode(text);
    const std::size_t length = c.length == 0 ? 1 : c.length;
    if (taken + length > bytes_max) {
      out += "...";
      return;
    }
    if (c.length == 0) {
      out += "\xef\xbf\xbd";
    } else {
      append_character(out, text.substr(0, length), c.value);
    }
    taken += length;
    text.remove_prefix(length);
  }
}

bool is_plain_word(std::string_view text) noexcept {
  if (text.empty()) return false;
  for (const char c : text)
    if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) return false;
  return true;
}

}  // namespace spanway::telemetry
