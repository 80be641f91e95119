#include "services/lib/promseries/series_converter.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "services/lib/promseries/exemplars.h"
#include "services/lib/promseries/names.h"

namespace spanway::promseries {
namespace {

constexpr std::int32_t kDelta = 1, kCumulative = 2;
// A message names so much of a metric's name.
constexpr std::size_t kNameBytesMax = 128;

Error malformed_point() {
  return invalid_argument("The request is not a valid OTLP message: broken framing in a data point")
      .with_reason("malformed_request");
}

bool has_temporality(otlp::MetricType type) noexcept {
  return type == otlp::MetricType::kSum || type == otlp::MetricType::kHistogram ||
         type == otlp::MetricType::kExponentialHistogram;
}

// As Go writes the shortest decimal that reads back as the same number.
std::string_view decimal(double number, std::span<char> scratch) {
  if (std::isinf(number)) return number > 0 ? "+Inf" : "-Inf";
  if (std::isnan(number)) return "NaN";
  const auto end = std::to_chars(scratch.data(), scratch.data() + scratch.size(), number,
                                 std::chars_format::fixed)
                       .ptr;
  return {scratch.data(), static_cast<std::size_t>(end - scratch.data())};
}

// One request. Every view of Series lives as long as the call that hands it out.
class Conversion final : public otlp::RequestVisitor {
 public:
  Conversion(const Options& options, otlp::PointReader& points, SeriesLabels& labels,
             NativeHistogramBuilder& histograms, SeriesVisitor& visitor)
      : options_(options),
        points_(points),
        labels_(labels),
        histograms_(histograms),
        visitor_(visitor) {}

  Status on_resource(const otlp::ResourceView& resource) override {
    SPANWAY_TRY(end_resource());
    labels_.set_resource(resource);
    earliest_ = std::numeric_limits<std::uint64_t>::max();
    latest_ = 0;
    return {};
  }

  Status on_metric(const otlp::MetricView& metric) override {
    converted_.points += metric.points.size();
    const std::string_view problem = prepare(metric);
    for (const std::string_view encoded : metric.points) {
      otlp::PointView point;
      if (!points_.read(metric.type, encoded, point)) return malformed_point();
      earliest_ = std::min(earliest_, point.time_unix_nano);
      latest_ = std::max(latest_, point.time_unix_nano);
      const std::string_view refused = problem.empty() ? convert(metric, point) : problem;
      if (!refused.empty()) reject(metric, refused);
      SPANWAY_TRY(visitor_.on_point_end());
    }
    return {};
  }

  // After the last metric of a resource.
  Status end_resource() {
    const Labels labels = labels_.target_info();
    if (earliest_ > latest_ || labels.empty()) return {};
    const Metadata metadata = {
        .type = SeriesType::kGauge, .family = "target_info", .unit = {}, .help = "Target metadata"};
    std::string identity;
    for (const Label& label : labels) {
      identity.append(label.name).push_back('\0');
      identity.append(label.value).push_back('\0');
    }
    const std::int64_t last = milliseconds_of(latest_);
    std::int64_t time =
        std::max(milliseconds_of(earliest_),
                 last - (Converter::kTargetInfoSamplesMax - 1) * Converter::kTargetInfoIntervalMs);
    const auto emit = [&](std::int64_t timestamp) {
      if (!target_infos_.emplace(identity, timestamp).second) return;
      visitor_.on_sample({.labels = labels,
                          .metadata = metadata,
                          .start_timestamp_ms = 0,
                          .timestamp_ms = timestamp,
                          .exemplars = {}},
                         1.0);
    };
    for (; time < last; time += Converter::kTargetInfoIntervalMs) emit(time);
    emit(last);
    return visitor_.on_point_end();
  }

  Converted take() { return std::move(converted_); }

 private:
  // The reason why no point of the metric can be taken; empty = nothing.
  std::string_view prepare(const otlp::MetricView& metric) {
    is_delta_ = false;
    if (has_temporality(metric.type)) {
      is_delta_ = metric.aggregation_temporality == kDelta;
      if (is_delta_ && options_.delta == Delta::kReject)
        return "has delta temporality, which Prometheus does not take";
      if (!is_delta_ && metric.aggregation_temporality != kCumulative)
        return "has no aggregation temporality";
    }
    family_ = metric_name(metric.name, metric.unit, metric.type, metric.is_monotonic,
                          options_.translation);
    if (family_.empty()) return "has a name of which Prometheus can keep nothing";
    unit_ = unit_name(metric.unit);
    metadata_ = {
        .type = type_of(metric), .family = family_, .unit = unit_, .help = metric.description};
    return {};
  }

  void reject(const otlp::MetricView& metric, std::string_view why) {
    ++converted_.rejected;
    if (is_delta_ && options_.delta == Delta::kReject) ++converted_.rejected_delta;
    if (!converted_.first_reason.empty()) return;
    converted_.first_reason = "the metric '" + std::string(metric.name.substr(0, kNameBytesMax)) +
                              "' " + std::string(why);
  }

