#include "services/exporter/exporter_service.h"

#include <utility>

#include "services/lib/base/utf8.h"

namespace spanway::exporter {
namespace {

constexpr Duration kSampleInterval = std::chrono::seconds(5);
// For the body of a request; the wait for the destination has its own bound.
constexpr Duration kBodyTimeout = std::chrono::seconds(30);
// Left of the drain's deadline for the batches, once the connections are gone.
constexpr Duration kSinkDrainReserve = std::chrono::seconds(1);
constexpr std::size_t kFailureBytesMax = 256;

}  // namespace

runtime::Statusz gate_status(const Gate& gate, const sinks::DestinationConfig& destination) {
  const pipeline::SinkHealth health = gate.health();
  runtime::Statusz status;
  status.destination = {.name = std::nullopt,
                        .type = std::string(to_string(destination.type)),
                        .endpoint = sinks::endpoint_of(destination),
                        .answered = std::nullopt,
                        .reachable = gate.reachable(),
                        .last_error = health.last_error,
                        .last_error_reason = health.last_error_reason,
                        .circuit = std::string(to_string(gate.circuit())),
                        .degraded = gate.circuit() != CircuitBreaker::State::kClosed};
  return status;
}

runtime::Service::Readiness gate_readiness(const Gate& gate,
                                           const sinks::DestinationConfig& destination) {
  // The pod stays ready: its senders get UNAVAILABLE with the time to come back.
  if (gate.circuit() == CircuitBreaker::State::kClosed) return {.ready = true, .reason = ""};
  std::string reason = "degraded: " + std::string(to_string(destination.type));
  if (const std::string endpoint = sinks::endpoint_of(destination); !endpoint.empty())
    reason += " " + endpoint;
  reason += " gets probes only, its circuit is open";
  if (const std::string failure = gate.last_failure(); !failure.empty())
    reason += ": " + printable_utf8(failure, kFailureBytesMax);
  return {.ready = true, .reason = std::move(reason)};
}

Result<std::unique_ptr<Gate>> create_gate(const ExporterConfig& config,
                                          const sinks::DestinationRegistry& registry,
                                          const runtime::ServiceDeps& deps) {
  SPANWAY_ASSIGN(auto destination,
                 registry.create(config.destination,
                                 {deps.io, deps.clock, deps.telemetry, accepted_signals(config)}));
  GateOptions options;
  options.destination = to_string(config.destination.type);
  options.signals = accepted_signals(config);
  options.probe_interval = config.probe_interval;
  options.circuit_breaker = config.circuit_breaker;
  return std::make_unique<Gate>(std::move(options), std::move(destination), deps.io.executor(0),
                                deps.telemetry);
}

ExporterService::ExporterService(const ExporterConfig& config, const runtime::ServiceDeps& deps)
    : config_(config),
      deps_(deps),
      budget_(static_cast<std::size_t>(budget_bytes(config)), deps.memory) {}

ExporterService::~ExporterService() {
  sampler_.reset();
  // The listener first, so that nothing comes in any more; then the gate, whose destination answers
  // what is still in flight.
  listener_.reset();
}

Result<std::unique_ptr<ExporterService>> ExporterService::create(
    const ExporterConfig& config, const sinks::DestinationRegistry& registry,
    const runtime::ServiceDeps& deps) {
  std::unique_ptr<ExporterService> service(new ExporterService(config, deps));
  SPANWAY_ASSIGN(service->gate_, create_gate(config, registry, deps));
  SPANWAY_TRY(service->listen());
  return service;
}

Status ExporterService::listen() {
  const OtlpConfig& c = config_.otlp;
  gatekeeper_ = config_.trust_metadata ? rpc::trusting_gatekeeper() : rpc::plain_gatekeeper();
  rpc::ExportServiceOptions service;
  service.message_bytes_max = c.message_bytes_max.bytes;
  service.compressed_bytes_max = c.compressed_bytes_max.bytes;
  service.deadline_max = c.deadline_max;
  export_service_ = std::make_unique<rpc::ExportService>(service, *gate_, *gatekeeper_, budget_,
                                                         deps_.clock, deps_.telemetry, "otlp_grpc");
  SPANWAY_ASSIGN(listener_,
                 otlp_server::OtlpListener::create(
                     {c, otlp_server::server_limits(c.connections, kBodyTimeout)}, deps_, budget_));
  return listener_->listen_grpc(c.grpc.port, *export_service_);
}

Status ExporterService::start() {
  listener_->start();
  gate_->start();
  state_ = State::kServing;
  Executor& executor = deps_.io.executor(0);
  sampler_.emplace([this] { sample(); }, executor, kSampleInterval, Duration::zero());
  listener_->keep_tls_fresh(
      executor, [this](const Result<bool>& changed) { gate_->events().tls_reloaded(changed); });
  deps_.telemetry.log.info("Exporting", {{"listen", config_.otlp.host},
                                         {"port", static_cast<unsigned>(port())},
                                         {"destination", to_string(config_.destination.type)},
                                         {"endpoint", sinks::endpoint_of(config_.destination)}});
  return {};
}

void ExporterService::sample() {
  const Events& events = gate_->events();
  events.memory(budget_.used(), budget_.limit());
  // Two changes of the circuit at once may have set it in the wrong order.
  events.degraded(gate_->circuit() != CircuitBreaker::State::kClosed);
  events.reachable(gate_->reachable().value_or(false));
}

void ExporterService::stop_accepting() {
  state_ = State::kStopping;
  listener_->stop_accepting();
}

bool ExporterService::drain(Deadline deadline) {
  stop_accepting();
  const bool connections_went = listener_->drain(deadline.less(kSinkDrainReserve));
  const bool batches_done = gate_->drain(deadline);
  return connections_went && batches_done;
}

runtime::Service::Readiness ExporterService::readiness() const {
  switch (state_.load()) {
    case State::kCreated:
      return {.ready = false, .reason = "not started"};
    case State::kServing:
      return gate_readiness(*gate_, config_.destination);
    case State::kStopping:
      break;
  }
  return {.ready = false, .reason = "draining"};
}

runtime::Statusz ExporterService::status() const {
  const Readiness ready = readiness();
  runtime::Statusz status = gate_status(*gate_, config_.destination);
  status.ready = ready.ready;
  status.reason = ready.reason;
  status.listener = {.port = port()};
  status.memory = runtime::memory_status(deps_.memory, budget_,
                                         {{"connections", listener_->connection_memory()}});
  if (listener_->tls()) {
    const otlp_server::OtlpListener::TlsStatus tls = listener_->tls_status();
    status.certificate_expires_in_seconds = static_cast<std::int64_t>(tls.seconds_to_expiry);
    status.certificate_reload_error = tls.reload_error;
  }
  return status;
}

std::uint16_t ExporterService::port() const noexcept { return listener_->port("otlp_grpc"); }

}  // namespace spanway::exporter
