#include "services/lib/rpc/grpc_wire.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>

#include "services/lib/base/ascii.h"
#include "services/lib/base/percent_encoding.h"

namespace spanway::rpc {
namespace {

constexpr std::size_t kTimeoutDigitsMax = 8;
constexpr Duration kTimeoutMax = std::chrono::hours(24);

Error bad_timeout() {
  return invalid_argument("grpc-timeout must be one to eight digits and one of H, M, S, m, u, n")
      .with_reason("grpc_bad_header");
}

// Nothing for an unknown unit.
Duration unit_of(char unit) noexcept {
  switch (unit) {
    case 'H':
      return std::chrono::hours(1);
    case 'M':
      return std::chrono::minutes(1);
    case 'S':
      return std::chrono::seconds(1);
    case 'm':
      return std::chrono::milliseconds(1);
    case 'u':
      return std::chrono::microseconds(1);
    case 'n':
      return std::chrono::nanoseconds(1);
    default:
      return Duration::zero();
  }
}

bool is_printable(char c) noexcept { return c >= 0x20 && c <= 0x7e; }

// How many bytes belong to the character that starts with `lead`, by UTF-8; 1 for anything else.
std::size_t character_bytes(char lead) noexcept {
  const auto byte = static_cast<unsigned char>(lead);
  if (byte >= 0xf0) return 4;
  if (byte >= 0xe0) return 3;
  if (byte >= 0xc0) return 2;
  return 1;
}

}  // namespace

Result<Duration> parse_timeout(std::string_view text) {
  if (text.size() < 2 || text.size() > kTimeoutDigitsMax + 1) return bad_timeout();
  const Duration unit = unit_of(text.back());
  if (unit == Duration::zero()) return bad_timeout();
  std::int64_t amount = 0;
  for (const char c : text.substr(0, text.size() - 1)) {
    if (c < '0' || c > '9') return bad_timeout();
    amount = amount * 10 + (c - '0');
  }
  if (amount > kTimeoutMax / unit) return kTimeoutMax;
  return amount * unit;
}

std::string encode_status_message(std::string_view text, std::size_t encoded_bytes_max) {
  std::string out;
  out.reserve(std::min(text.size() + 16, encoded_bytes_max));
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = std::min(character_bytes(text[i]), text.size() - i);
    const bool plain = is_printable(text[i]) && text[i] != '%';
    if (out.size() + (plain ? 1 : 3 * length) > encoded_bytes_max) break;
    for (const char c : text.substr(i, length)) {
      if (plain) {
        out.push_back(c);
        continue;
      }
      append_percent_encoded(out, c);
    }
    i += length;
  }
  return out;
}

ContentType parse_content_type(std::string_view header) noexcept {
  constexpr std::string_view kGrpc = "application/grpc";
  std::string_view type = trim_end(header.substr(0, header.find(';')), " ");
  if (!type.starts_with(kGrpc)) return ContentType::kNotGrpc;
  type.remove_prefix(kGrpc.size());
  if (type.empty() || type == "+proto") return ContentType::kProtobuf;
  return type.front() == '+' ? ContentType::kOtherMessages : ContentType::kNotGrpc;
}

Bytes frame_message(std::string_view message, bool compressed) {
  const auto size = static_cast<std::uint32_t>(message.size());
  const std::array<char, kMessagePrefixBytes> prefix = {
      compressed ? char{1} : char{0}, static_cast<char>(size >> 24), static_cast<char>(size >> 16),
      static_cast<char>(size >> 8), static_cast<char>(size)};
  Bytes out = Bytes::with_capacity(kMessagePrefixBytes + message.size());
  out.append({prefix.data(), prefix.size()});
  out.append(message);
  return out;
}

bool lists(std::string_view header, std::string_view word) noexcept {
  while (!header.empty()) {
    const std::size_t comma = header.find(',');
    if (trim(header.substr(0, comma), " ") == word) return true;
    if (comma == std::string_view::npos) break;
    header.remove_prefix(comma + 1);
  }
  return false;
}

}  // namespace spanway::rpc
