// Metrics queries over a store.
#include <algorithm>
#include <cmath>
#include <memory>
#include <unordered_set>
#include <utility>

#include "services/query/traceql/engine.h"
#include "services/query/traceql/pipeline_evaluator.h"
#include "services/query/traceql/push_down.h"
#include "services/query/traceql/query_progress.h"
#include "services/query/traceql/second_stage.h"
#include "services/query/traceql/span_aggregator.h"
#include "services/query/traceql/trace_pages.h"
#include "services/query/traceql/trace_reading.h"

namespace spanway::query::traceql {
namespace {

constexpr std::int64_t kNanosPerMs = 1'000'000;

TimeRange range_of(const Intervals& intervals) {
  // Intervals hold their end; a range query's do not hold their begin.
  return {intervals.begin_nanos() + (intervals.is_instant() ? 0 : 1), intervals.end_nanos() + 1};
}

Error incomplete(const std::string& why) {
  return data_error(Code::kResourceExhausted, "the query reads too much" +
                                                  (why.empty() ? "" : ": " + why) +
                                                  "; use a shorter range or more conditions")
      .with_reason("query_too_large");
}

// Which spans become exemplars: one of a trace, spread over the range.
class Exemplars {
 public:
  Exemplars(const Intervals& intervals, std::size_t max) : intervals_(intervals), left_(max) {
    constexpr std::size_t kEachPart = 2;
    parts_.resize(std::max<std::size_t>(1, max / kEachPart), kEachPart);
  }

  bool takes(const std::string& trace_id, std::int64_t time) {
    if (left_ == 0 || intervals_.is_instant() || !intervals_.find(time)) return false;
    const auto range = static_cast<double>(intervals_.end_nanos() - intervals_.begin_nanos());
    const double share = static_cast<double>(time - intervals_.begin_nanos()) / range;
    const auto part = std::min(
        parts_.size() - 1, static_cast<std::size_t>(share * static_cast<double>(parts_.size())));
    if (parts_[part] == 0 || !traces_.insert(trace_id).second) return false;
    --parts_[part];
    --left_;
    return true;
  }

 private:
  const Intervals& intervals_;
  std::size_t left_;
  std::vector<std::size_t> parts_;
  std::unordered_set<std::string> traces_;
};

// The spans that one pipeline has found, into series.
class Observer {
 public:
  Observer(const Metrics& metrics, SpanAggregator& aggregator, Exemplars& exemplars,
           const SeriesBudget& budget)
      : metrics_(metrics), aggregator_(aggregator), exemplars_(exemplars), budget_(budget) {}
  std::size_t memory_bytes() const noexcept { return budget_.memory_bytes(); }

  Status add(const Trace& trace) {
    ++traces;
    PipelineEvaluator evaluator(trace);
    SPANWAY_ASSIGN(const auto found, evaluator.run(*metrics_.pipeline));
    const FieldEvaluator fields(trace);
    for (const FoundSpans& set : found)
      for (const std::uint32_t i : set.spans) {
        SPANWAY_TRY(aggregator_.observe(fields, trace.spans[i]));
        if (exemplars_.takes(trace.id, trace.spans[i].start_unix_nano))
          aggregator_.observe_exemplar(fields, trace, trace.spans[i]);
      }
    return {};
  }
  void count_spans(std::uint64_t more) { spans += more; }

  std::uint64_t traces = 0;
  std::uint64_t spans = 0;

