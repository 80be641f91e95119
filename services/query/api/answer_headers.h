// The headers that every API's answers have: what a query has cost, and how far a search came.
#pragma once

#include <string>

#include "services/lib/base/clock.h"
#include "services/query/store/query_context.h"

namespace spanway::query {

inline constexpr const char* kCoverageHeader = "spanway-coverage";
inline constexpr const char* kCostHeader = "spanway-cost";

// "searched back to 2026-11-29T18:00:00.000Z only: ...", or "searched up to", in one line.
std::string coverage_text(const Coverage& coverage);

// "rows=12,bytes=345,statements=2,index=by_token,store_ms=3.1,engine_ms=0.4" for a query that has
// taken `taken` so far. Without the index or store_ms where they are not known.
std::string cost_text(const Cost& cost, Duration taken);

}  // namespace spanway::query
