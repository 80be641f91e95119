#include "services/exporter/exporter_service.h"

#include <atomic>
#include <utility>

#include "services/lib/base/mutex.h"

namespace spanway::exporter {
namespace {

constexpr Duration kSampleInterval = std::chrono::seconds(5);
constexpr int kSamplesPerTlsReload = 12;
// Connections may take this part of the budget.
constexpr std::size_t kConnectionShare = 2;
// Beside it, so that clients can be told to come back when requests have used up all of it.
constexpr std::size_t kFreeConnectionBytes = 8u << 20;
// Left of the drain's deadline for the batches, once the connections are gone.
constexpr Duration kSinkDrainReserve = std::chrono::seconds(1);

}  // namespace

// Samples gauges and re-reads certificates, on an io thread.
struct ExporterService::Housekeeping {
  enum class State { kCreated, kServing, kStopping };

  Executor& executor;
  Mutex mutex;
  // Null once the service is being destroyed; a sample holds the mutex while it looks.
  ExporterService* service SPANWAY_GUARDED_BY(mutex);
  std::atomic<State> state{State::kCreated};
  int samples SPANWAY_GUARDED_BY(mutex) = 0;

  Housekeeping(Executor& e, ExporterService* s) : executor(e), service(s) {}

  static void later(std::weak_ptr<Housekeeping> weak, Executor& executor, Duration wait) {
    executor.post_after(wait, [weak] {
      if (const auto alive = weak.lock()) alive->sample(weak);
    });
  }
  void sample(std::weak_ptr<Housekeeping> self) {
    MutexLock lock(mutex);
    if (service == nullptr) return;
    const Events& events = service->gate_->events();
    events.memory(service->budget_.used(), service->budget_.limit());
    events.reachable(service->gate_->reachable().value_or(false));
    if (service->tls_ && ++samples % kSamplesPerTlsReload == 0) reload_tls(events);
    later(std::move(self), executor, kSampleInterval);
  }
  void reload_tls(const Events& events) SPANWAY_REQUIRES(mutex) {
    const auto reloaded = service->tls_->reload();
    if (!reloaded.ok()) return events.tls_reload_failed(reloaded.error());
    if (reloaded.value()) events.tls_reloaded();
  }
};

runtime::Statusz gate_status(const Gate& gate, const sinks::DestinationConfig& destination) {
  const pipeline::SinkHealth health = gate.health();
  runtime::Statusz status;
  status.destination = {.name = std::nullopt,
                        .type = std::string(to_string(destination.type)),
                        .endpoint = sinks::endpoint_of(destination),
                        .answered = std::nullopt,
                        .reachable = gate.reachable(),
                        .last_error = health.last_error,
                        .last_error_reason = health.last_error_reason};
  return status;
}

Result<std::unique_ptr<Gate>> create_gate(const ExporterConfig& config,
                                          const sinks::DestinationRegistry& registry,
                                          const runtime::ServiceDeps& deps) {
  SPANWAY_ASSIGN(auto destination,
                 registry.create(config.destination, {deps.io, deps.clock, deps.telemetry}));
  GateOptions options;
  options.destination = to_string(config.destination.type);
  options.signals = accepted_signals(config);
  options.probe_interval = config.probe_interval;
  return std::make_unique<Gate>(std::move(options), std::move(destination), deps.io.executor(0),
                                deps.telemetry);
}

ExporterService::ExporterService(const ExporterConfig& config, const runtime::ServiceDeps& deps)
    : config_(config),
      deps_(deps),
      budget_(static_cast<std::size_t>(budget_bytes(config)), deps.memory),
      connection_memory_(budget_, budget_.limit() / kConnectionShare, kFreeConnectionBytes),
      housekeeping_(std::make_shared<Housekeeping>(deps.io.executor(0), this)) {}

ExporterService::~ExporterService() {
  {
    MutexLock lock(housekeeping_->mutex);
    housekeeping_->service = nullptr;
  }
  // The server first, so that nothing comes in any more; then the gate, whose destination answers
  // what is still in flight.
  server_.reset();
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
  const OtlpListenerConfig& c = config_.otlp;
  gatekeeper_ = config_.trust_metadata ? rpc::trusting_gatekeeper() : rpc::plain_gatekeeper();
  rpc::ExportServiceOptions service;
  service.message_bytes_max = c.message_bytes_max.bytes;
  service.compressed_bytes_max = c.compressed_bytes_max.bytes;
  service.deadline_max = c.deadline_max;
  export_service_ = std::make_unique<rpc::ExportService>(service, *gate_, *gatekeeper_, budget_,
                                                         deps_.clock, deps_.telemetry, "otlp_grpc");
  if (c.tls.enabled()) {
    auto tls = http::TlsServerContext::create({.certificate_file = c.tls.certificate_file,
                                               .key_file = c.tls.key_file,
                                               .client_ca_file = c.tls.client_ca_file});
    if (!tls.ok()) return std::move(tls).error().with_context("otlp.tls");
    tls_ = std::move(tls).value();
  }
  http::ServerOptions server;
  server.name = "otlp_grpc";
  server.host = c.host;
  server.port = deps_.listen_port(c.host, c.grpc.port);
  server.connection_memory = &connection_memory_;
  server.limits.connections_max = static_cast<std::size_t>(c.connections_max);
  server.limits.connection_age_max = c.connection_age_max;
  server.limits.connection_age_grace = c.connection_age_grace;
  auto created =
      http::Server::create(std::move(server), tls_, deps_.io, *export_service_, deps_.telemetry);
  if (!created.ok()) return std::move(created).error().with_context("otlp");
  server_ = std::move(created).value();
  return {};
}

Status ExporterService::start() {
  server_->start();
  gate_->start();
  housekeeping_->state = Housekeeping::State::kServing;
  Housekeeping::later(housekeeping_, housekeeping_->executor, Duration::zero());
  deps_.telemetry.log.info("Exporting", {{"listen", config_.otlp.host},
                                         {"port", static_cast<unsigned>(port())},
                                         {"destination", to_string(config_.destination.type)},
                                         {"endpoint", sinks::endpoint_of(config_.destination)}});
  return {};
}

void ExporterService::stop_accepting() {
  housekeeping_->state = Housekeeping::State::kStopping;
  export_service_->set_serving(false);
  server_->stop_accepting();
}

bool ExporterService::drain(Deadline deadline) {
  stop_accepting();
  const bool connections_went = server_->drain(deadline.less(kSinkDrainReserve));
  const bool batches_done = gate_->drain(deadline);
  return connections_went && batches_done;
}

runtime::Service::Readiness ExporterService::readiness() const {
  switch (housekeeping_->state.load()) {
    case Housekeeping::State::kCreated:
      return {.ready = false, .reason = "not started"};
    case Housekeeping::State::kServing:
      return {.ready = true, .reason = ""};
    case Housekeeping::State::kStopping:
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
  status.memory =
      runtime::memory_status(deps_.memory, budget_, {{"connections", connection_memory_}});
  return status;
}

std::uint16_t ExporterService::port() const noexcept { return server_->port(); }

}  // namespace spanway::exporter
