#include "services/query/series/histogram_parts.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "services/query/promql/number_text.h"

namespace spanway::query {
namespace {

using promql::Bucket;
using promql::Histogram;

constexpr int kSchemaMax = 8, kSchemaMin = -4;
// Beyond it all buckets of a side are one already.
constexpr int kShiftMax = 40;
// As Prometheus's OTLP receiver sets it.
constexpr double kZeroThreshold = 1e-128;
constexpr const char* kInfinity = "+Inf";

// Buckets of an exponential histogram, in a schema that is coarser by `shift`. OTLP's bucket 0
// begins at 1, that of Prometheus ends there.
std::vector<Bucket> buckets_of(std::span<const std::uint64_t> counts, std::int32_t offset,
                               int shift) {
  std::vector<Bucket> result;
  const std::int64_t first = static_cast<std::int64_t>(offset) + (std::int64_t{1} << shift);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    const auto index = static_cast<int>((first + static_cast<std::int64_t>(i)) >> shift);
    const auto count = static_cast<double>(counts[i]);
    if (!result.empty() && result.back().index == index)
      result.back().count += count;
    else
      result.push_back({index, count});
  }
  return result;
}

Histogram native_of(const HistogramRow& row) {
  Histogram histogram;
  histogram.schema = std::min(row.scale, kSchemaMax);
  histogram.zero_threshold = kZeroThreshold;
  histogram.sum = std::isnan(row.sum) ? 0 : row.sum;
  histogram.count = static_cast<double>(row.count);
  histogram.zero_count = static_cast<double>(row.zero_count);
  const int shift = std::clamp(row.scale - kSchemaMax, 0, kShiftMax);
  histogram.positive = buckets_of(row.counts, row.positive_offset, shift);
  histogram.negative = buckets_of(row.negative_counts, row.negative_offset, shift);
  return histogram;
}

}  // namespace

HistogramKind kind_of(const HistogramRow& row, SeriesType stored) noexcept {
  if (!row.quantile_values.empty()) return HistogramKind::kSummary;
  if (!row.bounds.empty()) return HistogramKind::kExplicit;
  if (stored == SeriesType::kSummary) return HistogramKind::kSummary;
  const bool may_be_explicit = row.counts.size() <= 1 && row.scale == 0 && row.zero_count == 0 &&
                               row.positive_offset == 0 && row.negative_counts.empty();
  return may_be_explicit && stored == SeriesType::kHistogram ? HistogramKind::kExplicit
                                                             : HistogramKind::kExponential;
}

std::vector<std::string> bound_texts(const HistogramRow& row, SeriesType stored) {
  std::vector<std::string> texts;
  const HistogramKind kind = kind_of(row, stored);
  if (kind == HistogramKind::kExponential) return texts;
  for (const double bound : row.bounds) texts.push_back(promql::print_fixed(bound));
  if (kind == HistogramKind::kExplicit) texts.emplace_back(kInfinity);
  return texts;
}

HistogramParts::HistogramParts(Series series, const Selection& selection)
    : stored_(std::move(series)),
      selection_(selection),
      metric_(value_of(stored_.labels, kMetricName)) {}

HistogramParts::Part& HistogramParts::part(std::string_view suffix, std::string_view label,
                                           const std::string& value) {
  const auto [found, is_new] =
      parts_.try_emplace(std::pair(std::string(suffix), std::string(label) + "=" + value));
  Part& part = found->second;
  if (!is_new) return part;
  Labels& labels = part.series.labels;
  labels = stored_.labels;
  promql::sort_labels(labels);
  promql::set_label(labels, kMetricName, metric_ + std::string(suffix));
  if (!label.empty()) promql::set_label(labels, label, value);
  part.is_taken = selection_.takes(labels);
  return part;
}

void HistogramParts::add_value(Part& part, const HistogramRow& row, double value) {
  if (!part.is_taken) return;
  if (row.is_stale) {
    value = promql::stale_marker();
  } else if (stored_.is_delta) {
    value = part.total += value;
  }
  part.series.points.push_back({row.time_ms, value, nullptr, row.start_ms});
}

void HistogramParts::add(const HistogramRow& row) {
  if (last_ms_ == row.time_ms) return;
  last_ms_ = row.time_ms;
  switch (kind_of(row, stored_.type)) {
    case HistogramKind::kExplicit:
      return add_classic(row);
    case HistogramKind::kExponential:
      return add_native(row);
    case HistogramKind::kSummary:
      return add_summary(row);
  }
}

void HistogramParts::add_classic(const HistogramRow& row) {
  if (!std::isnan(row.sum)) add_value(part(kSumSuffix), row, row.sum);
  add_value(part(kCountSuffix), row, static_cast<double>(row.count));
  if (!selection_.takes_name(metric_ + std::string(kBucketSuffix))) return;
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < row.bounds.size() && i < row.counts.size(); ++i) {
    total += row.counts[i];
    add_value(part(kBucketSuffix, kBoundLabel, promql::print_fixed(row.bounds[i])), row,
              static_cast<double>(total));
  }
  add_value(part(kBucketSuffix, kBoundLabel, kInfinity), row, static_cast<double>(row.count));
}

void HistogramParts::add_summary(const HistogramRow& row) {
  add_value(part(kSumSuffix), row, std::isnan(row.sum) ? 0 : row.sum);
  add_value(part(kCountSuffix), row, static_cast<double>(row.count));
  for (std::size_t i = 0; i < row.bounds.size() && i < row.quantile_values.size(); ++i)
    add_value(part("", kQuantileLabel, promql::print_fixed(row.bounds[i])), row,
              row.quantile_values[i]);
}

void HistogramParts::add_native(const HistogramRow& row) {
  Part& own = part("");
  if (!own.is_taken || row.scale < kSchemaMin) return;
  auto histogram = std::make_shared<Histogram>(native_of(row));
  if (row.is_stale) {
    *histogram = Histogram{};
    histogram->sum = promql::stale_marker();
    last_native_ = nullptr;
  } else {
    if (stored_.is_delta) {
      if (native_total_)
        promql::add(*native_total_, *histogram);
      else
        native_total_ = *histogram;
      *histogram = *native_total_;
    }
    // As the chunks of Prometheus's storage have it: annotations depend on it.
    histogram->hint = last_native_ == nullptr                    ? Histogram::Hint::kUnknown
                      : histogram->is_reset_after(*last_native_) ? Histogram::Hint::kReset
                                                                 : Histogram::Hint::kNotReset;
    last_native_ = histogram;
  }
  own.series.points.push_back({row.time_ms, 0, std::move(histogram), row.start_ms});
}

std::vector<promql::PointSeries> HistogramParts::take() {
  std::vector<promql::PointSeries> result;
  for (auto& [key, part] : parts_)
    if (!part.series.points.empty()) result.push_back(std::move(part.series));
  return result;
}

}  // namespace spanway::query
