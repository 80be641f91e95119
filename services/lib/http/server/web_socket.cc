#include "services/lib/http/web_socket.h"

#include "services/lib/base/ascii.h"

namespace spanway::http {
namespace {

bool has_token(std::string_view list, std::string_view token) noexcept {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    if (equals_ignoring_case(trim(list.substr(0, comma)), token)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
  return false;
}

}  // namespace

bool is_web_socket_request(const RequestHead& head) noexcept {
  return head.protocol == Protocol::kHttp11 && head.method == "GET" &&
         equals_ignoring_case(head.headers.get("upgrade"), "websocket") &&
         has_token(head.headers.get("connection"), "upgrade") &&
         head.headers.count("sec-websocket-key") == 1 &&
         head.headers.get("sec-websocket-version") == "13";
}

}  // namespace spanway::http
