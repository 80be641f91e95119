#include "services/allinone/program.h"

#include <utility>

#include "services/exporter/events.h"
#include "services/exporter/exporter_service.h"
#include "services/ingress/ingress_service.h"
#include "services/kafka-bridge/bridge_service.h"
#include "services/lib/runtime/host.h"
#include "services/lib/sinks/registry.h"

namespace spanway::allinone {
namespace {

// The exporter's destination without its listener: the bridge of this process calls it directly.
class DestinationService final : public runtime::Service {
 public:
  DestinationService(sinks::DestinationConfig destination, std::unique_ptr<exporter::Gate> gate)
      : destination_(std::move(destination)), gate_(std::move(gate)) {}

  Status start() override {
    gate_->start();
    return ok_status();
  }
  // Nothing comes in from outside; the bridge in front stops first.
  void stop_accepting() override {}
  bool drain(Deadline deadline) override { return gate_->drain(deadline); }
  Readiness readiness() const override { return exporter::gate_readiness(*gate_, destination_); }
  runtime::Statusz status() const override {
    runtime::Statusz status = exporter::gate_status(*gate_, destination_);
    const Readiness ready = readiness();
    status.ready = ready.ready;
    status.reason = ready.reason;
    status.fused = true;
    return status;
  }
  pipeline::Sink& sink() noexcept { return *gate_; }

 private:
  const sinks::DestinationConfig destination_;
  std::unique_ptr<exporter::Gate> gate_;
};

// Adds the exporter and returns what the bridge sends to; null = by the network.
Result<pipeline::Sink*> add_exporter(const AllInOneConfig& config, const runtime::ServiceDeps& deps,
                                     runtime::Host& host) {
  if (config.fused && config.runs("bridge")) {
    auto gate = exporter::create_gate(config.exporter, sinks::builtin_destinations(), deps);
    if (!gate.ok()) return std::move(gate).error().with_context("exporter");
    auto service =
        std::make_unique<DestinationService>(config.exporter.destination, std::move(gate).value());
    pipeline::Sink* const sink = &service->sink();
    host.add("exporter", std::move(service));
    return sink;
  }
  auto service =
      exporter::ExporterService::create(config.exporter, sinks::builtin_destinations(), deps);
  if (!service.ok()) return std::move(service).error().with_context("exporter");
  host.add("exporter", std::move(service).value());
  return nullptr;
}

}  // namespace

Result<std::unique_ptr<runtime::Service>> create_services(const AllInOneConfig& config,
                                                          const runtime::ServiceDeps& deps) {
  auto host = std::make_unique<runtime::Host>(deps.telemetry);
  pipeline::Sink* destination = nullptr;
  pipeline::Sink* kafka = nullptr;
  if (config.runs("exporter")) {
    SPANWAY_ASSIGN(destination, add_exporter(config, deps, *host));
  }
  if (config.runs("bridge")) {
    kafka_bridge::BridgeConfig bridge = config.bridge;
    const bool ingress_is_here = config.fused && config.runs("ingress");
    if (ingress_is_here) bridge.otlp.grpc.enabled = false;
    auto service = kafka_bridge::BridgeService::create(bridge, deps, destination);
    if (!service.ok()) return std::move(service).error().with_context("bridge");
    if (ingress_is_here) kafka = (*service)->kafka_sink();
    host->add("bridge", std::move(service).value());
  }
  if (config.runs("ingress")) {
    auto service = ingress::IngressService::create(config.ingress, deps, kafka);
    if (!service.ok()) return std::move(service).error().with_context("ingress");
    host->add("ingress", std::move(service).value());
  }
  return std::unique_ptr<runtime::Service>(std::move(host));
}

runtime::Program make_program() {
  auto config = std::make_shared<AllInOneConfig>();
  runtime::Program program;
  program.name = "spanway";
  program.summary = "Any of ingress, kafka-bridge and exporter in one process, fused or not.";
  program.describe_config = [config](config::Binder& b) { describe(b, *config); };
  program.validate = [config](config::Problems& problems) { validate(*config, problems); };
  program.create = [config](const runtime::ServiceDeps& deps) {
    return create_services(with_memory_shares(*config), deps);
  };
  program.memory_limit = [config] { return config->memory_limit.bytes; };
  return program;
}

}  // namespace spanway::allinone
