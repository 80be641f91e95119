// Relations of spans in the tree of their trace.
#pragma once

#include <cstdint>
#include <vector>

#include "services/query/traceql/token.h"
#include "services/query/traceql/trace.h"

namespace spanway::query::traceql {

// Positions in Trace::spans, ascending, each once.
using SpanSet = std::vector<std::uint32_t>;

// left > right: the spans of `right` that are a child of one of `left`; < a parent, >> a
// descendant,
// << an ancestor, ~ a sibling. With "!" those of `right` that are not; with "&" those of both sides
// that are in such a pair. A span that no root reaches is in no pair. Linear in the trace's spans.
SpanSet related(const Trace& trace, Token op, const SpanSet& left, const SpanSet& right);

SpanSet union_of(const SpanSet& left, const SpanSet& right);

}  // namespace spanway::query::traceql
