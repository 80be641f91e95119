// The questions of Jaeger's APIs to a store, before an answer has a shape. Internal to
// query/api/jaeger.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "services/query/api/jaeger/jaeger_search.h"
#include "services/query/store/trace_store.h"

namespace spanway::query::jaeger {

// Calls `read` with parts of the ids that a store takes at once.
template <typename Read>
Status in_parts(const std::vector<TraceId>& ids, const Read& read) {
  for (std::size_t at = 0; at < ids.size(); at += TraceStore::kTraceIdsMax)
    SPANWAY_TRY(
        read(std::span(ids).subspan(at, std::min(TraceStore::kTraceIdsMax, ids.size() - at))));
  return {};
}

// The traces that are requested by id, or those that a search finds.
Result<std::vector<TraceId>> ids_of(TraceStore& store, const SearchParameters& search,
                                    QueryContext& context);
Result<std::vector<std::string>> services_of(TraceStore& store, TimeRange range,
                                             QueryContext& context);
// An empty kind is every kind.
Result<std::vector<Operation>> operations_of(TraceStore& store, const std::string& service,
                                             std::string_view kind, TimeRange range,
                                             QueryContext& context);

}  // namespace spanway::query::jaeger
