#include "services/lib/telemetry/escape.h"

#include <cstdint>
#include <cstdio>

#include "services/lib/base/utf8.h"

namespace spanway::telemetry {
namespace {

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
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
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
    const CodePoint c = decode_utf8(text);
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
    if (static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f)
      return false;
  return true;
}

}  // namespace spanway::telemetry
