// Evaluates TraceQL over a store of traces.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/query/store/trace_store.h"
#include "services/query/traceql/parser.h"
#include "services/query/traceql/series.h"
#include "services/query/traceql/trace.h"

namespace spanway::query::traceql {

struct SearchRequest {
  TimeRange range = {};  // A found span must start in it; the pipeline sees whole traces.
  std::size_t limit = 20;
  std::size_t spans_per_set = 3;
};

struct ShownSpan {
  std::string id;  // 8 bytes.
  std::string name;
  std::int64_t start_unix_nano = 0;
  std::int64_t duration_ns = 0;
  NamedValues attributes = {};  // Those that the query reads and the span has.
};
struct ShownSet {
  std::vector<ShownSpan> spans;  // At most spans_per_set.
  std::size_t matched = 0;       // All of them.
  NamedValues attributes = {};   // From by() and aggregates.
};
struct ShownTrace {
  TraceId id;
  std::string root_service;  // Empty when the root is not stored (yet).
  std::string root_name;
  std::int64_t begin_unix_nano = 0;
  std::int64_t duration_ns = 0;
  std::vector<ServiceSpans> services;  // By name.
  std::vector<ShownSet> sets;
};
struct SearchResult {
  std::vector<ShownTrace> traces;  // The one that began last first.
  std::uint64_t inspected_traces = 0;
  std::uint64_t inspected_spans = 0;
};

struct MetricsRequest {
  Intervals intervals;
  std::size_t exemplars_max = 0;
};
struct MetricsResult {
  std::vector<Series> series;
  std::uint64_t inspected_traces = 0;
  std::uint64_t inspected_spans = 0;
};

// Thread-safe: a query has its own state. The store and the clock outlive it. Errors:
// INVALID_ARGUMENT, data, "bad_query" for a query of the other kind and one that fails on the data;
// RESOURCE_EXHAUSTED, CANCELLED, DEADLINE_EXCEEDED; and the store's.
class Engine {
 public:
  // Traces that one query evaluates.
  static constexpr std::size_t kSearchTracesMax = 10'000;
  static constexpr std::size_t kMetricsTracesMax = 200'000;

  Engine(TraceStore& store, const Clock& clock) : store_(store), clock_(clock) {}

  // May end before the begin of the range when it has found something and a bound is reached:
  // context.coverage reports how far it read.
  Result<SearchResult> search(const Query& query, const SearchRequest& request,
                              QueryContext& context) const;
  // Complete, or an error.
  Result<MetricsResult> metrics(const Query& query, const MetricsRequest& request,
                                QueryContext& context) const;
  // Holds for every span that the query's filters can return; for the values of attributes.
  Result<SpanCondition> condition(const Query& query, TimeRange range, QueryContext& context) const;
  // Values of the attribute in the spans that match, each once, at most `spans.limit`. Of events
  // and links, and of what a store does not list, those of the newest kValueSpansMax spans that
  // match.
  Result<std::vector<Value>> values(const Attribute& attribute, const SpanQuery& spans,
                                    QueryContext& context) const;
  static constexpr std::size_t kValueSpansMax = 1000;

 private:
  Result<SpanCondition> condition(const Expr& pipeline, TimeRange range,
                                  QueryContext& context) const;
  Result<std::vector<Series>> series_of(const Metrics& metrics, const MetricsRequest& request,
                                        class SeriesBudget& budget, MetricsResult& figures,
                                        QueryContext& context) const;

  TraceStore& store_;
  const Clock& clock_;
};

}  // namespace spanway::query::traceql
