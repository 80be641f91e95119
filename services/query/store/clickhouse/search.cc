#include "services/query/store/clickhouse/search.h"

#include <algorithm>
#include <utility>

#include "services/query/store/clickhouse/attribute_names.h"
#include "services/query/store/clickhouse/clickhouse_reading.h"

namespace spanway::query {
namespace {

// Spans of the first window for each result of the limit.
constexpr std::uint64_t kCandidatesPerResult = 4;

Result<std::vector<Bucket5m>> read_buckets(clickhouse::Client& client, const SpanQuery& query,
                                           QueryContext& context) {
  SPANWAY_ASSIGN(const auto blocks, read_all(client,
                                             bucket_statement(rollup_conditions(query.where),
                                                              query.range, context.tenant),
                                             context));
  return buckets_in(blocks);
}

}  // namespace

void SearchStep::append_where(clickhouse::Select& out) const {
  SpanQuery query = query_;
  query.range = window_.range;
  query::append_where(query, places_, tenant_, out);
  append_buckets(window_, out);
}

Status search(clickhouse::Client& client, const SpanQuery& requested,
              std::uint64_t first_window_spans, QueryContext& context,
              const std::function<Result<bool>(const SearchStep&)>& read) {
  SPANWAY_TRY(check(requested.where));
  context.coverage = {
      .requested = requested.range, .searched = requested.range, .complete = true, .why = ""};
  if (requested.limit == 0) return {};
  SpanQuery query = requested;
  query.range = clamped(requested.range);
  SPANWAY_ASSIGN(auto buckets, read_buckets(client, query, context));
  KeyPlaces places;
  if (!buckets.empty()) {
    SPANWAY_ASSIGN(places,
                   read_key_places(client, keys_to_look_up(query.where), query.range, context));
  }
  const bool is_led = is_led_by_index(query.where, places);
  context.cost.index = is_led ? "by_token" : "red_5m";
  const std::uint64_t first =
      is_led ? SearchPlanner::kOneWindow
             : std::max<std::uint64_t>(first_window_spans, kCandidatesPerResult * query.limit);
  SearchPlanner planner(query.range, first, std::move(buckets));
  std::int64_t searched = query.range.end;
  while (const auto window = planner.next()) {
    auto enough = read(SearchStep(query, *window, places, context.tenant));
    if (!enough.ok()) {
      if (searched == query.range.end || !reached_bound(enough.error()))
        return std::move(enough).error();
      context.coverage.searched.begin = searched;
      context.coverage.complete = false;
      context.coverage.why = enough.error().message;
      return {};
    }
    searched = window->range.begin;
    if (!*enough) continue;
    context.coverage.searched.begin = searched;
    return {};
  }
  return {};
}

}  // namespace spanway::query
