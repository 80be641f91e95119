// What to do with a batch that the destination has refused. Pure decisions; delivery.h acts on
// them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "services/kafka-bridge/config.h"
#include "services/lib/base/backoff.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"

namespace spanway::kafka_bridge {

enum class Step {
  kRetry,       // The same bytes again, after a wait.
  kRotate,      // The other pieces of this batch first: if they pass, this one is the culprit.
  kHalve,       // Cut in two, to find the culprit.
  kDeadLetter,  // Alone, and never going to pass.
  kStall,       // Nothing will pass before somebody changes a setting.
};

// What is known when a piece has been refused.
struct Refused {
  Refusal kind = Refusal::kUnknown;
  bool single_item = false;
  // Refusals of kind unknown of these bytes, this one included.
  std::int64_t unknown_tries = 0;
  // Others of the same signal and tenant passed after this piece was first refused, and it was
  // refused again after that.
  bool neighbours_pass = false;
  // The other pieces have had their turn, or there are none.
  bool others_tried = false;
  // No more pieces may be made without a neighbour passing: the destination itself is broken.
  bool may_cut_blindly = true;
};

Step next_step(const RetryConfig& config, const Refused& refused) noexcept;

// How long to wait: the back-off, or what the destination asked for, if that is longer.
Duration retry_wait(const RetryConfig& config, Backoff& backoff,
                    std::optional<std::chrono::milliseconds> retry_after) noexcept;

}  // namespace spanway::kafka_bridge
