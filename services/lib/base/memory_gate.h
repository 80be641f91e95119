// Admission by the memory that the kernel counts for the process: the check of the account that
// permits keep.
#pragma once

#include <atomic>
#include <cstddef>

namespace spanway {

// One per process; written by runtime::MemoryWatch, read before each request. Thread-safe.
class MemoryGate {
 public:
  explicit MemoryGate(std::size_t limit_bytes) noexcept : limit_(limit_bytes) {}
  MemoryGate(const MemoryGate&) = delete;
  MemoryGate& operator=(const MemoryGate&) = delete;

  // False: refuse new work, for now.
  bool is_open() const noexcept { return open_.load(std::memory_order_relaxed); }
  // For the process.
  std::size_t limit() const noexcept { return limit_; }
  // As last measured, and the most that was.
  std::size_t resident() const noexcept { return resident_.load(std::memory_order_relaxed); }
  std::size_t peak() const noexcept { return peak_.load(std::memory_order_relaxed); }

  // By one thread.
  void measured(std::size_t resident_bytes, bool open) noexcept {
    resident_.store(resident_bytes, std::memory_order_relaxed);
    if (resident_bytes > peak()) peak_.store(resident_bytes, std::memory_order_relaxed);
    open_.store(open, std::memory_order_relaxed);
  }

 private:
  const std::size_t limit_;
  std::atomic<bool> open_{true};
  std::atomic<std::size_t> resident_{0};
  std::atomic<std::size_t> peak_{0};
};

}  // namespace spanway
