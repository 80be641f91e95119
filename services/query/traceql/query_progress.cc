#include "services/query/traceql/query_progress.h"

namespace spanway::query::traceql {

Status check_running(const QueryContext& context, const Clock& clock) {
  if (context.cancel.cancelled())
    return transient_error(Code::kCancelled, "the query was cancelled").with_reason("cancelled");
  if (context.deadline.passed(clock.now()))
    return transient_error(Code::kDeadlineExceeded,
                           "the query has reached limits.query_time; narrow it")
        .with_reason("query_timeout");
  return {};
}

}  // namespace spanway::query::traceql
