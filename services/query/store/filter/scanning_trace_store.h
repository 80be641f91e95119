// A store of traces without an engine: every search is one pass over its spans.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/otlp_blocks/span_reader.h"
#include "services/query/store/trace_store.h"

namespace spanway::query {

// Thread-safe where the derived store is. Bounds: what a search collects is kept in the query's
// budget.
class ScanningTraceStore : public TraceStore {
 public:
  Result<Found> find(const SpanQuery& query, QueryContext& context) final;
  Result<std::vector<TraceSummary>> summaries(std::span<const TraceId> trace_ids,
                                              std::optional<TimeRange> hint,
                                              QueryContext& context) final;
  Result<std::vector<std::string>> services(TimeRange range, QueryContext& context) final;
  Result<std::vector<Operation>> operations(const std::string& service, TimeRange range,
                                            QueryContext& context) final;
  Result<std::vector<AttributeKey>> attribute_keys(Scope scope, TimeRange range,
                                                   QueryContext& context) final;
  Result<std::vector<Value>> values(const Subject& subject, const SpanQuery& query,
                                    QueryContext& context) final;
  Result<std::vector<Dependency>> dependencies(TimeRange range, QueryContext& context) final;
  Result<std::vector<RedRow>> red(const RedQuery& query, QueryContext& context) final;

 protected:
  // Columns that a scan reads.
  struct Columns {
    std::vector<std::string_view> names;  // Columns of the table of spans.
    bool resource = false;                // The attributes of the resource, too.
  };
  // Called for every span that matches; the resource is null where it was not requested. An error
  // ends the scan.
  using Visit = std::function<Status(const otlp_blocks::StoredSpan& span,
                                     const otlp::ResourceView* resource)>;
  // Reads also what the condition needs. `query.limit` is not read.
  virtual Status scan(const SpanQuery& query, const Columns& columns, QueryContext& context,
                      const Visit& visit) = 0;
  // The columns that the condition reads, without the resource's.
  static std::vector<std::string_view> columns_of(const SpanCondition& condition);
};

}  // namespace spanway::query
