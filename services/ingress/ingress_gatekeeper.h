// Decides from a request's headers who is calling and whose telemetry it is.
#pragma once

#include <string>

#include "services/ingress/config.h"
#include "services/ingress/events.h"
#include "services/lib/auth/authenticator.h"
#include "services/lib/auth/tenant_resolver.h"
#include "services/lib/rpc/export_service.h"

namespace spanway::ingress {

// The same for both listeners; one object each, because refusals are counted by transport. What a
// client sends as spanway-* metadata or trace context never passes: only what is decided here does.
// Thread-safe. The authenticator outlives it.
class IngressGatekeeper final : public rpc::Gatekeeper {
 public:
  IngressGatekeeper(const auth::Authenticator& authenticator, auth::TenantConfig tenant,
                    Transport transport, Events events)
      : authenticator_(authenticator),
        tenants_(std::move(tenant)),
        transport_(transport),
        events_(std::move(events)) {}
  Result<pipeline::Metadata> admit(const http::RequestHead& head, otlp::Signal signal) override;

 private:
  const auth::Authenticator& authenticator_;
  const auth::TenantResolver tenants_;
  const Transport transport_;
  const Events events_;
};

}  // namespace spanway::ingress
