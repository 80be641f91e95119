// anchored and smoothed: from the border of the range to its border.
#include <algorithm>
#include <utility>

#include "services/query/promql/evaluator.h"
#include "services/query/promql/rates.h"

namespace spanway::query::promql {
namespace {

using Hint = Histogram::Hint;

Result<bool> bordered(const Window& window, Point& out, bool is_counter, bool is_rate) {
  const std::vector<Point> points =
      extended_points(window.points, window.begin, window.end, window.modifiers->smoothed);
  if (points.empty()) return false;
  // At its borders a counter is interpolated across a reset.
  const auto all = window.points;
  double left = points.front().f;
  double right = points.back().f;
  if (window.modifiers->smoothed && is_counter) {
    for (std::size_t i = 1; i < all.size(); ++i) {
      if (all[i - 1].t < window.begin && all[i].t > window.begin)
        left = interpolate(all[i - 1], all[i], window.begin, true);
      if (all[i - 1].t < window.end && all[i].t > window.end)
        right = interpolate(all[i - 1], all[i], window.end, true);
    }
  }
  double result = right - left;
  if (is_counter) {
    double before = left;
    for (const Point& point : std::span(points).subspan(1, points.size() - 2)) {
      if (point.f < before) result += before;
      before = point.f;
    }
    if (right < before) result += before;
  }
  out.f = is_rate ? result / window.range_seconds : result;
  return true;
}

// Positions of the points at the borders.
struct Borders {
  std::size_t first = 0;
  std::size_t last = 0;
};

std::optional<Borders> borders_of(const Window& window) {
  const auto points = window.points;
  Borders result;
  result.last = points.size() - 1;
  while (result.first + 1 < points.size() && points[result.first + 1].t <= window.begin)
    ++result.first;
  if (result.first > 0 && result.first == result.last) --result.first;
  if (window.modifiers->smoothed)
    while (result.last > 0 && points[result.last - 1].t >= window.end) --result.last;
  if (points[result.last].t <= window.begin) return std::nullopt;
  if (window.modifiers->smoothed && points[result.first].t > window.end) return std::nullopt;
  return result;
}

bool are_consistent(const Window& window, std::span<const Point> points, bool is_counter,
                    Annotations& notes) {
  for (const Point& point : points) {
    if (point.h->is_custom() != points[0].h->is_custom()) {
      notes.warn(mixed_schemas(window.name), window.first_position);
      return false;
    }
    if (is_counter && point.h->hint == Hint::kGauge)
      notes.warn(not_a_counter(window.name), window.first_position);
  }
  return true;
}

// Adds what counter resets between the borders took away.
bool add_resets(const Window& window, const Borders& borders, const Histogram& left,
                const Histogram& right, Histogram& result, Annotations& notes) {
  const auto points = window.points;
  std::size_t next = borders.first + 1;
  const Histogram* before = &left;
  if (window.modifiers->smoothed && points[borders.first].t < window.begin &&
      points[next].h->is_reset_after(*points[borders.first].h)) {
    // The left border was interpolated across this reset.
    before = points[next].h.get();
    ++next;
  }
  if (next > borders.last) return true;
  for (; next < borders.last; ++next) {
    if (points[next].h->is_reset_after(*before) && !add_noted(result, *before, window, notes))
      return false;
    before = points[next].h.get();
  }
  return !right.is_reset_after(*before) || add_noted(result, *before, window, notes);
}

Result<bool> bordered_histogram(const Window& window, Point& out, Annotations& notes,
                                bool is_counter, bool is_rate) {
  const auto borders = borders_of(window);
  if (!borders) return false;
  const auto points = window.points;
  const std::size_t first = borders->first;
  const std::size_t last = borders->last;
  if (!are_consistent(window, points.subspan(first, last - first + 1), is_counter, notes))
    return false;
  const bool smoothed = window.modifiers->smoothed;
  auto left = std::make_shared<Histogram>(*points[first].h);
  auto right = std::make_shared<Histogram>(*points[last].h);
  if (smoothed && points[first].t < window.begin)
    left = interpolate_histograms(points[first], points[first + 1], window.begin, is_counter,
                                  window, notes);
  if (smoothed && last > 0 && points[last].t > window.end)
    right = interpolate_histograms(points[last - 1], points[last], window.end, is_counter, window,
                                   notes);
  if (!left || !right) return false;
  if (!is_counter && (left->hint != Hint::kGauge || right->hint != Hint::kGauge))
    notes.warn(not_a_gauge(window.name), window.first_position);
  auto result = std::make_shared<Histogram>(*right);
  if (!subtract_noted(*result, *left, window, notes)) return false;
  if (is_counter && !add_resets(window, *borders, *left, *right, *result, notes)) return false;
  if (is_rate) result->divide(window.range_seconds);
  result->hint = Hint::kGauge;
  result->compact();
  out.h = std::move(result);
  return true;
}

}  // namespace

std::shared_ptr<Histogram> interpolate_histograms(const Point& a, const Point& b, std::int64_t t,
                                                  bool is_counter, const Window& window,
                                                  Annotations& notes) {
  if (t == a.t) return std::make_shared<Histogram>(*a.h);
  auto result = std::make_shared<Histogram>(*b.h);
  if (t == b.t) return result;
  const double share = static_cast<double>(t - a.t) / static_cast<double>(b.t - a.t);
  if (is_counter && b.h->is_reset_after(*a.h)) {
    result->multiply(share);
    return result;
  }
  if (!subtract_noted(*result, *a.h, window, notes)) return nullptr;
  result->multiply(share);
  return add_noted(*result, *a.h, window, notes) ? result : nullptr;
}

Result<bool> extended_rate(const Window& window, Point& out, Annotations& notes, bool is_counter,
                           bool is_rate) {
  switch (kinds_of(window.points)) {
    case Kinds::kNumbers:
      return bordered(window, out, is_counter, is_rate);
    case Kinds::kHistograms:
      return bordered_histogram(window, out, notes, is_counter, is_rate);
    case Kinds::kMixed:
      notes.warn(mixed_points(window.name), window.first_position);
      return false;
    case Kinds::kNone:
      break;
  }
  return false;
}

double interpolate(const Point& a, const Point& b, std::int64_t t, bool is_counter) {
  const double from = is_counter && b.f < a.f ? 0 : a.f;
  return from + (b.f - from) * static_cast<double>(t - a.t) / static_cast<double>(b.t - a.t);
}

std::vector<Point> extended_points(std::span<const Point> points, std::int64_t begin,
                                   std::int64_t end, bool smoothed) {
  std::vector<Point> result;
  if (points.empty()) return result;
  std::size_t first = 0;
  while (first + 1 < points.size() && points[first + 1].t <= begin) ++first;
  std::size_t last = points.size() - 1;
  if (smoothed)
    while (last > 0 && points[last - 1].t >= end) --last;
  if (points[last].t <= begin || (smoothed && points[first].t > end)) return result;
  double left = points[first].f;
  double right = points[last].f;
  if (smoothed && points[first].t < begin)
    left = interpolate(points[first], points[first + 1], begin, false);
  if (smoothed && last > 0 && points[last].t > end)
    right = interpolate(points[last - 1], points[last], end, false);
  result.push_back({begin, left});
  for (const Point& point : points)
    if (point.t > begin && point.t < end) result.push_back(point);
  result.push_back({end, right});
  return result;
}

}  // namespace spanway::query::promql
