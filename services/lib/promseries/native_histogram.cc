#include "services/lib/promseries/native_histogram.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace spanway::promseries {
namespace {

// The receiver of Prometheus takes it for every exponential histogram.
constexpr double kZeroThreshold = 1e-128;
// Shorter gaps between buckets are filled with empty ones: a span costs more.
constexpr std::int64_t kGapMax = 2;
constexpr int kShiftMax = 40;

void set_totals(const otlp::PointView& point, NativeHistogram& out) {
  out.sum = point.has_no_recorded_value() ? stale_marker() : point.sum.value_or(0);
  out.count = point.has_no_recorded_value() ? kStaleBits : point.count;
}

}  // namespace

double stale_marker() noexcept { return std::bit_cast<double>(kStaleBits); }

void NativeHistogramBuilder::Side::clear() {
  spans.clear();
  deltas.clear();
  last_count = next_index = 0;
}

void NativeHistogramBuilder::Side::add_to_span(std::int64_t count) {
  ++spans.back().length;
  // Counts above 2^63 wrap around as they do in the receiver.
  deltas.push_back(static_cast<std::int64_t>(static_cast<std::uint64_t>(count) -
                                             static_cast<std::uint64_t>(last_count)));
  last_count = count;
  ++next_index;
}

bool NativeHistogramBuilder::Side::add(std::int64_t index, std::uint64_t count) {
  if (count == 0) return true;
  if (index < std::numeric_limits<std::int32_t>::min() ||
      index > std::numeric_limits<std::int32_t>::max())
    return false;
  const std::int64_t gap = index - next_index;
  if (spans.empty() || gap > kGapMax) {
    if (gap > std::numeric_limits<std::int32_t>::max()) return false;
    spans.push_back({static_cast<std::int32_t>(gap), 0});
    next_index = index;
  }
  while (next_index < index) add_to_span(0);
  add_to_span(static_cast<std::int64_t>(count));
  return true;
}

// Bucket i of `counts` has the index (offset + i) >> shift, of which several may be equal.
bool NativeHistogramBuilder::lay_out(std::span<const std::uint64_t> counts, std::int64_t offset,
                                     int shift, Side& side) {
  side.clear();
  std::int64_t index = 0;
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const std::int64_t next = (offset + static_cast<std::int64_t>(i)) >> shift;
    if (next != index) {
      if (!side.add(index, count)) return false;
      index = next;
      count = 0;
    }
    count += counts[i];
  }
  return side.add(index, count);
}

bool NativeHistogramBuilder::from_exponential(const otlp::PointView& point, bool is_delta,
                                              NativeHistogram& out) {
  if (point.scale < kScaleMin) return false;
  // Beyond kShiftMax, all buckets of a side are one already.
  const int shift = std::clamp(point.scale - kScaleMax, 0, kShiftMax);
  // OTLP's bucket 0 begins at 1, that of Prometheus ends there.
  const auto offset_of = [shift](const otlp::BucketsView& buckets) {
    return static_cast<std::int64_t>(buckets.offset) + (std::int64_t{1} << shift);
  };
  if (!lay_out(point.positive.counts, offset_of(point.positive), shift, positive_) ||
      !lay_out(point.negative.counts, offset_of(point.negative), shift, negative_))
    return false;
  out = NativeHistogram{};
  out.schema = std::min(point.scale, kScaleMax);
  out.zero_threshold = kZeroThreshold;
  out.zero_count = point.zero_count;
  out.is_gauge = is_delta;
  out.positive_spans = positive_.spans;
  out.positive_deltas = positive_.deltas;
  out.negative_spans = negative_.spans;
  out.negative_deltas = negative_.deltas;
  set_totals(point, out);
  return true;
}

bool NativeHistogramBuilder::from_explicit(const otlp::PointView& point, bool is_delta,
                                           NativeHistogram& out) {
  if (!lay_out(point.counts, 0, 0, positive_)) return false;
  out = NativeHistogram{};
  out.schema = kCustomBuckets;
  out.is_gauge = is_delta;
  out.positive_spans = positive_.spans;
  out.positive_deltas = positive_.deltas;
  out.custom_values = point.bounds;
  set_totals(point, out);
  return true;
}

}  // namespace spanway::promseries
