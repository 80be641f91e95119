// Questions for series, labels and metadata. Internal to query/api/prometheus.
#pragma once

#include "services/query/api/answer_writer.h"
#include "services/query/api/query_api.h"
#include "services/query/promql/parser.h"
#include "services/query/store/metric_store.h"

namespace spanway::query::prometheus {

// Each writes the whole answer but does not finish it. Series are those with points on a day of the
// range that is requested.
Status answer_series(MetricStore& metrics, const ApiRequest& request,
                     const promql::ParseOptions& options, QueryContext& context,
                     AnswerWriter& writer);
Status answer_labels(MetricStore& metrics, const ApiRequest& request,
                     const promql::ParseOptions& options, QueryContext& context,
                     AnswerWriter& writer);
Status answer_label_values(MetricStore& metrics, const ApiRequest& request,
                           const promql::ParseOptions& options, QueryContext& context,
                           AnswerWriter& writer);
Status answer_metadata(MetricStore& metrics, const ApiRequest& request, QueryContext& context,
                       AnswerWriter& writer);

}  // namespace spanway::query::prometheus
