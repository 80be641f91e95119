// Parts that the functions of counters and gauges share. Private to this folder.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "services/query/promql/evaluator.h"

namespace spanway::query::promql {

enum class Kinds : unsigned char { kNone, kNumbers, kHistograms, kMixed };
Kinds kinds_of(std::span<const Point> points);

std::string not_a_counter(std::string_view name);
std::string not_a_gauge(std::string_view name);

// With a note for what was noticed. False when they cannot be added.
bool add_noted(Histogram& sum, const Histogram& other, const Window& window, Annotations& notes);
bool subtract_noted(Histogram& sum, const Histogram& other, const Window& window,
                    Annotations& notes);

// Between two histograms; nullptr when they cannot be subtracted.
std::shared_ptr<Histogram> interpolate_histograms(const Point& a, const Point& b, std::int64_t t,
                                                  bool is_counter, const Window& window,
                                                  Annotations& notes);

// rate, increase and delta from border to border of the range: anchored and smoothed.
Result<bool> extended_rate(const Window& window, Point& out, Annotations& notes, bool is_counter,
                           bool is_rate);

}  // namespace spanway::query::promql
