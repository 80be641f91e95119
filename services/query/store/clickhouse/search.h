// A search for spans, window by window. Internal to query/store/clickhouse.
#pragma once

#include <functional>

#include "services/lib/clickhouse/clickhouse_client.h"
#include "services/query/store/clickhouse/search_planner.h"
#include "services/query/store/clickhouse/span_conditions.h"
#include "services/query/store/query_context.h"
#include "services/query/store/span_query.h"

namespace spanway::query {

// One window of a search, whose spans a statement reads.
class SearchStep {
 public:
  SearchStep(const SpanQuery& query, const SearchWindow& window, const KeyPlaces& places,
             const std::string& tenant)
      : query_(query), window_(window), places_(places), tenant_(tenant) {}
  void append_where(clickhouse::Select& out) const;

 private:
  const SpanQuery& query_;
  const SearchWindow& window_;
  const KeyPlaces& places_;
  const std::string& tenant_;
};

// Runs `read` for one window after the other, the newest first, until it returns true (it has
// enough) or no older span can match. The first window has at least `first_window_spans` that can
// match, and four times as many as the limit. Sets the coverage. A budget or deadline that is
// reached after the first window ends the search with what was found. `read` gives its statements
// Share::kSearch.
Status search(clickhouse::Client& client, const SpanQuery& query, std::uint64_t first_window_spans,
              QueryContext& context, const std::function<Result<bool>(const SearchStep&)>& read);

}  // namespace spanway::query
