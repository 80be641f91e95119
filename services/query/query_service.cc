#include "services/query/query_service.h"

#include <atomic>
#include <utility>

#include "services/lib/base/mutex.h"
#include "services/query/store/clickhouse/clickhouse_trace_store.h"

namespace spanway::query {
namespace {

constexpr Duration kSampleInterval = std::chrono::seconds(5);
constexpr int kSamplesPerReload = 2;
constexpr Duration kBodyTimeout = std::chrono::seconds(30);
constexpr const char* kListener = "query";

}  // namespace

// Samples gauges and re-reads credentials, on an io thread.
struct QueryService::Housekeeping {
  enum class State { kCreated, kServing, kStopping };

  Executor& executor;
  Mutex mutex;
  // Null once the service is being destroyed; a sample holds the mutex while it reads.
  QueryService* service SPANWAY_GUARDED_BY(mutex);
  std::atomic<State> state{State::kCreated};
  int samples SPANWAY_GUARDED_BY(mutex) = 0;

  Housekeeping(Executor& e, QueryService* s) : executor(e), service(s) {}

  static void later(std::weak_ptr<Housekeeping> weak, Executor& executor, Duration wait) {
    executor.post_after(wait, [weak] {
      if (const auto alive = weak.lock()) alive->sample(weak);
    });
  }
  void sample(std::weak_ptr<Housekeeping> self) {
    MutexLock lock(mutex);
    if (service == nullptr) return;
    const Events& events = service->events_;
    events.memory(service->budget_.used(), service->budget_.limit());
    if (++samples % kSamplesPerReload == 0)
      if (auto changed = service->authenticator_->reload(); !changed.ok())
        events.reload_failed(changed.error());
    later(std::move(self), executor, kSampleInterval);
  }
};

QueryService::QueryService(const QueryConfig& config, const runtime::ServiceDeps& deps)
    : config_(config),
      deps_(deps),
      budget_(static_cast<std::size_t>(budget_bytes(config)), deps.memory),
      events_(deps.telemetry),
      housekeeping_(std::make_shared<Housekeeping>(deps.io.executor(0), this)) {}

QueryService::~QueryService() {
  {
    MutexLock lock(housekeeping_->mutex);
    housekeeping_->service = nullptr;
  }
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
  housekeeping_->state = Housekeeping::State::kServing;
  Housekeeping::later(housekeeping_, housekeeping_->executor, Duration::zero());
  listener_->keep_tls_fresh(housekeeping_->executor, [this](const Result<bool>& changed) {
    if (!changed.ok()) events_.reload_failed(changed.error());
  });
  deps_.telemetry.log.info("Answering queries", {{"listen", config_.api.host},
                                                 {"port", static_cast<unsigned>(port())},
                                                 {"store", clickhouse_->endpoint()}});
  return {};
}

void QueryService::stop_accepting() {
  housekeeping_->state = Housekeeping::State::kStopping;
  listener_->stop_accepting();
}

bool QueryService::drain(Deadline deadline) {
  stop_accepting();
  return listener_->drain(deadline);
}

runtime::Service::Readiness QueryService::readiness() const {
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
