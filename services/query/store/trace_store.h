// The reading contract of a store of traces. APIs and engines know nothing else of a store.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "services/query/store/block_stream.h"
#include "services/query/store/span_query.h"

namespace spanway::query {

// Figures for /health.
struct StoreStatus {
  std::string type;
  std::string endpoint;
  std::uint64_t spans = 0;
  // Begin of the five minutes with the newest span; unset without spans.
  std::optional<std::int64_t> newest_unix_nano;
};

// Thread-safe. Every call sees the rows of the context's tenant only, and blocks until it has an
// answer or the deadline has passed. Every condition is applied as span_condition.h says: what a
// store returns matches, and needs no second check. Errors: transient UNAVAILABLE when the store
// cannot be reached, DEADLINE_EXCEEDED, CANCELLED, RESOURCE_EXHAUSTED for a budget, configuration
// for rights and schema, INVALID_ARGUMENT as of check(). The suite
// tests/contract/store_contract/store_contract_test.cc holds for every store.
//
// A search reads in two steps: find() returns ids, then summaries() or spans_of() reads what is
// shown of them. find() and newest() may end before the begin of the range when a budget or the
// deadline is reached after they have found something: context.coverage then has the range that was
// searched, and `complete` is false. Everything else is complete or an error.
class TraceStore {
 public:
  virtual ~TraceStore() = default;

  // All spans of a trace, in no order, as columns of the table of spans. `hint` is a range in which
  // all of them start; unset = unknown.
  virtual Result<BlockStreamPtr> spans_of(const TraceId& trace_id, std::optional<TimeRange> hint,
                                          SpanColumns columns, QueryContext& context) = 0;
  // The same of several traces, at most kTraceIdsMax: the spans of one trace after those of
  // another, traces in no order.
  virtual Result<BlockStreamPtr> spans_of(std::span<const TraceId> trace_ids,
                                          std::optional<TimeRange> hint, SpanColumns columns,
                                          QueryContext& context) = 0;
  static constexpr std::size_t kTraceIdsMax = 500;
  // Rows of the table of resources: each of these ids that exists, once.
  virtual Result<block::Block> resources_of(std::span<const std::uint64_t> ids,
                                            QueryContext& context) = 0;

  // The spans that match, newest first, at most `query.limit`.
  virtual Result<BlockStreamPtr> newest(const SpanQuery& query, SpanColumns columns,
                                        QueryContext& context) = 0;
  // The traces with a span that matches, newest such span first, at most `query.limit`.
  virtual Result<Found> find(const SpanQuery& query, QueryContext& context) = 0;
  // One for each of these traces that has a span that starts in `hint`, in the order of the ids, at
  // most kTraceIdsMax; of all its spans, or of those that start in `hint` when it is set.
  virtual Result<std::vector<TraceSummary>> summaries(std::span<const TraceId> trace_ids,
                                                      std::optional<TimeRange> hint,
                                                      QueryContext& context) = 0;

  // Names of services with spans in the five minutes that the range touches, in order, each once.
  virtual Result<std::vector<std::string>> services(TimeRange range, QueryContext& context) = 0;
  // Names and kinds of the spans of a service, in order, each once; "" = of all services.
  virtual Result<std::vector<Operation>> operations(const std::string& service, TimeRange range,
                                                    QueryContext& context) = 0;
  // Keys of attributes of spans on the days that the range touches, by scope and key, each type of
  // each once; kAny = of every scope. More than kNamesMax: the first ones.
  virtual Result<std::vector<AttributeKey>> attribute_keys(Scope scope, TimeRange range,
                                                           QueryContext& context) = 0;
  static constexpr std::size_t kNamesMax = 10'000;
  // Values of the subject in the spans that match, each once, the most frequent first, at most
  // `query.limit`. Attributes that are neither text, number nor boolean, and texts above 1 KiB, are
  // left out. The scopes kEvent, kLink and kAny and the fields of events and links are
  // UNIMPLEMENTED, data.
  virtual Result<std::vector<Value>> values(const Subject& subject, const SpanQuery& query,
                                            QueryContext& context) = 0;
  // Calls between services, by names, by the spans that start in the range and whose parents do.
  virtual Result<std::vector<Dependency>> dependencies(TimeRange range, QueryContext& context) = 0;
  // One row for each step with spans, by time, service, name and kind.
  virtual Result<std::vector<RedRow>> red(const RedQuery& query, QueryContext& context) = 0;

  virtual Result<StoreStatus> status(QueryContext& context) = 0;
  // OK when the store answers and lets us read: the cheapest request that shows it.
  virtual Status ping(QueryContext& context) = 0;
};

}  // namespace spanway::query
