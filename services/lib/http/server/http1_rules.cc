#include "services/lib/http/server/http1_rules.h"

#include <algorithm>

#include "services/lib/base/ascii.h"

namespace spanway::http {
namespace {

bool is_number(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 19 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<Http1Fault> check_framing(const Http1Head& head) noexcept {
  const std::size_t lengths = head.headers.count("content-length");
  const std::size_t encodings = head.headers.count("transfer-encoding");
  if (lengths > 1) return Http1Fault{400, "more than one Content-Length"};
  if (lengths == 1 && !is_number(head.headers.get("content-length")))
    return Http1Fault{400, "Content-Length is not a number"};
  if (encodings == 0) return std::nullopt;
  if (lengths > 0) return Http1Fault{400, "both Content-Length and Transfer-Encoding"};
  if (encodings > 1) return Http1Fault{400, "more than one Transfer-Encoding"};
  if (head.version < 11) return Http1Fault{400, "Transfer-Encoding in HTTP/1.0"};
  if (!equals_ignoring_case(head.headers.get("transfer-encoding"), "chunked"))
    return Http1Fault{501, "only Transfer-Encoding: chunked is supported"};
  return std::nullopt;
}

}  // namespace

std::optional<Http1Fault> check_head_bytes(std::string_view bytes) noexcept {
  char before = 'x';
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char c = bytes[i];
    if (before == '\r' && c != '\n') return Http1Fault{400, "a carriage return inside a line"};
    if (c == '\n' && before != '\r') return Http1Fault{400, "a line that ends in LF alone"};
    if (before == '\n' && (c == ' ' || c == '\t'))
      return Http1Fault{400, "a header line that continues the line before"};
    const bool control = (c >= 0 && c < ' ' && c != '\r' && c != '\n' && c != '\t') || c == '\x7f';
    if (control) return Http1Fault{400, "a control character in the head"};
    before = c;
  }
  const char first = bytes.empty() ? 'A' : bytes.front();
  if (first <= ' ' || first == '\x7f') return Http1Fault{400, "not an HTTP request"};
  return std::nullopt;
}

std::optional<Http1Fault> check_head(const Http1Head& head, std::size_t header_count_max) noexcept {
  if (head.headers.fields().size() > header_count_max)
    return Http1Fault{431, "too many header fields"};
  const std::size_t hosts = head.headers.count("host");
  if (hosts > 1 || (hosts == 0 && head.version >= 11))
    return Http1Fault{400, "there must be exactly one Host"};
  if (auto fault = check_framing(head)) return fault;
  const auto expect = head.headers.find("expect");
  if (expect && !equals_ignoring_case(*expect, "100-continue"))
    return Http1Fault{417, "only Expect: 100-continue is supported"};
  if (head.method == "CONNECT") return Http1Fault{501, "CONNECT is not supported"};
  return std::nullopt;
}

}  // namespace spanway::http
