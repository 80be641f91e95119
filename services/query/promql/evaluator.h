// One query's evaluation. Private to this folder.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "services/query/promql/engine.h"

namespace spanway::query::promql {

// Steps of an evaluation: start, start + step .. end.
struct Steps {
  std::int64_t start = 0;
  std::int64_t end = 0;
  std::int64_t step = 1;
  std::size_t count() const {
    return end < start ? 0 : static_cast<std::size_t>((end - start) / step) + 1;
  }
};

// Points of one series for a range function at one step. Points are in (begin, end], and beyond it
// by the lookback for anchored and smoothed.
struct Window {
  std::span<const Point> points;
  std::int64_t t = 0;  // The step.
  std::int64_t begin = 0;
  std::int64_t end = 0;
  double range_seconds = 0;
  const Modifiers* modifiers = nullptr;  // The selector's; nullptr for a subquery.
  std::string_view name;                 // The metric's.
  Position position;                     // The range vector's.
  Position first_position;               // The first argument's.
  bool start_times = false;
};

// FAILED_PRECONDITION, data, "bad_evaluation".
Error evaluation_error(std::string message);

class Evaluator {
 public:
  Evaluator(const EngineOptions& options, SeriesSource& source, Steps query, bool is_range)
      : options_(options), source_(source), query_(query), is_range_(is_range) {}

  // Before the first evaluation of a query.
  void prepare(const Expr& expr) {
    std::vector<const Expr*> path;
    find_statistics(expr, path);
  }
  // Points at the steps; of a range vector: its points (one step only).
  Result<Matrix> evaluate(const Expr& expr, const Steps& steps);
  // Series whose name goes: without it, and joined.
  Result<Matrix> without_dropped_names(Matrix matrix) const;
  Annotations& annotations() { return annotations_; }

 private:
  using Inputs = std::vector<Vector>;
  // Vectors of one step to its result.
  using StepFunction = std::function<Result<Vector>(const Inputs& inputs, std::int64_t t)>;

  // evaluator.cc
  Result<Matrix> dispatch(const Expr& expr, const Steps& steps);
  Result<Matrix> constant(double value, const Steps& steps);
  Result<Matrix> each_step(std::vector<Matrix> inputs, const Steps& steps,
                           const StepFunction& function);
  Result<Matrix> negate(const Expr& expr, const Steps& steps);
  // Series of equal labels as one; an error when both have a point at a time.
  static Result<Matrix> joined(Matrix matrix);
  Status count_samples(std::size_t added);
  // For loops of short rounds: asks the source in one of 64.
  Status check_sometimes() { return ++rounds_ % 64 == 0 ? source_.check() : ok_status(); }

  // statistics.cc: selectors whose histograms are read for count, sum or average only. Prometheus
  // reads them with the hint of each reset; so do we, as annotations depend on it.
  void find_statistics(const Expr& expr, std::vector<const Expr*>& path);
  void set_hints(const Expr& selector, std::vector<Point>& points) const;

  // selectors.cc
  enum class Show : unsigned char { kValue, kTime, kStartTime, kInfoTime };
  Result<std::int64_t> duration_ms(const Expr* expr, std::int64_t literal, bool may_be_negative);
  Result<double> duration_seconds(const Expr& expr);
  std::optional<std::int64_t> fixed_time(const Modifiers& modifiers) const;
  Result<std::unique_ptr<SourceStream>> open(const Expr& selector, std::int64_t begin,
                                             std::int64_t end);
  Result<Matrix> selector(const Expr& expr, const Steps& steps, Show show);
  void smoothed_points(const PointSeries& input, const Expr& expr, const Steps& steps,
                       std::int64_t offset, PointSeries& output);
  Result<Matrix> range_vector(const Expr& expr, const Steps& steps);
  Result<Matrix> subquery(const Expr& expr, const Steps& steps);

  // range_calls.cc
  Result<Matrix> range_call(const Expr& expr, const Expr& range, std::size_t range_index,
                            const Steps& steps);
  Result<Matrix> absent_over_time(const Matrix& present, const Expr& range, const Steps& steps);

  // calls.cc
  Result<Matrix> call(const Expr& expr, const Steps& steps);
  Result<Matrix> vector_call(const Expr& expr, const Steps& steps);
  Result<Vector> apply(const Expr& expr, const Inputs& inputs, std::int64_t t);
  Result<Matrix> label_replace(const Expr& expr, const Steps& steps);
  Result<Matrix> label_join(const Expr& expr, const Steps& steps);

  // info_call.cc
  Result<Matrix> info_call(const Expr& expr, const Steps& steps);
  Result<Matrix> info_series(const std::vector<LabelMatcher>& requested, const Matrix& base,
                             const std::set<Labels>& ignored, const Expr& source,
                             const Steps& steps);
  static Result<Vector> add_info(const Vector& base, const Vector& infos,
                                 const std::set<Labels>& ignored,
                                 const std::vector<LabelMatcher>& requested);
  // Calls `found` with the time of each selector; whether there is one.
  bool add_references(const Expr& expr, std::vector<const Expr*>& subqueries,
                      const std::function<void(std::optional<std::int64_t>, std::int64_t)>& found,
                      bool& has_others) const;

  // histogram_calls.cc
  Vector histogram_call(const Expr& expr, const Inputs& inputs);

  // binary.cc
  Result<Matrix> binary(const Expr& expr, const Steps& steps);
  Result<Vector> match(const Expr& expr, const Inputs& inputs);
  Vector with_scalar(const Expr& expr, const Vector& vector, double scalar, bool scalar_is_left);
  bool operate(const Expr& expr, const Element& left, const Element& right, Element& out,
               bool& keep);

  // aggregate.cc, aggregate_k.cc
  Result<Matrix> aggregate(const Expr& expr, const Steps& steps);
  Result<Matrix> fold(const Expr& expr, const Matrix& input, const std::vector<double>& parameters,
                      const Steps& steps);
  Result<Matrix> choose(const Expr& expr, const Matrix& input,
                        const std::vector<double>& parameters, const Steps& steps);
  Result<Matrix> count_values(const Expr& expr, const Steps& steps);

  const EngineOptions& options_;
  SeriesSource& source_;
  const Steps query_;
  const bool is_range_;
  std::set<const Expr*> statistics_;
  Annotations annotations_;
  std::size_t samples_ = 0;
  std::size_t rounds_ = 0;
};

// Evaluates one range function; false without a result. Errors are of its arguments.
using RangeFunction = Result<bool> (*)(const Window& window, std::span<const double> scalars,
                                       Point& out, Annotations& notes);
// nullptr for a name that is none.
RangeFunction find_range_function(std::string_view name);
RangeFunction find_rate_function(std::string_view name);

// A quantile of numbers in any order.
double quantile(double q, std::vector<double> values);
// Between two points.
double interpolate(const Point& a, const Point& b, std::int64_t t, bool is_counter);
// The points of a range with the modifier: from its begin to its end.
std::vector<Point> extended_points(std::span<const Point> points, std::int64_t begin,
                                   std::int64_t end, bool smoothed);
// Texts of annotations.
std::string for_metric(std::string text, std::string_view name);
std::string mixed_points(std::string_view name);
std::string mixed_schemas(std::string_view name);
std::string ignored_histograms(std::string_view name);
std::string reconciled(std::string_view operation);

}  // namespace spanway::query::promql
