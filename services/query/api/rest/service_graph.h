// The edges between services over time. Internal to query/api/rest.
#pragma once

#include <cstddef>
#include <cstdint>

#include "services/query/api/answer_writer.h"
#include "services/query/api/rest/steps.h"
#include "services/query/store/insight_store.h"
#include "services/query/store/trace_store.h"

namespace spanway::query::rest {

struct GraphRequest {
  Steps steps;
  std::size_t limit = 500;  // Edges: those with most calls.
};

// As of parse_steps(), and `limit`, 1 to kResultsMax.
Result<GraphRequest> parse_graph(const Parameters& parameters, std::int64_t now_unix_nano);

// Writes the complete answer but does not finish it. `traces` has the names of services.
Status answer_graph(InsightStore& store, TraceStore& traces, const GraphRequest& request,
                    std::int64_t now_unix_nano, QueryContext& context, AnswerWriter& answer);

// The range has windows, but the newest that should be there by now are missing: sets the
// context's coverage.
void cover(const std::vector<WindowState>& states, TimeRange range, std::int64_t now_unix_nano,
           QueryContext& context);

}  // namespace spanway::query::rest
