// Questions with a query in PromQL. Internal to query/api/prometheus.
#pragma once

#include "services/lib/base/clock.h"
#include "services/query/api/answer_writer.h"
#include "services/query/api/parameters.h"
#include "services/query/promql/engine.h"
#include "services/query/store/metric_store.h"

namespace spanway::query::prometheus {

struct QueryParts {
  MetricStore& metrics;
  const promql::EngineOptions& options;
  const Clock& clock;
};

// Each writes the whole answer but does not finish it.
Status answer_query(const QueryParts& parts, const Parameters& parameters, QueryContext& context,
                    AnswerWriter& writer);
Status answer_query_range(const QueryParts& parts, const Parameters& parameters,
                          QueryContext& context, AnswerWriter& writer);
Status answer_format_query(const QueryParts& parts, const Parameters& parameters,
                           AnswerWriter& writer);
Status answer_parse_query(const QueryParts& parts, const Parameters& parameters,
                          AnswerWriter& writer);
// No exemplars are kept for it; the query is checked.
Status answer_query_exemplars(const QueryParts& parts, const Parameters& parameters,
                              AnswerWriter& writer);

}  // namespace spanway::query::prometheus
