#include "services/lib/base/utf8.h"

#include <algorithm>

namespace spanway {

CodePoint decode_utf8(std::string_view text) noexcept {
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

bool is_valid_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const CodePoint c = decode_utf8(text);
    if (c.length == 0) return false;
    text.remove_prefix(c.length);
  }
  return true;
}

std::size_t utf8_prefix(std::string_view text, std::size_t bytes_max) noexcept {
  if (text.size() <= bytes_max) return text.size();
  std::size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return end;
}

std::string truncate_utf8(std::string_view text, std::size_t bytes_max) {
  constexpr std::string_view kEllipsis = "...";
  if (text.size() <= bytes_max) return std::string(text);
  const std::size_t room = bytes_max - std::min(bytes_max, kEllipsis.size());
  return std::string(text.substr(0, utf8_prefix(text, room))) +
         std::string(kEllipsis.substr(0, bytes_max));
}

std::string printable_utf8(std::string_view text, std::size_t bytes_max) {
  std::string out;
  out.reserve(std::min(text.size(), bytes_max));
  while (!text.empty()) {
    const std::size_t length = decode_utf8(text).length;
    const std::string_view character = length == 0 ? std::string_view("?") : text.substr(0, length);
    if (out.size() + character.size() > bytes_max) break;
    out += character;
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

}  // namespace spanway
