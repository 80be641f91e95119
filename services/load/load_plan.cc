#include "services/load/load_plan.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

namespace spanway::load {

Plan::Plan(const PlanOptions& options, SteadyTime start) noexcept
    : start_(start),
      end_(start + options.duration),
      batch_(std::max<std::uint64_t>(1, options.batch)) {
  if (options.rate <= 0) {
    request_count_ = std::numeric_limits<std::uint64_t>::max();
    return;
  }
  const double seconds = std::chrono::duration<double>(options.duration).count();
  item_count_ = static_cast<std::uint64_t>(std::llround(options.rate * seconds));
  request_count_ = (item_count_ + batch_ - 1) / batch_;
  interval_ns_ = 1e9 * static_cast<double>(batch_) / options.rate;
}

std::uint64_t Plan::items_of(std::uint64_t request) const noexcept {
  if (!has_rate()) return batch_;
  if (request >= request_count_) return 0;
  return std::min(batch_, item_count_ - request * batch_);
}

SteadyTime Plan::due(std::uint64_t request) const noexcept {
  // Computed from the start each time: errors do not add up.
  return start_ + Duration(std::llround(interval_ns_ * static_cast<double>(request)));
}

}  // namespace spanway::load
