// Rate, errors and durations of services over time. Internal to query/api/rest.
#pragma once

#include <string>

#include "services/query/api/answer_writer.h"
#include "services/query/api/parameters.h"
#include "services/query/store/trace_store.h"

namespace spanway::query::rest {

struct SeriesRequest {
  RedQuery red;
  std::string service;  // Empty = all; else one row for each of its operations.
};

// start_time, end_time and step as of parse_steps(), service. INVALID_ARGUMENT, data,
// "bad_parameters".
Result<SeriesRequest> parse_series(const Parameters& parameters, std::int64_t now_unix_nano);

// Calls, errors and durations in total and for each step: of the spans that enter a service
// (server, consumer), or of all of its spans when it has none of them. Writes the complete answer
// but does not finish it.
Status answer_series(TraceStore& store, const SeriesRequest& request, QueryContext& context,
                     AnswerWriter& answer);

}  // namespace spanway::query::rest
