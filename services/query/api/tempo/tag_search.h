// Tempo's search by tags as TraceQL.
#pragma once

#include <string>

#include "services/lib/base/result.h"
#include "services/query/api/parameters.h"

namespace spanway::query::tempo {

// The query of `tags` (logfmt: key=value key="a value"), minDuration and maxDuration: a trace that
// has, for each tag, a span or resource with that text in its value, of either case; all traces
// without them. INVALID_ARGUMENT, data, "bad_parameters", in Tempo's words.
Result<std::string> query_of_tags(const Parameters& parameters);

}  // namespace spanway::query::tempo
