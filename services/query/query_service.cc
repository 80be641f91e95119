#include "services/query/query_service.h"

#include <utility>

namespace spanway::query {
namespace {

constexpr Duration kSampleInterval = std::chrono::seconds(5);
// For the file of credentials.
constexpr Duration kReloadInterval = std::chrono::seconds(10);
constexpr Duration kBodyTimeout = std::chrono::seconds(30);
// The store is probed when no query has shown for so long whether it answers.
constexpr Duration kProbeInterval = std::chrono::seconds(30);
constexpr const char* kListener = "query";
constexpr const char* kGrpcListener = "jaeger_grpc";
constexpr const char* kOtlpListener = "otlp_grpc";

}  // namespace

QueryService::QueryService(const QueryConfig& config, const runtime::ServiceDeps& deps)
    : config_(config),
      deps_(deps),
      budget_(static_cast<std::size_t>(budget_bytes(config)), deps.memory),
      events_(deps.telemetry),
      health_(deps.clock, [this](const StoreHealth::Snapshot& store) { log_store(store); }) {}

QueryService::~QueryService() {
  sampler_.reset();
  reloader_.reset();
  prober_.reset();
  // The listener first, so that nothing comes in any more; then what runs is ended.
  listener_.reset();
  apis_.shut_down();
  if (handler_) handler_->cancel_all();
  workers_.reset();
}

Result<std::unique_ptr<QueryService>> QueryService::create(const QueryConfig& config,
                                                           const runtime::ServiceDeps& deps) {
  std::unique_ptr<QueryService> service(new QueryService(config, deps));
  SPANWAY_TRY(service->create_parts());
  return service;
}

Status QueryService::create_parts() {
  SPANWAY_ASSIGN(store_,
                 ConfiguredStore::create(config_, deps_, budget_,
                                         [this](const std::string& key, const Status& read) {
                                           events_.credentials_read(key, read);
                                         }));
  if (has_insight(config_))
    insight_ = std::make_unique<InsightRunner>(config_, deps_, *store_, budget_);
  Random random = Random::from_entropy();
  SPANWAY_ASSIGN(authenticator_, auth::Authenticator::create(config_.auth, auth::read_small_file,
                                                             auth::KeyedHash::make_key(random)));
  workers_ = std::make_unique<QueryWorkers>(static_cast<std::size_t>(config_.limits.running),
                                            static_cast<std::size_t>(config_.limits.queued));
  SPANWAY_ASSIGN(pipeline_, PipelineStatus::create(config_.pipeline, deps_.io, deps_.clock));
  apis_ = make_apis(config_, {.traces = store_->traces(),
                              .logs = store_->logs(),
                              .metrics = store_->metrics(),
                              .clock = deps_.clock,
                              .figures = [this] { return figures(); },
                              .insight = insight_ ? &insight_->results() : nullptr,
                              .pipeline = [this] { return pipeline_->read(); }});
  events_.declare_apis(apis_.names());
  handler_ = std::make_unique<QueryHandler>(
      config_, QueryHandler::Parts{apis_, page_, store_->traces(), *authenticator_, *workers_,
                                   budget_, deps_.clock, events_, health_});
  grpc_handler_ = std::make_unique<GrpcHandler>(GrpcHandler::Parts{
      handler_->admission(), store_->traces(), *workers_, budget_, deps_.clock, events_, health_});
  return listen();
}

rest::Figures QueryService::figures() const {
  return {.running = events_.running(),
          .queued = workers_->queued(),
          .answered = events_.answered(),
          .failed = events_.failed(),
          .refused = events_.refused(),
          .cancelled = events_.cancelled()};
}

Status QueryService::listen() {
  SPANWAY_ASSIGN(
      listener_,
      otlp_server::OtlpListener::create(
          {config_.api, otlp_server::server_limits(config_.api.connections, kBodyTimeout), "api"},
          deps_, budget_));
  SPANWAY_TRY(listener_->listen(kListener, config_.api.port, *handler_));
  SPANWAY_TRY(listener_->listen(kGrpcListener, config_.api.jaeger_grpc_port, *grpc_handler_));
  if (store_->memory().empty()) return {};
  const MemoryStoreConfig& memory = config_.stores.memory;
  sink_ = std::make_unique<MemorySink>(store_->memory());
  gatekeeper_ = memory.trust_metadata ? rpc::trusting_gatekeeper() : rpc::plain_gatekeeper();
  export_service_ =
      std::make_unique<rpc::ExportService>(rpc::ExportServiceOptions{}, *sink_, *gatekeeper_,
                                           budget_, deps_.clock, deps_.telemetry, kOtlpListener);
  return listener_->listen_grpc(memory.grpc_port, *export_service_);
}

Status QueryService::start() {
  listener_->start();
  if (insight_) insight_->start();
  state_ = State::kServing;
  Executor& executor = deps_.io.executor(0);
  sampler_.emplace([this] { events_.memory(budget_.used(), budget_.limit()); }, executor,
                   kSampleInterval, Duration::zero());
  reloader_.emplace([this] { reload_credentials(); }, executor, kReloadInterval, kReloadInterval);
  listener_->keep_tls_fresh(executor, [this](const Result<bool>& changed) {
    if (!changed.ok()) events_.reload_failed(changed.error());
  });
  prober_.emplace(
      [this] {
        if (health_.is_idle_for(kProbeInterval)) handler_->probe();
      },
      executor, kProbeInterval, Duration::zero());
  deps_.telemetry.log.info("Answering queries",
                           {{"listen", config_.api.host},
                            {"port", static_cast<unsigned>(port())},
                            {"jaeger_grpc_port", static_cast<unsigned>(jaeger_grpc_port())},
                            {"store", store_->type()},
                            {"endpoint", store_->endpoint()}});
  return {};
}

// The log says that the endpoint or the user is a wrong one before a client gets an error.
void QueryService::log_store(const StoreHealth::Snapshot& store) const {
  const telemetry::Logger& log = deps_.telemetry.log;
  if (store.reachable.value_or(false))
    return log.limited(telemetry::LogLevel::kInfo, "store.answers", "The store answers",
                       {{"store", store_->type()}, {"endpoint", store_->endpoint()}});
  log.limited(telemetry::LogLevel::kWarn, "store.away",
              "The store cannot be read: queries are answered with 503 or 500 until it can; check "
              "that it runs, and stores.* in the configuration",
              {{"store", store_->type()},
               {"endpoint", store_->endpoint()},
               {"reason", store.last_error_reason},
               {"error", store.last_error}});
}

void QueryService::reload_credentials() {
  const Result<bool> changed = authenticator_->reload();
  events_.credentials_read("auth", changed.ok() ? ok_status() : Status(changed.error()));
}

void QueryService::stop_accepting() {
  state_ = State::kStopping;
  listener_->stop_accepting();
  apis_.shut_down();
}

bool QueryService::drain(Deadline deadline) {
  stop_accepting();
  return listener_->drain(deadline);
}

runtime::Service::Readiness QueryService::readiness() const {
  switch (state_.load()) {
    case State::kCreated:
      return {.ready = false, .reason = "not started"};
    case State::kServing: {
      // The pod stays ready: its clients get 503 with the time to come back, which no other replica
      // would answer better.
      const StoreHealth::Snapshot store = health_.snapshot();
      if (store.reachable.value_or(true)) return {.ready = true, .reason = ""};
      return {.ready = true, .reason = "degraded: the store does not answer: " + store.last_error};
    }
    case State::kStopping:
      break;
  }
  return {.ready = false, .reason = "draining"};
}

runtime::Statusz QueryService::status() const {
  const Readiness ready = readiness();
  runtime::Statusz status;
  status.ready = ready.ready;
  status.reason = ready.reason;
  status.listener = {.port = port()};
  StoreHealth::Snapshot store = health_.snapshot();
  status.store = {.type = store_->type(),
                  .endpoint = store_->endpoint(),
                  .reachable = store.reachable,
                  .last_error = std::move(store.last_error),
                  .last_error_reason = std::move(store.last_error_reason),
                  .last_error_time = store.last_error_time,
                  .last_query = store.last_query};
  status.queries = {.running = events_.running(),
                    .queued = workers_->queued(),
                    .answered = events_.answered(),
                    .failed = events_.failed(),
                    .refused = events_.refused(),
                    .cancelled = events_.cancelled()};
  if (export_service_) status.grpc_port = otlp_port();
  status.memory = runtime::memory_status(deps_.memory, budget_,
                                         {{"connections", listener_->connection_memory()}});
  if (listener_->tls()) {
    const otlp_server::OtlpListener::TlsStatus tls = listener_->tls_status();
    status.certificate_expires_in_seconds = static_cast<std::int64_t>(tls.seconds_to_expiry);
    status.certificate_reload_error = tls.reload_error;
  }
  return status;
}

std::uint16_t QueryService::port() const noexcept { return listener_->port(kListener); }
std::uint16_t QueryService::jaeger_grpc_port() const noexcept {
  return listener_->port(kGrpcListener);
}
std::uint16_t QueryService::otlp_port() const noexcept { return listener_->port(kOtlpListener); }

}  // namespace spanway::query
