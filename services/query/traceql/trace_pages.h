// The traces that a condition finds, page by page, newest first.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_set>
#include <vector>

#include "services/query/store/trace_store.h"

namespace spanway::query::traceql {

// Single-thread; the store and the context outlive it.
class TracePages {
 public:
  TracePages(TraceStore& store, SpanCondition where, TimeRange range, std::size_t page,
             QueryContext& context);

  // At most TraceStore::kTraceIdsMax ids that no page before had; none at the end.
  Result<std::vector<TraceId>> next();
  // Sets context.coverage for all pages. `why` is why the caller has ended early, or empty.
  void report_coverage(const std::string& why);

 private:
  TraceStore& store_;
  QueryContext& context_;
  const TimeRange range_;
  SpanQuery query_;
  std::unordered_set<TraceId> seen_;
  bool ended_ = false;
  bool is_complete_ = true;
  std::string why_;
  std::int64_t searched_to_;  // Newest first: the begin of what was searched.
};

}  // namespace spanway::query::traceql
