// The ingress: both listeners and everything between them and the next hop.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "services/ingress/config.h"
#include "services/ingress/events.h"
#include "services/ingress/http_events.h"
#include "services/ingress/ingress_gatekeeper.h"
#include "services/ingress/merger.h"
#include "services/ingress/next_hop.h"
#include "services/ingress/validator.h"
#include "services/lib/auth/authenticator.h"
#include "services/lib/auth/rate_limiter.h"
#include "services/lib/base/loop.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/otlp_server/otlp_http_handler.h"
#include "services/lib/otlp_server/otlp_listener.h"
#include "services/lib/rpc/export_service.h"
#include "services/lib/runtime/service.h"

namespace spanway::ingress {

// A request goes: listener (headers -> gatekeeper, body -> permit) -> Validator -> Merger ->
// NextHop
// -> the bridge, over the network or in this process. Calls of runtime::Service by one thread;
// readiness() and status() from any.
class IngressService final : public runtime::Service {
 public:
  // `config` has passed validate(). With `in_process_next` (fused), that sink takes the place of
  // the network hop: it outlives this service, config.next is not used.
  static Result<std::unique_ptr<IngressService>> create(IngressConfig config,
                                                        const runtime::ServiceDeps& deps,
                                                        pipeline::Sink* in_process_next);
  ~IngressService() override;

  Status start() override;
  void stop_accepting() override;
  bool drain(Deadline deadline) override;
  void shed_load() override;
  Readiness readiness() const override;
  runtime::Statusz status() const override;

  // 0 when that listener is off or not started.
  std::uint16_t grpc_port() const noexcept { return grpc_port_.load(); }
  std::uint16_t http_port() const noexcept { return http_port_.load(); }
  const MemoryBudget& budget() const noexcept { return budget_; }

 private:
  IngressService(IngressConfig config, const runtime::ServiceDeps& deps);
  Status create_next(pipeline::Sink* in_process_next);
  Status create_auth();
  void create_chain();
  Status listen();
  // Housekeeping, on loop_.
  void tick();
  void reload_credentials();

  const IngressConfig config_;
  const runtime::ServiceDeps deps_;
  const Events events_;
  HttpEvents http_events_;
  MemoryBudget budget_;
  MemoryBudget index_memory_;  // An owner within it.
  auth::RateLimiter limiter_;
  std::unique_ptr<auth::Authenticator> authenticator_;
  std::unique_ptr<IngressGatekeeper> grpc_gatekeeper_, http_gatekeeper_;
  // Reads files and probes; stopped first, destroyed after everything that posts to it.
  Loop loop_;
  // From the last hop to the first, so that they are destroyed from the first to the last.
  std::unique_ptr<pipeline::Sink> network_next_;
  std::unique_ptr<NextHop> next_hop_;
  std::unique_ptr<Merger> merger_;
  std::unique_ptr<Validator> grpc_validator_, http_validator_;
  std::unique_ptr<rpc::ExportService> grpc_handler_;
  std::unique_ptr<otlp_server::OtlpHttpHandler> http_handler_;
  std::unique_ptr<otlp_server::OtlpListener> listener_;
  std::uint64_t ticks_ = 0;  // Counted on loop_.
  std::atomic<std::uint16_t> grpc_port_{0}, http_port_{0};
  std::atomic<bool> listening_{false};
  std::atomic<bool> stopping_{false};
};

}  // namespace spanway::ingress
