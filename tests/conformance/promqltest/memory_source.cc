#include "tests/conformance/promqltest/memory_source.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "services/query/store/metric_query.h"

namespace spanway::promqltest {
namespace {

using query::promql::Histogram;
using query::promql::Point;
using query::promql::PointSeries;

class Stream : public query::promql::SourceStream {
 public:
  explicit Stream(std::vector<PointSeries> all) : all_(std::move(all)) {}
  Result<std::optional<PointSeries>> next() override {
    if (position_ == all_.size()) return std::optional<PointSeries>();
    return std::optional(std::move(all_[position_++]));
  }

 private:
  std::vector<PointSeries> all_;
  std::size_t position_ = 0;
};

// A classic histogram at one time.
struct Classic {
  std::map<double, double> cumulative;
  double count = -1;
  double sum = 0;
};

Histogram custom_histogram(const Classic& classic) {
  Histogram result;
  result.schema = query::promql::kCustomBuckets;
  result.sum = classic.sum;
  double before = 0;
  int index = 0;
  for (const auto& [upper, count] : classic.cumulative) {
    if (!std::isinf(upper)) result.custom_bounds.push_back(upper);
    if (count != before) result.positive.push_back({index, count - before});
    before = count;
    ++index;
  }
  result.count = classic.count >= 0 ? classic.count : before;
  if (!classic.cumulative.contains(HUGE_VAL) && result.count != before)
    result.positive.push_back({index, result.count - before});
  return result;
}

}  // namespace

void MemorySource::add(const query::Labels& labels, Point point) {
  std::vector<Point>& points = series_[labels];
  const auto place = std::lower_bound(points.begin(), points.end(), point.t,
                                      [](const Point& p, std::int64_t t) { return p.t < t; });
  if (place != points.end() && place->t == point.t)
    *place = std::move(point);
  else
    points.insert(place, std::move(point));
}

// As the chunks of Prometheus's storage: every histogram says whether it follows a reset.
void MemorySource::set_hints() {
  for (auto& [labels, points] : series_) {
    const Point* before = nullptr;  // The last one that is not stale.
    bool was_stale = false;
    for (Point& point : points) {
      if (query::promql::is_stale(point)) {
        was_stale = true;
        continue;
      }
      if (point.h && point.h->hint != Histogram::Hint::kGauge) {
        auto copy = std::make_shared<Histogram>(*point.h);
        if (copy->hint != Histogram::Hint::kReset) {
          // The first one of a chunk is not known to continue the last one.
          copy->hint = Histogram::Hint::kUnknown;
          const bool continues =
              before != nullptr && before->h && !was_stale &&
              before->h->hint != Histogram::Hint::kGauge && copy->schema == before->h->schema &&
              copy->zero_threshold == before->h->zero_threshold &&
              copy->custom_bounds == before->h->custom_bounds && !copy->is_reset_after(*before->h);
          if (continues) copy->hint = Histogram::Hint::kNotReset;
        }
        point.h = std::move(copy);
      }
      before = &point;
      was_stale = false;
    }
  }
}

void MemorySource::load(const Load& command) {
  for (const LoadedSeries& one : command.series)
    for (std::size_t i = 0; i < one.line.values.size(); ++i) {
      const SequenceValue& value = one.line.values[i];
      if (value.omitted) continue;
      Point point{static_cast<std::int64_t>(i) * command.step_ms, value.number, value.histogram};
      if (i < one.start_times.size() && !one.start_times[i].omitted)
        point.start = point.t + static_cast<std::int64_t>(one.start_times[i].number);
      add(one.line.labels, std::move(point));
    }
  if (command.with_custom_buckets) load_custom_buckets(command);
  set_hints();
}

void MemorySource::load_custom_buckets(const Load& command) {
  std::map<query::Labels, std::map<std::int64_t, Classic>> all;
  for (const LoadedSeries& one : command.series) {
    query::Labels labels = one.line.labels;
    std::string name(query::promql::metric_name(labels));
    const auto suffix = [&](std::string_view text) {
      if (!name.ends_with(text)) return false;
      name.resize(name.size() - text.size());
      return true;
    };
    const bool is_bucket = suffix("_bucket");
    const bool is_count = !is_bucket && suffix("_count");
    if (!is_bucket && !is_count && !suffix("_sum")) continue;
    double upper = 0;
    if (is_bucket && !parse_number(query::value_of(labels, "le"), upper)) continue;
    query::promql::set_label(labels, "le", "");
    query::promql::set_label(labels, query::kMetricName, name);
    for (std::size_t i = 0; i < one.line.values.size(); ++i) {
      const SequenceValue& value = one.line.values[i];
      if (value.omitted || value.histogram) continue;
      Classic& classic = all[labels][static_cast<std::int64_t>(i) * command.step_ms];
      if (is_bucket)
        classic.cumulative[upper] = value.number;
      else
        (is_count ? classic.count : classic.sum) = value.number;
    }
  }
  for (const auto& [labels, times] : all)
    for (const auto& [t, classic] : times)
      add(labels, {t, 0, std::make_shared<Histogram>(custom_histogram(classic))});
}

Result<std::unique_ptr<query::promql::SourceStream>> MemorySource::select(
    const query::promql::SourceSelect& query) {
  SPANWAY_ASSIGN(const auto matchers, query::LabelMatchers::create(query.matchers));
  std::vector<PointSeries> result;
  for (const auto& [labels, points] : series_) {
    if (!matchers.matches(labels)) continue;
    PointSeries one{labels, {}, false};
    for (const Point& point : points)
      if (point.t >= query.begin_ms && point.t <= query.end_ms) one.points.push_back(point);
    if (!one.points.empty()) result.push_back(std::move(one));
  }
  return std::unique_ptr<query::promql::SourceStream>(std::make_unique<Stream>(std::move(result)));
}

}  // namespace spanway::promqltest
