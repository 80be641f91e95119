// Native histograms of Prometheus from OTLP's exponential and explicit ones.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "services/lib/otlp/metric_points.h"

namespace spanway::promseries {

// The value that marks the end of a series, and its bits.
inline constexpr std::uint64_t kStaleBits = 0x7ff0000000000002ULL;
double stale_marker() noexcept;

// The finest resolution of a native histogram, and the coarsest.
inline constexpr std::int32_t kScaleMax = 8;
inline constexpr std::int32_t kScaleMin = -4;
// The schema of explicit bounds.
inline constexpr std::int32_t kCustomBuckets = -53;

struct BucketSpan {
  std::int32_t offset = 0;  // From the end of the last span, or the index of the first bucket.
  std::uint32_t length = 0;
  bool operator==(const BucketSpan&) const = default;
};

// The fields of the remote-write message.
struct NativeHistogram {
  std::uint64_t count = 0;
  double sum = 0;
  std::int32_t schema = 0;
  double zero_threshold = 0;
  std::uint64_t zero_count = 0;
  std::span<const BucketSpan> positive_spans, negative_spans;
  std::span<const std::int64_t> positive_deltas, negative_deltas;  // To the bucket before.
  std::span<const double> custom_values;
  bool is_gauge = false;  // Delta temporality: no counter resets.
};

// Single-thread; keeps its scratch memory. Views are valid until the next call.
class NativeHistogramBuilder {
 public:
  // Scales above kScaleMax are merged down. False below kScaleMin, or for bucket indexes beyond 32
  // bits: a native histogram cannot hold these.
  bool from_exponential(const otlp::PointView& point, bool is_delta, NativeHistogram& out);
  bool from_explicit(const otlp::PointView& point, bool is_delta, NativeHistogram& out);

 private:
  struct Side {
    std::vector<BucketSpan> spans;
    std::vector<std::int64_t> deltas;
    std::int64_t last_count = 0;
    std::int64_t next_index = 0;
    void clear();
    bool add(std::int64_t index, std::uint64_t count);
    void add_to_span(std::int64_t count);
  };
  static bool lay_out(std::span<const std::uint64_t> counts, std::int64_t offset, int shift,
                      Side& side);
  Side positive_, negative_;
};

}  // namespace spanway::promseries
