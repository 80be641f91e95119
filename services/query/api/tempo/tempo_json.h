// Results of the engine as Tempo's JSON: 64-bit integers are strings, as protobuf's JSON has them.
#pragma once

#include <string>

#include "services/query/traceql/engine.h"

namespace spanway::query::tempo {

// `context` has the coverage: a search that has ended early has completed 0 of 1 jobs.
std::string search_json(const traceql::SearchResult& result, const QueryContext& context);
// Series in the order of their labels.
std::string range_json(traceql::MetricsResult result, const traceql::Intervals& intervals,
                       const QueryContext& context);
std::string instant_json(traceql::MetricsResult result, const QueryContext& context);

}  // namespace spanway::query::tempo
