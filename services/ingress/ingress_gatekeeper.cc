#include "services/ingress/ingress_gatekeeper.h"

#include <utility>

namespace spanway::ingress {

Result<pipeline::Metadata> IngressGatekeeper::admit(const http::RequestHead& head,
                                                    otlp::Signal signal) {
  static_cast<void>(signal);
  auto identity = authenticator_.authenticate(head);
  if (!identity.ok()) {
    events_.refused(transport_, RefusedBy::kUnauthenticated);
    return std::move(identity).error();
  }
  auto tenant = tenants_.resolve(head, *identity);
  if (!tenant.ok()) {
    events_.refused(transport_, RefusedBy::kTenant);
    return std::move(tenant).error();
  }
  pipeline::Metadata metadata;
  metadata.tenant = std::move(tenant).value();
  return metadata;
}

}  // namespace spanway::ingress
