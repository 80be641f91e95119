// From spans to series: rate, count_over_time, .., histogram_over_time.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "services/query/traceql/ast.h"
#include "services/query/traceql/field_evaluator.h"
#include "services/query/traceql/series.h"

namespace spanway::query::traceql {

// Numbers that all first stages of a query may hold together.
inline constexpr std::size_t kSeriesValuesMax = 8u << 20;

// Numbers of a query's series, against kSeriesValuesMax.
class SeriesBudget {
 public:
  // RESOURCE_EXHAUSTED, data, "too_many_series".
  Status take(std::size_t values);
  std::size_t memory_bytes() const noexcept { return taken_ * sizeof(double); }

  // A key with its labels takes as much as so many values.
  static constexpr std::size_t kKeyValues = 24;

 private:
  std::size_t taken_ = 0;
};

// Single-thread. The stage, the intervals and the budget outlive it.
class SpanAggregator {
 public:
  virtual ~SpanAggregator() = default;
  // A span that the query has found; outside of the intervals it is left out.
  virtual Status observe(const FieldEvaluator& fields, const Span& span) = 0;
  // Attaches the span as an exemplar to its series, which observe() has made.
  virtual void observe_exemplar(const FieldEvaluator& fields, const Trace& trace,
                                const Span& span) = 0;
  virtual std::vector<Series> series() = 0;
};

std::unique_ptr<SpanAggregator> make_aggregator(const FirstStage& stage, const Intervals& intervals,
                                                SeriesBudget& budget);

// Labels of an exemplar: ids of the trace and the span, and its name.
SeriesLabels exemplar_labels(const FieldEvaluator& fields, const Span& span);

}  // namespace spanway::query::traceql