 private:
  const Metrics& metrics_;
  SpanAggregator& aggregator_;
  Exemplars& exemplars_;
  const SeriesBudget& budget_;
};

// Spans that need none of the others of their trace.
Status read_spans(TraceStore& store, const Clock& clock, SpanQuery query, QueryContext& context,
                  Observer& observer) {
  query.limit = context.budget.spans_max;
  context.coverage = {};
  SPANWAY_ASSIGN(auto stream, store.newest(query, SpanColumns::kAll, context));
  SpanRows rows(store, std::move(stream), context);
  constexpr std::uint64_t kSpansBetweenChecks = 1024;
  Trace one;
  while (true) {
    SPANWAY_ASSIGN(const bool has_row, rows.next());
    if (!has_row) break;
    if (rows.spans_read() % kSpansBetweenChecks == 0) SPANWAY_TRY(check_running(context, clock));
    rows.set_held(observer.memory_bytes());
    one.id = rows.stored().span.trace_id;
    one.spans.clear();
    one.instrumentations.clear();
    rows.append_to(one);
    SPANWAY_TRY(observer.add(one));
  }
  observer.count_spans(rows.spans_read());
  observer.traces = 0;
  if (!context.coverage.complete) return incomplete(context.coverage.why);
  if (rows.spans_read() >= query.limit)
    return incomplete(std::to_string(query.limit) + " spans match");
  return {};
}

Status read_traces(TraceStore& store, const Clock& clock, SpanQuery query, QueryContext& context,
                   Observer& observer) {
  TracePages pages(store, std::move(query.where), query.range, TraceStore::kTraceIdsMax, context);
  while (true) {
    SPANWAY_ASSIGN(const auto ids, pages.next());
    if (ids.empty()) break;
    SPANWAY_ASSIGN(auto rows, store.spans_of(ids, std::nullopt, SpanColumns::kAll, context));
    TraceStream traces(store, std::move(rows), context);
    while (true) {
      SPANWAY_TRY(check_running(context, clock));
      traces.set_held(observer.memory_bytes());
      SPANWAY_ASSIGN(const auto trace, traces.next());
      if (!trace) break;
      SPANWAY_TRY(observer.add(*trace));
    }
    observer.count_spans(traces.spans_read());
    if (observer.traces > Engine::kMetricsTracesMax)
      return incomplete(std::to_string(observer.traces) + " traces were evaluated");
  }
  pages.report_coverage("");
  return context.coverage.complete ? Status() : Status(incomplete(context.coverage.why));
}

// Values of exemplars that are those of their series.
void complete_exemplars(std::vector<Series>& all, const Intervals& intervals) {
  for (Series& series : all)
    for (Exemplar& exemplar : series.exemplars) {
      const auto interval = intervals.find(exemplar.time_ms * kNanosPerMs);
      if (std::isnan(exemplar.value) && interval) exemplar.value = series.values[*interval];
    }
  for (Series& series : all)
    std::erase_if(series.exemplars,
                  [](const Exemplar& exemplar) { return std::isnan(exemplar.value); });
}

}  // namespace

Result<MetricsResult> Engine::metrics(const Query& query, const MetricsRequest& request,
                                      QueryContext& context) const {
  if (!query.metrics)
    return invalid_argument("not a metrics query: it needs a function such as rate()")
        .with_reason("bad_query");
  MetricsResult result;
  SeriesBudget budget;
  SPANWAY_ASSIGN(result.series, series_of(*query.metrics, request, budget, result, context));
  complete_exemplars(result.series, request.intervals);
  return result;
}

Result<std::vector<Series>> Engine::series_of(const Metrics& metrics, const MetricsRequest& request,
                                              SeriesBudget& budget, MetricsResult& figures,
                                              QueryContext& context) const {
  std::vector<Series> series;
  if (metrics.pipeline) {
    const TimeRange range = range_of(request.intervals);
    SPANWAY_ASSIGN(SpanCondition where, condition(*metrics.pipeline, range, context));
    const auto aggregator = make_aggregator(metrics.first, request.intervals, budget);
    Exemplars exemplars(request.intervals, request.exemplars_max);
    Observer observer(metrics, *aggregator, exemplars, budget);
    SpanQuery spans{range, std::move(where)};
    if (is_span_by_span(*metrics.pipeline, metrics.first))
      SPANWAY_TRY(read_spans(store_, clock_, std::move(spans), context, observer));
    else
      SPANWAY_TRY(read_traces(store_, clock_, std::move(spans), context, observer));
    figures.inspected_traces += observer.traces;
    figures.inspected_spans += observer.spans;
    series = aggregator->series();
  } else {
    SPANWAY_ASSIGN(const auto left, series_of(*metrics.left, request, budget, figures, context));
    SPANWAY_ASSIGN(const auto right, series_of(*metrics.right, request, budget, figures, context));
    series = combine(metrics.op, left, right);
  }
  for (const SecondStage& stage : metrics.stages) series = apply(stage, std::move(series));
  return series;
}

}  // namespace spanway::query::traceql
