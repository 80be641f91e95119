#include "services/lib/auth/tenant_resolver.h"

#include "services/lib/base/tenant_name.h"

namespace spanway::auth {

Result<std::string> TenantResolver::resolve(const http::RequestHead& head,
                                            const Identity& identity) const {
  std::string tenant;
  switch (config_.from) {
    case TenantSource::kNone:
      break;
    case TenantSource::kHeader: {
      if (head.headers.count(config_.header) > 1)
        return invalid_argument("more than one header " + config_.header)
            .with_reason("tenant_duplicate_header");
      tenant = std::string(head.headers.get(config_.header));
      if (head.headers.find(config_.header) && !is_tenant_name(tenant))
        return invalid_argument("header " + config_.header +
                                " must be 1 to 64 letters, digits, '_' or '-'")
            .with_reason("tenant_invalid");
      break;
    }
    case TenantSource::kToken:
      tenant = identity.tenant;
      break;
    case TenantSource::kCertificate:
      tenant = head.peer_certificate_cn;
      if (!tenant.empty() && !is_tenant_name(tenant))
        return configuration_error(Code::kPermissionDenied,
                                   "the common name of the client certificate must be 1 to 64 "
                                   "letters, digits, '_' or '-' to name a tenant")
            .with_reason("tenant_invalid");
      break;
  }
  if (tenant.empty()) tenant = config_.default_tenant;
  if (!tenant.empty() || !config_.required) return tenant;
  if (config_.from == TenantSource::kHeader)
    return invalid_argument("no tenant: send header " + config_.header)
        .with_reason("tenant_missing");
  return configuration_error(Code::kPermissionDenied, "these credentials belong to no tenant")
      .with_reason("tenant_missing");
}

}  // namespace spanway::auth
