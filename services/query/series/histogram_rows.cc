#include "services/query/series/histogram_rows.h"

namespace spanway::query {
namespace {

template <typename T>
std::span<const T> list_at(const block::ListColumn& column, std::size_t row) {
  const auto& nested = static_cast<const block::FixedColumn&>(column.nested());
  return nested.values<T>().subspan(column.begin_of(row),
                                    column.end_of(row) - column.begin_of(row));
}

}  // namespace

Result<HistogramRows> HistogramRows::of(const block::Block& block) {
  HistogramRows rows;
  bool is_complete = true;
  const auto fixed = [&](std::string_view name, std::size_t width) {
    const auto* column = dynamic_cast<const block::FixedColumn*>(block.find(name));
    is_complete = is_complete && column != nullptr && column->width() == width;
    return column;
  };
  const auto list = [&](std::string_view name) {
    const auto* column = dynamic_cast<const block::ListColumn*>(block.find(name));
    const auto* nested =
        column == nullptr ? nullptr : dynamic_cast<const block::FixedColumn*>(&column->nested());
    is_complete = is_complete && nested != nullptr && nested->width() == sizeof(double);
    return column;
  };
  rows.ids_ = fixed("series_id", 2 * sizeof(std::uint64_t));
  rows.times_ = fixed("ts", sizeof(std::int64_t));
  rows.starts_ = fixed("start_ts", sizeof(std::int64_t));
  rows.stale_ = fixed("stale", sizeof(std::uint8_t));
  rows.counts_of_points_ = fixed("count", sizeof(std::uint64_t));
  rows.sums_ = fixed("sum", sizeof(double));
  rows.scales_ = fixed("scale", sizeof(std::int8_t));
  rows.zero_counts_ = fixed("zero_count", sizeof(std::uint64_t));
  rows.offsets_ = fixed("pos_offset", sizeof(std::int32_t));
  rows.negative_offsets_ = fixed("neg_offset", sizeof(std::int32_t));
  rows.bounds_ = list("bounds");
  rows.counts_ = list("counts");
  rows.negative_counts_ = list("neg_counts");
  rows.quantile_values_ = list("quantile_values");
  if (!is_complete)
    return data_error(Code::kInternal, "a block of histograms lacks a column of the schema")
        .with_reason("stored_value_unreadable");
  return rows;
}

HistogramRow HistogramRows::row(std::size_t index) const {
  return {.series_id = ids_->text_at(index),
          .time_ms = times_->values<std::int64_t>()[index],
          .start_ms = starts_->values<std::int64_t>()[index],
          .is_stale = stale_->values<std::uint8_t>()[index] != 0,
          .count = counts_of_points_->values<std::uint64_t>()[index],
          .sum = sums_->values<double>()[index],
          .bounds = list_at<double>(*bounds_, index),
          .counts = list_at<std::uint64_t>(*counts_, index),
          .quantile_values = list_at<double>(*quantile_values_, index),
          .scale = scales_->values<std::int8_t>()[index],
          .zero_count = zero_counts_->values<std::uint64_t>()[index],
          .positive_offset = offsets_->values<std::int32_t>()[index],
          .negative_offset = negative_offsets_->values<std::int32_t>()[index],
          .negative_counts = list_at<std::uint64_t>(*negative_counts_, index)};
}

}  // namespace spanway::query
