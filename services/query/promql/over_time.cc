// Aggregations over time, deriv, predict_linear and smoothing.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "services/query/promql/evaluator.h"
#include "services/query/promql/number_text.h"

namespace spanway::query::promql {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
using Scalars = std::span<const double>;

std::vector<Point> numbers(const Window& window) {
  std::vector<Point> result;
  for (const Point& point : window.points)
    if (!point.h) result.push_back(point);
  return result;
}

// The numbers, with a note when histograms are beside them.
std::vector<Point> numbers_noted(const Window& window, Annotations& notes) {
  std::vector<Point> result = numbers(window);
  if (!result.empty() && result.size() < window.points.size())
    notes.info(ignored_histograms(window.name), window.first_position);
  return result;
}

void note_mean(const AddOutcome& outcome, const Window& window, Annotations& notes) {
  if (outcome.bounds_reconciled) notes.info(reconciled("aggregation"), window.first_position);
}

// Sum or mean of histograms; nullptr when they cannot be added.
std::shared_ptr<Histogram> total(const Window& window, bool is_mean, Annotations& notes) {
  auto sum = std::make_shared<Histogram>(*window.points[0].h);
  Histogram lost;
  lost.schema = sum->schema;
  lost.zero_threshold = sum->zero_threshold;
  lost.custom_bounds = sum->custom_bounds;
  bool saw_reset = false;
  bool saw_no_reset = false;
  for (const Point& point : window.points) {
    saw_reset |= point.h->hint == Histogram::Hint::kReset;
    saw_no_reset |= point.h->hint == Histogram::Hint::kNotReset;
  }
  bool is_incremental = false;
  double count = 1;
  for (const Point& point : window.points.subspan(1)) {
    count += 1;
    AddOutcome outcome;
    if (!is_incremental) {
      Histogram next = *sum;
      Histogram next_lost = lost;
      outcome = add(next, *point.h, &next_lost);
      is_incremental = is_mean && next.has_overflow();
      if (is_incremental) {
        sum->divide(count - 1);
        lost.divide(count - 1);
      } else {
        *sum = std::move(next);
        lost = std::move(next_lost);
      }
    }
    if (is_incremental) {
      Histogram part = *point.h;
      part.divide(count);
      sum->multiply((count - 1) / count);
      lost.multiply((count - 1) / count);
      outcome = add(*sum, part, &lost);
    }
    if (outcome.incompatible) {
      notes.warn(mixed_schemas(window.name), window.first_position);
      return nullptr;
    }
    note_mean(outcome, window, notes);
  }
  if (saw_reset && saw_no_reset)
    notes.warn("conflicting counter resets during histogram aggregation", window.first_position);
  if (is_mean && !is_incremental) {
    sum->divide(count);
    lost.divide(count);
  }
  lost.hint = sum->hint;
  add(*sum, lost);
  return sum;
}

Result<bool> mixed(const Window& window, Annotations& notes) {
  notes.warn(mixed_points(window.name), window.first_position);
  return false;
}

Result<bool> sum(const Window& w, Scalars, Point& out, Annotations& notes) {
  const std::vector<Point> points = numbers(w);
  if (points.empty()) {
    out.h = total(w, false, notes);
    return out.h != nullptr;
  }
  if (points.size() < w.points.size()) return mixed(w, notes);
  double lost = 0;
  for (const Point& point : points) kahan_add(point.f, out.f, lost);
  if (!std::isinf(out.f)) out.f += lost;
  return true;
}

Result<bool> avg(const Window& w, Scalars, Point& out, Annotations& notes) {
  const std::vector<Point> points = numbers(w);
  if (points.empty()) {
    out.h = total(w, true, notes);
    return out.h != nullptr;
  }
  if (points.size() < w.points.size()) return mixed(w, notes);
  double value = points[0].f;  // The sum, or the mean once the sum would overflow.
  double lost = 0;
  double count = 1;
  bool is_incremental = false;
  for (const Point& point : std::span(points).subspan(1)) {
    count += 1;
    if (!is_incremental) {
      double next = value;
      double next_lost = lost;
      kahan_add(point.f, next, next_lost);
      is_incremental = std::isinf(next);
      if (!is_incremental) {
        value = next;
        lost = next_lost;
        continue;
      }
      value /= count - 1;
      lost /= count - 1;
    }
    const double q = (count - 1) / count;
    value *= q;
    lost *= q;
    kahan_add(point.f / count, value, lost);
  }
  out.f = is_incremental ? value + lost : value / count + lost / count;
  return true;
}

Result<bool> count(const Window& w, Scalars, Point& out, Annotations&) {
  out.f = static_cast<double>(w.points.size());
  return true;
}

Result<bool> one(const Window&, Scalars, Point& out, Annotations&) {
  out.f = 1;
  return true;
}

Result<bool> first(const Window& w, Scalars, Point& out, Annotations&) {
  out = w.points.front();
  return true;
}
Result<bool> last(const Window& w, Scalars, Point& out, Annotations&) {
  out = w.points.back();
  return true;
}
Result<bool> time_of_first(const Window& w, Scalars, Point& out, Annotations&) {
  out.f = static_cast<double>(w.points.front().t) / 1000;
  return true;
}
Result<bool> time_of_last(const Window& w, Scalars, Point& out, Annotations&) {
  out.f = static_cast<double>(w.points.back().t) / 1000;
  return true;
}

// `better` compares a point with the best one before it.
template <typename Better>
Result<bool> best(const Window& w, Point& out, Annotations& notes, bool shows_time, Better better) {
  const std::vector<Point> points = numbers_noted(w, notes);
  if (points.empty()) return false;
  Point found = points[0];
  for (const Point& point : points)
    if (better(point.f, found.f) || std::isnan(found.f)) found = point;
  out.f = shows_time ? static_cast<double>(found.t) / 1000 : found.f;
  return true;
}

Result<bool> max(const Window& w, Scalars, Point& out, Annotations& notes) {
  return best(w, out, notes, false, [](double a, double b) { return a > b; });
}
Result<bool> min(const Window& w, Scalars, Point& out, Annotations& notes) {
  return best(w, out, notes, false, [](double a, double b) { return a < b; });
}
Result<bool> time_of_max(const Window& w, Scalars, Point& out, Annotations& notes) {
  return best(w, out, notes, true, [](double a, double b) { return a >= b; });
}
Result<bool> time_of_min(const Window& w, Scalars, Point& out, Annotations& notes) {
  return best(w, out, notes, true, [](double a, double b) { return a <= b; });
}

std::vector<double> values_of(const std::vector<Point>& points) {
  std::vector<double> result;
  for (const Point& point : points) result.push_back(point.f);
  return result;
}

Result<bool> quantile_of(const Window& w, Scalars scalars, Point& out, Annotations& notes) {
  const std::vector<Point> points = numbers(w);
  if (points.empty()) return false;
  const double q = scalars[0];
  if (std::isnan(q) || q < 0 || q > 1)
    notes.warn("quantile value should be between 0 and 1, got " + print_general(q),
               w.first_position);
  numbers_noted(w, notes);
  out.f = quantile(q, values_of(points));
  return true;
}

Result<bool> mad(const Window& w, Scalars, Point& out, Annotations& notes) {
  const std::vector<Point> points = numbers_noted(w, notes);
  if (points.empty()) return false;
  std::vector<double> values = values_of(points);
  if (std::any_of(values.begin(), values.end(), [](double v) { return std::isnan(v); })) {
    out.f = kNaN;
    return true;
  }
  const double median = quantile(0.5, values);
  for (double& value : values) value = std::fabs(value - median);
  out.f = quantile(0.5, values);
  return true;
}

Result<bool> variance(const Window& w, Scalars, Point& out, Annotations& notes) {
  const std::vector<Point> points = numbers_noted(w, notes);
  if (points.empty()) return false;
  double n = 0;
  double mean = 0;
  double mean_lost = 0;
  double squares = 0;
  double squares_lost = 0;
  for (const Point& point : points) {
    n += 1;
    const double distance = point.f - (mean + mean_lost);
    kahan_add(distance / n, mean, mean_lost);
    kahan_add(distance * (point.f - (mean + mean_lost)), squares, squares_lost);
  }
  out.f = (squares + squares_lost) / n;
  return true;
}

Result<bool> deviation(const Window& w, Scalars scalars, Point& out, Annotations& notes) {
  SPANWAY_ASSIGN(const bool has_result, variance(w, scalars, out, notes));
  out.f = std::sqrt(out.f);
  return has_result;
}

struct Line {
  double slope = 0;
  double value = 0;  // At the requested time.
};

Line regression(const std::vector<Point>& points, std::int64_t time) {
  const bool is_constant =
      std::all_of(points.begin(), points.end(), [&](const Point& p) { return p.f == points[0].f; });
  if (is_constant) return std::isinf(points[0].f) ? Line{kNaN, kNaN} : Line{0, points[0].f};
  double n = 0;
  std::array<double, 4> sums{};
  std::array<double, 4> lost{};
  for (const Point& point : points) {
    n += 1;
    const double x = static_cast<double>(point.t - time) / 1000;
    kahan_add(x, sums[0], lost[0]);
    kahan_add(point.f, sums[1], lost[1]);
    kahan_add(x * point.f, sums[2], lost[2]);
    kahan_add(x * x, sums[3], lost[3]);
  }
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += lost[i];
  const double slope = (sums[2] - sums[0] * sums[1] / n) / (sums[3] - sums[0] * sums[0] / n);
  return {slope, sums[1] / n - slope * sums[0] / n};
}

Result<bool> deriv(const Window& w, Scalars, Point& out, Annotations& notes) {
  const std::vector<Point> points = numbers_noted(w, notes);
  if (points.size() < 2) return false;
  out.f = regression(points, points[0].t).slope;
  return true;
}

Result<bool> predict(const Window& w, Scalars scalars, Point& out, Annotations& notes) {
  const std::vector<Point> points = numbers_noted(w, notes);
  if (points.size() < 2) return false;
  const Line line = regression(points, w.t);
  out.f = line.slope * scalars[0] + line.value;
  return true;
}

Result<bool> smooth(const Window& w, Scalars scalars, Point& out, Annotations& notes) {
  const auto check = [](const char* what, const char* symbol, double value) -> Status {
    if (value > 0 && value < 1) return ok_status();
    return evaluation_error(std::string("invalid ") + what + " factor. Expected: 0 < " + symbol +
                            " < 1, got: " + std::to_string(value));
  };
  SPANWAY_TRY(check("smoothing", "sf", scalars[0]));
  SPANWAY_TRY(check("trend", "tf", scalars[1]));
  const std::vector<Point> points = numbers_noted(w, notes);
  if (points.size() < 2) return false;
  double before = 0;
  double now = points[0].f;
  double trend = points[1].f - points[0].f;
  for (std::size_t i = 1; i < points.size(); ++i) {
    if (i > 1) trend = scalars[1] * (now - before) + (1 - scalars[1]) * trend;
    before = std::exchange(now, scalars[0] * points[i].f + (1 - scalars[0]) * (now + trend));
  }
  out.f = now;
  return true;
}

}  // namespace

