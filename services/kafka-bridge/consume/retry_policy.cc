#include "services/kafka-bridge/consume/retry_policy.h"

#include <algorithm>
#include <cmath>
#include <string_view>

namespace spanway::kafka_bridge {
namespace {

constexpr double kChanceMax = 1e-6;
constexpr std::int64_t kTriesMax = 1000;

// It may be stored already, and its halves would be stored a second time. Parts of a batch that has
// failed for the whole time wait less.
bool may_be_stored(const Refused& refused, Duration failing) noexcept {
  return refused.stored_once && refused.kind == Refusal::kTransient && !refused.single_item &&
         failing < (refused.full_batch ? kUnansweredWait : kAloneWait);
}

// Others are accepted, this one is not: whatever the kind, the fault is in these bytes.
Step step_against(const RetryConfig& config, const Refused& refused) noexcept {
  if (refused.kind != Refusal::kData) {
    // Parts of a batch that has failed so often are halved at once: that loses nothing.
    const bool is_part = !refused.full_batch && !refused.single_item;
    std::int64_t needed = is_part ? 1 : tries_to_blame(config, refused.others);
    // While the stream stalls, a part that is accepted ends the stall.
    if (refused.probe && !refused.single_item) needed = std::min(needed, config.unknown_tries);
    if (refused.tries < needed || may_be_stored(refused, refused.alone_for)) return Step::kRetry;
    const bool between_others = refused.tries_alone >= needed;
    if (refused.single_item && !between_others && refused.alone_for < kAloneWait) {
      return Step::kRetry;
    }
  }
  if (refused.single_item) return Step::kSuspect;
  return refused.may_halve ? Step::kHalve : Step::kRotate;
}

// Nothing is accepted, so there is no evidence whether the bytes or the destination are at fault.
// Halving may give it.
Step step_blind_data(const Refused& refused) noexcept {
  if (!refused.single_item) return refused.may_halve ? Step::kHalve : Step::kStall;
  if (refused.others_fail) return Step::kStall;
  return refused.others_tried ? Step::kSuspect : Step::kRotate;
}

Step step_blind_transient(const RetryConfig& config, const Refused& refused) noexcept {
  if (refused.tries < 2 || refused.failing_for < kTransientStall) return Step::kRetry;
  // A batch that is too large to be answered in time may be accepted in parts.
  const bool halve = refused.probe && refused.timed_out && refused.tries >= config.unknown_tries &&
                     !may_be_stored(refused, refused.failing_for);
  return halve && !refused.single_item && refused.may_halve ? Step::kHalve : Step::kStall;
}

Step step_blind_unknown(const RetryConfig& config, const Refused& refused) noexcept {
  const std::int64_t needed = refused.full_batch || !refused.probe ? config.unknown_tries : 1;
  if (refused.tries < needed) return Step::kRetry;
  const bool halve = refused.probe && !refused.single_item && refused.may_halve;
  return halve ? Step::kHalve : Step::kStall;
}

}  // namespace

Step next_step(const RetryConfig& config, const Refused& refused) noexcept {
  if (refused.others_accepted) return step_against(config, refused);
  switch (refused.kind) {
    case Refusal::kConfiguration:
      return Step::kStall;
    case Refusal::kData:
      return step_blind_data(refused);
    case Refusal::kTransient:
      return step_blind_transient(config, refused);
    case Refusal::kUnknown:
      break;
  }
  return step_blind_unknown(config, refused);
}

std::int64_t tries_to_blame(const RetryConfig& config,
                            const EvidenceLedger::Counts& others) noexcept {
  if (others.refused == 0) return config.unknown_tries;
  const auto refused = static_cast<double>(others.refused);
  const double chance = refused / (refused + static_cast<double>(others.accepted));
  if (chance >= 0.99) return kTriesMax;
  const double needed = std::ceil(std::log(kChanceMax) / std::log(chance));
  return std::clamp(static_cast<std::int64_t>(needed), config.unknown_tries, kTriesMax);
}

bool is_circuit_open(const Error& error) noexcept {
  return std::string_view(error.reason) == "circuit_open";
}

Duration retry_wait(const RetryConfig& config, Backoff& backoff,
                    std::optional<std::chrono::milliseconds> retry_after) noexcept {
  const Duration own = backoff.next();
  if (!retry_after) return own;
  return std::max(own, std::min<Duration>(*retry_after, config.retry_after_max));
}

}  // namespace spanway::kafka_bridge
