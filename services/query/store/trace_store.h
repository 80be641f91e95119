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
// answer or the deadline has passed. A store may return more rows than match, never fewer, where it
// says so. Errors: transient UNAVAILABLE when the store cannot be reached, DEADLINE_EXCEEDED,
// CANCELLED, RESOURCE_EXHAUSTED for a budget, configuration for rights and schema. The suite
// tests/contract/store_contract_test.cc holds for every store.
class TraceStore {
 public:
  virtual ~TraceStore() = default;

  // All spans of a trace, in no order, as columns of the table of spans. `hint` is a range in which
  // all of them start; unset = unknown.
  virtual Result<BlockStreamPtr> spans_of(const TraceId& trace_id, std::optional<TimeRange> hint,
                                          SpanColumns columns, QueryContext& context) = 0;
  // Rows of the table of resources: each of these ids that exists, once.
  virtual Result<block::Block> resources_of(std::span<const std::uint64_t> ids,
                                            QueryContext& context) = 0;
  // The spans that match, newest first, at most `query.limit`. Every predicate is applied.
  virtual Result<BlockStreamPtr> newest(const SpanQuery& query, SpanColumns columns,
                                        QueryContext& context) = 0;
  // The traces with a span that matches, newest first, at most `query.limit`.
  virtual Result<Found> find(const SpanQuery& query, QueryContext& context) = 0;
  // Names in order, each once.
  virtual Result<std::vector<std::string>> services(TimeRange range, QueryContext& context) = 0;
  virtual Result<std::vector<std::string>> operations(const std::string& service, TimeRange range,
                                                      QueryContext& context) = 0;
  virtual Result<StoreStatus> status(QueryContext& context) = 0;
  // OK when the store answers and lets us read: the cheapest request that shows it.
  virtual Status ping(QueryContext& context) = 0;
};

}  // namespace spanway::query