  // The reason why the point cannot be taken; empty = nothing.
  std::string_view convert(const otlp::MetricView& metric, const otlp::PointView& point) {
    const auto labels = labels_.of_point(point.attributes);
    if (!labels) return "has an attribute whose key makes no label name";
    switch (metric.type) {
      case otlp::MetricType::kNone:
        return {};
      case otlp::MetricType::kGauge:
        emit(point, labels_.named(*labels, family_), point.number(), {});
        return {};
      case otlp::MetricType::kSum:
        emit(point, labels_.named(*labels, family_), point.number(), exemplars_.of(point));
        return {};
      case otlp::MetricType::kHistogram:
        if (options_.explicit_histograms == ExplicitHistograms::kNative)
          return emit_native(point, *labels, histograms_.from_explicit(point, is_delta_, native_));
        emit_classic(point, *labels);
        return {};
      case otlp::MetricType::kExponentialHistogram:
        return emit_native(point, *labels, histograms_.from_exponential(point, is_delta_, native_));
      case otlp::MetricType::kSummary:
        emit_summary(point, *labels);
        return {};
    }
    return {};
  }

  Series series(const otlp::PointView& point, Labels labels, std::span<const Exemplar> exemplars) {
    return {.labels = labels,
            .metadata = metadata_,
            .start_timestamp_ms = milliseconds_of(point.start_time_unix_nano),
            .timestamp_ms = milliseconds_of(point.time_unix_nano),
            .exemplars = exemplars};
  }

  void emit(const otlp::PointView& point, Labels labels, double value,
            std::span<const Exemplar> exemplars) {
    visitor_.on_sample(series(point, labels, exemplars),
                       point.has_no_recorded_value() ? stale_marker() : value);
  }

  std::string_view emit_native(const otlp::PointView& point, Labels labels, bool is_good) {
    if (!is_good) return "has buckets that no native histogram holds";
    visitor_.on_histogram(series(point, labels_.named(labels, family_), exemplars_.of(point)),
                          native_);
    return {};
  }

  void emit_part(const otlp::PointView& point, Labels labels, std::string_view suffix,
                 double value) {
    name_.assign(family_).append(suffix);
    emit(point, labels_.named(labels, name_), value, {});
  }

  // An exemplar belongs to the first bucket whose bound is not below its value; both ascend.
  void emit_classic(const otlp::PointView& point, Labels labels) {
    if (point.sum) emit_part(point, labels, "_sum", *point.sum);
    emit_part(point, labels, "_count", static_cast<double>(point.count));
    name_.assign(family_).append("_bucket");
    const std::span<const Exemplar> exemplars = exemplars_.of(point);
    std::size_t next = 0;
    std::uint64_t total = 0;
    char scratch[400];
    for (std::size_t i = 0; i < point.bounds.size() && i < point.counts.size(); ++i) {
      total += point.counts[i];
      const std::size_t begin = next;
      while (next < exemplars.size() && !(exemplars[next].value > point.bounds[i])) ++next;
      emit(point, labels_.named(labels, name_, {"le", decimal(point.bounds[i], scratch)}),
           static_cast<double>(total), exemplars.subspan(begin, next - begin));
    }
    emit(point, labels_.named(labels, name_, {"le", "+Inf"}), static_cast<double>(point.count),
         exemplars.subspan(next));
  }

  void emit_summary(const otlp::PointView& point, Labels labels) {
    emit_part(point, labels, "_sum", point.sum.value_or(0));
    emit_part(point, labels, "_count", static_cast<double>(point.count));
    char scratch[400];
    for (const otlp::QuantileView& quantile : point.quantiles)
      emit(point, labels_.named(labels, family_, {"quantile", decimal(quantile.quantile, scratch)}),
           quantile.value, {});
  }

  const Options& options_;
  otlp::PointReader& points_;
  SeriesLabels& labels_;
  NativeHistogramBuilder& histograms_;
  SeriesVisitor& visitor_;
  Converted converted_;
  Exemplars exemplars_;
  NativeHistogram native_;
  // State of the metric.
  std::string family_, unit_, name_;
  Metadata metadata_;
  bool is_delta_ = false;
  // State of the resource.
  std::uint64_t earliest_ = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t latest_ = 0;
  // State of the request: samples that were handed out, since resources may come twice.
  std::set<std::pair<std::string, std::int64_t>> target_infos_;
};

}  // namespace

SeriesType type_of(const otlp::MetricView& metric) noexcept {
  if (has_temporality(metric.type) && metric.aggregation_temporality == kDelta)
    return SeriesType::kUnknown;
  switch (metric.type) {
    case otlp::MetricType::kGauge:
      return SeriesType::kGauge;
    case otlp::MetricType::kSum:
      return metric.is_monotonic ? SeriesType::kCounter : SeriesType::kGauge;
    case otlp::MetricType::kHistogram:
    case otlp::MetricType::kExponentialHistogram:
      return SeriesType::kHistogram;
    case otlp::MetricType::kSummary:
      return SeriesType::kSummary;
    case otlp::MetricType::kNone:
      break;
  }
  return SeriesType::kUnknown;
}

Converter::Converter(Options options) : options_(std::move(options)), labels_(options_) {}

Result<Converted> Converter::convert(std::string_view payload, SeriesVisitor& visitor) {
  Conversion conversion(options_, points_, labels_, histograms_, visitor);
  SPANWAY_TRY(reader_.read(otlp::Signal::kMetrics, payload, conversion));
  SPANWAY_TRY(conversion.end_resource());
  return conversion.take();
}

}  // namespace spanway::promseries
