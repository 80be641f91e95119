#include "services/query/logql/range_functions.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace spanway::query::logql {
namespace {

using Points = std::span<const Point>;

double seconds_of(const Expr& aggregate) { return static_cast<double>(aggregate.range_ns) / 1e9; }

double count(Points points, const Expr&) { return static_cast<double>(points.size()); }

double sum(Points points, const Expr&) {
  double total = 0;
  for (const Point& point : points) total += point.value;
  return total;
}

double rate(Points points, const Expr& aggregate) {
  const double total = aggregate.unwrap || aggregate.name == "bytes_rate"
                           ? sum(points, aggregate)
                           : count(points, aggregate);
  return total / seconds_of(aggregate);
}

double average(Points points, const Expr&) {
  double mean = 0;
  double seen = 0;
  for (const Point& point : points) {
    ++seen;
    const double value = point.value;
    if (std::isinf(mean)) {
      // An infinite mean stays, unless the other infinity or NaN comes.
      if (std::isinf(value) && (mean > 0) == (value > 0)) continue;
      if (!std::isinf(value) && !std::isnan(value)) continue;
    }
    mean += value / seen - mean / seen;
  }
  return mean;
}

double maximum(Points points, const Expr&) {
  double result = points[0].value;
  for (const Point& point : points)
    if (point.value > result || std::isnan(result)) result = point.value;
  return result;
}

double minimum(Points points, const Expr&) {
  double result = points[0].value;
  for (const Point& point : points)
    if (point.value < result || std::isnan(result)) result = point.value;
  return result;
}

double variance(Points points, const Expr&) {
  double sum_of_squares = 0, seen = 0, mean = 0;
  for (const Point& point : points) {
    ++seen;
    const double delta = point.value - mean;
    mean += delta / seen;
    sum_of_squares += delta * (point.value - mean);
  }
  return sum_of_squares / seen;
}

double deviation(Points points, const Expr& aggregate) {
  return std::sqrt(variance(points, aggregate));
}

double quantile(Points points, const Expr& aggregate) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double q = *aggregate.parameter;
  if (q < 0) return -kInfinity;
  if (q > 1) return kInfinity;
  std::vector<double> values;
  for (const Point& point : points) values.push_back(point.value);
  std::sort(values.begin(), values.end(), [](double a, double b) {
    return std::isnan(a) ? !std::isnan(b) : a < b;  // NaN first.
  });
  const double last = static_cast<double>(values.size()) - 1;
  const double rank = q * last;
  if (std::isnan(rank)) return rank;
  const double lower = std::max(0.0, std::floor(rank));
  const double upper = std::min(last, lower + 1);
  const double weight = rank - std::floor(rank);
  return values[static_cast<std::size_t>(lower)] * (1 - weight) +
         values[static_cast<std::size_t>(upper)] * weight;
}

// Loki reckons a range in milliseconds and the times in nanoseconds; so does this, for the same
// results.
double rate_counter(Points points, const Expr& aggregate) {
  if (points.size() < 2) return 0;
  const Point& first = points.front();
  const Point& last = points.back();
  double increase = last.value - first.value;
  double before = 0;
  for (const Point& point : points) {
    if (point.value < before) increase += before;
    before = point.value;
  }
  const std::int64_t range_ms = aggregate.range_ns / 1'000'000;
  double to_start = static_cast<double>(range_ms) / 1000;
  const double to_end = 0;
  const double sampled = static_cast<double>(last.time - first.time) / 1000;
  const double average_step = sampled / static_cast<double>(points.size() - 1);
  if (increase > 0 && first.value >= 0)
    to_start = std::min(to_start, sampled * (first.value / increase));
  const double threshold = average_step * 1.1;
  double extrapolated = sampled;
  extrapolated += to_start < threshold ? to_start : average_step / 2;
  extrapolated += to_end < threshold ? to_end : average_step / 2;
  return increase * (extrapolated / sampled) / seconds_of(aggregate);
}

double first(Points points, const Expr&) { return points.front().value; }
double last(Points points, const Expr&) { return points.back().value; }
double one(Points, const Expr&) { return 1; }

}  // namespace

RangeFunction range_function(std::string_view name) {
  constexpr std::pair<std::string_view, RangeFunction> kFunctions[] = {
      {"rate", rate},
      {"bytes_rate", rate},
      {"rate_counter", rate_counter},
      {"count_over_time", count},
      {"bytes_over_time", sum},
      {"sum_over_time", sum},
      {"avg_over_time", average},
      {"max_over_time", maximum},
      {"min_over_time", minimum},
      {"stdvar_over_time", variance},
      {"stddev_over_time", deviation},
      {"quantile_over_time", quantile},
      {"first_over_time", first},
      {"last_over_time", last},
      {"absent_over_time", one},
  };
  for (const auto& [own, function] : kFunctions)
    if (own == name) return function;
  return nullptr;
}

}  // namespace spanway::query::logql
