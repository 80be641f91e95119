#include "services/query/promql/engine.h"

#include <algorithm>
#include <utility>

#include "services/query/promql/evaluator.h"

namespace spanway::query::promql {
namespace {

Result<QueryResult> collect(const Expr& expr, Evaluator& evaluator, const Steps& steps,
                            bool is_range) {
  QueryResult result;
  result.type = type_of(expr);
  result.time_ms = steps.start;
  if (result.type == ValueType::kString) {
    result.text = unwrapped(expr).text;
    return result;
  }
  evaluator.prepare(expr);
  SPANWAY_ASSIGN(Matrix evaluated, evaluator.evaluate(expr, steps));
  SPANWAY_ASSIGN(Matrix matrix, evaluator.without_dropped_names(std::move(evaluated)));
  result.annotations = evaluator.annotations();
  if (is_range || result.type == ValueType::kMatrix) {
    result.type = ValueType::kMatrix;
    std::sort(matrix.begin(), matrix.end(),
              [](const PointSeries& a, const PointSeries& b) { return a.labels < b.labels; });
    result.matrix = std::move(matrix);
  } else if (result.type == ValueType::kScalar) {
    result.scalar = matrix.empty() ? 0 : matrix[0].points[0].f;
  } else {
    for (PointSeries& one : matrix)
      result.vector.push_back({std::move(one.labels), one.points[0].f, one.points[0].h, false});
  }
  return result;
}

}  // namespace

Result<QueryResult> Engine::instant(std::string_view query, std::int64_t time_ms,
                                    SeriesSource& source) const {
  SPANWAY_ASSIGN(const ExprPtr expr, parse(query, options_.parse));
  const Steps steps{time_ms, time_ms, 1};
  Evaluator evaluator(options_, source, steps, false);
  return collect(*expr, evaluator, steps, false);
}

Result<QueryResult> Engine::range(std::string_view query, std::int64_t start_ms,
                                  std::int64_t end_ms, std::int64_t step_ms,
                                  SeriesSource& source) const {
  SPANWAY_ASSIGN(const ExprPtr expr, parse(query, options_.parse));
  const ValueType type = type_of(*expr);
  if (type != ValueType::kVector && type != ValueType::kScalar)
    return invalid_argument("invalid expression type " + quoted(to_string(type)) +
                            " for range query, must be Scalar or instant Vector")
        .with_reason("bad_query");
  if (step_ms <= 0 || end_ms < start_ms)
    return invalid_argument(step_ms <= 0 ? "the step must be more than 0"
                                         : "the end must not be before the start")
        .with_reason("bad_query");
  if ((end_ms - start_ms) / step_ms >= options_.steps_max)
    return data_error(Code::kResourceExhausted,
                      "exceeded maximum resolution of " + std::to_string(options_.steps_max) +
                          " points per timeseries. Try decreasing the query resolution "
                          "(?step=XX)")
        .with_reason("too_many_steps");
  const Steps steps{start_ms, end_ms, step_ms};
  Evaluator evaluator(options_, source, steps, true);
  return collect(*expr, evaluator, steps, true);
}

}  // namespace spanway::query::promql
