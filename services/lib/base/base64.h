// Base64 of RFC 4648, the standard alphabet. Stateless; thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace spanway {

// With padding, as most text formats want it, or without, as gRPC asks for -bin headers.
enum class Base64Padding { kPadded, kOmitted };

std::string encode_base64(std::string_view bytes, Base64Padding padding = Base64Padding::kPadded);
// Appends the padded form.
void append_base64(std::string& out, std::string_view bytes);
// Writes the padded form, base64_bytes(bytes.size()) characters, to `out`.
void encode_base64(std::string_view bytes, char* out) noexcept;
constexpr std::size_t base64_bytes(std::size_t bytes) noexcept { return (bytes + 2) / 3 * 4; }

// Padded, without white space; nothing for anything else. The unused bits of the last digit are
// ignored: compare the encoding where one text must have one spelling.
std::optional<std::string> decode_base64(std::string_view text);

// As protobuf's JSON mapping reads `bytes`: also the URL-safe alphabet, and without padding. Writes
// at most text.size() bytes to `out`, which may be where `text` is. False: `out` holds nothing of
// use, and `size` is 0.
bool decode_base64_lenient(std::string_view text, char* out, std::size_t& size) noexcept;

}  // namespace spanway
