#include "services/lib/otlp_blocks/point_rows.h"

#include <limits>
#include <span>

#include "services/lib/otlp_blocks/table_block.h"
#include "services/lib/promseries/attribute_text.h"
#include "services/lib/promseries/names.h"
#include "services/lib/promseries/native_histogram.h"

namespace spanway::otlp_blocks {
namespace {

using block::DictionaryColumn;
using block::FixedColumn;
using block::ListColumn;
using block::NullableColumn;

template <typename T>
void append_list(ListColumn& list, std::span<const T> values) {
  auto& nested = static_cast<FixedColumn&>(list.nested());
  for (const T value : values) nested.append(value);
  list.close_row();
}

void append_optional(NullableColumn& column, const std::optional<double>& value) {
  if (value) {
    column.append(*value);
  } else {
    column.append_null();
  }
}

}  // namespace

SeriesColumns::SeriesColumns(block::Block& block)
    : tenant_(block.get<DictionaryColumn>("tenant")),
      metric_(block.get<DictionaryColumn>("metric")),
      series_id_(block.get<FixedColumn>("series_id")),
      ts_(block.get<FixedColumn>("ts")) {}

void SeriesColumns::append(const PointContext& context, std::int64_t time) {
  tenant_.append(context.tenant);
  metric_.append(context.metric);
  series_id_.append(context.series);
  ts_.append(time / kNanosPerMs);
}

SampleRows::SampleRows(std::int32_t /*day*/)
    : block_(table_block("samples")),
      series_(block_),
      value_(block_.get<FixedColumn>("value")),
      start_ts_(block_.get<FixedColumn>("start_ts")),
      stale_(block_.get<FixedColumn>("stale")) {}

void SampleRows::append(const PointContext& context, std::int64_t time, std::int64_t start_time,
                        double value, bool is_stale) {
  series_.append(context, time);
  value_.append(is_stale ? promseries::stale_marker() : value);
  start_ts_.append(start_time / kNanosPerMs);
  stale_.append(is_stale);
}

HistogramRows::HistogramRows(std::int32_t /*day*/)
    : block_(table_block("histograms")),
      series_(block_),
      start_ts_(block_.get<FixedColumn>("start_ts")),
      stale_(block_.get<FixedColumn>("stale")),
      count_(block_.get<FixedColumn>("count")),
      sum_(block_.get<FixedColumn>("sum")),
      min_(block_.get<NullableColumn>("min")),
      max_(block_.get<NullableColumn>("max")),
      bounds_(block_.get<ListColumn>("bounds")),
      counts_(block_.get<ListColumn>("counts")),
      scale_(block_.get<FixedColumn>("scale")),
      zero_count_(block_.get<FixedColumn>("zero_count")),
      zero_threshold_(block_.get<FixedColumn>("zero_threshold")),
      pos_offset_(block_.get<FixedColumn>("pos_offset")),
      neg_offset_(block_.get<FixedColumn>("neg_offset")),
      neg_counts_(block_.get<ListColumn>("neg_counts")),
      quantile_values_(block_.get<ListColumn>("quantile_values")) {}

void HistogramRows::append(const PointContext& context, otlp::MetricType type,
                           const otlp::PointView& point) {
  series_.append(context, clamped_time(point.time_unix_nano));
  start_ts_.append(clamped_time(point.start_time_unix_nano) / kNanosPerMs);
  stale_.append(point.has_no_recorded_value());
  count_.append(point.count);
  sum_.append(point.sum.value_or(std::numeric_limits<double>::quiet_NaN()));
  append_optional(min_, point.min);
  append_optional(max_, point.max);
  const bool is_exponential = type == otlp::MetricType::kExponentialHistogram;
  auto& quantiles = static_cast<FixedColumn&>(bounds_.nested());
  auto& values = static_cast<FixedColumn&>(quantile_values_.nested());
  for (const otlp::QuantileView& quantile : point.quantiles) {
    quantiles.append(quantile.quantile);
    values.append(quantile.value);
  }
  append_list(bounds_, point.bounds);  // Empty where there are quantiles.
  quantile_values_.close_row();
  append_list(counts_, is_exponential ? point.positive.counts : point.counts);
  scale_.append(static_cast<std::int8_t>(point.scale));
  zero_count_.append(point.zero_count);
  zero_threshold_.append(point.zero_threshold);
  pos_offset_.append(point.positive.offset);
  neg_offset_.append(point.negative.offset);
  append_list(neg_counts_, point.negative.counts);
}

ExemplarRows::ExemplarRows(std::int32_t /*day*/)
    : block_(table_block("exemplars")),
      series_(block_),
      value_(block_.get<FixedColumn>("value")),
      trace_id_(block_.get<FixedColumn>("trace_id")),
      span_id_(block_.get<FixedColumn>("span_id")),
      labels_(block_.get<ListColumn>("labels")) {}

void ExemplarRows::append(const PointContext& context, const otlp::ExemplarView& exemplar) {
  series_.append(context, clamped_time(exemplar.time_unix_nano));
  value_.append(exemplar.kind == otlp::NumberKind::kInteger ? static_cast<double>(exemplar.integer)
                                                            : exemplar.real);
  trace_id_.append_text(exemplar.trace_id);
  span_id_.append_text(exemplar.span_id);
  for (const otlp::AttributeView& attribute : exemplar.attributes) {
    const std::string name = promseries::label_name(
        attribute.key, promseries::Translation::kUnderscoreEscapingWithSuffixes);
    text_.clear();
    promseries::append_text(attribute.value, text_);
    if (name.empty() || text_.empty()) continue;
    static_cast<DictionaryColumn&>(labels_.nested(0)).append(name);
    static_cast<block::StringColumn&>(labels_.nested(1)).append(text_);
  }
  labels_.close_row();
}

}  // namespace spanway::otlp_blocks
