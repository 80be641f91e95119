// Admission by bytes: a permit is acquired before memory is allocated for a request; without one,
// the client gets RESOURCE_EXHAUSTED or 429.
#pragma once

#include <atomic>
#include <cstddef>
#include <optional>
#include <utility>

#include "services/lib/base/memory_gate.h"

namespace spanway {

class MemoryBudget;

// The right to hold `bytes()` bytes, given back on destruction. Move-only; external lock.
class [[nodiscard]] Permit {
 public:
  Permit() = default;
  Permit(Permit&& other) noexcept
      : budget_(std::exchange(other.budget_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Permit& operator=(Permit&& other) noexcept {
    if (this != &other) {
      release();
      budget_ = std::exchange(other.budget_, nullptr);
      bytes_ = std::exchange(other.bytes_, 0);
    }
    return *this;
  }
  Permit(const Permit&) = delete;
  Permit& operator=(const Permit&) = delete;
  ~Permit() { release(); }

  std::size_t bytes() const noexcept { return bytes_; }
  // False while the process is near its limit: ask for no bytes that have yet to come.
  bool admits() const noexcept;
  // True when `total` bytes would be granted if no other permit existed.
  bool can_ever_hold(std::size_t total) const noexcept;
  // Asks for more, up to a total of `total` bytes. False changes nothing. A permit without a
  // budget (tests, in-process tools) grows freely.
  [[nodiscard]] bool grow_to(std::size_t total) noexcept;
  // Gives back what is above `total` bytes.
  void shrink_to(std::size_t total) noexcept;
  // Takes over the bytes of a permit of the same budget.
  void absorb(Permit&& other) noexcept;
  void release() noexcept;

 private:
  friend class MemoryBudget;
  Permit(MemoryBudget* budget, std::size_t bytes) noexcept : budget_(budget), bytes_(bytes) {}
  MemoryBudget* budget_ = nullptr;
  std::size_t bytes_ = 0;
};

// A process-wide sum of bytes that may be held at once. Thread-safe, lock-free. Must outlive its
// permits.
class MemoryBudget {
 public:
  // The gate, where there is one, is the process's and outlives the budget.
  explicit MemoryBudget(std::size_t limit_bytes, const MemoryGate* gate = nullptr) noexcept
      : limit_(limit_bytes), gate_(gate) {}
  // The account of one owner (connections, indexes): its bytes above `free_bytes` count in
  // `parent`, which outlives it, and are at most `limit_bytes` there.
  MemoryBudget(MemoryBudget& parent, std::size_t limit_bytes, std::size_t free_bytes = 0) noexcept
      : limit_((limit_bytes < parent.limit_ ? limit_bytes : parent.limit_) + free_bytes),
        gate_(parent.gate_),
        parent_(&parent),
        free_bytes_(free_bytes) {}
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  // Nothing when the budget would be passed.
  std::optional<Permit> try_acquire(std::size_t bytes) noexcept {
    if (!take(bytes)) return std::nullopt;
    return Permit(this, bytes);
  }
  // A permit of zero bytes that can grow.
  Permit empty_permit() noexcept { return Permit(this, 0); }

  // False while the process is near its limit, whatever this account says: take no new work.
  bool admits() const noexcept { return gate_ == nullptr || gate_->is_open(); }
  std::size_t limit() const noexcept { return limit_; }
  std::size_t used() const noexcept { return used_.load(std::memory_order_relaxed); }
  // For an owner's account: the bytes of it that count in its parent.
  std::size_t used_of_parent() const noexcept { return above_free(used()); }
  // The highest `used()` since the start.
  std::size_t peak() const noexcept { return peak_.load(std::memory_order_relaxed); }

 private:
  friend class Permit;
  bool take(std::size_t bytes) noexcept;
  // Returns what was used before; nothing when the limit would be passed.
  std::optional<std::size_t> take_own(std::size_t bytes) noexcept;
  std::size_t above_free(std::size_t bytes) const noexcept {
    return bytes > free_bytes_ ? bytes - free_bytes_ : 0;
  }
  void take_anyway(std::size_t bytes) noexcept;
  void give_back(std::size_t bytes) noexcept;
  const std::size_t limit_;
  const MemoryGate* const gate_;
  MemoryBudget* const parent_ = nullptr;
  const std::size_t free_bytes_ = 0;
  std::atomic<std::size_t> used_{0};
  std::atomic<std::size_t> peak_{0};
};

}  // namespace spanway
