// Latencies in buckets of at most 0.8 % width, from a microsecond to hours (as HdrHistogram does).
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "services/lib/base/clock.h"

namespace spanway::load {

// External lock. 40 KiB.
class LatencyHistogram {
 public:
  void record(Duration latency, std::uint64_t count = 1) noexcept;
  void merge(const LatencyHistogram& other) noexcept;

  std::uint64_t count() const noexcept { return count_; }
  // The upper edge of the bucket that holds the quantile in [0, 1], at most max(); zero when empty.
  Duration quantile(double q) const noexcept;
  Duration max() const noexcept { return max_; }
  Duration mean() const noexcept;

 private:
  // Values below 2 * kSteps microseconds have buckets of their own; above, each power of two is
  // cut into kSteps buckets.
  static constexpr unsigned kStepBits = 7;
  static constexpr std::uint64_t kSteps = 1u << kStepBits;
  static constexpr unsigned kMaxBits = 40;  // 2^40 us = 12 days; more counts as that.
  static constexpr std::size_t kBuckets = (kMaxBits - kStepBits + 1) * kSteps;

  static std::size_t bucket_of(std::uint64_t us) noexcept;
  static std::uint64_t upper_edge(std::size_t bucket) noexcept;

  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
  double sum_ns_ = 0;
  Duration max_{0};
};

}  // namespace spanway::load
