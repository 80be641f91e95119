#include "services/kafka-bridge/retry_policy.h"

#include <algorithm>

namespace spanway::kafka_bridge {
namespace {

// Could be the bytes, could be the destination: only what fails while others pass is to blame.
Step step_for_unknown(const RetryConfig& config, const Refused& refused) noexcept {
  if (refused.unknown_tries < config.unknown_tries) return Step::kRetry;
  if (refused.neighbours_pass) return refused.single_item ? Step::kDeadLetter : Step::kHalve;
  if (!refused.others_tried) return Step::kRotate;
  if (refused.single_item || !refused.may_cut_blindly) return Step::kRotate;
  return Step::kHalve;
}

}  // namespace

Step next_step(const RetryConfig& config, const Refused& refused) noexcept {
  switch (refused.kind) {
    case Refusal::kTransient:
      return Step::kRetry;
    case Refusal::kData:
      return refused.single_item ? Step::kDeadLetter : Step::kHalve;
    case Refusal::kConfiguration:
      return Step::kStall;
    case Refusal::kUnknown:
      break;
  }
  return step_for_unknown(config, refused);
}

Duration retry_wait(const RetryConfig& config, Backoff& backoff,
                    std::optional<std::chrono::milliseconds> retry_after) noexcept {
  const Duration own = backoff.next();
  if (!retry_after) return own;
  return std::max(own, std::min<Duration>(*retry_after, config.retry_after_max));
}

}  // namespace spanway::kafka_bridge
