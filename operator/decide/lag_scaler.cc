#include "operator/decide/lag_scaler.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

namespace spanway::decide {
namespace {

// A rebalance takes up to one session timeout to begin and its lag as long to be read.
constexpr std::int64_t kSettleSessions = 2;
// Two samples closer than this show no trend.
constexpr std::int64_t kSampleMs = 10'000;
// Lag that falls by less than this a sample does not shrink.
constexpr double kShrinkFactor = 0.98;
constexpr double kStepFactorMax = 2.0;
constexpr double kLowPart = 1.0 / 3;
// A count that was too low is not used again for so many stabilization times. The lag says only
// that there are enough consumers, never by how much: going down is a try that costs a rebalance
// and, when it was wrong, lag.
constexpr std::int64_t kTooFewFactor = 16;
constexpr std::int64_t kStabilizationSecondsMin = 5;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) noexcept { return (a + b - 1) / b; }

// The reports of one consumer group, summed up.
struct Lag {
  double of_moving = 0;   // The worst of partitions that are not stalled.
  double of_stalled = 0;  // The worst of those that are.
  std::int64_t moving = 0;
  std::int64_t lagging = 0;  // Moving ones above the target.
  std::int64_t partitions = 0;

  double worst() const noexcept { return std::max(of_moving, of_stalled); }
};

double seconds_of(const PartitionReport& report) noexcept {
  return std::isfinite(report.lag_seconds) ? std::max(0.0, report.lag_seconds) : 0;
}

Lag sum_up(const std::vector<PartitionReport>& reports, double target) {
  Lag lag;
  std::set<std::pair<std::string, std::int32_t>> seen;
  for (const PartitionReport& report : reports) {
    // While a partition moves, both of its owners may report it.
    lag.partitions += seen.emplace(report.topic, report.partition).second ? 1 : 0;
    const double seconds = seconds_of(report);
    if (report.stalled) {
      lag.of_stalled = std::max(lag.of_stalled, seconds);
      continue;
    }
    ++lag.moving;
    lag.lagging += seconds > target ? 1 : 0;
    lag.of_moving = std::max(lag.of_moving, seconds);
  }
  return lag;
}

// The count above `now` that serves `desired` best: one that divides the partitions evenly, else
// one that at least makes the busiest consumer read fewer; 0 when no count up to `limit` does.
std::int64_t raise(std::int64_t now, std::int64_t desired, std::int64_t limit,
                   std::int64_t partitions) {
  if (limit <= now) return 0;
  if (partitions <= 0) return std::min(desired, limit);
  const std::int64_t most = std::min(limit, now * 2);
  for (std::int64_t count = std::min(desired, most); count <= most; ++count) {
    if (count > now && partitions % count == 0) return count;
  }
  for (std::int64_t count = std::min(desired, most); count > now; --count) {
    if (partitions % count == 0) return count;
  }
  for (std::int64_t count = now + 1; count <= most; ++count) {
    const std::int64_t each = ceil_div(partitions, count);
    if (each < ceil_div(partitions, now) &&
        (count >= desired || each == ceil_div(partitions, std::min(desired, most)))) {
      return count;
    }
  }
  return 0;
}

// One step down, at most by half.
std::int64_t lower(std::int64_t now, std::int64_t least, std::int64_t partitions) {
  const std::int64_t lowest = std::max(least, ceil_div(now, 2));
  if (now <= lowest) return now;
  if (partitions <= 0) return now - 1;
  for (std::int64_t count = now - 1; count >= lowest; --count) {
    if (partitions % count == 0) return count;
  }
  // The least that share the partitions no worse than one fewer would.
  return std::max(lowest, ceil_div(partitions, ceil_div(partitions, now - 1)));
}

class Scaler {
 public:
  Scaler(const LagScalerInput& input, LagScalerMemory memory)
      : input_(input),
        memory_(std::move(memory)),
        target_(static_cast<double>(std::max<std::int64_t>(1, input.rules.target_lag_seconds))),
        lag_(sum_up(input.lag, target_)),
        partitions_(input.partitions > 0 || input.complete
                        ? std::max(input.partitions, lag_.partitions)
                        : 0),
        most_(std::max<std::int64_t>(1, partitions_ > 0
                                            ? std::min(input.rules.max_replicas, partitions_)
                                            : input.rules.max_replicas)),
        least_(std::clamp<std::int64_t>(input.rules.min_replicas, 1, most_)) {}

