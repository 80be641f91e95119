// The section of a listener about web pages. Plain values; no transport, so that the operator can
// link them.
#pragma once

#include <string>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/config/binder.h"

namespace spanway {

struct CorsConfig {
  std::vector<std::string> allowed_origins;  // Empty = CORS is off.
  std::vector<std::string> allowed_headers;
  Duration max_age = std::chrono::hours(2);
};
void describe(config::Binder& b, CorsConfig& c);
void validate(const CorsConfig& c, const std::string& path, config::Problems& problems);

}  // namespace spanway
