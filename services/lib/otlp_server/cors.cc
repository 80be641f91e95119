#include "services/lib/otlp_server/cors.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "services/lib/base/ascii.h"

namespace spanway::otlp_server {
namespace {

// `pattern` holds at most one '*', which matches any text.
bool matches(std::string_view pattern, std::string_view text) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == text;
  const std::string_view prefix = pattern.substr(0, star);
  const std::string_view suffix = pattern.substr(star + 1);
  return text.size() >= prefix.size() + suffix.size() && text.starts_with(prefix) &&
         text.ends_with(suffix);
}

}  // namespace

CorsPolicy::CorsPolicy(const CorsConfig& config)
    : allowed_headers_("content-type, content-encoding") {
  for (const std::string& origin : config.allowed_origins) {
    if (origin == "*") {
      any_origin_ = true;
    } else {
      origins_.push_back(to_lower(origin));
    }
  }
  for (const std::string& header : config.allowed_headers)
    allowed_headers_ += ", " + to_lower(header);
  max_age_ =
      std::to_string(std::chrono::duration_cast<std::chrono::seconds>(config.max_age).count());
}

bool CorsPolicy::is_preflight(const http::RequestHead& head) noexcept {
  return head.method == "OPTIONS" && head.headers.find("origin") &&
         head.headers.find("access-control-request-method");
}

bool CorsPolicy::lists(std::string_view origin) const {
  const std::string lowered = to_lower(origin);
  return std::any_of(origins_.begin(), origins_.end(),
                     [&](const std::string& pattern) { return matches(pattern, lowered); });
}

bool CorsPolicy::allows(std::string_view origin) const { return any_origin_ || lists(origin); }

void CorsPolicy::add_origin(http::Headers& headers, std::string_view origin) const {
  const bool listed = lists(origin);
  headers.add("access-control-allow-origin", listed ? std::string(origin) : "*");
  // navigator.sendBeacon, which browser SDKs use when a page closes, always sends with credentials.
  // "*" and credentials exclude each other.
  if (listed) headers.add("access-control-allow-credentials", "true");
  if (!origins_.empty()) headers.add("vary", "origin");
}

std::optional<http::Response> CorsPolicy::preflight(const http::RequestHead& head) const {
  const std::string_view origin = head.headers.get("origin");
  if (!enabled() || !allows(origin)) return std::nullopt;
  http::Response response;
  response.status = 204;
  add_origin(response.headers, origin);
  response.headers.add("access-control-allow-methods", "POST");
  response.headers.add("access-control-allow-headers", allowed_headers_);
  response.headers.add("access-control-max-age", max_age_);
  return response;
}

http::Headers CorsPolicy::response_headers(const http::RequestHead& head) const {
  http::Headers headers;
  const auto origin = head.headers.find("origin");
  if (!enabled() || !origin || !allows(*origin)) return headers;
  add_origin(headers, *origin);
  // A page may read Retry-After only when the answer allows it.
  headers.add("access-control-expose-headers", "retry-after");
  return headers;
}

}  // namespace spanway::otlp_server
