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

bool Permit::admits() const noexcept { return budget_ == nullptr || budget_->admits(); }

bool Permit::can_ever_hold(std::size_t total) const noexcept {
  return budget_ == nullptr || total <= budget_->limit();
}

void Permit::release() noexcept {
  if (budget_ != nullptr && bytes_ > 0) budget_->give_back(bytes_);
  bytes_ = 0;
}

bool MemoryBudget::take(std::size_t bytes) noexcept {
  const std::optional<std::size_t> before = take_own(bytes);
  if (!before) return false;
  if (parent_ == nullptr) return true;
  const std::size_t counted = above_free(*before + bytes) - above_free(*before);
  if (counted == 0 || parent_->take(counted)) return true;
  // Others may have come or gone meanwhile, so another part of this account lies above what is free
  // than the one that was requested: the parent must hold exactly what is left above it.
  const std::size_t held = used_.fetch_sub(bytes, std::memory_order_relaxed);
  const std::size_t undone = above_free(held) - above_free(held - bytes);
  if (undone > counted) parent_->give_back(undone - counted);
  if (undone < counted) parent_->take_anyway(counted - undone);
  return false;
}

void MemoryBudget::take_anyway(std::size_t bytes) noexcept {
  const std::size_t before = used_.fetch_add(bytes, std::memory_order_relaxed);
  if (parent_ != nullptr) parent_->take_anyway(above_free(before + bytes) - above_free(before));
}

std::optional<std::size_t> MemoryBudget::take_own(std::size_t bytes) noexcept {
  std::size_t used = used_.load(std::memory_order_relaxed);
  do {
    if (bytes > limit_ || used > limit_ - bytes) return std::nullopt;
  } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
  std::size_t peak = peak_.load(std::memory_order_relaxed);
  while (peak < used + bytes &&
         !peak_.compare_exchange_weak(peak, used + bytes, std::memory_order_relaxed)) {
  }
  return used;
}

void MemoryBudget::give_back(std::size_t bytes) noexcept {
  const std::size_t before = used_.fetch_sub(bytes, std::memory_order_relaxed);
  SPANWAY_ASSERT(before >= bytes);
  if (parent_ == nullptr) return;
  const std::size_t counted = above_free(before) - above_free(before - bytes);
  if (counted > 0) parent_->give_back(counted);
}

}  // namespace spanway
