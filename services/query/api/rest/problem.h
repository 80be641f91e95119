// Errors as RFC 9457 has them.
#pragma once

#include <string>
#include <string_view>

namespace spanway::query::rest {

inline constexpr const char* kProblemType = "application/problem+json";

// {"type":"about:blank","title":..,"status":..,"detail":..}
std::string problem(int http_status, std::string_view detail);

}  // namespace spanway::query::rest
