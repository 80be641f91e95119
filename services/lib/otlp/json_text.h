// Hex and quoted strings, as OTLP/JSON writes them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace spanway::otlp {

// The decoders write at most text.size() bytes to `out`, which may be the buffer of `text`. False:
// the content of `out` is undefined, and `size` is 0.

// Either case. Not for an odd number of digits.
bool decode_hex(std::string_view text, char* out, std::size_t& size) noexcept;

void append_hex(std::string_view bytes, std::string& out);
// In quotes; escapes what JSON demands and DEL, and nothing else. `text` should be UTF-8.
void append_quoted(std::string_view text, std::string& out);

}  // namespace spanway::otlp
