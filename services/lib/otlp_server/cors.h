// Which web pages may send: the Fetch standard's CORS protocol, as far as OTLP/HTTP needs it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/endpoint_config/cors_config.h"
#include "services/lib/http/message.h"

namespace spanway::otlp_server {

// Immutable. Off without allowed origins: nothing is added and no preflight is answered.
class CorsPolicy {
 public:
  explicit CorsPolicy(const CorsConfig& config);

  bool enabled() const noexcept { return any_origin_ || !origins_.empty(); }
  // True for OPTIONS with origin and access-control-request-method.
  static bool is_preflight(const http::RequestHead& head) noexcept;
  // The answer to a preflight; nothing when the origin is not allowed.
  std::optional<http::Response> preflight(const http::RequestHead& head) const;
  // Headers of the answer to a request from an allowed origin.
  http::Headers response_headers(const http::RequestHead& head) const;

 private:
  bool allows(std::string_view origin) const;
  // Named by a pattern other than "*": it may send credentials.
  bool lists(std::string_view origin) const;
  void add_origin(http::Headers& headers, std::string_view origin) const;

  std::vector<std::string> origins_;  // Lower case, without "*".
  bool any_origin_ = false;
  std::string allowed_headers_;
  std::string max_age_;
};

}  // namespace spanway::otlp_server
