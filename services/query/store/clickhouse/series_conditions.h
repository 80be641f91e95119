// The conditions on series as parts of a WHERE. Internal to query/store/clickhouse.
#pragma once

#include <span>

#include "services/lib/clickhouse/select_stream.h"
#include "services/query/labels/label_matcher.h"

namespace spanway::query {

// "AND ..." for each matcher, at most kMatchersMax of them, on columns of the table of series.
void append_series_conditions(std::span<const LabelMatcher> matchers, clickhouse::Select& out);

}  // namespace spanway::query
