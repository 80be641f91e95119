// The path and the query of a request, from the request line or :path.
#pragma once

#include <string>
#include <string_view>

#include "services/lib/base/result.h"

namespace spanway::http {

struct RequestTarget {
  std::string path;   // Percent-decoded exactly once.
  std::string query;  // Raw, without the '?'.
};

// Takes origin form ("/a?b"), absolute form ("http://host/a") and "*". INVALID_ARGUMENT on anything
// else, on a broken escape, on NUL and on bytes that are not allowed in a target.
Result<RequestTarget> parse_request_target(std::string_view text);

// True when the field may be sent: a lower-case token as name, no control characters in the value.
bool is_sendable_field(std::string_view name, std::string_view value) noexcept;

}  // namespace spanway::http
