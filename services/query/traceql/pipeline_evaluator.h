// Pipelines over one trace.
#pragma once

#include <vector>

#include "services/lib/base/result.h"
#include "services/query/traceql/ast.h"
#include "services/query/traceql/field_evaluator.h"
#include "services/query/traceql/structure.h"

namespace spanway::query::traceql {

// Spans that a pipeline has found in a trace.
struct FoundSpans {
  SpanSet spans;
  NamedValues attributes = {};  // From by() and aggregates: "by(.a)", "count()".
  Value scalar = {};            // The last aggregate.
};

// Single-thread; the trace outlives it.
class PipelineEvaluator {
 public:
  explicit PipelineEvaluator(const Trace& trace) : trace_(trace), fields_(trace) {}

  // Sets in no particular order, none of them empty. INVALID_ARGUMENT, data, "bad_query" for a
  // division by zero, and for a structural operator of several sets.
  Result<std::vector<FoundSpans>> run(const Expr& pipeline);

 private:
  using Sets = std::vector<FoundSpans>;
  Result<Sets> element(const Expr& expr, const Sets& input);
  Result<Sets> pipeline(const Expr& expr, Sets input);
  Result<Sets> filter(const Expr& expr, const Sets& input);
  Result<Sets> binary(const Expr& expr, const Sets& input);
  Result<Sets> group(const Expr& expr, const Sets& input);
  Result<Sets> scalar_filter(const Expr& expr, const Sets& input);
  Result<Value> aggregate(const Expr& expr, const SpanSet& spans);

  const Trace& trace_;
  FieldEvaluator fields_;
};

}  // namespace spanway::query::traceql
