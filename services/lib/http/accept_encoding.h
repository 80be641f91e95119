// The header Accept-Encoding of requests. Stateless; thread-safe.
#pragma once

#include <string_view>

namespace spanway::http {

// It names gzip, and not with q=0.
bool accepts_gzip(std::string_view header) noexcept;

}  // namespace spanway::http
