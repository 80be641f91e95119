// Results of the engine as Tempo's JSON: 64-bit integers are strings, as protobuf's JSON has them.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "services/query/traceql/engine.h"

namespace spanway::query::tempo {

// `context` has the coverage: a search that has ended early has completed 0 of 1 jobs.
std::string search_json(const traceql::SearchResult& result, const QueryContext& context);
// Series in the order of their labels, each given to `write` on its own: together they may be
// large.
using WriteText = std::function<Status(std::string_view text)>;
Status write_range(traceql::MetricsResult result, const traceql::Intervals& intervals,
                   const QueryContext& context, const WriteText& write);
std::string instant_json(traceql::MetricsResult result, const QueryContext& context);

}  // namespace spanway::query::tempo
