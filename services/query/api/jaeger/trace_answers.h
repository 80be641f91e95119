// A trace by its id in the shapes of Jaeger's HTTP APIs.
#pragma once

#include <string_view>

#include "services/query/api/answer_writer.h"
#include "services/query/store/trace_store.h"

namespace spanway::query::jaeger {

// 1 to 32 hex digits, of either case; shorter ones are those of a 64-bit id. INVALID_ARGUMENT for
// anything else and for zero.
Result<TraceId> parse_trace_id(std::string_view text);

// Both write the whole answer but do not finish it. NOT_FOUND, data, when there are no spans. An
// error after the first bytes leaves the answer to be cut.
Status answer_trace_v1(TraceStore& store, const TraceId& id, QueryContext& context,
                       AnswerWriter& answer);
Status answer_trace_v3(TraceStore& store, const TraceId& id, QueryContext& context,
                       AnswerWriter& answer);

}  // namespace spanway::query::jaeger
