// Truncates text to a number of bytes without splitting a UTF-8 character.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace spanway::kube {

// At most `bytes_max` bytes (at least 3); truncated text ends with "...".
inline std::string cut_text(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return std::string(text);
  std::size_t end = bytes_max - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "...";
}

}  // namespace spanway::kube
