// Answers about streams and their labels. Each belongs to one query worker.
#pragma once

#include <vector>

#include "services/query/api/loki/log_answers.h"
#include "services/query/store/log_query.h"

namespace spanway::query::loki {

// The streams that match and have records in the five minutes that the range touches, with their
// figures.
struct StreamVolume {
  LogStream stream;
  LogVolume volume;
};
Result<std::vector<StreamVolume>> streams_with_records(const std::vector<LabelMatcher>& matchers,
                                                       TimeRange range, LogStore& logs,
                                                       QueryContext& context);
// The matchers of the parameter `query`; none when it is missing or "{}".
Result<std::vector<LabelMatcher>> parse_selector(const ApiRequest& request);

Status answer_labels(const ApiRequest& request, const QueryParts& parts, QueryContext& context,
                     AnswerWriter& writer);
Status answer_label_values(const ApiRequest& request, const QueryParts& parts,
                           QueryContext& context, AnswerWriter& writer);
Status answer_series(const ApiRequest& request, const QueryParts& parts, QueryContext& context,
                     AnswerWriter& writer);
Status answer_detected_labels(const ApiRequest& request, const QueryParts& parts,
                              QueryContext& context, AnswerWriter& writer);

}  // namespace spanway::query::loki
