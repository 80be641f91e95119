// The findings of the insight. Internal to query/api/rest.
#pragma once

#include <cstddef>
#include <cstdint>

#include "services/query/api/answer_writer.h"
#include "services/query/api/parameters.h"
#include "services/query/store/insight_store.h"

namespace spanway::query::rest {

struct FindingsRequest {
  FindingQuery query;
  std::size_t limit = 100;
};

// start_time and end_time as of parse_range(), rounded to whole windows; kind, also several times;
// service; limit, 1 to kResultsMax. INVALID_ARGUMENT, data, "bad_parameters".
Result<FindingsRequest> parse_findings(const Parameters& parameters, std::int64_t now_unix_nano);

// A finding that lasts for several windows, with gaps of one at most, is shown once, with the
// figures of the newest. Writes the complete answer but does not finish it.
Status answer_findings(InsightStore& store, const FindingsRequest& request,
                       std::int64_t now_unix_nano, QueryContext& context, AnswerWriter& answer);

}  // namespace spanway::query::rest
