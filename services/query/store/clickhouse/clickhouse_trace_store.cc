#include "services/query/store/clickhouse/clickhouse_trace_store.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "services/lib/base/hex.h"
#include "services/query/store/clickhouse/attribute_names.h"
#include "services/query/store/clickhouse/attribute_values.h"
#include "services/query/store/clickhouse/clickhouse_reading.h"
#include "services/query/store/clickhouse/rollups.h"
#include "services/query/store/clickhouse/search.h"
#include "services/query/store/clickhouse/trace_statements.h"

namespace spanway::query {
namespace {

using clickhouse::Select;

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

void select_columns(SpanColumns columns, Select& select) {
  if (columns == SpanColumns::kAll) {
    select.sql.add("SELECT * EXCEPT (tenant) FROM spans");
  } else {
    select.sql.add(
        "SELECT ts, duration_ns, trace_id, span_id, parent_span_id, service_name, name, kind, "
        "status, res_id FROM spans");
  }
}

void append_hint(std::optional<TimeRange> hint, Select& select) {
  if (!hint) return;
  const TimeRange range = clamped(*hint);
  select.sql.add(
      "AND ts >= fromUnixTimestamp64Nano({begin:Int64}) AND ts < "
      "fromUnixTimestamp64Nano({end:Int64})");
  select.parameters.add("begin", range.begin).add("end", range.end);
}

}  // namespace

Result<BlockStreamPtr> ClickHouseTraceStore::spans_of(const TraceId& trace_id,
                                                      std::optional<TimeRange> hint,
                                                      SpanColumns columns, QueryContext& context) {
  Select select;
  select_columns(columns, select);
  select.sql.add("WHERE tenant = {tenant:String} AND trace_id = unhex({trace:String})");
  select.parameters.add("tenant", context.tenant).add("trace", std::string_view(to_hex(trace_id)));
  append_hint(hint, select);
  return open(client_, std::move(select), context);
}

Result<BlockStreamPtr> ClickHouseTraceStore::spans_of(std::span<const TraceId> trace_ids,
                                                      std::optional<TimeRange> hint,
                                                      SpanColumns columns, QueryContext& context) {
  Select select;
  select_columns(columns, select);
  append_trace_ids(trace_ids, context.tenant, select);
  append_hint(hint, select);
  // The key has the trace after the time: the spans of a trace lie in several places.
  select.sql.add("ORDER BY trace_id");
  return open(client_, std::move(select), context);
}

Result<block::Block> ClickHouseTraceStore::resources_of(std::span<const std::uint64_t> ids,
                                                        QueryContext& context) {
  return read_resources(client_, ids, context);
}

Result<BlockStreamPtr> ClickHouseTraceStore::newest(const SpanQuery& query, SpanColumns columns,
                                                    QueryContext& context) {
  std::vector<block::Block> found;
  std::size_t rows = 0;
  SPANWAY_TRY(search(
      client_, query, options_.first_window_spans, context,
      [&](const SearchStep& step) -> Result<bool> {
        Select select;
        select_columns(columns, select);
        step.append_where(select);
        select.sql.add("ORDER BY ts DESC LIMIT {limit:UInt64}");
        select.parameters.add("limit", static_cast<std::int64_t>(query.limit - rows));
        SPANWAY_ASSIGN(auto blocks, read_all(client_, std::move(select), context, Share::kSearch));
        for (block::Block& block : blocks) {
          rows += block.rows();
          found.push_back(std::move(block));
        }
        return rows >= query.limit;
      }));
  return block_stream(std::move(found));
}

Result<Found> ClickHouseTraceStore::find(const SpanQuery& query, QueryContext& context) {
  Found found;
  std::unordered_map<TraceId, std::size_t> places;
  SPANWAY_TRY(search(
      client_, query, options_.first_window_spans, context,
      [&](const SearchStep& step) -> Result<bool> {
        Select select{
            .sql = {"SELECT trace_id, toUnixTimestamp64Nano(max(ts)) AS newest, count() AS "
                    "matched FROM spans"}};
        step.append_where(select);
        select.sql.add("GROUP BY trace_id ORDER BY newest DESC, trace_id LIMIT {limit:UInt64}");
        // Those that newer steps have found may be among them.
        select.parameters.add("limit", static_cast<std::int64_t>(query.limit));
        SPANWAY_ASSIGN(const auto blocks,
                       read_all(client_, std::move(select), context, Share::kSearch));
        for (const block::Block& block : blocks)
          for (std::size_t row = 0; row < block.rows(); ++row) {
            const TraceId id(text_in(block, "trace_id", row));
            const std::uint64_t matched = numbers<std::uint64_t>(block, "matched")[row];
            const auto [place, is_new] = places.try_emplace(id, found.traces.size());
            if (!is_new) {
              found.traces[place->second].matched += matched;
            } else if (found.traces.size() < query.limit) {
              found.traces.push_back(
                  {.trace_id = id,
                   .newest_unix_nano = numbers<std::int64_t>(block, "newest")[row],
                   .matched = matched});
            } else {
              places.erase(place);
            }
          }
        return found.traces.size() >= query.limit;
      }));
  return found;
}

Result<std::vector<TraceSummary>> ClickHouseTraceStore::summaries(
    std::span<const TraceId> trace_ids, std::optional<TimeRange> hint, QueryContext& context) {
  return read_summaries(client_, trace_ids, hint, context);
}

Result<std::vector<std::string>> ClickHouseTraceStore::services(TimeRange range,
                                                                QueryContext& context) {
  return read_services(client_, range, context);
}

Result<std::vector<Operation>> ClickHouseTraceStore::operations(const std::string& service,
                                                                TimeRange range,
                                                                QueryContext& context) {
  return read_operations(client_, service, range, context);
}

Result<std::vector<AttributeKey>> ClickHouseTraceStore::attribute_keys(Scope scope, TimeRange range,
                                                                       QueryContext& context) {
  return read_attribute_keys(client_, scope, range, context);
}

Result<std::vector<Value>> ClickHouseTraceStore::values(const Subject& subject,
                                                        const SpanQuery& query,
                                                        QueryContext& context) {
  return read_values(client_, subject, query, context);
}

Result<std::vector<Dependency>> ClickHouseTraceStore::dependencies(TimeRange range,
                                                                   QueryContext& context) {
  return read_dependencies(client_, range, context);
}

Result<std::vector<RedRow>> ClickHouseTraceStore::red(const RedQuery& query,
                                                      QueryContext& context) {
  return read_red(client_, query, context);
}

Result<StoreStatus> ClickHouseTraceStore::status(QueryContext& context) {
  Select select{.sql = {"SELECT sum(calls) AS spans, max(t) AS newest FROM red_service_5m WHERE "
                        "tenant = {tenant:String}"}};
  select.parameters.add("tenant", context.tenant);
  SPANWAY_ASSIGN(const auto blocks, read_all(client_, std::move(select), context));
  StoreStatus status{.type = "clickhouse",
                     .endpoint = client_.endpoint(),
                     .spans = 0,
                     .newest_unix_nano = std::nullopt};
  for (const block::Block& block : blocks) {
    status.spans = numbers<std::uint64_t>(block, "spans")[0];
    if (status.spans > 0)
      status.newest_unix_nano =
          std::int64_t{numbers<std::uint32_t>(block, "newest")[0]} * kNanosPerSecond;
  }
  return status;
}

Status ClickHouseTraceStore::ping(QueryContext& context) {
  SPANWAY_TRY(read_all(client_, {.sql = {"SELECT trace_id FROM spans LIMIT 0"}}, context));
  return {};
}

}  // namespace spanway::query
