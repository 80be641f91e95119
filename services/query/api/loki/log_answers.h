// Answers to query, query_range and format_query. Each belongs to one query worker.
#pragma once

#include "services/query/api/query_api.h"
#include "services/query/logql/engine.h"
#include "services/query/store/log_store.h"

namespace spanway::query::loki {

struct QueryParts {
  LogStore& logs;
  const Clock& clock;
  const logql::Engine& engine;
};

Status answer_query(const ApiRequest& request, const QueryParts& parts, QueryContext& context,
                    AnswerWriter& writer);
Status answer_query_range(const ApiRequest& request, const QueryParts& parts, QueryContext& context,
                          AnswerWriter& writer);
Status answer_format_query(const ApiRequest& request, AnswerWriter& writer);

// Unix nanoseconds of the wall clock.
std::int64_t now_of(const Clock& clock);
// True when the client wants labels by where they come from.
bool wants_categories(const ApiRequest& request);

}  // namespace spanway::query::loki
