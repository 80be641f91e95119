#include "operator/render/private_networks.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <vector>

#include "services/lib/base/ascii.h"
#include "services/lib/config/scalar.h"

namespace spanway::render {
namespace {

struct Network4 {
  std::uint32_t address;
  int bits;
  Reach reach;
  const char* what;
};
constexpr std::array<Network4, 12> kNetworks4 = {{
    {0x00000000, 8, Reach::kLocal, "an address of this host"},
    {0x0a000000, 8, Reach::kPrivate, "a private address"},
    {0x64400000, 10, Reach::kPrivate, "a private address"},
    {0x7f000000, 8, Reach::kLocal, "a loopback address"},
    {0xa9fe0000, 16, Reach::kLocal, "a link-local address"},
    {0xac100000, 12, Reach::kPrivate, "a private address"},
    {0xc0000000, 24, Reach::kPrivate, "a reserved address"},
    {0xc0586300, 24, Reach::kPrivate, "a reserved address"},
    {0xc0a80000, 16, Reach::kPrivate, "a private address"},
    {0xc6120000, 15, Reach::kPrivate, "a reserved address"},
    {0xe0000000, 4, Reach::kLocal, "a multicast address"},
    {0xf0000000, 4, Reach::kLocal, "a reserved address"},
}};

using Address6 = std::array<std::uint8_t, 16>;

struct Network6 {
  const char* address;
  int bits;
  Reach reach;
  const char* what;
  bool is_routed = true;  // Packets carry such addresses.
};
// Networks with embedded IPv4 addresses are refused as a whole: public addresses are not written
// so.
constexpr std::array<Network6, 10> kNetworks6 = {{
    {"::", 96, Reach::kLocal, "an address of this host", false},
    {"::ffff:0:0", 96, Reach::kLocal, "an IPv4 address in disguise", false},
    {"64:ff9b::", 96, Reach::kLocal, "an IPv4 address in disguise"},
    {"64:ff9b:1::", 48, Reach::kLocal, "an IPv4 address in disguise"},
    {"2001::", 32, Reach::kLocal, "an IPv4 address in disguise"},
    {"2002::", 16, Reach::kLocal, "an IPv4 address in disguise"},
    {"fc00::", 7, Reach::kPrivate, "a private address"},
    {"fe80::", 10, Reach::kLocal, "a link-local address"},
    {"fec0::", 10, Reach::kPrivate, "a private address"},
    {"ff00::", 8, Reach::kLocal, "a multicast address"},
}};
// A private address, but as local as a link-local one.
constexpr char kMetadata6[] = "fd00:ec2::254";

// Top-level labels of names that only the cluster or the site resolves.
constexpr std::array<std::string_view, 8> kInnerDomains = {
    "svc", "local", "internal", "localdomain", "lan", "home", "corp", "home.arpa"};

std::optional<Address6> parse_address6(const std::string& text) {
  Address6 address{};
  if (inet_pton(AF_INET6, text.c_str(), address.data()) != 1) return std::nullopt;
  return address;
}

bool lies_in(const Address6& address, const Address6& network, int bits) {
  for (int bit = 0; bit < bits; ++bit) {
    const auto byte = static_cast<std::size_t>(bit / 8);
    const int mask = 0x80 >> (bit % 8);
    if ((address[byte] & mask) != (network[byte] & mask)) return false;
  }
  return true;
}

// One part of an IPv4 address as inet_aton takes it: decimal, 0 octal, 0x hexadecimal.
std::optional<std::uint64_t> parse_part(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x")) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text.starts_with('0')) {
    base = 8;
    text.remove_prefix(1);
  }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<std::string_view> labels_of(std::string_view host) {
  std::vector<std::string_view> labels;
  while (true) {
    const std::size_t dot = host.find('.');
    labels.push_back(host.substr(0, dot));
    if (dot == std::string_view::npos) return labels;
    host.remove_prefix(dot + 1);
  }
}

// No top-level domain begins with a digit: such a name is meant as an address.
bool is_meant_as_address4(const std::vector<std::string_view>& labels) {
  const std::string_view last = labels.back();
  return !last.empty() && last[0] >= '0' && last[0] <= '9';
}

// One to four parts, of which the last fills what is left.
std::optional<std::uint32_t> parse_address4(const std::vector<std::string_view>& labels) {
  if (labels.size() > 4) return std::nullopt;
  std::uint64_t address = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::optional<std::uint64_t> part = parse_part(labels[i]);
    const bool is_last = i + 1 == labels.size();
    const std::size_t bits = is_last ? 8 * (4 - i) : 8;
    if (!part || *part >= (std::uint64_t{1} << bits)) return std::nullopt;
    address = (address << bits) | *part;
  }
  return static_cast<std::uint32_t>(address);
}

Classification classify_address4(const std::string& host, std::uint32_t address) {
  for (const Network4& network : kNetworks4) {
    if ((address ^ network.address) >> (32 - network.bits) == 0)
      return {network.reach, host + " is " + network.what};
  }
  return {};
}

Classification classify_address6(const std::string& host) {
  const std::optional<Address6> address = parse_address6(host);
  if (!address) return {Reach::kUnclear, config::quote(host) + " is no proper address"};
  if (*address == parse_address6(kMetadata6))
    return {Reach::kLocal, host + " is where a cloud serves credentials"};
  for (const Network6& network : kNetworks6) {
    if (lies_in(*address, *parse_address6(network.address), network.bits))
      return {network.reach, host + " is " + network.what};
  }
  return {};
}

Classification classify_name(const std::string& host, const std::vector<std::string_view>& labels) {
  if (labels.back() == "localhost") return {Reach::kLocal, host + " is the pod itself"};
  if (labels.size() == 1) return {Reach::kPrivate, host + " is a name inside of the cluster"};
  for (const std::string_view domain : kInnerDomains) {
    if (host.ends_with("." + std::string(domain)))
      return {Reach::kPrivate, host + " is a name inside of the cluster or site"};
  }
  return {};
}

// The host of an endpoint, in lower case and without a trailing dot.
std::string host_of(std::string_view endpoint) {
  if (const std::size_t scheme = endpoint.find("://"); scheme != std::string_view::npos)
    endpoint.remove_prefix(scheme + 3);
  endpoint = endpoint.substr(0, endpoint.find_first_of("/?#\\"));
  if (const std::size_t at = endpoint.rfind('@'); at != std::string_view::npos)
    endpoint.remove_prefix(at + 1);
  if (endpoint.starts_with('[')) {
    endpoint = endpoint.substr(1, endpoint.find(']') - 1);
    endpoint = endpoint.substr(0, endpoint.find('%'));  // Ignores the interface.
  } else if (std::count(endpoint.begin(), endpoint.end(), ':') == 1) {
    endpoint = endpoint.substr(0, endpoint.find(':'));
  }
  while (endpoint.ends_with('.')) endpoint.remove_suffix(1);
  return to_lower(endpoint);
}

}  // namespace

