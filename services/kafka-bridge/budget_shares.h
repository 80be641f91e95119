// How much of the memory budget the batches of each signal may hold, so that a signal whose
// destination refuses or delays everything never takes what the others need.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "services/kafka-bridge/events.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/otlp/signal.h"

namespace spanway::kafka_bridge {

// Single-thread; shared by all partitions of one destination. Sinks in this process may need more
// for a batch than its bytes: a quarter of the budget stays theirs. Of the rest each signal keeps
// half of an equal share in reserve, and may take what the others have not reserved.
class BudgetShares {
 public:
  BudgetShares(const MemoryBudget& budget, const std::vector<otlp::Signal>& signals)
      : budget_(budget), limit_(budget.limit() - budget.limit() / 4) {
    for (const otlp::Signal signal : signals) {
      reserve_[otlp::index_of(signal)] = limit_ / (2 * std::max<std::size_t>(1, signals.size()));
    }
  }

  // A holder of `held` bytes wants `bytes` in all.
  bool may_hold(otlp::Signal signal, std::size_t held, std::size_t bytes) const noexcept {
    std::size_t reserved = 0;
    for (std::size_t i = 0; i < kSignalCount; ++i) {
      if (i != otlp::index_of(signal)) reserved += reserve_[i] - std::min(reserve_[i], used_[i]);
    }
    const std::size_t used = budget_.used();
    return used - std::min(used, held) + bytes + reserved <= limit_;
  }
  void change(otlp::Signal signal, std::size_t before, std::size_t after) noexcept {
    std::size_t& used = used_[otlp::index_of(signal)];
    used = used - std::min(used, before) + after;
  }
  // Planned cuts are filled to their end or not at all, so several half-filled ones could wait for
  // each other's memory: only the lane that has the turn may keep one while memory is short.
  bool take_turn(const void* holder) noexcept {
    if (turn_ == nullptr) turn_ = holder;
    return turn_ == holder;
  }
  void end_turn(const void* holder) noexcept {
    if (turn_ == holder) turn_ = nullptr;
  }
  std::size_t used(otlp::Signal signal) const noexcept { return used_[otlp::index_of(signal)]; }
  std::size_t limit() const noexcept { return limit_; }

 private:
  const MemoryBudget& budget_;
  const std::size_t limit_;
  std::array<std::size_t, kSignalCount> reserve_{};
  std::array<std::size_t, kSignalCount> used_{};
  const void* turn_ = nullptr;
};

}  // namespace spanway::kafka_bridge
