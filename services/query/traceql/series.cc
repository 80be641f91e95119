#include "services/query/traceql/series.h"

#include <bit>
#include <cmath>

namespace spanway::query::traceql {
namespace {

constexpr std::int64_t kNanosPerMs = 1'000'000;
constexpr double kNanosPerSecond = 1e9;

Error bad_range(std::string what) {
  return invalid_argument(std::move(what)).with_reason("bad_range");
}

}  // namespace

Result<Intervals> Intervals::range(std::int64_t begin_nanos, std::int64_t end_nanos,
                                   std::int64_t step_nanos) {
  if (begin_nanos <= 0) return bad_range("start required");
  if (end_nanos <= begin_nanos) return bad_range("end must be greater than start");
  if (step_nanos <= 0) return bad_range("step must be greater than 0");
  Intervals result;
  result.step_ = step_nanos;
  result.begin_ = begin_nanos - begin_nanos % step_nanos;
  const std::int64_t beyond = end_nanos % step_nanos;
  result.end_ = beyond == 0 ? end_nanos : end_nanos + (step_nanos - beyond);
  if (result.begin_ > step_nanos) result.begin_ -= step_nanos;
  const std::int64_t count = (result.end_ - result.begin_) / step_nanos;
  if (count > kCountMax)
    return bad_range("the range has " + std::to_string(count) + " steps, more than " +
                     std::to_string(kCountMax) + "; use a larger step or a shorter range");
  result.count_ = static_cast<std::size_t>(count);
  return result;
}

Result<Intervals> Intervals::instant(std::int64_t begin_nanos, std::int64_t end_nanos) {
  if (begin_nanos <= 0) return bad_range("start required");
  if (end_nanos <= begin_nanos) return bad_range("end must be greater than start");
  Intervals result;
  result.begin_ = begin_nanos;
  result.end_ = end_nanos;
  result.step_ = end_nanos - begin_nanos;
  result.count_ = 1;
  result.is_instant_ = true;
  return result;
}

std::optional<std::size_t> Intervals::find(std::int64_t time_nanos) const noexcept {
  if (time_nanos > end_ || time_nanos < begin_) return std::nullopt;
  if (is_instant_) return 0;
  if (time_nanos == begin_) return std::nullopt;
  return static_cast<std::size_t>((time_nanos - begin_ - 1) / step_);
}

std::int64_t Intervals::time_ms(std::size_t interval) const noexcept {
  return (is_instant_ ? end_ : begin_ + (static_cast<std::int64_t>(interval) + 1) * step_) /
         kNanosPerMs;
}

double Intervals::step_seconds() const noexcept {
  return static_cast<double>(step_) / kNanosPerSecond;
}

std::optional<double> log2_bucket(std::uint64_t value) noexcept {
  if (value < 2) return std::nullopt;
  return std::exp2(std::bit_width(value - 1));
}

double log2_quantile(double quantile, const std::vector<Bucket>& buckets) {
  std::uint64_t total = 0;
  for (const Bucket& bucket : buckets) total += bucket.count;
  if (total == 0) return 0;
  // Rounded up, so that a few values have quantiles, too; at least one value is read.
  const auto rank = std::max<std::uint64_t>(
      1, static_cast<std::uint64_t>(std::ceil(quantile * static_cast<double>(total))));
  std::uint64_t below = 0;
  std::size_t at = 0;
  while (at + 1 < buckets.size() && below + buckets[at].count < rank) below += buckets[at++].count;
  const Bucket& bucket = buckets[at];
  if (below + bucket.count <= rank) return bucket.max;
  const double share = static_cast<double>(rank - below) / static_cast<double>(bucket.count);
  const double high = std::log2(bucket.max);
  const double low = at > 0 ? std::log2(buckets[at - 1].max) : high - 1;
  return std::exp2(low + (high - low) * share);
}

}  // namespace spanway::query::traceql
