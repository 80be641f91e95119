#include "services/query/promql/evaluator.h"

#include <algorithm>
#include <map>
#include <utility>

namespace spanway::query::promql {
namespace {

constexpr const char* kSameLabels = "vector cannot contain metrics with the same labelset";

// The elements of series at one step; steps are requested in order.
class Cursor {
 public:
  explicit Cursor(const Matrix& matrix) : matrix_(matrix), next_(matrix.size(), 0) {}

  void gather(std::int64_t t, Vector& out) {
    out.clear();
    for (std::size_t i = 0; i < matrix_.size(); ++i) {
      const PointSeries& series = matrix_[i];
      if (next_[i] >= series.points.size() || series.points[next_[i]].t != t) continue;
      const Point& point = series.points[next_[i]++];
      out.push_back({series.labels, point.f, point.h, series.drop_name});
    }
  }

 private:
  const Matrix& matrix_;
  std::vector<std::size_t> next_;
};

}  // namespace

Error evaluation_error(std::string message) {
  return data_error(Code::kFailedPrecondition, std::move(message)).with_reason("bad_evaluation");
}

Status Evaluator::count_samples(std::size_t added) {
  samples_ += added;
  if (samples_ <= options_.samples_max) return source_.hold(samples_);
  return data_error(Code::kResourceExhausted,
                    "query processing would load too many samples into memory in query execution")
      .with_reason("too_many_samples");
}

Result<Matrix> Evaluator::evaluate(const Expr& expr, const Steps& steps) {
  const std::size_t before = samples_;
  SPANWAY_TRY(source_.check());
  SPANWAY_ASSIGN(Matrix result, dispatch(expr, steps));
  if (!options_.late_name_removal) {
    SPANWAY_ASSIGN(result, without_dropped_names(std::move(result)));
  }
  // The points of the operands are free again.
  samples_ = before;
  std::size_t points = 0;
  for (const PointSeries& one : result) points += one.points.size();
  SPANWAY_TRY(count_samples(points));
  return result;
}

Result<Matrix> Evaluator::dispatch(const Expr& expr, const Steps& steps) {
  switch (expr.kind) {
    case NodeKind::kNumber:
      return constant(expr.number, steps);
    case NodeKind::kParen:
      return evaluate(*expr.args[0], steps);
    case NodeKind::kSelector:
      return selector(expr, steps, Show::kValue);
    case NodeKind::kMatrix:
    case NodeKind::kSubquery:
      return range_vector(expr, steps);
    case NodeKind::kCall:
      return call(expr, steps);
    case NodeKind::kAggregate:
      return aggregate(expr, steps);
    case NodeKind::kBinary:
      return binary(expr, steps);
    case NodeKind::kUnary:
      return negate(expr, steps);
    case NodeKind::kString:
    case NodeKind::kDuration:
      break;
  }
  return evaluation_error("a string is no vector");
}

Result<Matrix> Evaluator::constant(double value, const Steps& steps) {
  PointSeries series;
  for (std::int64_t t = steps.start; t <= steps.end; t += steps.step)
    series.points.push_back({t, value});
  return Matrix{std::move(series)};
}

Result<Matrix> Evaluator::negate(const Expr& expr, const Steps& steps) {
  SPANWAY_ASSIGN(Matrix result, evaluate(*expr.args[0], steps));
  if (expr.op != Token::kSub) return result;
  for (PointSeries& series : result) {
    series.drop_name = true;
    for (Point& point : series.points) {
      point.f = -point.f;
      if (!point.h) continue;
      auto negated = std::make_shared<Histogram>(*point.h);
      negated->multiply(-1);
      point.h = std::move(negated);
    }
  }
  return result;
}

Result<Matrix> Evaluator::each_step(std::vector<Matrix> inputs, const Steps& steps,
                                    const StepFunction& function) {
  std::vector<Cursor> cursors(inputs.begin(), inputs.end());
  Inputs vectors(inputs.size());
  Matrix result;
  std::map<Labels, std::size_t> positions;
  for (std::int64_t t = steps.start; t <= steps.end; t += steps.step) {
    SPANWAY_TRY(source_.check());
    for (std::size_t i = 0; i < inputs.size(); ++i) cursors[i].gather(t, vectors[i]);
    SPANWAY_ASSIGN(Vector elements, function(vectors, t));
    SPANWAY_TRY(count_samples(elements.size()));
    const bool is_single = steps.start == steps.end;
    for (Element& element : elements) {
      // Equal label sets of one step are found when their names go.
      const auto [found, is_new] = is_single ? std::pair(positions.end(), true)
                                             : positions.try_emplace(element.labels, result.size());
      const std::size_t position = is_single ? result.size() : found->second;
      if (is_new)
        result.push_back({std::move(element.labels), {}, element.drop_name});
      else if (result[position].points.back().t == t)
        return evaluation_error(kSameLabels);
      result[position].points.push_back({t, element.f, std::move(element.h)});
    }
  }
  return result;
}

Result<Matrix> Evaluator::without_dropped_names(Matrix matrix) const {
  for (PointSeries& series : matrix) {
    if (series.drop_name) series.labels = without_name(series.labels);
    series.drop_name = false;
  }
  return joined(std::move(matrix));
}

Result<Matrix> Evaluator::joined(Matrix matrix) {
  std::map<Labels, std::size_t> positions;
  Matrix result;
  for (PointSeries& series : matrix) {
    const auto [found, is_new] = positions.try_emplace(series.labels, result.size());
    if (is_new) {
      result.push_back(std::move(series));
      continue;
    }
    std::vector<Point>& points = result[found->second].points;
    std::vector<Point> merged;
    std::merge(points.begin(), points.end(), series.points.begin(), series.points.end(),
               std::back_inserter(merged),
               [](const Point& a, const Point& b) { return a.t < b.t; });
    const auto same = std::adjacent_find(merged.begin(), merged.end(),
                                         [](const Point& a, const Point& b) { return a.t == b.t; });
    if (same != merged.end()) return evaluation_error(kSameLabels);
    points = std::move(merged);
  }
  return result;
}

}  // namespace spanway::query::promql
