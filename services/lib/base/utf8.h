// UTF-8 of untrusted text: validation and truncation. Stateless; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace spanway {

struct CodePoint {
  std::uint32_t value = 0;
  std::size_t length = 0;  // Bytes; 0 = not valid UTF-8.
};

// The code point at the start of `text`, which is not empty. Overlong forms, surrogates and values
// above U+10FFFF are not valid.
CodePoint decode_utf8(std::string_view text) noexcept;
bool is_valid_utf8(std::string_view text) noexcept;

// The length of the longest prefix of at most `bytes_max` bytes that splits no character.
std::size_t utf8_prefix(std::string_view text, std::size_t bytes_max) noexcept;
// At most `bytes_max` bytes (at least 3); truncated text ends with "...".
std::string truncate_utf8(std::string_view text, std::size_t bytes_max);
// At most `bytes_max` bytes, truncated between two characters, with each broken byte replaced by
// '?'.
std::string printable_utf8(std::string_view text, std::size_t bytes_max);

}  // namespace spanway
