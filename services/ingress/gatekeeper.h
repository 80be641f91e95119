// Decides from a request's headers who is calling and whose telemetry it is.
#pragma once

#include <string>

#include "services/ingress/authenticator.h"
#include "services/ingress/config.h"
#include "services/ingress/events.h"
#include "services/lib/config/endpoint.h"
#include "services/lib/rpc/export_service.h"

namespace spanway::ingress {

// Finds the tenant of a request. Immutable.
class TenantResolver {
 public:
  explicit TenantResolver(TenantConfig config) : config_(std::move(config)) {
    config_.header = config::lower_header_name(config_.header);
  }
  // The tenant, possibly empty. Errors: INVALID_ARGUMENT for a header that is not a tenant's name,
  // PERMISSION_DENIED where the identity has no usable tenant.
  Result<std::string> resolve(const http::RequestHead& head, const Identity& identity) const;

 private:
  TenantConfig config_;
};

// The same for both listeners; one object each, because refusals are counted by transport. What a
// client sends as spanway-* metadata or trace context never passes: only what is decided here does.
// Thread-safe. The authenticator outlives it.
class IngressGatekeeper final : public rpc::Gatekeeper {
 public:
  IngressGatekeeper(const Authenticator& authenticator, TenantConfig tenant, Transport transport,
                    Events events)
      : authenticator_(authenticator),
        tenants_(std::move(tenant)),
        transport_(transport),
        events_(std::move(events)) {}
  Result<pipeline::Metadata> admit(const http::RequestHead& head, otlp::Signal signal) override;

 private:
  const Authenticator& authenticator_;
  const TenantResolver tenants_;
  const Transport transport_;
  const Events events_;
};

}  // namespace spanway::ingress
