#include "services/load/latency_histogram.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace spanway::load {

std::size_t LatencyHistogram::bucket_of(std::uint64_t us) noexcept {
  us = std::min(us, (std::uint64_t{1} << kMaxBits) - 1);
  if (us < 2 * kSteps) return static_cast<std::size_t>(us);
  const unsigned shift = static_cast<unsigned>(std::bit_width(us)) - kStepBits - 1;
  return static_cast<std::size_t>(shift * kSteps + (us >> shift));
}

std::uint64_t LatencyHistogram::upper_edge(std::size_t bucket) noexcept {
  if (bucket < 2 * kSteps) return bucket;
  const std::uint64_t shift = bucket / kSteps - 1;
  const std::uint64_t step = bucket - shift * kSteps;
  return ((step + 1) << shift) - 1;
}

void LatencyHistogram::record(Duration latency, std::uint64_t count) noexcept {
  latency = std::max(latency, Duration::zero());
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(latency).count();
  buckets_[bucket_of(static_cast<std::uint64_t>(us))] += count;
  count_ += count;
  sum_ns_ += static_cast<double>(latency.count()) * static_cast<double>(count);
  max_ = std::max(max_, latency);
}

void LatencyHistogram::merge(const LatencyHistogram& other) noexcept {
  for (std::size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ns_ += other.sum_ns_;
  max_ = std::max(max_, other.max_);
}

Duration LatencyHistogram::quantile(double q) const noexcept {
  if (count_ == 0) return Duration::zero();
  const auto rank =
      static_cast<std::uint64_t>(std::max(1.0, std::ceil(q * static_cast<double>(count_))));
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    below += buckets_[i];
    if (below >= rank) {
      return std::min(max_, Duration(std::chrono::microseconds(upper_edge(i) + 1)));
    }
  }
  return max_;
}

Duration LatencyHistogram::mean() const noexcept {
  if (count_ == 0) return Duration::zero();
  return Duration(std::llround(sum_ns_ / static_cast<double>(count_)));
}

}  // namespace spanway::load
