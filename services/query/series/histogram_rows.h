// Rows of the table of histograms.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "services/lib/base/result.h"
#include "services/lib/block/block.h"

namespace spanway::query {

// One point. Views are valid as long as the block.
struct HistogramRow {
  std::string_view series_id;
  std::int64_t time_ms = 0;
  std::int64_t start_ms = 0;
  bool is_stale = false;
  std::uint64_t count = 0;
  double sum = 0;                           // NaN = none was sent.
  std::span<const double> bounds;           // Quantiles, for a summary.
  std::span<const std::uint64_t> counts;    // Positive buckets, for an exponential histogram.
  std::span<const double> quantile_values;  // Empty but for a summary.
  int scale = 0;
  std::uint64_t zero_count = 0;
  std::int32_t positive_offset = 0;
  std::int32_t negative_offset = 0;
  std::span<const std::uint64_t> negative_counts;
};

class HistogramRows {
 public:
  // The block outlives it. INTERNAL, data, "stored_value_unreadable" when a column is missing.
  static Result<HistogramRows> of(const block::Block& block);
  std::size_t count() const noexcept { return ids_->rows(); }
  HistogramRow row(std::size_t index) const;

 private:
  const block::FixedColumn *ids_ = nullptr, *times_ = nullptr, *starts_ = nullptr,
                           *stale_ = nullptr, *counts_of_points_ = nullptr, *sums_ = nullptr,
                           *scales_ = nullptr, *zero_counts_ = nullptr, *offsets_ = nullptr,
                           *negative_offsets_ = nullptr;
  const block::ListColumn *bounds_ = nullptr, *counts_ = nullptr, *negative_counts_ = nullptr,
                          *quantile_values_ = nullptr;
};

}  // namespace spanway::query
