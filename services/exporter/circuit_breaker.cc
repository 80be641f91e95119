#include "services/exporter/circuit_breaker.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace spanway::exporter {
namespace {

// While a probe of the same signal and tenant has no answer.
constexpr Duration kProbeWait = std::chrono::seconds(1);

enum class Evidence { kNone, kWorks, kFails };

// RESOURCE_EXHAUSTED is a limit: of a destination that works and takes less, or of this process.
Evidence evidence_of(const Result<pipeline::Outcome>& result) {
  if (result.ok()) return Evidence::kWorks;
  const Error& error = result.error();
  if (error.refusal == Refusal::kData) return Evidence::kWorks;
  if (error.code == Code::kResourceExhausted) return Evidence::kNone;
  for (const std::string_view own : {"client_queue_full", "draining", "sink_stopped"})
    if (own == error.reason) return Evidence::kNone;
  return Evidence::kFails;
}

}  // namespace

std::string_view to_string(CircuitBreaker::State state) noexcept {
  switch (state) {
    case CircuitBreaker::State::kClosed:
      return "closed";
    case CircuitBreaker::State::kOpen:
      return "open";
    case CircuitBreaker::State::kHalfOpen:
      break;
  }
  return "half_open";
}

CircuitBreaker::Stream& CircuitBreaker::stream_of(otlp::Signal signal, const std::string& tenant) {
  const Key key(signal, tenant);
  const auto found = streams_.find(key);
  if (found != streams_.end()) return found->second;
  return streams_.size() < kStreamsMax ? streams_[key] : streams_.begin()->second;
}

// Streams without an answer in the window are forgotten while the circuit is closed.
void CircuitBreaker::turn_window(SteadyTime now) {
  const Duration half = config_.window / 2;
  if (now - half_began_ < half) return;
  const bool both = now - half_began_ >= config_.window;
  half_began_ = now;
  for (auto& [key, stream] : streams_)
    stream.halves = {Counts{}, both ? Counts{} : stream.halves[0]};
  std::erase_if(streams_, [](const auto& entry) {
    return entry.second.halves[1].answers == 0 && !entry.second.probing;
  });
}

bool CircuitBreaker::all_fail() const {
  std::uint64_t answers = 0;
  for (const auto& [key, stream] : streams_) {
    const std::uint64_t own = stream.halves[0].answers + stream.halves[1].answers;
    const std::uint64_t failures = stream.halves[0].failures + stream.halves[1].failures;
    if (static_cast<double>(failures) < config_.failure_ratio * static_cast<double>(own))
      return false;
    answers += own;
  }
  return answers >= static_cast<std::uint64_t>(config_.answers_min);
}

CircuitBreaker::Change CircuitBreaker::close() {
  if (!open_) return Change::kNone;
  open_ = false;
  last_failure_.clear();
  // Answers that are under way belong to the new window.
  for (auto& [key, stream] : streams_) stream = Stream{};
  probes_ = 0;
  return Change::kClosed;
}

Duration CircuitBreaker::admit(otlp::Signal signal, const std::string& tenant, SteadyTime now) {
  if (!config_.enabled) return Duration::zero();
  MutexLock lock(mutex_);
  if (!open_) return Duration::zero();
  Stream& stream = stream_of(signal, tenant);
  if (stream.probing) return kProbeWait;
  if (stream.failed && now < stream.probe_at) return stream.probe_at - now;
  stream.probing = true;
  ++probes_;
  return Duration::zero();
}

CircuitBreaker::Change CircuitBreaker::answered(otlp::Signal signal, const std::string& tenant,
                                                const Result<pipeline::Outcome>& result,
                                                SteadyTime now) {
  if (!config_.enabled) return Change::kNone;
  const Evidence evidence = evidence_of(result);
  MutexLock lock(mutex_);
  if (!open_) turn_window(now);
  Stream& stream = stream_of(signal, tenant);
  if (std::exchange(stream.probing, false)) --probes_;
  if (evidence == Evidence::kNone) return Change::kNone;
  if (evidence == Evidence::kWorks) {
    ++stream.halves[0].answers;
    stream.failed = false;
    return close();
  }
  stream.failed = true;
  stream.probe_at = now + config_.open_for;
  if (open_) {
    last_failure_ = result.error().message;
    return Change::kNone;
  }
  ++stream.halves[0].answers;
  ++stream.halves[0].failures;
  if (!all_fail()) return Change::kNone;
  open_ = true;
  last_failure_ = result.error().message;
  for (auto& [key, other] : streams_) other.probe_at = stream.probe_at;
  return Change::kOpened;
}

CircuitBreaker::Change CircuitBreaker::probed(const Result<pipeline::Outcome>& result) {
  MutexLock lock(mutex_);
  return result.ok() ? close() : Change::kNone;
}

CircuitBreaker::State CircuitBreaker::state() const {
  MutexLock lock(mutex_);
  if (!open_) return State::kClosed;
  return probes_ > 0 ? State::kHalfOpen : State::kOpen;
}

std::string CircuitBreaker::last_failure() const {
  MutexLock lock(mutex_);
  return last_failure_;
}

}  // namespace spanway::exporter
