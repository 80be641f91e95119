#include "services/query/query_service.h"

#include <utility>

#include "services/query/store/clickhouse/clickhouse_trace_store.h"

namespace spanway::query {
namespace {

constexpr Duration kSampleInterval = std::chrono::seconds(5);
// For the file of credentials.
constexpr Duration kReloadInterval = std::chrono::seconds(10);
constexpr Duration kBodyTimeout = std::chrono::seconds(30);
constexpr const char* kListener = "query";

}  // namespace

QueryService::QueryService(const QueryConfig& config, const runtime::ServiceDeps& deps)
    : config_(config),
      deps_(deps),
      budget_(static_cast<std::size_t>(budget_bytes(config)), deps.memory),
      events_(deps.telemetry) {}

QueryService::~QueryService() {
  sampler_.reset();
  reloader_.reset();
  // The listener first, so that nothing comes in any more; then what runs is ended.
  listener_.reset();
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
  const ClickHouseStoreConfig& store = config_.stores.clickhouse;
  std::shared_ptr<http::TlsClientContext> tls;
  if (store.endpoint.starts_with("https://")) {
    SPANWAY_ASSIGN(tls, http::TlsClientContext::create(store.tls));
    store_tls_.emplace([tls] { return tls->reload(); },
                       [this](const Result<bool>& changed) {
                         if (!changed.ok()) events_.reload_failed(changed.error());
                       },
                       deps_.io.executor(0), http::kClientTlsReloadInterval);
  }
  clickhouse::ClientOptions options;
  options.url = store.endpoint;
  options.database = store.database;
  options.username = store.username;
  options.password = store.password;
  options.connections_max = static_cast<std::size_t>(store.connections);
  SPANWAY_ASSIGN(clickhouse_,
                 clickhouse::Client::create(std::move(options), tls, deps_.io, deps_.clock));
  store_ = std::make_unique<ClickHouseTraceStore>(*clickhouse_);
  Random random = Random::from_entropy();
  SPANWAY_ASSIGN(authenticator_, auth::Authenticator::create(config_.auth, auth::read_small_file,
                                                             auth::KeyedHash::make_key(random)));
  workers_ = std::make_unique<QueryWorkers>(static_cast<std::size_t>(config_.limits.running),
                                            static_cast<std::size_t>(config_.limits.queued));
  handler_ = std::make_unique<QueryHandler>(
      config_,
      QueryHandler::Parts{*store_, *authenticator_, *workers_, budget_, deps_.clock, events_});
  SPANWAY_ASSIGN(listener_, otlp_server::OtlpListener::create(
                                {config_.api,
                                 otlp_server::server_limits(config_.api.connections, kBodyTimeout)},
                                deps_, budget_));
  return listener_->listen(kListener, config_.api.port, *handler_);
}

Status QueryService::start() {
  listener_->start();
  state_ = State::kServing;
  Executor& executor = deps_.io.executor(0);
  sampler_.emplace([this] { events_.memory(budget_.used(), budget_.limit()); }, executor,
                   kSampleInterval, Duration::zero());
  reloader_.emplace([this] { reload_credentials(); }, executor, kReloadInterval, kReloadInterval);
  listener_->keep_tls_fresh(executor, [this](const Result<bool>& changed) {
    if (!changed.ok()) events_.reload_failed(changed.error());
  });
  deps_.telemetry.log.info("Answering queries", {{"listen", config_.api.host},
                                                 {"port", static_cast<unsigned>(port())},
                                                 {"store", clickhouse_->endpoint()}});
  return {};
}

void QueryService::reload_credentials() {
  if (const auto changed = authenticator_->reload(); !changed.ok())
    events_.reload_failed(changed.error());
}

void QueryService::stop_accepting() {
  state_ = State::kStopping;
  listener_->stop_accepting();
}

bool QueryService::drain(Deadline deadline) {
  stop_accepting();
  return listener_->drain(deadline);
}

runtime::Service::Readiness QueryService::readiness() const {
  switch (state_.load()) {
    case State::kCreated:
      return {.ready = false, .reason = "not started"};
    case State::kServing:
      return {.ready = true, .reason = ""};
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

}  // namespace spanway::query
