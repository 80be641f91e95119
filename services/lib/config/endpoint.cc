#include "services/lib/config/endpoint.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "services/lib/base/ascii.h"

namespace spanway::config {
namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_host_char(char c) noexcept {
  return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_';
}
bool is_ipv6_char(char c) noexcept {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.';
}

bool parse_port(std::string_view text, std::uint16_t& port) noexcept {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1 || value > 65'535)
    return false;
  port = static_cast<std::uint16_t>(value);
  return true;
}

// "host", "host:1", "[::1]:1". `rest` is what follows the host: "" or ":1".
std::string split_host(std::string_view text, std::string& host, std::string_view& rest) {
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return "has '[' without ']'";
    host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
    if (host.find(':') == std::string::npos || !std::all_of(host.begin(), host.end(), is_ipv6_char))
      return "has no IPv6 address in its brackets";
    return "";
  }
  const std::size_t colon = text.find(':');
  host = text.substr(0, colon);
  rest = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
  if (std::count(text.begin(), text.end(), ':') > 1) return "needs brackets around an IPv6 address";
  if (host.empty()) return "has no host";
  if (!std::all_of(host.begin(), host.end(), is_host_char))
    return "has a host with a character that is not allowed there";
  return "";
}

constexpr std::array<std::string_view, 12> kSetBySender = {"connection",
                                                           "content-encoding",
                                                           "content-length",
                                                           "content-type",
                                                           "expect",
                                                           "host",
                                                           "keep-alive",
                                                           "proxy-connection",
                                                           "te",
                                                           "trailer",
                                                           "transfer-encoding",
                                                           "upgrade"};
constexpr std::array<std::string_view, 7> kOfRequests = {
    "accept", "accept-encoding", "authorization", "cookie", "date", "origin", "user-agent"};

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

std::string parse_host_port(std::string_view text, HostPort& out) {
  if (text.find('/') != std::string_view::npos)
    return "must be host:port, without a scheme and without a path";
  if (text.find('@') != std::string_view::npos)
    return "must be host:port; it must not hold a user or password, put them into headers";
  std::string_view rest;
  if (std::string problem = split_host(text, out.host, rest); !problem.empty())
    return "must be host:port; it " + problem;
  if (rest.empty()) return "must be host:port; it has no port";
  if (!rest.starts_with(':') || !parse_port(rest.substr(1), out.port))
    return "must be host:port; the port is a number from 1 to 65535";
  return "";
}

std::string parse_url(std::string_view text, UrlParts& out) {
  const bool printable =
      std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (!printable) return "must not hold a space, a control character or one beyond ASCII";
  const std::size_t mark = text.find("://");
  const std::string scheme = to_lower(text.substr(0, mark == std::string_view::npos ? 0 : mark));
  if (scheme != "http" && scheme != "https")
    return "must be a URL that begins with http:// or https://";
  out.https = scheme == "https";
  out.port = out.https ? 443 : 80;
  text.remove_prefix(mark + 3);
  if (text.find_first_of("#\\") != std::string_view::npos) return "must hold neither '#' nor '\\'";
  const std::size_t end = text.find_first_of("/?");
  const std::string_view authority = text.substr(0, end);
  if (authority.find('@') != std::string_view::npos)
    return "must not hold a user or password; they have keys of their own";
  std::string_view rest;
  if (std::string problem = split_host(authority, out.host, rest); !problem.empty()) return problem;
  out.host = to_lower(out.host);
  if (!rest.empty() && (!rest.starts_with(':') || !parse_port(rest.substr(1), out.port)))
    return "has a port that is not a number from 1 to 65535";
  if (end == std::string_view::npos) {
    out.path = "/";
  } else {
    out.path = (text[end] == '/' ? "" : "/") + std::string(text.substr(end));
  }
  return "";
}

std::string base_url_problem(std::string_view text) {
  UrlParts parts;
  if (std::string problem = parse_url(text, parts); !problem.empty()) return problem;
  if (parts.path.find('?') == std::string::npos) return "";
  return "must not hold a query ('?'): a path or a query is appended to it. Put what it says into "
         "headers or another key";
}

std::string listen_host_problem(std::string_view host) {
  if (host.find_first_of("/@ ") != std::string_view::npos)
    return "must be an address or a host name, such as 0.0.0.0, without a scheme, path or user";
  if (host.find_first_of("[]") != std::string_view::npos)
    return "must be an address without brackets and without a port, such as ::1; the port has a "
           "key "
           "of its own";
  if (std::count(host.begin(), host.end(), ':') == 1)
    return "must be an address without a port, such as 0.0.0.0; the port has a key of its own";
  return "";
}

