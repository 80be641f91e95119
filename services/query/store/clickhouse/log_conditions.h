// The conditions on logs as parts of a WHERE. Internal to query/store/clickhouse.
#pragma once

#include <span>

#include "services/lib/clickhouse/select_stream.h"
#include "services/query/store/log_query.h"

namespace spanway::query {

// At most kMatchersMax of each, which log_store.h checks. Both begin with " AND" for each
// condition.
void append_label_conditions(std::span<const LabelMatcher> matchers, clickhouse::Select& out);
void append_line_conditions(std::span<const LineFilter> filters, clickhouse::Select& out);

}  // namespace spanway::query
