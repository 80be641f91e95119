// Answers to detected_fields and detected_field/{name}/values. Each belongs to one query worker.
#pragma once

#include "services/query/api/loki/log_answers.h"

namespace spanway::query::loki {

// The fields of the newest lines of a query: structured metadata, and what json or logfmt finds.
Status answer_detected_fields(const ApiRequest& request, const QueryParts& parts,
                              QueryContext& context, AnswerWriter& writer);
Status answer_detected_field_values(const ApiRequest& request, const QueryParts& parts,
                                    QueryContext& context, AnswerWriter& writer);

}  // namespace spanway::query::loki
