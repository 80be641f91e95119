#include "operator/manager/operator_service.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "operator/k8s/access.h"
#include "operator/k8s/event_recorder.h"
#include "operator/k8s/lease.h"
#include "operator/k8s/rest_client.h"
#include "services/lib/base/thread.h"

namespace spanway::reconcile {
namespace {

constexpr Duration kListTimeout = std::chrono::seconds(30);
constexpr Duration kDrainMax = std::chrono::hours(1);
// Lists under way at the same time; watches need no thread.
constexpr std::size_t kListsAtATime = 4;
constexpr Duration kSyncPoll = std::chrono::milliseconds(100);

// A write that begins in the last moment of the renew deadline is over before another operator may
// take the Lease: others wait for the duration in the holder's Lease.
OperatorTimes lease_times(Duration request_timeout) {
  OperatorTimes times;
  times.lease_renew_deadline =
      std::max(times.lease_renew_deadline, 2 * request_timeout + times.lease_retry);
  times.lease =
      std::max(times.lease, times.lease_renew_deadline + request_timeout + std::chrono::seconds(1));
  return times;
}

UpgradeRules upgrade_rules(const OperatorSettings& settings) {
  return {.concurrent_max = settings.max_concurrent_rollouts,
          .window = MaintenanceWindow::parse(settings.maintenance_window)};
}

// Half of the workers, at least one.
std::size_t slow_workers(const OperatorSettings& settings) {
  return static_cast<std::size_t>(std::max<std::int64_t>(1, settings.workers / 2));
}

MonitorTimes times_of(const OperatorSettings& settings) {
  return {.moving = settings.statusz_poll, .idle = settings.statusz_poll_idle};
}

// An error when the namespace cannot be read just now: another id would reset the offsets of all
// consumers.
Result<std::string> find_cluster_id(kube::Client& client, const telemetry::Logger& log) {
  constexpr std::size_t kDigits = 8;
  const auto name_space = client.get(kube::kNamespaces, {"", "kube-system"});
  if (name_space.ok()) return kube::string_at(*name_space, "metadata/uid").substr(0, kDigits);
  const Code code = name_space.error().code;
  if (code != Code::kNotFound && code != Code::kPermissionDenied) return name_space.error();
  log.warn(
      "The namespace kube-system may not be read: consumer groups hold no cluster id. Set "
      "cluster_id when several clusters use one Kafka",
      {{"error", name_space.error().message}});
  return std::string();
}

// Few watches when the rights are there: each costs a list at the start and the API server's
// memory. What cannot be listed over all namespaces is watched in each.
Stores::Watches choose_watches(kube::Client& client, const OperatorSettings& settings,
                               std::vector<kube::ResourceType> kinds,
                               const telemetry::Logger& log) {
  constexpr std::size_t kPerNamespaceMax = 4;
  if (settings.watch_namespaces.size() <= kPerNamespaceMax) return Stores::Watches::kPerNamespace;
  kinds.push_back(kube::kPipelines);
  kinds.push_back(kube::kPods);
  for (const kube::ResourceType& kind : kinds) {
    // Selects nothing: only the right counts.
    const auto listed = client.list(kind, {.name_space = {},
                                           .label_selector = "spanway.dev/none=none",
                                           .field_selector = {},
                                           .resource_version = "0"});
    if (listed.ok()) continue;
    log.info(
        "Each namespace is watched on its own, a stream for each kind; permission to list and "
        "watch "
        "in all namespaces (Helm: rbac.watchAll) makes it one stream for each kind",
        {{"namespaces", settings.watch_namespaces.size()}, {"error", listed.error().message}});
    return Stores::Watches::kPerNamespace;
  }
  return Stores::Watches::kClusterWide;
}

render::ClusterFacts facts_of(const OperatorSettings& settings, const std::string& name_space,
                              const std::string& cluster_id, bool service_monitors,
                              bool prometheus_rules) {
  render::ClusterFacts facts;
  facts.operator_namespace = name_space;
  facts.version = SPANWAY_VERSION;
  facts.image_repository = settings.image_repository;
  facts.cluster_id = cluster_id;
  facts.serves_service_monitors = service_monitors;
  facts.serves_prometheus_rules = prometheus_rules;
  facts.deny_private_endpoints = settings.deny_private_endpoints;
  return facts;
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ",") + name;
  return out;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

OperatorService::OperatorService(const OperatorSettings& settings, OperatorParts parts,
                                 const runtime::ServiceDeps& deps, bool service_monitors,
                                 bool prometheus_rules)
    : settings_(settings),
      parts_(std::move(parts)),
      deps_(deps),
      writer_(*parts_.client, [this] { return leads(); }),
      queue_(deps.clock, slow_workers(settings)),
      recorder_(std::make_unique<kube::EventRecorder>(parts_.identity, *parts_.client, deps.clock,
                                                      Random::from_entropy(), deps.telemetry)),
      events_(deps.telemetry,
              [this](const Announcement& a) {
                recorder_->record({a.regarding, a.is_warning, a.reason, a.action, a.note});
              }),
      stores_(settings.watch_namespaces, Stores::owned_kinds(service_monitors, prometheus_rules),
              parts_.watches),
      secrets_(*parts_.client, events_, [this](const kube::ObjectKey& key) { queue_.add(key); }),
      monitor_(*parts_.statusz, stores_, deps.clock, times_of(settings),
               [this](const kube::ObjectKey& key) { queue_.add(key); }),
      controller_(ControllerDeps{writer_, stores_, secrets_, monitor_, events_, deps.clock,
                                 [this](const kube::ObjectKey& key) { queue_.add(key); },
                                 upgrade_rules(settings)},
                  facts_of(settings, parts_.name_space, parts_.cluster_id, service_monitors,
                           prometheus_rules)),
      reflectors_(kListsAtATime, system_clock()) {
  make_reflectors();
  if (!settings_.lease.enabled) return;
  kube::LeaseOptions options;
  options.key = {
      settings_.lease.name_space.empty() ? parts_.name_space : settings_.lease.name_space,
      settings_.lease.name};
  options.identity = parts_.identity;
  options.duration = parts_.times.lease;
  options.renew_deadline = parts_.times.lease_renew_deadline;
  options.retry = parts_.times.lease_retry;
  election_ = std::make_unique<kube::LeaderElection>(
      std::move(options), *parts_.client,
      kube::LeaseCallbacks{[this] { begin_leading(); }, [this] { end_leading(); }}, deps.clock,
      Random::from_entropy(), deps.telemetry);
}

OperatorService::~OperatorService() {
  stop_accepting();
  // Workers first: what they use goes after them.
  for (std::jthread& thread : threads_) thread.request_stop();
  {
    MutexLock lock(mutex_);
    wakes_.notify_all();
  }
  threads_.clear();
  if (election_) election_->stop();
  reflectors_.stop();
  recorder_->stop();
}

Result<std::unique_ptr<OperatorService>> OperatorService::create(const OperatorSettings& settings,
                                                                 OperatorParts parts,
                                                                 const runtime::ServiceDeps& deps) {
  SPANWAY_ASSIGN(const bool service_monitors, parts.client->serves(kube::kServiceMonitors));
  SPANWAY_ASSIGN(const bool prometheus_rules, parts.client->serves(kube::kPrometheusRules));
  SPANWAY_ASSIGN(const bool pipelines, parts.client->serves(kube::kPipelines));
  parts.cluster_id = settings.cluster_id;
  if (parts.cluster_id.empty()) {
    SPANWAY_ASSIGN(parts.cluster_id, find_cluster_id(*parts.client, deps.telemetry.log));
  }
  parts.watches =
      choose_watches(*parts.client, settings,
                     Stores::owned_kinds(service_monitors, prometheus_rules), deps.telemetry.log);
  if (!pipelines)
    return configuration_error(Code::kFailedPrecondition,
                               "the API server has no Pipelines (spanway.dev/v1alpha1): apply the "
                               "output of `spanway-operator crd` first");
  return std::unique_ptr<OperatorService>(
      new OperatorService(settings, std::move(parts), deps, service_monitors, prometheus_rules));
}

Result<std::unique_ptr<OperatorService>> OperatorService::create(const OperatorSettings& settings,
                                                                 const runtime::ServiceDeps& deps) {
  SPANWAY_ASSIGN(auto access, kube::Access::find(settings.kubeconfig, "",
                                                 config::Sources::of_process(), deps.clock));
  OperatorParts parts;
  kube::RestClientOptions options;
  options.request_timeout = settings.request_timeout;
  options.list_timeout = kListTimeout;
  SPANWAY_ASSIGN(parts.client,
                 kube::RestClient::create(*access, deps.clock, deps.telemetry, options));
  parts.statusz = make_statusz_reader();
  parts.times = lease_times(settings.request_timeout);
  parts.name_space = settings.operator_namespace.empty() ? access->cluster().name_space
                                                         : settings.operator_namespace;
  std::string pod = environment("POD_NAME");
  if (pod.empty()) pod = environment("HOSTNAME");
  if (pod.empty()) pod = "spanway-operator";
  parts.identity = pod + "-" + std::to_string(Random::from_entropy().next() % 1'000'000);
  parts.access = std::shared_ptr<kube::Access>(std::move(access));
  return create(settings, std::move(parts), deps);
}

void OperatorService::make_reflectors() {
  for (const Stores::Entry& entry : stores_.entries()) {
    reflectors_.add(std::make_unique<kube::Reflector>(
        kube::ReflectorOptions{entry.type, entry.name_space, entry.label_selector}, *parts_.client,
        *entry.store, [this](const kube::ObjectKey& owner) { queue_.add(owner); }, deps_.clock,
        Random::from_entropy(), deps_.telemetry));
  }
}

Status OperatorService::start() {
  deps_.telemetry.log.info("Operating", {{"identity", parts_.identity},
                                         {"namespaces", settings_.watch_namespaces.empty()
                                                            ? "all"
                                                            : joined(settings_.watch_namespaces)},
                                         {"workers", settings_.workers}});
  recorder_->start();
  reflectors_.start();
  for (std::int64_t i = 0; i < settings_.workers; ++i)
    threads_.push_back(start_thread("worker-" + std::to_string(i),
                                    [this](const std::stop_token& stop) { work(stop); }));
  threads_.push_back(
      start_thread("clock", [this](const std::stop_token& stop) { keep_time(stop); }));
  threads_.push_back(
      start_thread("statusz", [this](const std::stop_token& stop) { watch_pods(stop); }));
  threads_.push_back(
      start_thread("secrets", [this](const std::stop_token& stop) { poll_secrets(stop); }));
  if (election_) {
    election_->start();
  } else {
    begin_leading();
  }
  return {};
}

void OperatorService::begin_leading() {
  leading_ = true;
  writer_.open();
  deps_.telemetry.log.info("Leading", {{"identity", parts_.identity}});
  add_all();
  MutexLock lock(mutex_);
  wakes_.notify_all();
}

// When this returns, nothing of ours writes any more. Reconciliations may still be on their way:
// they end at their next write.
void OperatorService::end_leading() {
  if (!stopping_) lost_ = true;
  leading_ = false;
  writer_.close();
}

// A former leader never writes again, even if it gets the Lease back before the process ends.
bool OperatorService::leads() const {
  return leading_ && !lost_ && (!election_ || election_->leading());
}

// A reconciliation that runs at the stop is finished; no other one starts.
bool OperatorService::may_begin() const { return !stopping_ && leads(); }

void OperatorService::work(const std::stop_token& stop) {
  // With incomplete stores a reconciliation would delete objects.
  while (!reflectors_.synced() || !leading_)
    if (!wait_for(stop, kSyncPoll)) return;
  while (!stop.stop_requested()) {
    const auto key = queue_.next();
    if (!key) return;
    {
      MutexLock lock(mutex_);
      ++busy_;
    }
    // Asked after it counts as busy: who drains waits for it.
    if (may_begin()) reconcile(*key);
    queue_.done(*key);
    MutexLock lock(mutex_);
    --busy_;
    wakes_.notify_all();
  }
}

void OperatorService::reconcile(const kube::ObjectKey& key) {
  const kube::ReconcileScope scope(++reconcile_ids_);
  const SteadyTime started = deps_.clock.now();
  const auto again = controller_.reconcile(key);
  const Duration took = deps_.clock.now() - started;
  if (again.ok()) {
    events_.reconciled(key, took);
    queue_.forget(key);
    if (*again > Duration::zero()) queue_.add_after(key, *again);
    return;
  }
  events_.reconcile_failed(key, again.error(), took);
  if (again.error().code == Code::kDeadlineExceeded) {
    queue_.add_timed_out(key);
  } else if (again.error().retry_after) {
    queue_.add_after(key, *again.error().retry_after);
  } else {
    queue_.add_rate_limited(key);
  }
}

void OperatorService::add_all() {
  for (const kube::ObjectKey& key : stores_.pipelines()) queue_.add(key);
}

void OperatorService::keep_time(const std::stop_token& stop) {
  SteadyTime resync_at = deps_.clock.now() + settings_.resync;
  while (wait_for(stop, parts_.times.tick)) {
    events_.pipelines(stores_.pipelines().size());
    events_.waiting(queue_.waiting());
    events_.cached(stores_.size(), stores_.bytes());
    if (!may_begin() || !reflectors_.synced()) continue;
    const SteadyTime now = deps_.clock.now();
    if (now >= resync_at) {
      add_all();
      resync_at = now + settings_.resync;
    }
  }
}

void OperatorService::poll_secrets(const std::stop_token& stop) {
  SteadyTime due = deps_.clock.now() + settings_.secrets_poll;
  while (wait_for(stop, parts_.times.tick)) {
    if (!may_begin() || !reflectors_.synced() || deps_.clock.now() < due) continue;
    secrets_.poll();
    due = deps_.clock.now() + settings_.secrets_poll;
  }
}

void OperatorService::watch_pods(const std::stop_token& stop) {
  while (wait_for(stop, parts_.times.tick))
    if (may_begin() && reflectors_.synced()) monitor_.poll();
}

bool OperatorService::wait_for(const std::stop_token& stop, Duration wait) {
  std::stop_callback wake(stop, [this] {
    MutexLock lock(mutex_);
    wakes_.notify_all();
  });
  MutexLock lock(mutex_);
  wakes_.wait_for(mutex_, wait, [&stop] { return stop.stop_requested(); });
  return !stop.stop_requested();
}

void OperatorService::stop_accepting() {
  stopping_ = true;
  queue_.close();
}

bool OperatorService::drain(Deadline deadline) {
  stop_accepting();
  bool done = false;
  {
    MutexLock lock(mutex_);
    const Duration wait = std::min(kDrainMax, deadline.remaining(deps_.clock.now()));
    done = wakes_.wait_for(mutex_, wait, [this]() SPANWAY_REQUIRES(mutex_) { return busy_ == 0; });
  }
  // Releases the Lease, so that another replica leads at once.
  if (election_) election_->stop();
  return done;
}

runtime::Service::Readiness OperatorService::readiness() const {
  if (stopping_) return {.ready = false, .reason = "draining"};
  if (lost_) return {.ready = false, .reason = "has lost the Lease"};
  if (!reflectors_.synced())
    return {.ready = false, .reason = "the first lists are not complete yet"};
  return {.ready = true, .reason = ""};
}

runtime::Statusz OperatorService::status() const {
  const Readiness ready = readiness();
  runtime::Statusz status;
  status.ready = ready.ready;
  status.reason = ready.reason;
  status.controller = {.identity = parts_.identity,
                       .leading = leading_.load(),
                       .synced = reflectors_.synced(),
                       .pipelines = stores_.pipelines().size(),
                       .waiting = queue_.waiting(),
                       .cached_objects = stores_.size(),
                       .cached_bytes = stores_.bytes()};
  return status;
}

Status OperatorService::fatal() const {
  if (!lost_) return {};
  return unavailable("the Lease " + settings_.lease.name +
                     " was lost: another operator may be leading now");
}

}  // namespace spanway::reconcile
