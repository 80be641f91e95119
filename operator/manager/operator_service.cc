#include "operator/manager/operator_service.h"

#include <algorithm>
#include <utility>

#include "operator/k8s/event_recorder.h"
#include "operator/k8s/lease.h"
#include "services/lib/base/thread.h"

namespace spanway::manager {
namespace {

constexpr Duration kDrainMax = std::chrono::hours(1);
// Lists under way at the same time; watches need no thread.
constexpr std::size_t kListsAtATime = 4;
constexpr Duration kSyncPoll = std::chrono::milliseconds(100);

reconcile::UpgradeRules upgrade_rules(const OperatorSettings& settings) {
  return {.concurrent_max = settings.max_concurrent_rollouts,
          .window = reconcile::MaintenanceWindow::parse(settings.maintenance_window)};
}

// Half of the workers, at least one.
std::size_t slow_workers(const OperatorSettings& settings) {
  return static_cast<std::size_t>(std::max<std::int64_t>(1, settings.workers / 2));
}

reconcile::MonitorTimes times_of(const OperatorSettings& settings) {
  return {.moving = settings.statusz_poll, .idle = settings.statusz_poll_idle};
}

// The Lease that all replicas of this release share.
kube::ObjectKey lease_of(const OperatorSettings& settings, const std::string& name_space) {
  return {settings.lease.name_space.empty() ? name_space : settings.lease.name_space,
          settings.lease.name};
}

std::string release_of(const OperatorSettings& settings, const std::string& name_space) {
  return lease_of(settings, name_space).text();
}

render::ClusterFacts facts_of(const OperatorSettings& settings, const std::string& name_space,
                              const Discovered& found) {
  render::ClusterFacts facts;
  facts.operator_namespace = name_space;
  facts.version = SPANWAY_VERSION;
  facts.image_repository = settings.image_repository;
  facts.cluster_id = found.cluster_id;
  facts.serves = found.serves;
  facts.deny_private_endpoints = settings.deny_private_endpoints;
  return facts;
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ",") + name;
  return out;
}

}  // namespace

OperatorService::OperatorService(const OperatorSettings& settings, OperatorParts parts,
                                 const Discovered& found, const runtime::ServiceDeps& deps)
    : settings_(settings),
      parts_(std::move(parts)),
      deps_(deps),
      writer_(*parts_.client, [this] { return leads(); }),
      queue_(deps.clock, slow_workers(settings)),
      recorder_(std::make_unique<kube::EventRecorder>(parts_.identity, *parts_.client, deps.clock,
                                                      Random::from_entropy(), deps.telemetry)),
      events_(deps.telemetry,
              [this](const reconcile::Announcement& a) {
                recorder_->record({a.regarding, a.is_warning, a.reason, a.action, a.note});
              }),
      stores_(settings.watch_namespaces, reconcile::Stores::owned_kinds(found.serves),
              found.watches),
      secrets_(*parts_.client, events_, [this](const kube::ObjectKey& key) { queue_.add(key); }),
      monitor_(*parts_.statusz, stores_, deps.clock, times_of(settings),
               [this](const kube::ObjectKey& key) { queue_.add(key); }),
      controller_(
          reconcile::ControllerDeps{writer_, stores_, secrets_, monitor_, events_, deps.clock,
                                    [this](const kube::ObjectKey& key) { queue_.add(key); },
                                    upgrade_rules(settings),
                                    release_of(settings, parts_.name_space)},
          facts_of(settings, parts_.name_space, found)),
      reflectors_(kListsAtATime, system_clock()) {
  make_reflectors();
  if (!settings_.lease.enabled) return;
  kube::LeaseOptions options;
  options.key = lease_of(settings_, parts_.name_space);
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

void OperatorService::make_reflectors() {
  for (const reconcile::Stores::Entry& entry : stores_.entries()) {
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
    // Called after it counts as busy: a drain waits for it.
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
  } else {
    queue_.add_rate_limited(key, again.error().retry_after.value_or(std::chrono::milliseconds(0)));
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

}  // namespace spanway::manager
