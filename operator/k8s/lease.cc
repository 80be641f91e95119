#include "operator/k8s/lease.h"

#include <algorithm>
#include <condition_variable>
#include <utility>

#include "operator/k8s/events.h"
#include "operator/k8s/micro_time.h"
#include "services/lib/base/mutex.h"
#include "services/lib/base/thread.h"

namespace spanway::kube {
namespace {

// client-go's JitterFactor: candidates do not all try at the same time.
constexpr double kJitter = 1.2;
// Bounds of another holder's leaseDurationSeconds, which may be a typing error.
constexpr std::int64_t kForeignSecondsMax = 3600;

std::int64_t whole_seconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

}  // namespace

LeaderElection::LeaderElection(LeaseOptions options, Client& client, LeaseCallbacks callbacks,
                               const Clock& clock, Random random, telemetry::Telemetry telemetry)
    : options_(std::move(options)),
      client_(client),
      callbacks_(std::move(callbacks)),
      clock_(clock),
      random_(random),
      telemetry_(telemetry),
      leader_gauge_(telemetry.metrics.gauge(kLeader)),
      observed_at_(clock.now()) {}

LeaderElection::~LeaderElection() { stop(); }

void LeaderElection::start() {
  thread_ = start_thread("lease", [this](const std::stop_token& stop) { run(stop); });
}

void LeaderElection::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
  release();
}

void LeaderElection::run(const std::stop_token& stop) {
  Mutex mutex;
  std::condition_variable_any wakes;
  while (!stop.stop_requested()) {
    const Duration wait = step();
    std::unique_lock lock(mutex);
    wakes.wait_for(lock, stop, wait, [] { return false; });
  }
}

bool LeaderElection::deadline_passed() const noexcept {
  return clock_.now().time_since_epoch() >= Duration(renewed_at_.load()) + options_.renew_deadline;
}

bool LeaderElection::leading() const noexcept { return holding_ && !deadline_passed(); }

Duration LeaderElection::candidate_wait() {
  const double factor = 1 + kJitter * random_.next_unit();
  return Duration(static_cast<Duration::rep>(static_cast<double>(options_.retry.count()) * factor));
}

Duration LeaderElection::step() {
  if (holding_ && deadline_passed()) lose("it could not be renewed in time");
  const Status status = try_once();
  if (!status.ok()) {
    lease_ = nullptr;
    telemetry_.log.limited(telemetry::LogLevel::kWarn, "kubernetes_lease",
                           "The leader election's Lease could not be read or written",
                           {{"lease", options_.key.text()}, {"error", status.error().message}});
  }
  if (!holding_) return candidate_wait();
  if (deadline_passed()) {
    lose("it could not be renewed in time");
    return candidate_wait();
  }
  // Never past the renew deadline.
  const Duration left =
      Duration(renewed_at_.load()) + options_.renew_deadline - clock_.now().time_since_epoch();
  return std::min(options_.retry, left);
}

Status LeaderElection::try_once() {
  // No other replica writes while we hold it: the last answer is current.
  if (holding_ && !lease_.is_null()) return take_over(lease_);
  auto lease = client_.get(kLeases, options_.key);
  if (!lease.ok()) {
    if (lease.error().code == Code::kNotFound) return create();
    return lease.error();
  }
  const SteadyTime now = clock_.now();
  observe(*lease, now);
  if (held_by_other(now)) {
    if (holding_) lose("another replica holds it");
    return ok_status();
  }
  return take_over(std::move(*lease));
}

void LeaderElection::observe(const Json& lease, SteadyTime now) {
  const Json* spec = find(lease, "spec");
  Json current = spec == nullptr ? Json() : *spec;
  if (current == observed_ && !observed_.is_null()) return;
  observed_ = std::move(current);
  observed_at_ = now;
}

bool LeaderElection::held_by_other(SteadyTime now) const {
  const std::string holder = string_at(observed_, "holderIdentity");
  if (holder.empty() || holder == options_.identity) return false;
  // The holder's clock may be wrong: measure how long we have observed no renewal.
  const std::int64_t seconds = std::clamp<std::int64_t>(
      int_at(observed_, "leaseDurationSeconds", whole_seconds(options_.duration)), 1,
      kForeignSecondsMax);
  return now < observed_at_ + std::chrono::seconds(seconds);
}

Json LeaderElection::spec_of_mine(const Json& before) const {
  const std::string now = micro_time_text(clock_.system_now());
  const bool mine = string_at(before, "holderIdentity") == options_.identity;
  Json spec = before.is_object() ? before : Json::object();
  spec["holderIdentity"] = options_.identity;
  spec["leaseDurationSeconds"] = whole_seconds(options_.duration);
  spec["renewTime"] = now;
  if (!mine || string_at(before, "acquireTime").empty()) spec["acquireTime"] = now;
  const std::int64_t transitions = int_at(before, "leaseTransitions");
  spec["leaseTransitions"] = mine ? transitions : transitions + 1;
  return spec;
}

Status LeaderElection::take_over(Json lease) {
  const Json* spec = find(lease, "spec");
  lease["spec"] = spec_of_mine(spec == nullptr ? Json() : Json(*spec));
  // The resourceVersion in it is a precondition: of two candidates one succeeds.
  const SteadyTime sent_at = clock_.now();
  SPANWAY_ASSIGN(Json written, client_.replace(kLeases, lease));
  won(sent_at, std::move(written));
  return ok_status();
}

Status LeaderElection::create() {
  Json spec = spec_of_mine(Json());
  spec["leaseTransitions"] = 0;
  const SteadyTime sent_at = clock_.now();
  SPANWAY_ASSIGN(
      Json written,
      client_.create(
          kLeases,
          Json{{"apiVersion", kLeases.api_version()},
               {"kind", std::string(kLeases.kind)},
               {"metadata", {{"name", options_.key.name}, {"namespace", options_.key.name_space}}},
               {"spec", std::move(spec)}}));
  won(sent_at, std::move(written));
  return ok_status();
}

void LeaderElection::won(SteadyTime sent_at, Json lease) {
  observe(lease, clock_.now());
  lease_ = std::move(lease);
  renewed_at_ = sent_at.time_since_epoch().count();
  if (holding_.exchange(true)) return;
  leader_gauge_.set(1);
  telemetry_.log.info("Acquired the Lease",
                      {{"lease", options_.key.text()}, {"identity", options_.identity}});
  if (callbacks_.started) callbacks_.started();
}

void LeaderElection::lose(const char* why) {
  if (!holding_.exchange(false)) return;
  lease_ = nullptr;
  leader_gauge_.set(0);
  telemetry_.log.warn("Lost the Lease", {{"lease", options_.key.text()}, {"why", why}});
  if (callbacks_.stopped) callbacks_.stopped();
}

void LeaderElection::release() {
  if (!holding_) return;
  Json lease = std::move(lease_);
  lose("released on shutdown");
  if (lease.is_null()) return;  // It may not be ours any more: let it expire.
  const std::string now = micro_time_text(clock_.system_now());
  Json& spec = lease["spec"];
  spec["holderIdentity"] = "";
  spec["leaseDurationSeconds"] = 1;
  spec["renewTime"] = now;
  spec["acquireTime"] = now;
  if (const auto released = client_.replace(kLeases, lease); !released.ok())
    telemetry_.log.warn("The Lease could not be released; it expires",
                        {{"lease", options_.key.text()}, {"error", released.error().message}});
}

}  // namespace spanway::kube