std::string broker_problem(std::string_view text) {
  if (text.find('@') != std::string_view::npos)
    return "must be host:port without a user or password; those belong into kafka.sasl";
  const std::string shown = "'" + std::string(text) + "' ";
  if (text.find("://") != std::string_view::npos)
    return shown + "must be host:port without a scheme; kafka.tls.enabled turns TLS on";
  if (text.find_first_of(";, \t\r\n") != std::string_view::npos)
    return shown +
           "must be one host:port: write several brokers as a list, or with commas in the "
           "environment";
  HostPort parsed;
  const std::string problem = parse_host_port(text, parsed);
  return problem.empty() ? "" : shown + problem;
}

std::string origin_problem(std::string_view origin) {
  // Browsers send null for pages without an origin; * is the pattern for all.
  if (origin == "*" || origin == "null") return "";
  const std::string_view example =
      "write an origin such as https://example.com, with at most one *";
  const auto wrong = [&](std::string_view why) {
    return "'" + std::string(origin) + "' " + std::string(why) + ": " + std::string(example);
  };
  if (origin.find('@') != std::string_view::npos)
    return "must not hold a user or password: " + std::string(example);
  if (std::count(origin.begin(), origin.end(), '*') > 1) return wrong("holds more than one *");
  const std::size_t scheme = origin.find("://");
  if (scheme == std::string_view::npos && !origin.starts_with('*'))
    return wrong("has no scheme, so that it matches no page");
  const std::string_view host =
      scheme == std::string_view::npos ? origin : origin.substr(scheme + 3);
  const bool printable =
      std::all_of(host.begin(), host.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (host.empty()) return wrong("has no host");
  if (!printable) return wrong("holds a space or another character that no origin has");
  if (host.find_first_of("/?#") != std::string_view::npos)
    return wrong("has a path, a query or a '/' at its end, which no origin has");
  return "";
}

bool is_metadata_header(std::string_view name) {
  const std::string lowered = to_lower(name);
  return lowered.starts_with("spanway-") || lowered == "traceparent" || lowered == "tracestate";
}

bool is_protocol_header(std::string_view name) {
  const std::string lowered = to_lower(name);
  return contains(kSetBySender, lowered) || contains(kOfRequests, lowered) ||
         lowered.starts_with(':') || lowered.starts_with("grpc-");
}

std::string header_name_problem(std::string_view name, HeaderUse use) {
  const std::string_view marks = use == HeaderUse::kGrpc ? "-_." : "!#$%&'*+-.^_`|~";
  const auto allowed = [marks](char c) {
    return is_letter(c) || is_digit(c) || marks.find(c) != std::string_view::npos;
  };
  if (name.empty()) return "is a header without a name";
  if (!std::all_of(name.begin(), name.end(), allowed))
    return "is no header name: use letters, digits and " + std::string(marks);
  const std::string lowered = to_lower(name);
  if (contains(kSetBySender, lowered)) return "is set by the sender itself; take it out";
  if (use == HeaderUse::kGrpc && lowered.starts_with("grpc-"))
    return "must not begin with grpc-, which is gRPC's own; take it out";
  return "";
}

std::string header_value_problem(std::string_view value, HeaderUse use) {
  const auto allowed = [use](char c) {
    if (c == '\t') return use == HeaderUse::kHttp;
    if (c < 0) return use == HeaderUse::kHttp;  // Beyond ASCII.
    return c >= ' ' && c != '\x7f';
  };
  if (std::all_of(value.begin(), value.end(), allowed)) return "";
  return use == HeaderUse::kGrpc ? "has a value with a character that is not printable ASCII"
                                 : "has a value with a line break or another control character";
}

void check_headers(const std::string& path, const std::map<std::string, std::string>& headers,
                   HeaderUse use, Problems& problems) {
  std::set<std::string> used;
  for (const auto& [name, value] : headers) {
    const std::string where = path + "." + name;
    if (std::string problem = header_name_problem(name, use); !problem.empty())
      problems.add(where, std::move(problem));
    if (std::string problem = header_value_problem(value, use); !problem.empty())
      problems.add(where, std::move(problem));
    if (!used.insert(to_lower(name)).second)
      problems.add(where, "is a duplicate: header names are compared without case");
  }
}

}  // namespace spanway::config