  LagScalerDecision run();

 private:
  std::int64_t settle_ms() const noexcept {
    return kSettleSessions * (input_.session_timeout / std::chrono::milliseconds(1));
  }
  bool high() const noexcept { return lag_.of_moving > target_; }
  LagScalerDecision stay(std::string reason, std::string message);
  LagScalerDecision limited(const char* reason);
  LagScalerDecision change(std::int64_t replicas, const char* reason);
  LagScalerDecision go_up();
  LagScalerDecision consider_scale_down();
  // A limit stays reported while the lag only fluctuates.
  void note_end_of_limit();
  std::string text(const std::string& reason) const;

  const LagScalerInput& input_;
  LagScalerMemory memory_;
  const double target_;
  const Lag lag_;
  const std::int64_t partitions_;
  const std::int64_t most_;
  const std::int64_t least_;
};

LagScalerDecision Scaler::stay(std::string reason, std::string message) {
  LagScalerDecision decision;
  decision.replicas = input_.replicas;
  if (!memory_.limited_by.empty()) {
    decision.limited = true;
    reason = memory_.limited_by;
    message = text(reason);
  }
  decision.reason = std::move(reason);
  decision.message = std::move(message);
  decision.memory = std::move(memory_);
  return decision;
}

LagScalerDecision Scaler::limited(const char* reason) {
  memory_.limited_by = reason;
  return stay(reason, "");
}

LagScalerDecision Scaler::change(std::int64_t replicas, const char* reason) {
  memory_.changed_at_ms = input_.now_ms;
  memory_.low_since_ms = 0;
  memory_.last_lag_at_ms = 0;
  memory_.limited_by.clear();
  LagScalerDecision decision;
  decision.replicas = replicas;
  decision.reason = reason;
  decision.message = "from " + std::to_string(input_.replicas) + " to " + std::to_string(replicas) +
                     " consumers for " + std::to_string(partitions_) + " partitions";
  decision.memory = std::move(memory_);
  return decision;
}

std::string Scaler::text(const std::string& reason) const {
  const std::string count = std::to_string(input_.replicas) + " consumers";
  if (reason == "AtMaxReplicas") {
    return count + ": autoscaling.maxReplicas (" + std::to_string(input_.rules.max_replicas) +
           ") allows no more that would help";
  }
  if (reason == "AtPartitionCount") {
    return count + " for " + std::to_string(partitions_) +
           " partitions: more would have nothing to read; raise kafka.topics.partitions";
  }
  if (reason == "DestinationStalled") {
    return "the destination refuses: more consumers would not help";
  }
  return "few partitions carry the lag: more consumers would not help; spread the records by "
         "bridge.produce.recordKey, or raise kafka.topics.partitions";
}

void Scaler::note_end_of_limit() {
  if (memory_.limited_by.empty()) return;
  const bool stalled = memory_.limited_by == "DestinationStalled";
  if ((stalled ? lag_.of_stalled : lag_.of_moving) < target_ / 2) memory_.limited_by.clear();
  if (memory_.limited_by == "AtMaxReplicas" && input_.replicas < most_ && partitions_ <= 0) {
    memory_.limited_by.clear();
  }
}

LagScalerDecision Scaler::go_up() {
  const double ratio = std::min(kStepFactorMax, lag_.of_moving / target_);
  const auto desired = std::max<std::int64_t>(
      input_.replicas + 1,
      static_cast<std::int64_t>(std::ceil(static_cast<double>(input_.replicas) * ratio)));
  if (input_.replicas >= most_) {
    const bool by_rule = partitions_ <= 0 || input_.rules.max_replicas < partitions_;
    return limited(by_rule ? "AtMaxReplicas" : "AtPartitionCount");
  }
  // A consumer that is too slow lags on all of its partitions; a partition has one consumer only.
  if (lag_.lagging <= input_.replicas && lag_.lagging * 2 < lag_.moving) {
    return limited("HotPartition");
  }
  const std::int64_t replicas = raise(input_.replicas, desired, most_, partitions_);
  if (replicas <= input_.replicas) return limited("AtMaxReplicas");
  memory_.too_few = input_.replicas;
  memory_.too_few_at_ms = std::max<std::int64_t>(1, input_.now_ms);
  return change(replicas, "ScaledUp");
}

LagScalerDecision Scaler::consider_scale_down() {
  // Stalled partitions count here: when their destination is back there is much to read.
  if (lag_.worst() >= target_ * kLowPart) {
    memory_.low_since_ms = 0;
    return stay("Steady", "");
  }
  if (memory_.low_since_ms == 0) memory_.low_since_ms = std::max<std::int64_t>(1, input_.now_ms);
  const std::int64_t wait_ms = input_.rules.scale_down_stabilization_seconds * 1000;
  if (input_.replicas <= least_ || input_.now_ms - memory_.low_since_ms < wait_ms) {
    return stay("Steady", "");
  }
  const std::int64_t remembered_ms =
      kTooFewFactor * 1000 *
      std::max(kStabilizationSecondsMin, input_.rules.scale_down_stabilization_seconds);
  const bool remembers =
      memory_.too_few_at_ms != 0 && input_.now_ms - memory_.too_few_at_ms < remembered_ms;
  const std::int64_t replicas = lower(input_.replicas, least_, partitions_);
  if (replicas >= input_.replicas || (remembers && replicas <= memory_.too_few)) {
    return stay("Steady", "");
  }
  return change(replicas, "ScaledDown");
}

LagScalerDecision Scaler::run() {
  // A clock that was set back must not delay decisions.
  memory_.changed_at_ms = std::min(memory_.changed_at_ms, input_.now_ms);
  memory_.low_since_ms = std::min(memory_.low_since_ms, input_.now_ms);
  memory_.last_lag_at_ms = std::min(memory_.last_lag_at_ms, input_.now_ms);
  memory_.too_few_at_ms = std::min(memory_.too_few_at_ms, input_.now_ms);
  // The bounds of the spec hold without reports.
  if (input_.replicas < least_) return change(least_, "ScaledUp");
  if (input_.replicas > input_.rules.max_replicas && input_.rules.max_replicas >= least_) {
    return change(std::max<std::int64_t>(1, most_), "ScaledDown");
  }
  if (memory_.changed_at_ms != 0 && input_.now_ms - memory_.changed_at_ms < settle_ms()) {
    return stay("Settling", "");
  }
  if (lag_.partitions == 0) {
    // A lag that was low may have grown meanwhile.
    memory_.low_since_ms = 0;
    memory_.last_lag_at_ms = 0;
    return stay("NoReports", "no consumer has reported its lag");
  }
  if (input_.complete && input_.replicas > most_) return change(most_, "ScaledDown");
  note_end_of_limit();
  if (memory_.last_lag_at_ms != 0 && input_.now_ms - memory_.last_lag_at_ms < kSampleMs) {
    return stay("Steady", "");
  }
  const bool first = memory_.last_lag_at_ms == 0;
  const bool shrinks = lag_.of_moving < memory_.last_lag_seconds * kShrinkFactor;
  memory_.last_lag_seconds = lag_.of_moving;
  memory_.last_lag_at_ms = std::max<std::int64_t>(1, input_.now_ms);
  if (high()) {
    memory_.low_since_ms = 0;
    if (first || shrinks) return stay("Steady", "");
    if (input_.pending > 0)
      return stay("PodsPending", std::to_string(input_.pending) +
                                     " consumers are Pending: more would wait with them");
    return go_up();
  }
  if (!input_.complete) {
    memory_.low_since_ms = 0;
    return stay("NoReports", "not all consumers have reported their lag");
  }
  if (lag_.of_stalled > target_) {
    memory_.low_since_ms = 0;
    return limited("DestinationStalled");
  }
  return consider_scale_down();
}

}  // namespace

LagScalerDecision scale_by_lag(const LagScalerInput& input, LagScalerMemory memory) {
  return Scaler(input, std::move(memory)).run();
}

std::string lag_bucket(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "";
  if (seconds < 10) return "<10s";
  if (seconds < 60) return "<1m";
  if (seconds < 600) return "<10m";
  if (seconds < 3600) return "<1h";
  return ">1h";
}

}  // namespace spanway::decide