double quantile(double q, std::vector<double> values) {
  if (values.empty() || std::isnan(q)) return kNaN;
  if (q < 0) return -std::numeric_limits<double>::infinity();
  if (q > 1) return std::numeric_limits<double>::infinity();
  std::sort(values.begin(), values.end(), [](double a, double b) {
    if (std::isnan(a)) return !std::isnan(b);
    return a < b;
  });
  const double rank = q * static_cast<double>(values.size() - 1);
  const auto lower = static_cast<std::size_t>(std::max(0.0, std::floor(rank)));
  const std::size_t upper = std::min(values.size() - 1, lower + 1);
  const double weight = rank - std::floor(rank);
  return values[lower] * (1 - weight) + values[upper] * weight;
}

RangeFunction find_range_function(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, RangeFunction>, 21> kFunctions{{
      {"sum_over_time", sum},
      {"avg_over_time", avg},
      {"count_over_time", count},
      {"present_over_time", one},
      {"absent_over_time", one},
      {"first_over_time", first},
      {"last_over_time", last},
      {"ts_of_first_over_time", time_of_first},
      {"ts_of_last_over_time", time_of_last},
      {"max_over_time", max},
      {"min_over_time", min},
      {"ts_of_max_over_time", time_of_max},
      {"ts_of_min_over_time", time_of_min},
      {"quantile_over_time", quantile_of},
      {"mad_over_time", mad},
      {"stdvar_over_time", variance},
      {"stddev_over_time", deviation},
      {"deriv", deriv},
      {"predict_linear", predict},
      {"double_exponential_smoothing", smooth},
      {"", nullptr},
  }};
  const auto found = std::find_if(kFunctions.begin(), kFunctions.end(),
                                  [&](const auto& one) { return one.first == name; });
  return found == kFunctions.end() ? nullptr : found->second;
}

}  // namespace spanway::query::promql
