// Points of selectors and subqueries.
#include <algorithm>
#include <cmath>
#include <utility>

#include "services/query/promql/evaluator.h"
#include "services/query/promql/rates.h"

namespace spanway::query::promql {

Result<double> Evaluator::duration_seconds(const Expr& expr) {
  if (expr.kind == NodeKind::kNumber) return expr.number;
  double left = 0;
  double right = 0;
  if (!expr.args.empty()) {
    SPANWAY_ASSIGN(left, duration_seconds(*expr.args[0]));
  }
  if (expr.args.size() == 1) return expr.op == Token::kSub ? -left : left;
  if (expr.args.size() == 2) {
    SPANWAY_ASSIGN(right, duration_seconds(*expr.args[1]));
  }
  const std::string where =
      std::to_string(expr.position.begin) + ":" + std::to_string(expr.position.end);
  switch (expr.op) {
    case Token::kStep:
      return is_range_ ? static_cast<double>(query_.step) / 1000 : 0.0;
    case Token::kRange:
      return static_cast<double>(query_.end - query_.start) / 1000;
    case Token::kMinOf:
      return std::min(left, right);
    case Token::kMaxOf:
      return std::max(left, right);
    case Token::kAdd:
      return left + right;
    case Token::kSub:
      return left - right;
    case Token::kMul:
      return left * right;
    case Token::kPow:
      return std::pow(left, right);
    case Token::kDiv:
      if (right == 0) return evaluation_error(where + ": division by zero");
      return left / right;
    case Token::kMod:
      if (right == 0) return evaluation_error(where + ": modulo by zero");
      return std::fmod(left, right);
    default:
      return evaluation_error(where + ": no duration");
  }
}

Result<std::int64_t> Evaluator::duration_ms(const Expr* expr, std::int64_t literal,
                                            bool may_be_negative) {
  if (expr == nullptr) return literal;
  SPANWAY_ASSIGN(const double seconds, duration_seconds(*expr));
  const std::string where =
      std::to_string(expr->position.begin) + ":" + std::to_string(expr->position.end) + ": ";
  if (!std::isfinite(seconds)) return evaluation_error(where + "duration is NaN or infinite");
  if (seconds <= 0 && !may_be_negative)
    return evaluation_error(where + "duration must be greater than 0");
  if (std::fabs(seconds) > 9223372036.0)
    return evaluation_error(where + "duration is out of range");
  return static_cast<std::int64_t>(seconds * 1000);
}

std::optional<std::int64_t> Evaluator::fixed_time(const Modifiers& modifiers) const {
  if (modifiers.at_word == Token::kStart) return query_.start;
  if (modifiers.at_word == Token::kEnd) return query_.end;
  return modifiers.at_ms;
}

Result<std::unique_ptr<SourceStream>> Evaluator::open(const Expr& selector, std::int64_t begin,
                                                      std::int64_t end) {
  return source_.select({selector.matchers, begin, end});
}

Result<Matrix> Evaluator::selector(const Expr& expr, const Steps& steps, Show show) {
  const Modifiers& modifiers = expr.modifiers;
  SPANWAY_ASSIGN(const std::int64_t offset,
                 duration_ms(modifiers.offset.get(), modifiers.offset_ms, true));
  const auto at = fixed_time(modifiers);
  const std::int64_t after = modifiers.smoothed ? options_.lookback_ms : 0;
  SPANWAY_ASSIGN(auto stream,
                 open(expr, at.value_or(steps.start) - offset - options_.lookback_ms + 1,
                      at.value_or(steps.end) - offset + after));
  Matrix result;
  for (;;) {
    SPANWAY_ASSIGN(auto input, stream->next());
    if (!input) break;
    SPANWAY_TRY(count_samples(input->points.size()));
    set_hints(expr, input->points);
    PointSeries output{.labels = input->labels, .points = {}, .drop_name = input->drop_name};
    const std::vector<Point>& points = input->points;
    std::size_t next = 0;
    if (modifiers.smoothed) smoothed_points(*input, expr, steps, offset, output);
    for (std::int64_t t = steps.start; t <= steps.end && !modifiers.smoothed; t += steps.step) {
      const std::int64_t time = at.value_or(t) - offset;
      while (next < points.size() && points[next].t <= time) ++next;
      if (next == 0) continue;
      const Point& point = points[next - 1];
      if (point.t <= time - options_.lookback_ms || is_stale(point)) continue;
      if (show == Show::kInfoTime && point.h)
        return evaluation_error("this should be an info metric, with float samples: " +
                                to_string(input->labels));
      if (show == Show::kValue)
        output.points.push_back({t, point.f, point.h});
      else
        output.points.push_back(
            {t, static_cast<double>(show == Show::kStartTime ? point.start : point.t) / 1000});
    }
    if (!output.points.empty()) result.push_back(std::move(output));
  }
  return result;
}

void Evaluator::smoothed_points(const PointSeries& input, const Expr& expr, const Steps& steps,
                                std::int64_t offset, PointSeries& output) {
  const auto at = fixed_time(expr.modifiers);
  std::vector<Point> points;
  std::copy_if(input.points.begin(), input.points.end(), std::back_inserter(points),
               [](const Point& point) { return !is_stale(point); });
  for (std::int64_t t = steps.start; t <= steps.end; t += steps.step) {
    const std::int64_t time = at.value_or(t) - offset;
    std::vector<Point> near;
    for (const Point& point : points)
      if (point.t > time - options_.lookback_ms && point.t <= time + options_.lookback_ms)
        near.push_back(point);
    const auto next = std::lower_bound(near.begin(), near.end(), time,
                                       [](const Point& p, std::int64_t key) { return p.t < key; });
    const auto histograms =
        std::count_if(near.begin(), near.end(), [](const Point& p) { return p.h != nullptr; });
    if (histograms > 0 && histograms < std::ssize(near)) {
      annotations_.warn(mixed_points(metric_name(input.labels)), expr.position);
      continue;
    }
    if (next != near.end() && next->t == time) {
      output.points.push_back({t, next->f, next->h});
    } else if (next != near.begin() && next == near.end()) {
      Point point{t, std::prev(next)->f, std::prev(next)->h};
      if (point.h) {
        // The hint is about the point before, not about this time.
        auto copy = std::make_shared<Histogram>(*point.h);
        copy->hint = Histogram::Hint::kUnknown;
        point.h = std::move(copy);
      }
      output.points.push_back(std::move(point));
    } else if (next != near.begin() && histograms > 0) {
      const Point& before = *std::prev(next);
      if (before.h->is_custom() != next->h->is_custom()) {
        annotations_.warn(mixed_schemas(metric_name(input.labels)), expr.position);
        continue;
      }
      const bool is_counter =
          before.h->hint != Histogram::Hint::kGauge || next->h->hint != Histogram::Hint::kGauge;
      Window window;
      window.name = metric_name(input.labels);
      window.first_position = expr.position;
      auto between = interpolate_histograms(before, *next, time, is_counter, window, annotations_);
      if (between) output.points.push_back({t, 0, std::move(between)});
    } else if (next != near.begin()) {
      output.points.push_back({t, interpolate(*std::prev(next), *next, time, false)});
    }
  }
}

Result<Matrix> Evaluator::range_vector(const Expr& expr, const Steps& steps) {
  if (expr.kind == NodeKind::kSubquery) return subquery(expr, steps);
  const Expr& inner = *expr.args[0];
  const Modifiers& modifiers = inner.modifiers;
  SPANWAY_ASSIGN(const std::int64_t offset,
                 duration_ms(modifiers.offset.get(), modifiers.offset_ms, true));
  SPANWAY_ASSIGN(const std::int64_t range, duration_ms(expr.range.get(), expr.range_ms, false));
  const auto at = fixed_time(modifiers);
  const std::int64_t end = at.value_or(steps.end) - offset;
  const std::int64_t begin = at.value_or(steps.start) - offset - range;
  const bool is_extended = modifiers.anchored || modifiers.smoothed;
  SPANWAY_ASSIGN(auto stream, open(inner, begin + 1 - (is_extended ? options_.lookback_ms : 0),
                                   end + (modifiers.smoothed ? options_.lookback_ms : 0)));
  Matrix result;
  for (;;) {
    SPANWAY_ASSIGN(auto series, stream->next());
    if (!series) break;
    SPANWAY_TRY(count_samples(series->points.size()));
    std::erase_if(series->points, is_stale);
    if (is_extended)
      series->points = extended_points(series->points, begin, end, modifiers.smoothed);
    if (!series->points.empty()) result.push_back(std::move(*series));
  }
  return result;
}

Result<Matrix> Evaluator::subquery(const Expr& expr, const Steps& steps) {
  const Modifiers& modifiers = expr.modifiers;
  SPANWAY_ASSIGN(const std::int64_t offset,
                 duration_ms(modifiers.offset.get(), modifiers.offset_ms, true));
  SPANWAY_ASSIGN(const std::int64_t range, duration_ms(expr.range.get(), expr.range_ms, false));
  SPANWAY_ASSIGN(std::int64_t step, duration_ms(expr.step.get(), expr.step_ms, false));
  if (step == 0) step = options_.subquery_step_ms;
  const auto at = fixed_time(modifiers);
  const std::int64_t last = steps.start + (steps.end - steps.start) / steps.step * steps.step;
  const std::int64_t begin = at.value_or(steps.start) - offset - range;
  Steps inner{begin / step * step, at.value_or(last) - offset, step};
  if (inner.start <= begin) inner.start += step;
  if (inner.end < inner.start) return Matrix{};
  SPANWAY_ASSIGN(Matrix result, evaluate(*expr.args[0], inner));
  for (PointSeries& series : result)
    for (Point& point : series.points) {
      if (!point.h || point.h->hint == Histogram::Hint::kGauge ||
          point.h->hint == Histogram::Hint::kUnknown)
        continue;
      // A reset between two steps would be missed.
      auto copy = std::make_shared<Histogram>(*point.h);
      copy->hint = Histogram::Hint::kUnknown;
      point.h = std::move(copy);
    }
  return result;
}

}  // namespace spanway::query::promql
