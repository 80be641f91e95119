// Whose telemetry a request carries.
#pragma once

#include <string>
#include <utility>

#include "services/lib/auth/auth_config.h"
#include "services/lib/auth/authenticator.h"
#include "services/lib/base/ascii.h"
#include "services/lib/base/result.h"
#include "services/lib/config/endpoint.h"
#include "services/lib/http/message.h"

namespace spanway::auth {

// Finds the tenant of a request. Immutable.
class TenantResolver {
 public:
  explicit TenantResolver(TenantConfig config) : config_(std::move(config)) {
    config_.header = to_lower(config_.header);
  }
  // The tenant, possibly empty. Errors: INVALID_ARGUMENT for a header that is not a tenant's name,
  // PERMISSION_DENIED where the identity has no usable tenant.
  Result<std::string> resolve(const http::RequestHead& head, const Identity& identity) const;

 private:
  TenantConfig config_;
};

}  // namespace spanway::auth
