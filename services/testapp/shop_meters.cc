#include "services/testapp/shop_meters.h"

#include <algorithm>
#include <utility>

namespace spanway::testapp {
namespace {

// The advice of the semantic conventions for request durations, in seconds.
const std::vector<double>& duration_bounds() {
  static const std::vector<double> bounds = {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25,
                                             0.5,   0.75, 1,     2.5,  5,     7.5, 10};
  return bounds;
}

std::string text_of(const Attributes& attributes) {
  std::string text;
  for (const auto& [key, value] : attributes) {
    text += key + "=";
    if (const auto* string = std::get_if<std::string>(&value)) text += *string;
    if (const auto* integer = std::get_if<std::int64_t>(&value)) text += std::to_string(*integer);
    text += ";";
  }
  return text;
}

std::string description_of(const std::string& metric) {
  if (metric == "http.server.request.duration") return "Duration of HTTP server requests.";
  if (metric == "rpc.server.duration") return "Duration of inbound calls.";
  if (metric == "messaging.process.duration") return "Duration of processing a message.";
  if (metric == "shop.orders") return "Orders by how they ended.";
  if (metric == "shop.stock") return "Pieces of a product in stock.";
  return "";
}

}  // namespace

ShopMeters::Series& ShopMeters::series_of(ServiceName service, const std::string& metric,
                                          MetricKind kind, const char* unit,
                                          Attributes attributes) {
  Instrument& instrument = instruments_[static_cast<std::size_t>(service)][metric];
  instrument.kind = kind;
  instrument.unit = unit;
  Series& series = instrument.series[text_of(attributes)];
  series.attributes = std::move(attributes);
  return series;
}

void ShopMeters::observe(ServiceName service, const std::string& metric, const Span& span,
                         Attributes attributes) {
  Series& series = series_of(service, metric, MetricKind::kHistogram, "s", std::move(attributes));
  const double seconds = static_cast<double>(span.end - span.start) / 1e9;
  const std::vector<double>& bounds = duration_bounds();
  series.bucket_counts.resize(bounds.size() + 1);
  const auto bucket = std::lower_bound(bounds.begin(), bounds.end(), seconds) - bounds.begin();
  ++series.bucket_counts[static_cast<std::size_t>(bucket)];
  ++series.count;
  series.value += seconds;
  series.exemplars = {{span.end, seconds, span.trace_id, span.span_id}};
}

void ShopMeters::count(ServiceName service, const std::string& metric, Attributes attributes) {
  series_of(service, metric, MetricKind::kSum, "{order}", std::move(attributes)).value += 1;
}

void ShopMeters::set(ServiceName service, const std::string& metric, double value,
                     Attributes attributes) {
  series_of(service, metric, MetricKind::kGauge, "{piece}", std::move(attributes)).value = value;
}

std::vector<Metric> ShopMeters::collect(ServiceName service, UnixNanos now) const {
  std::vector<Metric> metrics;
  for (const auto& [name, instrument] : instruments_[static_cast<std::size_t>(service)]) {
    Metric metric;
    metric.name = name;
    metric.description = description_of(name);
    metric.unit = instrument.unit;
    metric.kind = instrument.kind;
    if (metric.kind == MetricKind::kHistogram) metric.bounds = duration_bounds();
    for (const auto& [text, series] : instrument.series) {
      Point point;
      point.attributes = series.attributes;
      point.start = metric.kind == MetricKind::kGauge ? 0 : start_;
      point.time = now;
      point.value = series.value;
      point.count = series.count;
      point.bucket_counts = series.bucket_counts;
      point.exemplars = series.exemplars;
      metric.points.push_back(std::move(point));
    }
    metrics.push_back(std::move(metric));
  }
  return metrics;
}

}  // namespace spanway::testapp
