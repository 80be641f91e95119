#include "services/kafka-bridge/consume/stalls.h"

#include <algorithm>
#include <utility>

#include "services/kafka-bridge/consume/retry_policy.h"

namespace spanway::kafka_bridge {
namespace {

constexpr Duration kProbeInitial = std::chrono::seconds(1);
// When no candidate or no probe is free.
constexpr Duration kProbeLater = std::chrono::seconds(1);
// Interval for checking a probe that is not answered.
constexpr Duration kProbeWatch = std::chrono::seconds(1);
constexpr std::size_t kTenantsReported = 32;  // Per signal, in /statusz.

}  // namespace

std::string_view to_string(StallStatus::Scope scope) noexcept {
  switch (scope) {
    case StallStatus::Scope::kDestination:
      return "destination";
    case StallStatus::Scope::kSignal:
      return "signal";
    case StallStatus::Scope::kTenant:
      return "tenant";
    case StallStatus::Scope::kRecord:
      break;
  }
  return "record";
}

Stalls::Stalls(const RetryConfig& config, Executor& executor, EvidenceLedger& ledger,
               ConsumeEvents& events, Random random)
    : config_(config), executor_(executor), ledger_(ledger), events_(events), random_(random) {}

Stalls::~Stalls() {
  for (auto& [stream, stall] : stalls_) stall.timer.cancel();
}

const Error* Stalls::reason(const Stream& stream) const {
  const auto found = stalls_.find(stream);
  return found == stalls_.end() ? nullptr : &found->second.error;
}

Duration Stalls::age(const Stream& stream) const {
  const auto found = stalls_.find(stream);
  return found == stalls_.end() ? Duration::zero() : executor_.clock().now() - found->second.since;
}

void Stalls::begin(const Stream& stream, const Error& error) {
  if (const auto found = stalls_.find(stream); found != stalls_.end()) {
    found->second.error = error;
    return;
  }
  const Duration initial = std::min(kProbeInitial, config_.stalled_max);
  ledger_.stall(stream);
  auto [entry, fresh] = stalls_.emplace(
      stream, Stall(error, executor_.clock().now(), ledger_.now(),
                    Backoff({initial, config_.stalled_max, 2.0, 0.5}, Random(random_.next()))));
  events_.stalled(stream.signal, stream.tenant, error);
  // Batches that were not refused yet are probed at once: the first accepted one distinguishes a
  // poisoned batch from a destination that refuses everything.
  schedule(stream, entry->second, std::min<Duration>(config_.initial, initial));
  for (StallListener* listener : std::vector(listeners_)) listener->on_stall_begun(stream);
}

void Stalls::wait_for_probe(const Stream& stream, std::weak_ptr<ProbeCandidate> candidate) {
  const auto found = stalls_.find(stream);
  if (found == stalls_.end()) return;
  std::erase_if(found->second.waiting, [](const auto& known) { return known.expired(); });
  found->second.waiting.push_back(std::move(candidate));
}

bool Stalls::has_probe(const Stall& stall) {
  const auto candidate = stall.probing.lock();
  return candidate && candidate->probing();
}

std::size_t Stalls::probes() const {
  return static_cast<std::size_t>(std::count_if(
      stalls_.begin(), stalls_.end(), [](const auto& entry) { return has_probe(entry.second); }));
}

void Stalls::schedule(const Stream& stream, Stall& stall, Duration wait) {
  stall.timer.cancel();
  stall.timer = executor_.post_after(wait, guard_.wrap([this, stream] { probe(stream); }));
}

std::shared_ptr<ProbeCandidate> Stalls::next(Stall& stall) {
  std::shared_ptr<ProbeCandidate> best;
  std::size_t at = 0;
  for (std::size_t i = 0; i < stall.waiting.size(); ++i) {
    auto candidate = stall.waiting[i].lock();
    if (!candidate || !candidate->can_probe()) continue;
    if (best && candidate->refusals() >= best->refusals()) continue;
    best = std::move(candidate);
    at = i;
  }
  if (best) stall.waiting.erase(stall.waiting.begin() + static_cast<std::ptrdiff_t>(at));
  return best;
}

void Stalls::probe(const Stream& stream) {
  const auto found = stalls_.find(stream);
  if (found == stalls_.end()) return;
  Stall& stall = found->second;
  if (has_probe(stall)) return schedule(stream, stall, kProbeWatch);
  auto candidate = probes() < kProbesMax ? next(stall) : nullptr;
  schedule(stream, stall, candidate ? kProbeWatch : kProbeLater);
  if (!candidate) return;
  stall.probing = candidate;
  events_.retried(stall.error.refusal);
  candidate->probe();
}

void Stalls::on_probe_refused(const Stream& stream, const Error& error) {
  const auto found = stalls_.find(stream);
  if (found == stalls_.end()) return;
  Stall& stall = found->second;
  stall.error = error;
  stall.probing.reset();
  schedule(stream, stall, [&] {
    // Nothing was tried: the same wait is next.
    if (is_circuit_open(error) && error.retry_after)
      return std::min<Duration>(*error.retry_after, config_.retry_after_max);
    const Duration own = stall.backoff.next();
    if (!error.retry_after) return own;
    return std::max(own, std::min<Duration>(*error.retry_after, config_.retry_after_max));
  }());
}

void Stalls::on_accepted(const Stream& stream, EvidenceLedger::Mark sent) {
  const auto found = stalls_.find(stream);
  if (found != stalls_.end() && sent > found->second.begun) end(stream);
}

void Stalls::end(const Stream& stream) {
  auto node = stalls_.extract(stream);
  Stall& stall = node.mapped();
  stall.timer.cancel();
  events_.resumed(stream.signal, stream.tenant, executor_.clock().now() - stall.since);
  for (const auto& waiting : stall.waiting) {
    if (const auto candidate = waiting.lock()) candidate->resume();
  }
  for (StallListener* listener : std::vector(listeners_)) listener->on_stall_ended(stream);
}

std::size_t Stalls::count(otlp::Signal signal) const {
  return static_cast<std::size_t>(
      std::count_if(stalls_.begin(), stalls_.end(),
                    [signal](const auto& entry) { return entry.first.signal == signal; }));
}

std::vector<StallStatus> Stalls::status(const std::vector<otlp::Signal>& signals) const {
  std::vector<StallStatus> statuses;
  const SteadyTime now = executor_.clock().now();
  for (const otlp::Signal signal : signals) {
    const bool signal_fails = count(signal) > 0 && !ledger_.any_accepted(signal);
    std::size_t reported = 0;
    for (const auto& [stream, stall] : stalls_) {
      if (stream.signal != signal || ++reported > kTenantsReported) continue;
      StallStatus& status = statuses.emplace_back();
      status.scope = signal_fails ? StallStatus::Scope::kSignal : StallStatus::Scope::kTenant;
      status.signal = signal;
      status.tenant = stream.tenant;
      status.reason = stall.error.message;
      status.age = now - stall.since;
    }
  }
  const bool all = std::all_of(signals.begin(), signals.end(), [this](otlp::Signal signal) {
    return !ledger_.any_sent(signal) || (count(signal) > 0 && !ledger_.any_accepted(signal));
  });
  for (StallStatus& status : statuses) {
    if (all) status.scope = StallStatus::Scope::kDestination;
  }
  return statuses;
}

}  // namespace spanway::kafka_bridge
