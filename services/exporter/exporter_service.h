// The exporter: OTLP/gRPC in, one destination out. The answer waits for the destination's; there is
// no queue and no retry here, so a batch that was answered OK is where it should be.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "services/exporter/config.h"
#include "services/exporter/gate.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/base/repeating_task.h"
#include "services/lib/otlp_server/otlp_listener.h"
#include "services/lib/rpc/export_service.h"
#include "services/lib/runtime/service.h"
#include "services/lib/sinks/registry.h"

namespace spanway::exporter {

// The destination of a configuration behind its gate: for the exporter itself, and for processes
// that send to it without a network hop. Start it to let it probe.
Result<std::unique_ptr<Gate>> create_gate(const ExporterConfig& config,
                                          const sinks::DestinationRegistry& registry,
                                          const runtime::ServiceDeps& deps);

// The member `destination` of /statusz.
runtime::Statusz gate_status(const Gate& gate, const sinks::DestinationConfig& destination);

// Ready; while the circuit is open the reason names the destination and its last failure.
runtime::Service::Readiness gate_readiness(const Gate& gate,
                                           const sinks::DestinationConfig& destination);

// See runtime::Service for the thread contract.
class ExporterService final : public runtime::Service {
 public:
  // Binds the port.
  static Result<std::unique_ptr<ExporterService>> create(const ExporterConfig& config,
                                                         const sinks::DestinationRegistry& registry,
                                                         const runtime::ServiceDeps& deps);
  ~ExporterService() override;

  Status start() override;
  void stop_accepting() override;
  bool drain(Deadline deadline) override;
  void shed_load() override { listener_->shed_connections(); }
  Readiness readiness() const override;
  runtime::Statusz status() const override;

  std::uint16_t port() const noexcept;

 private:
  enum class State { kCreated, kServing, kStopping };

  ExporterService(const ExporterConfig& config, const runtime::ServiceDeps& deps);
  Status listen();
  void sample();

  const ExporterConfig config_;
  const runtime::ServiceDeps deps_;
  // In the order of use: what is below uses what is above.
  MemoryBudget budget_;
  std::unique_ptr<Gate> gate_;
  std::unique_ptr<rpc::Gatekeeper> gatekeeper_;
  std::unique_ptr<rpc::ExportService> export_service_;
  std::unique_ptr<otlp_server::OtlpListener> listener_;
  std::atomic<State> state_{State::kCreated};
  std::optional<RepeatingTask> sampler_;  // Runs between start() and the destructor.
};

}  // namespace spanway::exporter
