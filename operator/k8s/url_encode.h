// Percent-encoding for one segment of a path or one value of a query.
#pragma once

#include <string>
#include <string_view>

namespace spanway::kube {

// Keeps the unreserved characters of RFC 3986 and encodes the rest, slashes included.
std::string url_encode(std::string_view text);

}  // namespace spanway::kube
