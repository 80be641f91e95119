// The requests of a run and their times: a constant rate, whatever the answers do (an open loop).
#pragma once

#include <cstdint>

#include "services/lib/base/clock.h"

namespace spanway::load {

struct PlanOptions {
  double rate = 1000;  // Items per second; 0 = as fast as requests are answered.
  Duration duration = std::chrono::seconds(10);
  std::uint64_t batch = 512;  // Items per request; the last one takes what is left.
};

// Immutable, thread-safe. Requests are numbered from 0, items from 1.
class Plan {
 public:
  Plan(const PlanOptions& options, SteadyTime start) noexcept;

  // Without a rate the number of requests is not known; then it is the largest number.
  std::uint64_t request_count() const noexcept { return request_count_; }
  // Items in all; 0 without a rate.
  std::uint64_t item_count() const noexcept { return item_count_; }
  bool has_rate() const noexcept { return interval_ns_ > 0; }
  std::uint64_t first_item(std::uint64_t request) const noexcept { return 1 + request * batch_; }
  std::uint64_t items_of(std::uint64_t request) const noexcept;
  // When a request is due. Without a rate: the start.
  SteadyTime due(std::uint64_t request) const noexcept;
  SteadyTime start() const noexcept { return start_; }
  // No request is due at or after it.
  SteadyTime end() const noexcept { return end_; }

 private:
  const SteadyTime start_;
  const SteadyTime end_;
  const std::uint64_t batch_;
  double interval_ns_ = 0;  // Between requests.
  std::uint64_t item_count_ = 0;
  std::uint64_t request_count_ = 0;
};

}  // namespace spanway::load
