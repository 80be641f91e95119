// Figures and edges of services. Internal to query/store/clickhouse.
#pragma once

#include <vector>

#include "services/lib/clickhouse/clickhouse_client.h"
#include "services/query/store/query_context.h"
#include "services/query/store/span_query.h"

namespace spanway::query {

// As TraceStore::red(): from the rollups of an hour where the step is a multiple of it, else from
// those of five minutes.
Result<std::vector<RedRow>> read_red(clickhouse::Client& client, const RedQuery& query,
                                     QueryContext& context);

// As TraceStore::dependencies(): spans joined with their parents, in parts by trace id, so that the
// server holds about a million spans at once.
Result<std::vector<Dependency>> read_dependencies(clickhouse::Client& client, TimeRange range,
                                                  QueryContext& context);

}  // namespace spanway::query
