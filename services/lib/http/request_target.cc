#include "services/lib/http/request_target.h"

#include <algorithm>
#include <utility>

#include "services/lib/base/percent_encoding.h"

namespace spanway::http {
namespace {

// "http://host:1/a" -> "/a"; everything else stays.
std::string_view without_authority(std::string_view text) noexcept {
  for (std::string_view scheme : {std::string_view("http://"), std::string_view("https://")}) {
    if (!text.starts_with(scheme)) continue;
    text.remove_prefix(scheme.size());
    const std::size_t end = text.find_first_of("/?");
    if (end == std::string_view::npos) return "/";
    return text.substr(end);
  }
  return text;
}

bool is_token_char(char c) noexcept {
  if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) return true;
  return std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

}  // namespace

Result<RequestTarget> parse_request_target(std::string_view text) {
  if (text == "*") return RequestTarget{.path = "*", .query = {}};
  text = without_authority(text);
  const bool printable = std::all_of(text.begin(), text.end(),
                                     [](char c) { return c > ' ' && c != '\x7f' && c != '#'; });
  if (!printable) return invalid_argument("request target: a byte that is not allowed there");
  const std::size_t mark = text.find('?');
  const std::string_view path = text.substr(0, mark);
  if (!path.empty() && path.front() != '/')
    return invalid_argument("request target: does not begin with '/'");
  if (path.empty() && mark == std::string_view::npos)
    return invalid_argument("request target: empty");
  RequestTarget target;
  auto decoded = percent_decode(path.empty() ? "/" : path);
  if (!decoded) return invalid_argument("request target: broken percent escape");
  if (decoded->find('\0') != std::string::npos)
    return invalid_argument("request target: NUL in the path");
  target.path = *std::move(decoded);
  if (mark != std::string_view::npos) target.query = text.substr(mark + 1);
  return target;
}

bool is_sendable_field(std::string_view name, std::string_view value) noexcept {
  const auto bad = [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == '\x7f'; };
  return !name.empty() && std::all_of(name.begin(), name.end(), is_token_char) &&
         std::none_of(value.begin(), value.end(), bad);
}

}  // namespace spanway::http
