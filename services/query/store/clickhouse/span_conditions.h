// The conditions of a SpanQuery as a WHERE. Internal to query/store/clickhouse.
#pragma once

#include "services/lib/base/result.h"
#include "services/lib/clickhouse/select_stream.h"
#include "services/query/store/span_query.h"

namespace spanway::query {

inline constexpr std::size_t kPredicatesMax = 8;

// Appends "WHERE tenant = ... AND ...", all conditions exact. More than kPredicatesMax predicates:
// INVALID_ARGUMENT.
Status append_where(const SpanQuery& query, const std::string& tenant, clickhouse::Select& out);

}  // namespace spanway::query
