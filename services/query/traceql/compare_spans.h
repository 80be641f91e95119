// compare(): how often each value of each attribute occurs among the spans of a selection, and
// among the others.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "services/query/traceql/span_aggregator.h"

namespace spanway::query::traceql {

// Series of the label __meta_type: "baseline" and "selection" for the `top` most frequent values of
// an attribute, "baseline_total" and "selection_total" for all of them.
class CompareSpans final : public SpanAggregator {
 public:
  CompareSpans(const FirstStage& stage, const Intervals& intervals, SeriesBudget& budget)
      : stage_(stage), intervals_(intervals), budget_(budget) {}

  Status observe(const FieldEvaluator& fields, const Span& span) override;
  void observe_exemplar(const FieldEvaluator&, const Trace&, const Span&) override {}
  std::vector<Series> series() override;

 private:
  using Counts = std::vector<double>;
  struct Side {
    std::map<std::string, std::map<Value, Counts, KeyLess>> values;
    std::map<std::string, Counts> totals;
  };
  Status count(Side& side, const std::string& name, const Value& value, std::size_t interval);
  void append(const Side& side, const char* type, std::vector<Series>& result) const;

  const FirstStage& stage_;
  const Intervals& intervals_;
  SeriesBudget& budget_;
  Side baseline_;
  Side selection_;
};

}  // namespace spanway::query::traceql
