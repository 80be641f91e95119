#include "services/query/logql/ip_filter.h"

#include <arpa/inet.h>

#include <charconv>
#include <optional>
#include <string>

#include "services/lib/base/hex.h"
#include "services/query/logql/go_text.h"

namespace spanway::query::logql {
namespace {

constexpr std::string_view kV4Characters = "0123456789.";
constexpr std::string_view kV6Characters = "0123456789abcdefABCDEF:.";

std::optional<IpFilter::Address> parse(std::string_view text) {
  const std::string terminated(text);
  IpFilter::Address address;
  address.is_v6 = text.find(':') != text.npos;
  if (inet_pton(address.is_v6 ? AF_INET6 : AF_INET, terminated.c_str(), address.bytes.data()) != 1)
    return std::nullopt;
  return address;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool may_be_v4(std::string_view text) {
  return text.size() >= 4 && is_digit(text[0]) && text.substr(1, 3).find('.') != text.npos;
}

bool may_be_v6(std::string_view text) {
  if (text.size() < 5) return false;
  if (text.starts_with("::")) return hex_value(text[2]) >= 0;
  std::size_t digits = 0;
  while (digits < 4 && hex_value(text[digits]) >= 0) ++digits;
  return digits > 0 && text[digits] == ':';
}

}  // namespace

Result<IpFilter> IpFilter::create(std::string_view pattern) {
  const auto bad = [&] {
    return invalid_argument("ip: invalid pattern: " + quoted(pattern)).with_reason("bad_query");
  };
  if (const auto address = parse(pattern)) return IpFilter(*address, *address);
  if (const std::size_t slash = pattern.rfind('/'); slash != pattern.npos) {
    const auto address = parse(pattern.substr(0, slash));
    const std::string_view bits_text = pattern.substr(slash + 1);
    std::size_t bits = 0;
    const auto parsed =
        std::from_chars(bits_text.data(), bits_text.data() + bits_text.size(), bits);
    const std::size_t bits_max = address && address->is_v6 ? 128 : 32;
    if (!address || parsed.ec != std::errc() || bits_text.empty() ||
        parsed.ptr != bits_text.data() + bits_text.size() || bits > bits_max)
      return bad();
    Address first = *address;
    Address last = *address;
    for (std::size_t bit = bits; bit < bits_max; ++bit) {
      const auto mask = static_cast<unsigned char>(0x80 >> (bit % 8));
      first.bytes[bit / 8] = static_cast<unsigned char>(first.bytes[bit / 8] & ~mask);
      last.bytes[bit / 8] = static_cast<unsigned char>(last.bytes[bit / 8] | mask);
    }
    return IpFilter(first, last);
  }
  const std::size_t dash = pattern.find('-');
  if (dash == pattern.npos) return bad();
  const auto first = parse(pattern.substr(0, dash));
  const auto last = parse(pattern.substr(dash + 1));
  if (!first || !last || first->is_v6 != last->is_v6 || *last < *first) return bad();
  return IpFilter(*first, *last);
}

bool IpFilter::matches(std::string_view text) const {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::string_view rest = text.substr(at);
    const bool is_v4 = may_be_v4(rest);
    if (!is_v4 && !may_be_v6(rest)) continue;
    const std::size_t bytes =
        std::min(rest.find_first_not_of(is_v4 ? kV4Characters : kV6Characters), rest.size());
    const auto address = parse(rest.substr(0, bytes));
    if (address && address->is_v6 == first_.is_v6 && first_ <= *address && *address <= last_)
      return true;
    at += bytes;
  }
  return false;
}

}  // namespace spanway::query::logql
