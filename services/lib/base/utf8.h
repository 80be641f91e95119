// UTF-8 validation of untrusted text.
#pragma once

#include <cstddef>
#include <cstdint>
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

}  // namespace spanway
