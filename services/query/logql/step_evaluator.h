// Evaluators of metric queries: one step after the other. Private to this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "services/query/logql/ast.h"
#include "services/query/logql/entry.h"

namespace spanway::query::logql {

// One element of a vector.
struct Sample {
  Labels labels;
  double value = 0;
};
using Vector = std::vector<Sample>;

// Steps of an evaluation in Unix nanoseconds: start, start + step .. end.
struct Steps {
  std::int64_t start = 0;
  std::int64_t end = 0;
  std::int64_t step = 1;
};

// The memory of one evaluation, reported to the source. Belongs to one thread.
class Holding {
 public:
  explicit Holding(EntrySource& source) : source_(source) {}
  Status add(std::size_t bytes);
  void remove(std::size_t bytes) { bytes_ -= bytes; }

 private:
  EntrySource& source_;
  std::size_t bytes_ = 0;
  std::size_t reported_ = 0;
};

// Pulled by one thread.
class StepEvaluator {
 public:
  virtual ~StepEvaluator() = default;
  // The vector at a step; called for each step in order. FAILED_PRECONDITION, data,
  // "bad_evaluation", in Loki's words; and the source's errors.
  virtual Result<Vector> at(std::int64_t time) = 0;
};
using StepEvaluatorPtr = std::unique_ptr<StepEvaluator>;

struct EvaluationParts {
  EntrySource& source;
  Holding& holding;
  const Steps& steps;
};

// For any query of metrics; the query and the parts outlive it.
Result<StepEvaluatorPtr> make_evaluator(const Expr& expr, const EvaluationParts& parts);
Result<StepEvaluatorPtr> make_range_aggregate(const Expr& expr, const Grouping* outer,
                                              const EvaluationParts& parts);
Result<StepEvaluatorPtr> make_vector_aggregate(const Expr& expr, StepEvaluatorPtr inner);
Result<StepEvaluatorPtr> make_binary(const Expr& expr, StepEvaluatorPtr left,
                                     StepEvaluatorPtr right);
// A vector and a number, which is on the left or on the right.
Result<StepEvaluatorPtr> make_binary_with_number(const Expr& expr, StepEvaluatorPtr vector,
                                                 double number, bool number_is_left);
Result<StepEvaluatorPtr> make_label_replace(const Expr& expr, StepEvaluatorPtr inner);

Error evaluation_error(std::string what);

}  // namespace spanway::query::logql
