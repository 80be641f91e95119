#include "services/lib/base/base64.h"

#include <array>
#include <cstdint>

namespace spanway {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNone = 0xff;

constexpr auto kValues = [] {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNone);
  for (std::uint8_t i = 0; i < 64; ++i) values[static_cast<unsigned char>(kDigits[i])] = i;
  values['-'] = 62;
  values['_'] = 63;
  return values;
}();

}  // namespace

void encode_base64(std::string_view bytes, char* out) noexcept {
  const auto byte = [&bytes](std::size_t i) -> std::uint32_t {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0;
  };
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::uint32_t group = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    const std::size_t left = bytes.size() - i;
    *out++ = kDigits[group >> 18];
    *out++ = kDigits[group >> 12 & 63];
    *out++ = left > 1 ? kDigits[group >> 6 & 63] : '=';
    *out++ = left > 2 ? kDigits[group & 63] : '=';
  }
}

void append_base64(std::string& out, std::string_view bytes) {
  const std::size_t begin = out.size();
  out.resize(begin + base64_bytes(bytes.size()));
  encode_base64(bytes, out.data() + begin);
}

std::string encode_base64(std::string_view bytes, Base64Padding padding) {
  std::string out;
  append_base64(out, bytes);
  if (padding == Base64Padding::kOmitted)
    while (out.ends_with('=')) out.pop_back();
  return out;
}

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0 || text.find_first_of("-_") != std::string_view::npos)
    return std::nullopt;
  std::string bytes(text);
  std::size_t size = 0;
  if (!decode_base64_lenient(bytes, bytes.data(), size)) return std::nullopt;
  bytes.resize(size);
  return bytes;
}

bool decode_base64_lenient(std::string_view text, char* out, std::size_t& size) noexcept {
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
    const std::uint8_t value = kValues[static_cast<unsigned char>(digit)];
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

}  // namespace spanway
