// Jaeger's service performance metrics, from the figures of services. Internal to query/api/jaeger.
#pragma once

#include <cstdint>
#include <string_view>

#include "services/query/api/answer_writer.h"
#include "services/query/api/parameters.h"
#include "services/query/store/trace_store.h"

namespace spanway::query::jaeger {

enum class Metric : unsigned char { kCalls, kErrors, kLatencies };

// service (several), groupByOperation, quantile, endTs, lookback, step, ratePer (ms), spanKind
// (several; server by default). A point is the rate over the last complete five minutes, or
// `ratePer` of them; a point without calls is left out. INVALID_ARGUMENT, data, "bad_parameters".
Status answer_metrics(TraceStore& store, Metric metric, const Parameters& parameters,
                      std::int64_t now_unix_nano, QueryContext& context, AnswerWriter& answer);
// The smallest step with points of its own.
Status answer_min_step(AnswerWriter& answer);

}  // namespace spanway::query::jaeger
