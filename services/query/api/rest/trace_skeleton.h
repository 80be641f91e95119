// The skeleton of a trace, and one of its spans. Internal to query/api/rest.
#pragma once

#include <optional>
#include <string>

#include "services/query/api/answer_writer.h"
#include "services/query/store/trace_store.h"

namespace spanway::query::rest {

// Both write the complete answer but do not finish it; NOT_FOUND, data, without such a span.
// `hint`: as TraceStore::spans_of() has it.

// The columns that a waterfall needs of all spans, by start: about 12 bytes a span with gzip.
// `may_gzip`: the client takes a body that is coded so.
Status answer_skeleton(TraceStore& store, const TraceId& id, std::optional<TimeRange> hint,
                       bool may_gzip, QueryContext& context, AnswerWriter& answer);
// Everything of one span, with its resource, as OTLP/JSON.
Status answer_span(TraceStore& store, const TraceId& id, const std::string& span_id,
                   std::optional<TimeRange> hint, QueryContext& context, AnswerWriter& answer);

}  // namespace spanway::query::rest
