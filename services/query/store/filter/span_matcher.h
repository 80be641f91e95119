// Decides whether a span fulfils a query, over the views of a row.
#pragma once

#include "services/lib/otlp/reader.h"
#include "services/lib/otlp_blocks/span_reader.h"
#include "services/query/store/span_query.h"

namespace spanway::query {

// `resource` may be null: the span then has no resource attributes. Stateless.
bool matches(const SpanQuery& query, const otlp_blocks::StoredSpan& stored,
             const otlp::ResourceView* resource);

}  // namespace spanway::query
