#include "services/query/store/clickhouse/clickhouse_trace_store.h"

#include <algorithm>
#include <utility>

#include "services/lib/base/hex.h"
#include "services/lib/block/copy_rows.h"
#include "services/lib/block/text_view.h"
#include "services/query/store/clickhouse/clickhouse_reading.h"
#include "services/query/store/clickhouse/span_conditions.h"

namespace spanway::query {
namespace {

using clickhouse::Select;

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr std::int64_t kBucketNanos = 300 * kNanosPerSecond;

void select_columns(SpanColumns columns, Select& select) {
  if (columns == SpanColumns::kAll) {
    select.sql.add("SELECT * EXCEPT (tenant) FROM spans");
  } else {
    select.sql.add(
        "SELECT ts, duration_ns, trace_id, span_id, parent_span_id, service_name, name, kind, "
        "status, res_id FROM spans");
  }
}

// Buckets of the rollup that lie in a range.
void in_buckets(TimeRange range, Select& select) {
  select.sql.add(
      "WHERE tenant = {tenant:String} AND t >= toStartOfFiveMinutes(toDateTime({t_begin:Int64})) "
      "AND t <= toDateTime({t_end:Int64})");
  select.parameters.add("t_begin", seconds_of(range.begin)).add("t_end", seconds_of(range.end));
}

}  // namespace

Result<std::vector<std::string>> ClickHouseTraceStore::names(Select select,
                                                             QueryContext& context) const {
  select.parameters.add("tenant", context.tenant);
  SPANWAY_ASSIGN(const auto blocks, read_all(client_, std::move(select), context));
  std::vector<std::string> result;
  for (const block::Block& block : blocks)
    if (const auto texts = block::TextView::of(block.column(0)))
      for (std::size_t row = 0; row < block.rows(); ++row)
        result.emplace_back(texts->at(row).value_or(""));
  return result;
}

Result<BlockStreamPtr> ClickHouseTraceStore::spans_of(const TraceId& trace_id,
                                                      std::optional<TimeRange> hint,
                                                      SpanColumns columns, QueryContext& context) {
  Select select;
  select_columns(columns, select);
  select.sql.add("WHERE tenant = {tenant:String} AND trace_id = unhex({trace:String})");
  select.parameters.add("tenant", context.tenant).add("trace", std::string_view(to_hex(trace_id)));
  if (hint) {
    const TimeRange range = clamped(*hint);
    select.sql.add(
        "AND ts >= fromUnixTimestamp64Nano({begin:Int64}) AND ts < "
        "fromUnixTimestamp64Nano({end:Int64})");
    select.parameters.add("begin", range.begin).add("end", range.end);
  }
  return open(client_, std::move(select), context);
}

Result<block::Block> ClickHouseTraceStore::resources_of(std::span<const std::uint64_t> ids,
                                                        QueryContext& context) {
  std::string list = "[";
  for (const std::uint64_t id : ids) list += (list.size() > 1 ? "," : "") + std::to_string(id);
  Select select{
      .sql = {"SELECT * EXCEPT (tenant) FROM resources WHERE tenant = {tenant:String} AND "
              "res_id IN {ids:Array(UInt64)} ORDER BY res_id, last_seen DESC LIMIT 1 BY "
              "res_id"}};
  select.parameters.add("tenant", context.tenant).add("ids", std::string_view(list + "]"));
  SPANWAY_ASSIGN(auto blocks, read_all(client_, std::move(select), context));
  block::Block all;
  for (block::Block& block : blocks) {
    if (all.columns() == 0) {
      all = std::move(block);
      continue;
    }
    for (std::size_t row = 0; row < block.rows(); ++row) block::append_row(block, row, all);
  }
  return all;
}

Result<std::int64_t> ClickHouseTraceStore::begin_of_newest(const SpanQuery& query,
                                                           QueryContext& context) const {
  Select select{.sql = {"SELECT t, sum(calls) AS spans FROM red_service_5m"}};
  in_buckets(query.range, select);
  select.parameters.add("tenant", context.tenant);
  if (query.service) {
    select.sql.add("AND service_name = {service:String}");
    select.parameters.add("service", *query.service);
  }
  select.sql.add("GROUP BY t ORDER BY t DESC LIMIT 2000");
  SPANWAY_ASSIGN(const auto blocks, read_all(client_, std::move(select), context));
  std::uint64_t spans = 0;
  for (const block::Block& block : blocks)
    for (std::size_t row = 0; row < block.rows(); ++row) {
      const std::int64_t begin =
          std::int64_t{numbers<std::uint32_t>(block, "t")[row]} * kNanosPerSecond;
      // A bucket that the range ends in counts spans beyond it.
      if (begin > query.range.end - kBucketNanos) continue;
      spans += numbers<std::uint64_t>(block, "spans")[row];
      if (spans >= query.limit) return std::max(query.range.begin, begin);
    }
  return query.range.begin;
}

Result<BlockStreamPtr> ClickHouseTraceStore::newest(const SpanQuery& requested, SpanColumns columns,
                                                    QueryContext& context) {
  SpanQuery query = requested;
  query.range = clamped(requested.range);
  context.coverage = {
      .requested = requested.range, .searched = requested.range, .complete = true, .why = ""};
  // A condition that the rollup does not know may need any older bucket.
  const bool rollup_knows = query.all_of.empty() && !query.name && !query.kind && !query.status &&
                            query.duration_min_ns == 0 &&
                            query.duration_max_ns == std::numeric_limits<std::uint64_t>::max();
  if (rollup_knows) {
    SPANWAY_ASSIGN(query.range.begin, begin_of_newest(query, context));
  }
  Select select;
  select_columns(columns, select);
  SPANWAY_TRY(append_where(query, context.tenant, select));
  select.sql.add("ORDER BY ts DESC LIMIT {limit:UInt64}");
  select.parameters.add("limit", static_cast<std::int64_t>(query.limit));
  return open(client_, std::move(select), context);
}

Result<Found> ClickHouseTraceStore::find(const SpanQuery& requested, QueryContext& context) {
  SpanQuery query = requested;
  query.range = clamped(requested.range);
  context.coverage = {
      .requested = requested.range, .searched = requested.range, .complete = true, .why = ""};
  Select select{.sql = {"SELECT trace_id, toUnixTimestamp64Nano(max(ts)) AS newest, count() AS "
                        "matched FROM spans"}};
  SPANWAY_TRY(append_where(query, context.tenant, select));
  select.sql.add("GROUP BY trace_id ORDER BY newest DESC, trace_id LIMIT {limit:UInt64}");
  select.parameters.add("limit", static_cast<std::int64_t>(query.limit));
  SPANWAY_ASSIGN(const auto blocks, read_all(client_, std::move(select), context));
  Found found{.traces = {}, .applied = std::vector<bool>(query.all_of.size(), true)};
  for (const block::Block& block : blocks) {
    const auto ids = block::TextView::of(block.column(0));
    for (std::size_t row = 0; row < block.rows(); ++row)
      found.traces.push_back(
          {.trace_id = std::string(ids ? ids->at(row).value_or("") : std::string_view()),
           .newest_unix_nano = numbers<std::int64_t>(block, "newest")[row],
           .matched = numbers<std::uint64_t>(block, "matched")[row]});
  }
  return found;
}

Result<std::vector<std::string>> ClickHouseTraceStore::services(TimeRange range,
                                                                QueryContext& context) {
  Select select{.sql = {"SELECT DISTINCT service_name FROM red_service_5m"}};
  in_buckets(clamped(range), select);
  select.sql.add("ORDER BY service_name");
  return names(std::move(select), context);
}

Result<std::vector<std::string>> ClickHouseTraceStore::operations(const std::string& service,
                                                                  TimeRange range,
                                                                  QueryContext& context) {
  Select select{.sql = {"SELECT DISTINCT name FROM red_5m"}};
  in_buckets(clamped(range), select);
  select.sql.add("AND service_name = {service:String} ORDER BY name");
  select.parameters.add("service", service);
  return names(std::move(select), context);
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
