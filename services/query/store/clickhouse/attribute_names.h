// Names of services, operations and attributes. Internal to query/store/clickhouse.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "services/lib/clickhouse/clickhouse_client.h"
#include "services/query/store/clickhouse/span_conditions.h"
#include "services/query/store/query_context.h"
#include "services/query/store/span_query.h"

namespace spanway::query {

// As the methods of TraceStore of these names.
Result<std::vector<std::string>> read_services(clickhouse::Client& client, TimeRange range,
                                               QueryContext& context);
Result<std::vector<Operation>> read_operations(clickhouse::Client& client,
                                               const std::string& service, TimeRange range,
                                               QueryContext& context);
Result<std::vector<AttributeKey>> read_attribute_keys(clickhouse::Client& client, Scope scope,
                                                      TimeRange range, QueryContext& context);

// The places of these keys; no statement without keys.
Result<KeyPlaces> read_key_places(clickhouse::Client& client, const std::set<std::string>& keys,
                                  TimeRange range, QueryContext& context);

}  // namespace spanway::query
