#include "operator/k8s/base64.h"

#include <cstdint>

namespace spanway::kube {
namespace {

int value_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

}  // namespace

std::optional<std::string> decode_base64(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  int digits = 0;
  int padding = 0;
  for (const char c : text) {
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
    const int value = c == '=' ? 0 : value_of(c);
    if (value < 0 || (padding > 0 && c != '=')) return std::nullopt;
    if (c == '=' && (++padding > 2 || digits < 2)) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    if (++digits < 4) continue;
    for (int i = 0; i < 3 - padding; ++i)
      bytes += static_cast<char>(static_cast<unsigned char>(bits >> (16 - 8 * i) & 0xff));
    digits = 0;
    bits = 0;
    if (padding > 0) padding = 3;  // Nothing may follow.
  }
  if (digits != 0) return std::nullopt;
  return bytes;
}

}  // namespace spanway::kube
