// A trace by its id, in Tempo's shapes.
#pragma once

#include <string_view>

#include "services/query/api/query_api.h"
#include "services/query/store/trace_store.h"

namespace spanway::query::tempo {

inline constexpr std::string_view kProtobuf = "application/protobuf";

// The id of the path; start and end are checked only: all spans of the trace are its answer.
// INVALID_ARGUMENT, data, "bad_trace_id" or "bad_parameters", in Tempo's words; UNIMPLEMENTED,
// data, for a parameter that would change the trace.
Result<TraceId> parse_trace_question(const ApiRequest& request);

// Both write the whole answer but do not finish it. v1 is {"batches":[..]}, v2 {"trace":{..}}; as
// protobuf a Trace and a TraceByIDResponse. NOT_FOUND, data, without spans. An error after the
// first bytes leaves the answer to be cut.
Status answer_trace_json(TraceStore& store, const TraceId& trace, bool is_v2, QueryContext& context,
                         AnswerWriter& answer);
Status answer_trace_protobuf(TraceStore& store, const TraceId& trace, bool is_v2,
                             QueryContext& context, AnswerWriter& answer);

}  // namespace spanway::query::tempo
