// Rows of samples, histograms and exemplars, each of one day.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "services/lib/block/block.h"
#include "services/lib/block/dictionary_column.h"
#include "services/lib/otlp/metric_points.h"
#include "services/lib/otlp_blocks/identity.h"
#include "services/lib/otlp_blocks/item_time.h"

namespace spanway::otlp_blocks {

// Whose point a row is. Views are valid during the call.
struct PointContext {
  std::string_view tenant;
  std::string_view metric;
  Hash128 series;
};

inline constexpr std::int64_t kNanosPerMs = 1'000'000;

// The columns that all three tables have.
class SeriesColumns {
 public:
  explicit SeriesColumns(block::Block& block);
  void append(const PointContext& context, std::int64_t time);

 private:
  block::DictionaryColumn &tenant_, &metric_;
  block::FixedColumn &series_id_, &ts_;
};

class SampleRows {
 public:
  explicit SampleRows(std::int32_t day);
  // `time` is a clamped one. The value of a stale sample is Prometheus's stale marker.
  void append(const PointContext& context, std::int64_t time, std::int64_t start_time, double value,
              bool is_stale);
  const block::Block& block() const noexcept { return block_; }
  block::Block take() { return std::move(block_); }

 private:
  block::Block block_;
  SeriesColumns series_;
  block::FixedColumn &value_, &start_ts_, &stale_;
};

// Explicit histograms, exponential ones (no bounds; `counts` are the positive buckets) and
// summaries
// (`bounds` are the quantiles). A histogram without a sum has NaN.
class HistogramRows {
 public:
  explicit HistogramRows(std::int32_t day);
  void append(const PointContext& context, otlp::MetricType type, const otlp::PointView& point);
  const block::Block& block() const noexcept { return block_; }
  block::Block take() { return std::move(block_); }

 private:
  block::Block block_;
  SeriesColumns series_;
  block::FixedColumn &start_ts_, &stale_, &count_, &sum_;
  block::NullableColumn &min_, &max_;
  block::ListColumn &bounds_, &counts_;
  block::FixedColumn &scale_, &zero_count_, &zero_threshold_, &pos_offset_, &neg_offset_;
  block::ListColumn &neg_counts_, &quantile_values_;
};

class ExemplarRows {
 public:
  explicit ExemplarRows(std::int32_t day);
  void append(const PointContext& context, const otlp::ExemplarView& exemplar);
  const block::Block& block() const noexcept { return block_; }
  block::Block take() { return std::move(block_); }

 private:
  block::Block block_;
  SeriesColumns series_;
  block::FixedColumn &value_, &trace_id_, &span_id_;
  block::ListColumn& labels_;
  std::string text_;
};

}  // namespace spanway::otlp_blocks
