// The newest spans as Spanway's own JSON. Internal to query/api/rest.
#pragma once

#include <cstddef>

#include "services/query/api/answer_writer.h"
#include "services/query/api/parameters.h"
#include "services/query/store/trace_store.h"

namespace spanway::query::rest {

inline constexpr std::size_t kSpansDefault = 20;
inline constexpr std::size_t kSpansMax = 1000;

// The parameter "limit". INVALID_ARGUMENT for what is no number from 1 to kSpansMax.
Result<std::size_t> parse_limit(const Parameters& parameters);

// Writes the answer but does not finish it.
Status answer_spans(TraceStore& store, std::size_t limit, QueryContext& context,
                    AnswerWriter& answer);

}  // namespace spanway::query::rest
