// Spanway's own searches of traces, metrics and logs, and figures of services. Internal to
// query/api/rest.
#pragma once

#include "services/query/api/answer_writer.h"
#include "services/query/api/rest/search_request.h"
#include "services/query/store/log_store.h"
#include "services/query/store/metric_store.h"
#include "services/query/store/trace_store.h"

namespace spanway::query::rest {

// All write the complete answer but do not finish it. INVALID_ARGUMENT, data, "bad_parameters" for
// members that do not fit.

// Summaries of traces with a span of the service, the newest first.
Status answer_traces(TraceStore& store, const SearchRequest& request, QueryContext& context,
                     AnswerWriter& answer);
// Records of the service and of the severity ("ERROR", ...), the newest first.
Status answer_logs(LogStore& store, const SearchRequest& request, QueryContext& context,
                   AnswerWriter& answer);
// One number for each series of the metric: avg (without `aggregation`), sum, min, max, count or
// last of its samples.
Status answer_metrics(MetricStore& store, const SearchRequest& request, QueryContext& context,
                      AnswerWriter& answer);
// Calls, errors and durations of each service, from the rollups.
Status answer_service_stats(TraceStore& store, TimeRange range, QueryContext& context,
                            AnswerWriter& answer);

}  // namespace spanway::query::rest