kube::Json private_networks(Family family) {
  kube::Json list = kube::Json::array();
  if (family == Family::kV4) {
    for (const Network4& network : kNetworks4) {
      const in_addr address{htonl(network.address)};
      std::array<char, INET_ADDRSTRLEN> text{};
      inet_ntop(AF_INET, &address, text.data(), text.size());
      list.push_back(std::string(text.data()) + "/" + std::to_string(network.bits));
    }
  } else {
    for (const Network6& network : kNetworks6) {
      if (network.is_routed)
        list.push_back(std::string(network.address) + "/" + std::to_string(network.bits));
    }
  }
  return list;
}

Classification classify_endpoint(std::string_view endpoint) {
  const std::string host = host_of(endpoint);
  if (host.find(':') != std::string::npos) return classify_address6(host);
  constexpr std::string_view kHostCharacters = "abcdefghijklmnopqrstuvwxyz0123456789._-";
  if (host.empty() || host.find_first_not_of(kHostCharacters) != std::string::npos)
    return {Reach::kUnclear, config::quote(host) + " is no plain name or address"};
  const std::vector<std::string_view> labels = labels_of(host);
  if (!is_meant_as_address4(labels)) return classify_name(host, labels);
  const std::optional<std::uint32_t> address = parse_address4(labels);
  if (!address) return {Reach::kUnclear, config::quote(host) + " is no proper address"};
  return classify_address4(host, *address);
}

}  // namespace spanway::render
