// Admission by bytes: whoever is about to hold memory for a request asks first, and says no to the
// client when there is none left.
#pragma once

#include <atomic>
#include <cstddef>
#include <optional>
#include <utility>

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
  explicit MemoryBudget(std::size_t limit_bytes) noexcept : limit_(limit_bytes) {}
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  // Nothing when the budget would be passed.
  std::optional<Permit> try_acquire(std::size_t bytes) noexcept {
    if (!take(bytes)) return std::nullopt;
    return Permit(this, bytes);
  }
  // A permit of zero bytes that can grow.
  Permit empty_permit() noexcept { return Permit(this, 0); }

  std::size_t limit() const noexcept { return limit_; }
  std::size_t used() const noexcept { return used_.load(std::memory_order_relaxed); }
  // The highest `used()` since the start.
  std::size_t peak() const noexcept { return peak_.load(std::memory_order_relaxed); }

 private:
  friend class Permit;
  bool take(std::size_t bytes) noexcept;
  void give_back(std::size_t bytes) noexcept;
  const std::size_t limit_;
  std::atomic<std::size_t> used_{0};
  std::atomic<std::size_t> peak_{0};
};

}  // namespace spanway
