#include "services/lib/base/memory_budget.h"

#include "services/lib/base/check.h"

namespace spanway {

bool Permit::grow_to(std::size_t total) noexcept {
  if (total <= bytes_) return true;
  if (budget_ != nullptr && !budget_->take(total - bytes_)) return false;
  bytes_ = total;
  return true;
}

void Permit::shrink_to(std::size_t total) noexcept {
  if (total >= bytes_) return;
  if (budget_ != nullptr) budget_->give_back(bytes_ - total);
  bytes_ = total;
}

void Permit::absorb(Permit&& other) noexcept {
  if (budget_ == nullptr && bytes_ == 0) {
    *this = std::move(other);
    return;
  }
  SPANWAY_CHECK(other.budget_ == budget_ || other.bytes_ == 0);
  bytes_ += std::exchange(other.bytes_, 0);
  other.budget_ = nullptr;
}

void Permit::release() noexcept {
  if (budget_ != nullptr && bytes_ > 0) budget_->give_back(bytes_);
  bytes_ = 0;
}

bool MemoryBudget::take(std::size_t bytes) noexcept {
  std::size_t used = used_.load(std::memory_order_relaxed);
  do {
    if (bytes > limit_ || used > limit_ - bytes) return false;
  } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
  std::size_t peak = peak_.load(std::memory_order_relaxed);
  while (peak < used + bytes &&
         !peak_.compare_exchange_weak(peak, used + bytes, std::memory_order_relaxed)) {
  }
  return true;
}

void MemoryBudget::give_back(std::size_t bytes) noexcept {
  [[maybe_unused]] const std::size_t before = used_.fetch_sub(bytes, std::memory_order_relaxed);
  SPANWAY_ASSERT(before >= bytes);
}

}  // namespace spanway
