// Statements about traces by their ids. Internal to query/store/clickhouse.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "services/lib/clickhouse/clickhouse_client.h"
#include "services/query/store/query_context.h"
#include "services/query/store/span_query.h"

namespace spanway::query {

// Appends "WHERE tenant = ... AND trace_id IN ...".
void append_trace_ids(std::span<const TraceId> trace_ids, const std::string& tenant,
                      clickhouse::Select& out);

// As TraceStore::summaries().
Result<std::vector<TraceSummary>> read_summaries(clickhouse::Client& client,
                                                 std::span<const TraceId> trace_ids,
                                                 std::optional<TimeRange> hint,
                                                 QueryContext& context);

}  // namespace spanway::query
