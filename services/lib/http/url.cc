#include <algorithm>
#include <charconv>

#include "services/lib/http/ascii.h"
#include "services/lib/http/client.h"

namespace spanway::http {
namespace {

// The text is not repeated: it may hold a password.
Error url_error(std::string_view what) {
  return configuration_error(Code::kInvalidArgument, "URL: " + std::string(what))
      .with_reason("url_invalid");
}

bool is_host_char(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

bool is_address_char(char c) noexcept {
  return (c >= 'a' && c <= 'f') || (c >= '0' && c <= '9') || c == ':' || c == '.';
}

Status parse_port(std::string_view text, std::uint16_t& port) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1 || value > 65'535)
    return url_error("the port must be a number from 1 to 65535");
  port = static_cast<std::uint16_t>(value);
  return ok_status();
}

// "host", "host:1", "[::1]:1".
Status parse_authority(std::string_view text, Url& url) {
  if (text.find('@') != std::string_view::npos)
    return url_error("user and password may not stand in it; use the settings made for them");
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return url_error("'[' without ']'");
    url.host = to_lower(text.substr(1, end - 1));
    if (url.host.empty() || !std::all_of(url.host.begin(), url.host.end(), is_address_char))
      return url_error("the address in brackets is not an IPv6 address");
    port = text.substr(end + 1);
    if (!port.empty() && port.front() != ':') return url_error("garbage after ']'");
  } else {
    const std::size_t colon = text.find(':');
    url.host = to_lower(text.substr(0, colon));
    if (url.host.empty() || !std::all_of(url.host.begin(), url.host.end(), is_host_char))
      return url_error("the host is empty or has a character that may not stand there");
    if (colon != std::string_view::npos) port = text.substr(colon);
  }
  if (port.empty()) return ok_status();
  return parse_port(port.substr(1), url.port);
}

}  // namespace

Result<Url> Url::parse(std::string_view text) {
  const bool printable =
      std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (!printable) return url_error("a space, a control character or one beyond ASCII");
  Url url;
  const std::size_t mark = text.find("://");
  const std::string scheme = to_lower(text.substr(0, mark == std::string_view::npos ? 0 : mark));
  if (scheme != "http" && scheme != "https")
    return url_error("it must begin with http:// or https://");
  url.https = scheme == "https";
  url.port = url.https ? 443 : 80;
  text.remove_prefix(mark + 3);
  if (text.find_first_of("#\\") != std::string_view::npos)
    return url_error("neither '#' nor '\\' may stand in it");
  const std::size_t end = text.find_first_of("/?");
  SPANWAY_TRY(parse_authority(text.substr(0, end), url));
  if (end == std::string_view::npos) return url;
  url.path = text[end] == '/' ? std::string(text.substr(end)) : "/" + std::string(text.substr(end));
  return url;
}

}  // namespace spanway::http
