// Values of attributes and fields. Internal to query/store/clickhouse.
#pragma once

#include <vector>

#include "services/lib/clickhouse/clickhouse_client.h"
#include "services/query/store/query_context.h"
#include "services/query/store/span_query.h"

namespace spanway::query {

// As TraceStore::values(): one statement for each type that attribute_keys has of the key.
Result<std::vector<Value>> read_values(clickhouse::Client& client, const Subject& subject,
                                       const SpanQuery& query, QueryContext& context);

}  // namespace spanway::query
