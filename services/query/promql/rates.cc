// rate, increase, delta, irate, idelta, resets, changes.
#include "services/query/promql/rates.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "services/query/promql/evaluator.h"

namespace spanway::query::promql {
namespace {

using Hint = Histogram::Hint;

// True when a start time says that the counter was reset between two points.
bool starts_anew(const Point& before, const Point& now) {
  if (before.start == now.start || now.start == 0 || now.start >= now.t || now.start < before.t)
    return false;
  if (now.start > before.t) return true;
  // The start is the point before: a delta, or a start that is not known.
  return before.start <= before.t && before.start != 0 && before.start != before.t;
}

bool starts_anew(const Window& window, const Point& before, const Point& now) {
  return window.start_times && starts_anew(before, now);
}

bool starts_overlap(const Window& window, const Point& before, const Point& now) {
  return window.start_times && now.start != 0 && now.start < before.t && now.start != before.start;
}

std::string overlapping(std::string_view name) {
  return "sample has start time that overlaps with previous sample timestamp for metric " +
         quoted(name);
}
// The increase between the first and the last point, without extrapolation.
std::shared_ptr<Histogram> histogram_increase(const Window& window, bool is_counter,
                                              Annotations& notes) {
  const std::span<const Point> points = window.points;
  const Histogram& last = *points.back().h;
  Histogram before = *points.front().h;
  const bool ends_are_gauges = before.hint == Hint::kGauge && last.hint == Hint::kGauge;
  if (is_counter && (before.hint == Hint::kGauge || last.hint == Hint::kGauge))
    notes.warn(not_a_counter(window.name), window.first_position);
  if (is_counter &&
      (starts_anew(window, points[0], points[1]) || points[1].h->is_reset_after(before))) {
    // The first point does not count, and neither does its layout.
    before = Histogram{};
    before.schema = points[1].h->schema;
    before.custom_bounds = points[1].h->custom_bounds;
  }
  auto result = std::make_shared<Histogram>(last);
  if (last.is_custom() != before.is_custom()) {
    notes.warn(mixed_schemas(window.name), window.first_position);
    return nullptr;
  }
  for (const Point& point : points.subspan(1, points.size() - 2)) {
    if (!is_counter) break;
    if (point.h->hint == Hint::kGauge)
      notes.warn(not_a_counter(window.name), window.first_position);
    if (point.h->is_custom() != last.is_custom()) {
      notes.warn(mixed_schemas(window.name), window.first_position);
      return nullptr;
    }
    if (!last.is_custom()) result->reduce_to(std::min(result->schema, point.h->schema));
  }
  if (!subtract_noted(*result, before, window, notes)) return nullptr;
  if (!is_counter) {
    if (!ends_are_gauges) notes.warn(not_a_gauge(window.name), window.first_position);
  } else {
    for (std::size_t i = 1; i < points.size(); ++i) {
      if (starts_overlap(window, points[i - 1], points[i]))
        notes.warn(overlapping(window.name), window.first_position);
      if ((starts_anew(window, points[i - 1], points[i]) || points[i].h->is_reset_after(before)) &&
          !add_noted(*result, before, window, notes))
        return nullptr;
      before = *points[i].h;
    }
  }
  result->hint = Hint::kGauge;
  result->compact();
  return result;
}

double number_increase(const Window& window, bool is_counter, Annotations& notes) {
  const std::span<const Point> points = window.points;
  double result = points.back().f - points.front().f;
  for (std::size_t i = 1; i < points.size() && is_counter; ++i) {
    if (starts_overlap(window, points[i - 1], points[i]))
      notes.warn(overlapping(window.name), window.first_position);
    if (points[i].f < points[i - 1].f || starts_anew(window, points[i - 1], points[i]))
      result += points[i - 1].f;
  }
  return result;
}

struct Extent {
  double to_start = 0;
  double sampled = 0;
  double to_end = 0;
};

// Extrapolates as far as the distance of the points lets expect the series to reach.
Result<bool> extrapolated(const Window& window, Point& out, Annotations& notes, bool is_counter,
                          bool is_rate) {
  const std::span<const Point> points = window.points;
  const Kinds kinds = kinds_of(points);
  if (kinds == Kinds::kNone) return false;
  if (kinds == Kinds::kMixed) {
    notes.warn(mixed_points(window.name), window.first_position);
    return false;
  }
  const Point& first = points.front();
  const Point& last = points.back();
  double number = 0;
  std::shared_ptr<Histogram> histogram;
  if (kinds == Kinds::kNumbers) {
    number = number_increase(window, is_counter, notes);
  } else if (points.size() > 1) {
    histogram = histogram_increase(window, is_counter, notes);
    if (!histogram) return false;
  }
  const auto seconds = [](std::int64_t ms) { return static_cast<double>(ms) / 1000; };
  Extent extent{seconds(first.t - window.begin), seconds(last.t - first.t),
                seconds(window.end - last.t)};
  const double average =
      points.size() > 1 ? extent.sampled / static_cast<double>(points.size() - 1) : 0;
  const double threshold = average * 1.1;
  if (is_counter && window.start_times && first.start != 0 && first.start > window.begin &&
      first.start < first.t) {
    // The counter was zero at its start, within the range.
    extent.to_start = 0;
    extent.sampled = seconds(last.t - first.start);
    if (kinds == Kinds::kNumbers)
      number += first.f;
    else if (!histogram)
      histogram = std::make_shared<Histogram>(*first.h);
    else if (!add_noted(*histogram, *first.h, window, notes))
      return false;
  } else if (points.size() == 1) {
    return false;
  } else {
    if (extent.to_start >= threshold) extent.to_start = average / 2;
    if (is_counter) {
      double to_zero = extent.to_start;
      if (number > 0 && kinds == Kinds::kNumbers && first.f >= 0)
        to_zero = extent.sampled * (first.f / number);
      else if (histogram && histogram->count > 0 && first.h->count >= 0)
        to_zero = extent.sampled * (first.h->count / histogram->count);
      extent.to_start = std::min(extent.to_start, to_zero);
    }
  }
  if (extent.to_end >= threshold) extent.to_end = average / 2;
  double factor = 1;
  if (extent.sampled != 0)
    factor = (extent.sampled + extent.to_start + extent.to_end) / extent.sampled;
  if (is_rate) factor /= window.range_seconds;
  out.f = number * factor;
  if (histogram) histogram->multiply(factor);
  out.h = std::move(histogram);
  return true;
}

Result<bool> extrapolated_or_bordered(const Window& window, Point& out, Annotations& notes,
                                      bool is_counter, bool is_rate) {
  if (window.modifiers == nullptr || (!window.modifiers->anchored && !window.modifiers->smoothed))
    return extrapolated(window, out, notes, is_counter, is_rate);
  return extended_rate(window, out, notes, is_counter, is_rate);
}

Result<bool> rate(const Window& w, std::span<const double>, Point& out, Annotations& notes) {
  return extrapolated_or_bordered(w, out, notes, true, true);
}
Result<bool> increase(const Window& w, std::span<const double>, Point& out, Annotations& notes) {
  return extrapolated_or_bordered(w, out, notes, true, false);
}
Result<bool> delta(const Window& w, std::span<const double>, Point& out, Annotations& notes) {
  return extrapolated_or_bordered(w, out, notes, false, false);
}

Result<bool> of_last_two(const Window& window, Point& out, Annotations& notes, bool is_rate) {
  if (window.points.size() < 2) return false;
  const Point& before = window.points[window.points.size() - 2];
  const Point& now = window.points.back();
  const std::int64_t ms = now.t - before.t;
  if (ms == 0) return false;
  const bool is_reset = starts_anew(window, before, now);
  const double seconds = static_cast<double>(ms) / 1000;
  if (!now.h && !before.h) {
    out.f = is_rate && (now.f < before.f || is_reset) ? now.f : now.f - before.f;
    if (is_rate) out.f /= seconds;
    return true;
  }
  if (!now.h || !before.h) {
    notes.warn(mixed_points(window.name), window.first_position);
    return false;
  }
  auto result = std::make_shared<Histogram>(*now.h);
  const bool has_gauge = now.h->hint == Hint::kGauge || before.h->hint == Hint::kGauge;
  const bool are_gauges = now.h->hint == Hint::kGauge && before.h->hint == Hint::kGauge;
  if (is_rate && has_gauge) notes.warn(not_a_counter(window.name), window.first_position);
  if (!is_rate && !are_gauges) notes.warn(not_a_gauge(window.name), window.first_position);
  if (!is_rate || (!is_reset && !now.h->is_reset_after(*before.h))) {
    if (!subtract_noted(*result, *before.h, window, notes)) return false;
  }
  result->hint = Hint::kGauge;
  result->compact();
  if (is_rate) result->divide(seconds);
  out.h = std::move(result);
  return true;
}

Result<bool> irate(const Window& w, std::span<const double>, Point& out, Annotations& notes) {
  return of_last_two(w, out, notes, true);
}
Result<bool> idelta(const Window& w, std::span<const double>, Point& out, Annotations& notes) {
  return of_last_two(w, out, notes, false);
}

// Points to compare: of an anchored range the last one before it, too.
std::span<const Point> compared(const Window& window) {
  std::span<const Point> points = window.points;
  if (window.modifiers == nullptr || !window.modifiers->anchored) return points;
  if (points.empty() || points.back().t <= window.begin) return {};
  while (points.size() > 1 && points[1].t <= window.begin) points = points.subspan(1);
  return points;
}

template <typename Changed>
Result<bool> count_changes(const Window& window, Point& out, Changed changed) {
  const std::span<const Point> points = compared(window);
  if (points.empty()) return false;
  for (std::size_t i = 1; i < points.size(); ++i)
    if (changed(points[i - 1], points[i])) out.f += 1;
  return true;
}

Result<bool> resets(const Window& w, std::span<const double>, Point& out, Annotations&) {
  return count_changes(w, out, [&](const Point& before, const Point& now) {
    if ((before.h == nullptr) != (now.h == nullptr)) return true;
    if (starts_anew(w, before, now)) return true;
    return now.h ? now.h->is_reset_after(*before.h) : now.f < before.f;
  });
}

Result<bool> changes(const Window& w, std::span<const double>, Point& out, Annotations&) {
  return count_changes(w, out, [](const Point& before, const Point& now) {
    if ((before.h == nullptr) != (now.h == nullptr)) return true;
    if (now.h) return !now.h->equals(*before.h);
    return now.f != before.f && !(std::isnan(now.f) && std::isnan(before.f));
  });
}

}  // namespace

Kinds kinds_of(std::span<const Point> points) {
  const auto histograms =
      std::count_if(points.begin(), points.end(), [](const Point& p) { return p.h != nullptr; });
  if (points.empty()) return Kinds::kNone;
  if (histograms == 0) return Kinds::kNumbers;
  return histograms == std::ssize(points) ? Kinds::kHistograms : Kinds::kMixed;
}

std::string not_a_counter(std::string_view name) {
  return "this native histogram metric is not a counter: " + quoted(name);
}
std::string not_a_gauge(std::string_view name) {
  return "this native histogram metric is not a gauge: " + quoted(name);
}

bool add_noted(Histogram& sum, const Histogram& other, const Window& window, Annotations& notes) {
  const AddOutcome outcome = add(sum, other);
  if (outcome.incompatible) notes.warn(mixed_schemas(window.name), window.first_position);
  if (outcome.bounds_reconciled) notes.info(reconciled("addition"), window.first_position);
  return !outcome.incompatible;
}

bool subtract_noted(Histogram& sum, const Histogram& other, const Window& window,
                    Annotations& notes) {
  const AddOutcome outcome = subtract(sum, other);
  if (outcome.incompatible) notes.warn(mixed_schemas(window.name), window.first_position);
  if (outcome.bounds_reconciled) notes.info(reconciled("subtraction"), window.first_position);
  return !outcome.incompatible;
}

RangeFunction find_rate_function(std::string_view name) {
  if (name == "rate") return rate;
  if (name == "increase") return increase;
  if (name == "delta") return delta;
  if (name == "irate") return irate;
  if (name == "idelta") return idelta;
  if (name == "resets") return resets;
  if (name == "changes") return changes;
  return nullptr;
}

}  // namespace spanway::query::promql
