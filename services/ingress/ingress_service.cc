#include "services/ingress/ingress_service.h"

#include <chrono>
#include <utility>

#include "services/ingress/options.h"
#include "services/lib/rpc/otlp_grpc_sink.h"

namespace spanway::ingress {
namespace {

constexpr Duration kTick = std::chrono::seconds(1);
// The file of credentials is checked every so many ticks.
constexpr std::uint64_t kTicksPerReload = 10;

std::vector<Executor*> executors_of(http::IoPool& io) {
  std::vector<Executor*> executors;
  for (std::size_t i = 0; i < io.size(); ++i) executors.push_back(&io.executor(i));
  return executors;
}

}  // namespace

IngressService::IngressService(IngressConfig config, const runtime::ServiceDeps& deps)
    : config_(std::move(config)),
      deps_(deps),
      events_(deps.telemetry),
      http_events_(events_),
      budget_(static_cast<std::size_t>(budget_bytes(config_)), deps.memory),
      index_memory_(budget_, budget_.limit()),
      limiter_(config_.rate_limit, deps.clock),
      loop_("ingress-files", deps.clock) {}

Result<std::unique_ptr<IngressService>> IngressService::create(IngressConfig config,
                                                               const runtime::ServiceDeps& deps,
                                                               pipeline::Sink* in_process_next) {
  std::unique_ptr<IngressService> self(new IngressService(std::move(config), deps));
  SPANWAY_TRY(self->create_auth());
  SPANWAY_TRY(self->create_next(in_process_next));
  self->create_chain();
  if (deps.check != nullptr) SPANWAY_TRY(self->listen());
  return self;
}

Status IngressService::create_auth() {
  Random random = Random::from_entropy();
  auto authenticator = auth::Authenticator::create(config_.auth, auth::read_small_file,
                                                   auth::KeyedHash::make_key(random));
  if (!authenticator.ok()) return std::move(authenticator).error();
  authenticator_ = std::move(authenticator).value();
  SPANWAY_ASSIGN(listener_, otlp_server::OtlpListener::create(
                                {config_.otlp, otlp_server::server_limits(
                                                   config_.limits, config_.limits.request_timeout)},
                                deps_, budget_));
  return ok_status();
}

Status IngressService::create_next(pipeline::Sink* in_process_next) {
  pipeline::Sink* next = in_process_next;
  if (next == nullptr) {
    auto sink = rpc::OtlpGrpcSink::create(
        next_options(config_.next, config_.limits.request_timeout), deps_.clock, deps_.telemetry);
    if (!sink.ok()) return std::move(sink).error().with_context("next");
    network_next_ = std::move(sink).value();
    next = network_next_.get();
  }
  next_hop_ = std::make_unique<NextHop>(*next, deps_.clock, events_);
  return ok_status();
}

void IngressService::create_chain() {
  merger_ = std::make_unique<Merger>(config_.merge, executors_of(deps_.io), *next_hop_, budget_,
                                     deps_.clock, events_);
  const otlp::ScanLimits limits = scan_limits(config_.limits);
  const bool fused = network_next_ == nullptr;
  grpc_validator_ = std::make_unique<Validator>(limits, Transport::kGrpc, limiter_, deps_.clock,
                                                events_, *merger_, fused, &index_memory_);
  http_validator_ = std::make_unique<Validator>(limits, Transport::kHttp, limiter_, deps_.clock,
                                                events_, *merger_, fused, &index_memory_);
  grpc_gatekeeper_ = std::make_unique<IngressGatekeeper>(*authenticator_, config_.tenant,
                                                         Transport::kGrpc, events_);
  http_gatekeeper_ = std::make_unique<IngressGatekeeper>(*authenticator_, config_.tenant,
                                                         Transport::kHttp, events_);
  grpc_handler_ = std::make_unique<rpc::ExportService>(grpc_options(config_.limits),
                                                       *grpc_validator_, *grpc_gatekeeper_, budget_,
                                                       deps_.clock, deps_.telemetry, "otlp_grpc");
  http_handler_ = std::make_unique<otlp_server::OtlpHttpHandler>(
      http_options(config_, authenticator_->challenge()), *http_validator_, *http_gatekeeper_,
      budget_, deps_.clock, http_events_);
}

IngressService::~IngressService() {
  stop_accepting();
  loop_.stop();
  drain(Deadline::after(deps_.clock, Duration::zero()));
}

Status IngressService::listen() {
  if (config_.otlp.grpc.enabled)
    SPANWAY_TRY(listener_->listen_grpc(config_.otlp.grpc.port, *grpc_handler_));
  if (config_.otlp.http.enabled)
    SPANWAY_TRY(listener_->listen("otlp_http", config_.otlp.http.port, *http_handler_));
  return ok_status();
}

Status IngressService::start() {
  SPANWAY_TRY(listen());
  grpc_port_.store(listener_->port("otlp_grpc"));
  http_port_.store(listener_->port("otlp_http"));
  grpc_handler_->set_http_port(http_port());
  http_handler_->set_grpc_port(grpc_port());
  listener_->start();
  listening_.store(true);
  next_hop_->start_probing(loop_);
  loop_.post([this] { tick(); });
  listener_->keep_tls_fresh(loop_,
                            [this](const Result<bool>& changed) { events_.tls_reloaded(changed); });
  // Each listener has logged its address.
  deps_.telemetry.log.info("Ingress started",
                           {{"auth", config_.auth.mode != auth::AuthMode::kNone},
                            {"next", network_next_ ? config_.next.endpoint : "in process"}});
  const bool local = config_.otlp.host == "127.0.0.1" || config_.otlp.host == "::1" ||
                     config_.otlp.host == "localhost";
  if (!local && config_.auth.mode == auth::AuthMode::kNone &&
      config_.otlp.tls.client_ca_file.empty())
    deps_.telemetry.log.warn(
        "The listener accepts unauthenticated requests on a non-loopback address: set auth.mode or "
        "otlp.tls.client_ca_file unless a network policy protects it",
        {{"host", config_.otlp.host}});
  return ok_status();
}

void IngressService::tick() {
  events_.memory(budget_.used(), budget_.limit());
  if (listener_->tls()) events_.tls_expiry(listener_->tls_status().seconds_to_expiry);
  if (++ticks_ % kTicksPerReload == 0) reload_credentials();
  loop_.post_after(kTick, [this] { tick(); });
}

void IngressService::reload_credentials() {
  const Result<bool> changed = authenticator_->reload();
  events_.credentials_read(changed.ok() ? ok_status() : Status(changed.error()));
  if (changed.ok() && *changed) events_.log().info("Using changed credentials");
}

void IngressService::shed_load() {
  if (!listening_.load()) return;
  listener_->shed_connections();
}

void IngressService::stop_accepting() {
  stopping_.store(true);
  if (listener_) listener_->stop_accepting();
}

bool IngressService::drain(Deadline deadline) {
  // Requests under way are finished while everything behind still works; then the rest.
  bool clean = true;
  if (listener_) clean = listener_->drain(deadline) && clean;
  // A service that could not be created has none.
  if (merger_) clean = merger_->drain(deadline) && clean;
  return clean;
}

runtime::Service::Readiness IngressService::readiness() const {
  if (stopping_.load()) return {false, "stopping"};
  if (!next_hop_->has_answered())
    return {false, "the next hop has not answered yet: " + next_hop_->health().last_error};
  return {true, ""};
}

runtime::Statusz IngressService::status() const {
  const pipeline::SinkHealth health = next_hop_->health();
  const Readiness ready = readiness();
  runtime::Statusz status;
  status.ready = ready.ready;
  status.reason = ready.reason;
  status.listeners = {.grpc_port = grpc_port(), .http_port = http_port(), .tls = listener_->tls()};
  status.next = {.name = std::nullopt,
                 .type = std::nullopt,
                 .endpoint = network_next_ ? config_.next.endpoint : "in process",
                 .answered = next_hop_->has_answered(),
                 .reachable = health.reachable,
                 .last_error = health.last_error,
                 .last_error_reason = health.last_error_reason};
  status.memory = runtime::memory_status(
      deps_.memory, budget_,
      {{"connections", listener_->connection_memory()}, {"indexes", index_memory_}});
  for (const otlp::Signal signal : otlp::kSignals) {
    status.received.emplace_back(otlp::item_name(signal),
                                 static_cast<std::uint64_t>(events_.received_items(signal)));
  }
  status.merge_waiting = merger_->waiting();
  if (listener_->tls()) {
    const otlp_server::OtlpListener::TlsStatus tls = listener_->tls_status();
    status.certificate_expires_in_seconds = static_cast<std::int64_t>(tls.seconds_to_expiry);
    status.certificate_reload_error = tls.reload_error;
  }
  return status;
}

}  // namespace spanway::ingress
