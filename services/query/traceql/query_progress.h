// The cancellation and the deadline of a query that evaluates.
#pragma once

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/query/store/query_context.h"

namespace spanway::query::traceql {

// CANCELLED or DEADLINE_EXCEEDED, transient. For loops between two reads of the store, which checks
// by itself.
Status check_running(const QueryContext& context, const Clock& clock);

}  // namespace spanway::query::traceql
