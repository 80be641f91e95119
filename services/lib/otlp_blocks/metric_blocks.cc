#include "services/lib/otlp_blocks/metric_blocks.h"

#include <algorithm>
#include <limits>

#include "services/lib/otlp_blocks/conversion_errors.h"
#include "services/lib/promseries/names.h"
#include "services/lib/promseries/series_converter.h"

namespace spanway::otlp_blocks {
namespace {

constexpr std::size_t kNameBytesMax = 128;
constexpr std::string_view kTargetInfo = "target_info";

bool is_number(otlp::MetricType type) noexcept {
  return type == otlp::MetricType::kGauge || type == otlp::MetricType::kSum;
}

StoredSeriesType stored_type(const otlp::MetricView& metric) noexcept {
  switch (metric.type) {
    case otlp::MetricType::kGauge:
      return StoredSeriesType::kGauge;
    case otlp::MetricType::kSum:
      return metric.is_monotonic ? StoredSeriesType::kCounter : StoredSeriesType::kGauge;
    case otlp::MetricType::kHistogram:
      return StoredSeriesType::kHistogram;
    case otlp::MetricType::kExponentialHistogram:
      return StoredSeriesType::kExponentialHistogram;
    case otlp::MetricType::kSummary:
      return StoredSeriesType::kSummary;
    case otlp::MetricType::kNone:
      break;
  }
  return StoredSeriesType::kUnknown;
}

// Why no row can hold the point; empty = nothing.
std::string_view problem_of(const otlp::MetricView& metric, const otlp::PointView& point) noexcept {
  if (metric.type == otlp::MetricType::kHistogram && !point.counts.empty() &&
      point.counts.size() != point.bounds.size() + 1)
    return "has a histogram whose counts do not match its bounds";
  if (point.scale < std::numeric_limits<std::int8_t>::min() ||
      point.scale > std::numeric_limits<std::int8_t>::max())
    return "has an exponential histogram of a scale that cannot be stored";
  return {};
}

}  // namespace

MetricBlocks::MetricBlocks(const ConvertOptions& options, promseries::SeriesLabels& labels,
                           otlp::PointReader& points)
    : options_(options),
      labels_(labels),
      points_(points),
      keys_(otlp::Signal::kMetrics, options.tenant, options.known),
      resources_(options.tenant, options.known),
      series_(options.tenant, options.known) {}

Status MetricBlocks::on_resource(const otlp::ResourceView& resource) {
  SPANWAY_TRY(end_resource());
  resource_ = &resource;
  resource_id_ = resource_id(resource);
  is_resource_added_ = false;
  labels_.set_resource(resource);
  keys_.set_service(text_of(resource, "service.name"));
  earliest_ = std::numeric_limits<std::int64_t>::max();
  latest_ = -1;
  return {};
}

Status MetricBlocks::on_scope(const otlp::ScopeView& scope) {
  scope_ = &scope;
  noted_day_ = -1;
  return {};
}

Status MetricBlocks::on_metric(const otlp::MetricView& metric) {
  metric_name_ = promseries::metric_name(metric.name, metric.unit, metric.type, metric.is_monotonic,
                                         promseries::Translation::kUnderscoreEscapingWithSuffixes);
  for (const std::string_view encoded : metric.points) {
    otlp::PointView point;
    if (!points_.read(metric.type, encoded, point)) return cannot_store("data point");
    SPANWAY_TRY(add_point(metric, point));
  }
  return {};
}

Status MetricBlocks::add_point(const otlp::MetricView& metric, const otlp::PointView& point) {
  if (metric.type == otlp::MetricType::kNone) return {};
  if (metric_name_.empty()) {
    reject(metric, "has a name of which Prometheus can keep nothing");
    return {};
  }
  if (const std::string_view problem = problem_of(metric, point); !problem.empty()) {
    reject(metric, problem);
    return {};
  }
  const auto labels = labels_.of_point(point.attributes);
  if (!labels) {
    reject(metric, "has an attribute whose key makes no label name");
    return {};
  }
  const std::int64_t time = clamped_time(point.time_unix_nano);
  const PointContext context{.tenant = options_.tenant,
                             .metric = metric_name_,
                             .series = series_id(metric_name_, *labels)};
  SPANWAY_TRY(add_value(metric, point, context));
  SPANWAY_TRY(add_exemplars(point, context));
  SPANWAY_TRY(note_item(point, time));
  series_.seen(context.series,
               {.metric = metric_name_,
                .labels = *labels,
                .otlp_name = metric.name,
                .type = stored_type(metric),
                .temporality = metric.aggregation_temporality,
                .is_monotonic = metric.is_monotonic,
                .unit = metric.unit,
                .help = metric.description,
                .resource_id = resource_id_},
               day_of(time), seconds_of(time));
  earliest_ = std::min(earliest_, time);
  latest_ = std::max(latest_, time);
  return {};
}

Status MetricBlocks::add_value(const otlp::MetricView& metric, const otlp::PointView& point,
                               const PointContext& context) {
  const std::int64_t time = clamped_time(point.time_unix_nano);
  if (is_number(metric.type)) {
    SPANWAY_ASSIGN(SampleRows * rows, rows_of(samples_, day_of(time)));
    rows->append(context, time, clamped_time(point.start_time_unix_nano), point.number(),
                 point.has_no_recorded_value());
    return {};
  }
  SPANWAY_ASSIGN(HistogramRows * rows, rows_of(histograms_, day_of(time)));
  rows->append(context, metric.type, point);
  return {};
}

Status MetricBlocks::add_exemplars(const otlp::PointView& point, const PointContext& context) {
  for (const otlp::ExemplarView& exemplar : point.exemplars) {
    if (exemplar.kind == otlp::NumberKind::kNone) continue;
    SPANWAY_ASSIGN(ExemplarRows * rows,
                   rows_of(exemplars_, day_of(clamped_time(exemplar.time_unix_nano))));
    rows->append(context, exemplar);
  }
  return {};
}

Status MetricBlocks::note_item(const otlp::PointView& point, std::int64_t time) {
  if (!is_resource_added_ && !resources_.add(resource_id_, *resource_))
    return cannot_store("resource");
  is_resource_added_ = true;
  resources_.seen(resource_id_, seconds_of(time));
  if (const std::int32_t day = day_of(time); day != noted_day_) {
    noted_day_ = day;
    keys_.note(day, AttributeScope::kResource, resource_->attributes);
    keys_.note(day, AttributeScope::kScope, scope_->attributes);
  }
  keys_.note(day_of(time), AttributeScope::kItem, point.attributes);
  if (++items_ % Converter::kItemsPerPermit != 1 || !options_.grow) return {};
  return options_.grow(memory_bytes() + Converter::kPermitMarginBytes)
             ? ok_status()
             : Status(no_memory_to_convert());
}

void MetricBlocks::reject(const otlp::MetricView& metric, std::string_view why) {
  ++rejected_;
  if (first_reason_.empty())
    first_reason_ = "data points cannot be stored; the first: the metric '" +
                    std::string(metric.name.substr(0, kNameBytesMax)) + "' " + std::string(why);
}

// From the first point of the resource to its last one, as the receiver does it.
Status MetricBlocks::end_resource() {
  const promseries::Labels all = labels_.target_info();
  if (resource_ == nullptr || earliest_ > latest_ || all.empty()) return {};
  std::vector<promseries::Label> labels;
  for (const promseries::Label& label : all)
    if (label.name != "__name__") labels.push_back(label);
  const Hash128 id = series_id(kTargetInfo, labels);
  const PointContext context{.tenant = options_.tenant, .metric = kTargetInfo, .series = id};
  constexpr std::int64_t kStep = promseries::Converter::kTargetInfoIntervalMs * kNanosPerMs;
  const auto add = [&](std::int64_t time) -> Status {
    if (!target_infos_.emplace(id.low, time / kNanosPerMs).second) return {};
    SPANWAY_ASSIGN(SampleRows * rows, rows_of(samples_, day_of(time)));
    rows->append(context, time, 0, 1.0, false);
    series_.seen(id,
                 {.metric = kTargetInfo,
                  .labels = labels,
                  .otlp_name = {},
                  .type = StoredSeriesType::kGauge,
                  .unit = {},
                  .help = "Target metadata",
                  .resource_id = resource_id_},
                 day_of(time), seconds_of(time));
    return {};
  };
  std::int64_t time =
      std::max(earliest_, latest_ - (promseries::Converter::kTargetInfoSamplesMax - 1) * kStep);
  for (; time < latest_; time += kStep) SPANWAY_TRY(add(time));
  return add(latest_);
}

RequestBlocks MetricBlocks::take() {
  RequestBlocks blocks;
  blocks.rejected = rejected_;
  blocks.rejected_reason = std::move(first_reason_);
  const auto add = [&](DictionaryBlock dictionary) {
    if (dictionary.rows.rows() > 0) blocks.dictionaries.push_back(std::move(dictionary));
  };
  add(resources_.take());
  add(series_.take());
  add(keys_.take());
  for (auto& [day, rows] : samples_) blocks.data.push_back({"samples", day, rows.take()});
  for (auto& [day, rows] : histograms_) blocks.data.push_back({"histograms", day, rows.take()});
  for (auto& [day, rows] : exemplars_) blocks.data.push_back({"exemplars", day, rows.take()});
  return blocks;
}

std::size_t MetricBlocks::memory_bytes() const noexcept {
  std::size_t bytes = series_.memory_bytes();
  for (const auto& [day, rows] : samples_) bytes += rows.block().memory_bytes();
  for (const auto& [day, rows] : histograms_) bytes += rows.block().memory_bytes();
  for (const auto& [day, rows] : exemplars_) bytes += rows.block().memory_bytes();
  return bytes;
}

}  // namespace spanway::otlp_blocks
