// How much of the memory budget the batches of each signal and tenant may hold, so that a stream
// whose destination refuses or delays everything never takes what the others need.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <vector>

#include "services/kafka-bridge/consume/evidence.h"
#include "services/kafka-bridge/events.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/otlp/signal.h"

namespace spanway::kafka_bridge {

// Single-thread; shared by all partitions of one destination. Sinks in this process may need more
// for a batch than its bytes: a quarter of the budget stays theirs. Of the rest each signal keeps
// half of an equal share in reserve, and may take what the others have not reserved. Of what is
// then free for a signal, a tenant may take as much as it leaves: n tenants that never give
// anything back hold n of n + 1 parts, and the last part is free for the others. Bound: an entry
// for each stream that has a delivery in memory.
class BudgetShares {
 public:
  BudgetShares(const MemoryBudget& budget, const std::vector<otlp::Signal>& signals)
      : budget_(budget), limit_(budget.limit() - budget.limit() / 4) {
    for (const otlp::Signal signal : signals) {
      reserve_[otlp::index_of(signal)] = limit_ / (2 * std::max<std::size_t>(1, signals.size()));
    }
  }

  // May a holder of `held` bytes hold `bytes` in all?
  bool may_hold(otlp::Signal signal, std::size_t held, std::size_t bytes) const noexcept {
    const std::size_t used = budget_.used();
    return used - std::min(used, held) + bytes + reserved_by_others(signal) <= limit_;
  }
  // The tenant's batches and `bytes` more are within its share. One batch always is.
  bool within_tenant_share(const Stream& stream, std::size_t bytes) const noexcept {
    const std::size_t own = used(stream);
    return own == 0 || own + bytes <= free_for(stream.signal);
  }
  // Reports a change of one tenant's deliveries.
  void change(const Stream& stream, std::size_t before, std::size_t after) {
    if (before == after) return;
    std::size_t& used = tenants_[stream];
    used = used - std::min(used, before) + after;
    if (used == 0) tenants_.erase(stream);
  }
  // Reports a change of all that a lane holds.
  void change(otlp::Signal signal, std::size_t before, std::size_t after) noexcept {
    std::size_t& used = used_[otlp::index_of(signal)];
    used = used - std::min(used, before) + after;
  }
  // Planned ranges are filled to their end or not at all, so several half-filled ones could wait
  // for each other's memory: only the lane that has the turn may keep one while memory is short.
  bool take_turn(const void* holder) noexcept {
    if (turn_ == nullptr) turn_ = holder;
    return turn_ == holder;
  }
  void end_turn(const void* holder) noexcept {
    if (turn_ == holder) turn_ = nullptr;
  }
  std::size_t used(otlp::Signal signal) const noexcept { return used_[otlp::index_of(signal)]; }
  std::size_t used(const Stream& stream) const noexcept {
    const auto found = tenants_.find(stream);
    return found == tenants_.end() ? 0 : found->second;
  }
  std::size_t limit() const noexcept { return limit_; }

 private:
  std::size_t reserved_by_others(otlp::Signal signal) const noexcept {
    std::size_t reserved = 0;
    for (std::size_t i = 0; i < kSignalCount; ++i) {
      if (i != otlp::index_of(signal)) reserved += reserve_[i] - std::min(reserve_[i], used_[i]);
    }
    return reserved;
  }
  std::size_t free_for(otlp::Signal signal) const noexcept {
    return limit_ - std::min(limit_, budget_.used() + reserved_by_others(signal));
  }

  const MemoryBudget& budget_;
  const std::size_t limit_;
  std::array<std::size_t, kSignalCount> reserve_{};
  std::array<std::size_t, kSignalCount> used_{};
  std::map<Stream, std::size_t> tenants_;
  const void* turn_ = nullptr;
};

}  // namespace spanway::kafka_bridge
