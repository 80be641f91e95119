// Functions of range vectors: one series after the other, each window from the last one.
#include <algorithm>
#include <set>
#include <utility>

#include "services/query/promql/evaluator.h"
#include "services/query/promql/functions.h"
#include "services/query/store/metric_query.h"

namespace spanway::query::promql {
namespace {

bool ends_with_counter_suffix(std::string_view name) {
  return name.ends_with("_total") || name.ends_with("_sum") || name.ends_with("_count") ||
         name.ends_with("_bucket");
}

Status check_extended(const Modifiers& modifiers, std::string_view function) {
  const bool is_rate = function == "rate" || function == "increase" || function == "delta";
  if (modifiers.smoothed && !is_rate)
    return evaluation_error(
        "smoothed modifier can only be used with: delta, increase, rate - not with " +
        std::string(function));
  if (modifiers.anchored && !is_rate && function != "resets" && function != "changes")
    return evaluation_error(
        "anchored modifier can only be used with: changes, delta, increase, rate, resets - not "
        "with " +
        std::string(function));
  return ok_status();
}

// Labels that an absent series would have.
Labels labels_of_absent(const Expr& expr) {
  Labels result;
  if (expr.kind != NodeKind::kSelector && expr.kind != NodeKind::kMatrix) return result;
  const Expr& selector = expr.kind == NodeKind::kMatrix ? *expr.args[0] : expr;
  std::set<std::string> seen;
  for (const LabelMatcher& matcher : selector.matchers) {
    if (matcher.label == kMetricName) continue;
    const bool is_first = seen.insert(matcher.label).second;
    set_label(result, matcher.label,
              matcher.op == MatchOp::kEqual && is_first ? matcher.value : "");
    if (matcher.op != MatchOp::kEqual) seen.erase(matcher.label);
  }
  return result;
}

}  // namespace

Result<Matrix> Evaluator::range_call(const Expr& expr, const Expr& range, std::size_t range_index,
                                     const Steps& steps) {
  const std::string_view name = expr.signature->name;
  RangeFunction function = find_rate_function(name);
  if (function == nullptr) function = find_range_function(name);
  const bool is_selector = range.kind == NodeKind::kMatrix;
  const Modifiers& modifiers = is_selector ? range.args[0]->modifiers : range.modifiers;
  SPANWAY_TRY(check_extended(modifiers, name));
  SPANWAY_ASSIGN(const std::int64_t offset,
                 duration_ms(modifiers.offset.get(), modifiers.offset_ms, true));
  SPANWAY_ASSIGN(const std::int64_t length, duration_ms(range.range.get(), range.range_ms, false));
  const auto at = fixed_time(modifiers);
  std::vector<Matrix> scalars;
  for (std::size_t i = 0; i < expr.args.size(); ++i) {
    if (i == range_index) continue;
    SPANWAY_ASSIGN(Matrix one, evaluate(*expr.args[i], steps));
    scalars.push_back(std::move(one));
  }
  const std::int64_t before = modifiers.anchored || modifiers.smoothed ? options_.lookback_ms : 0;
  const std::int64_t after = modifiers.smoothed ? options_.lookback_ms : 0;
  std::unique_ptr<SourceStream> stream;
  Matrix inner;
  if (is_selector) {
    SPANWAY_ASSIGN(stream,
                   open(*range.args[0], at.value_or(steps.start) - offset - length - before + 1,
                        at.value_or(steps.end) - offset + after));
  } else {
    SPANWAY_ASSIGN(inner, subquery(range, steps));
  }
  const bool keeps_name = name == "last_over_time" || name == "first_over_time";
  Matrix result;
  for (std::size_t index = 0;; ++index) {
    PointSeries input;
    if (stream) {
      SPANWAY_ASSIGN(auto next, stream->next());
      if (!next) break;
      input = std::move(*next);
      set_hints(*range.args[0], input.points);
      std::erase_if(input.points, is_stale);
    } else if (index < inner.size()) {
      input = std::move(inner[index]);
    } else {
      break;
    }
    const std::size_t held = samples_;
    SPANWAY_TRY(count_samples(input.points.size()));
    PointSeries output{
        .labels = input.labels, .points = {}, .drop_name = !keeps_name || input.drop_name};
    Window window;
    window.modifiers = is_selector ? &modifiers : nullptr;
    window.name = metric_name(output.labels);
    window.position = range.position;
    window.first_position = expr.args[0]->position;
    window.start_times = options_.start_times;
    window.range_seconds = static_cast<double>(length) / 1000;
    const std::vector<Point>& points = input.points;
    std::size_t first = 0;
    std::size_t last = 0;
    std::size_t step_index = 0;
    std::vector<double> values(scalars.size());
    for (std::int64_t t = steps.start; t <= steps.end; t += steps.step, ++step_index) {
      SPANWAY_TRY(check_sometimes());
      window.t = t;
      window.end = at.value_or(t) - offset;
      window.begin = window.end - length;
      while (last < points.size() && points[last].t <= window.end + after) ++last;
      while (first < last && points[first].t <= window.begin - before) ++first;
      window.points = std::span(points).subspan(first, last - first);
      if (window.points.empty()) continue;
      for (std::size_t i = 0; i < scalars.size(); ++i)
        values[i] = scalars[i][0].points[step_index].f;
      Point out;
      SPANWAY_ASSIGN(const bool has_result, function(window, values, out, annotations_));
      out.t = t;
      if (has_result) output.points.push_back(std::move(out));
    }
    samples_ = held;
    const bool has_numbers = std::any_of(output.points.begin(), output.points.end(),
                                         [](const Point& point) { return !point.h; });
    if ((name == "rate" || name == "increase") && has_numbers && !window.name.empty() &&
        !ends_with_counter_suffix(window.name))
      annotations_.info(
          "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: " +
              quoted(window.name),
          expr.args[0]->position);
    SPANWAY_TRY(count_samples(output.points.size()));
    if (!output.points.empty()) result.push_back(std::move(output));
  }
  if (name == "absent_over_time") return absent_over_time(result, range, steps);
  return result;
}

Result<Matrix> Evaluator::absent_over_time(const Matrix& present, const Expr& range,
                                           const Steps& steps) {
  std::set<std::int64_t> times;
  for (const PointSeries& series : present)
    for (const Point& point : series.points) times.insert(point.t);
  PointSeries absent{.labels = labels_of_absent(range), .points = {}, .drop_name = true};
  for (std::int64_t t = steps.start; t <= steps.end; t += steps.step)
    if (!times.contains(t)) absent.points.push_back({t, 1});
  if (absent.points.empty()) return Matrix{};
  return Matrix{std::move(absent)};
}

Result<Matrix> Evaluator::call(const Expr& expr, const Steps& steps) {
  const std::string_view name = expr.signature->name;
  for (std::size_t i = 0; i < expr.args.size(); ++i) {
    const Expr& arg = unwrapped(*expr.args[i]);
    if (arg.kind == NodeKind::kMatrix || arg.kind == NodeKind::kSubquery)
      return range_call(expr, arg, i, steps);
  }
  if (name == "timestamp" || name == "start_timestamp") {
    const Expr& arg = unwrapped(*expr.args[0]);
    const bool is_start = name == "start_timestamp";
    if (is_start && (!options_.start_times || arg.kind != NodeKind::kSelector)) return Matrix{};
    if (arg.kind == NodeKind::kSelector) {
      SPANWAY_ASSIGN(Matrix result,
                     selector(arg, steps, is_start ? Show::kStartTime : Show::kTime));
      for (PointSeries& series : result) series.drop_name = true;
      return result;
    }
  }
  if (name == "label_replace") return label_replace(expr, steps);
  if (name == "label_join") return label_join(expr, steps);
  if (name == "start") return constant(static_cast<double>(query_.start) / 1000, steps);
  if (name == "end") return constant(static_cast<double>(query_.end) / 1000, steps);
  if (name == "range")
    return constant(static_cast<double>(query_.end - query_.start) / 1000, steps);
  if (name == "step")
    return constant(query_.start != query_.end ? static_cast<double>(query_.step) / 1000 : 0,
                    steps);
  if (name == "info") return info_call(expr, steps);
  if (name == "absent") {
    SPANWAY_ASSIGN(Matrix present, evaluate(*expr.args[0], steps));
    SPANWAY_ASSIGN(Matrix result, absent_over_time(present, unwrapped(*expr.args[0]), steps));
    for (PointSeries& series : result) series.drop_name = false;
    return result;
  }
  if (name.starts_with("sort") && steps.start != steps.end)
    annotations_.warn(
        "sort is ineffective for range queries since results are always ordered by labels",
        expr.position);
  return vector_call(expr, steps);
}

}  // namespace spanway::query::promql
