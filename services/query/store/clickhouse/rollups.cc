#include "services/query/store/clickhouse/rollups.h"

#include <algorithm>
#include <map>
#include <utility>

#include "services/lib/block/column.h"
#include "services/query/store/clickhouse/clickhouse_reading.h"

namespace spanway::query {
namespace {

using clickhouse::Select;
using clickhouse::SqlText;

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr std::int64_t kHourNanos = 3'600 * kNanosPerSecond;
// Spans of one part of a join, and parts of one query.
constexpr std::uint64_t kJoinedSpans = 1'000'000;
constexpr std::uint64_t kPartsMax = 64;

RedRow row_of(const block::Block& block, std::size_t row) {
  RedRow result;
  result.begin_unix_nano = numbers<std::int64_t>(block, "step")[row] * kNanosPerSecond;
  result.service = text_in(block, "service_name", row);
  result.name = text_in(block, "shown_name", row);
  // An Enum8 of kinds, none of which is negative.
  result.kind = static_cast<std::uint8_t>(numbers<std::int8_t>(block, "shown_kind")[row]);
  result.calls = numbers<std::uint64_t>(block, "call_count")[row];
  result.errors = numbers<std::uint64_t>(block, "error_count")[row];
  result.duration_ns = numbers<std::uint64_t>(block, "duration_sum")[row];
  result.duration_max_ns = numbers<std::uint64_t>(block, "duration_max")[row];
  const auto buckets = elements<std::int16_t>(block, "buckets", row);
  const auto counts = elements<std::uint64_t>(block, "counts", row);
  for (std::size_t i = 0; i < std::min(buckets.size(), counts.size()); ++i)
    result.durations[buckets[i]] += counts[i];
  return result;
}

Result<std::uint64_t> spans_in(clickhouse::Client& client, TimeRange range, QueryContext& context) {
  Select select{.sql = {"SELECT sum(calls) AS span_count FROM red_service_5m"}};
  append_rollup_range(clamped(range), select);
  select.parameters.add("tenant", context.tenant);
  SPANWAY_ASSIGN(const auto blocks, read_all(client, std::move(select), context));
  std::uint64_t count = 0;
  for (const block::Block& block : blocks) count += numbers<std::uint64_t>(block, "span_count")[0];
  return count;
}

}  // namespace

Result<std::vector<RedRow>> read_red(clickhouse::Client& client, const RedQuery& query,
                                     QueryContext& context) {
  SPANWAY_TRY(check(query));
  const bool by_hour = query.by_name && query.step_ns % kHourNanos == 0;
  Select select{.sql = {"SELECT intDiv(toInt64(toUnixTimestamp(t)), {step:Int64}) * {step:Int64} "
                        "AS step, service_name,"}};
  select.sql.add(query.by_name ? SqlText("name AS shown_name,") : SqlText("'' AS shown_name,"));
  select.sql.add(query.by_kind ? SqlText("toInt8(kind) AS shown_kind,")
                               : SqlText("toInt8(0) AS shown_kind,"));
  select.sql.add(
      "sum(calls) AS call_count, sum(errors) AS error_count, sum(duration_ns) AS duration_sum, "
      "max(duration_max_ns) AS duration_max, sumMap(hist) AS durations, mapKeys(durations) AS "
      "buckets, mapValues(durations) AS counts FROM");
  select.sql.add(by_hour         ? SqlText("red_1h")
                 : query.by_name ? SqlText("red_5m")
                                 : SqlText("red_service_5m"));
  append_rollup_range(clamped(query.range), select, query.step_ns);
  select.parameters.add("tenant", context.tenant).add("step", query.step_ns / kNanosPerSecond);
  if (!query.services.empty()) {
    select.sql.add("AND service_name IN {services:Array(String)}");
    select.parameters.add_list("services", query.services);
  }
  if (!query.kinds.empty()) {
    const std::vector<std::int64_t> kinds(query.kinds.begin(), query.kinds.end());
    select.sql.add("AND toInt8(kind) IN {kinds:Array(Int8)}");
    select.parameters.add("kinds", std::string_view(number_list(kinds)));
  }
  select.sql.add(
      "GROUP BY step, service_name, shown_name, shown_kind ORDER BY step, service_name, "
      "shown_name, shown_kind");
  SPANWAY_ASSIGN(const auto blocks, read_all(client, std::move(select), context));
  std::vector<RedRow> rows;
  for (const block::Block& block : blocks)
    for (std::size_t row = 0; row < block.rows(); ++row) rows.push_back(row_of(block, row));
  return rows;
}

Result<std::vector<Dependency>> read_dependencies(clickhouse::Client& client, TimeRange requested,
                                                  QueryContext& context) {
  const TimeRange range = clamped(requested);
  SPANWAY_ASSIGN(const std::uint64_t spans, spans_in(client, range, context));
  const std::uint64_t parts = std::clamp<std::uint64_t>(spans / kJoinedSpans + 1, 1, kPartsMax);
  std::map<std::pair<std::string, std::string>, Dependency> edges;
  for (std::uint64_t part = 0; part < parts; ++part) {
    Select select{
        .sql = {"SELECT p.service_name AS caller, c.service_name AS callee, count() AS call_count, "
                "countIf(c.status = 'error') AS error_count FROM (SELECT trace_id, "
                "parent_span_id, service_name, status FROM spans WHERE tenant = {tenant:String} "
                "AND ts >= fromUnixTimestamp64Nano({begin:Int64}) AND ts < "
                "fromUnixTimestamp64Nano({end:Int64}) AND cityHash64(trace_id) % {parts:UInt64} = "
                "{part:UInt64} AND parent_span_id != unhex('0000000000000000')) AS c ANY LEFT JOIN "
                "(SELECT trace_id, span_id, service_name, 1 AS found FROM spans WHERE tenant = "
                "{tenant:String} AND ts >= fromUnixTimestamp64Nano({begin:Int64}) AND ts < "
                "fromUnixTimestamp64Nano({end:Int64}) AND cityHash64(trace_id) % {parts:UInt64} = "
                "{part:UInt64}) AS p ON c.trace_id = p.trace_id AND c.parent_span_id = p.span_id "
                "WHERE p.found = 1 GROUP BY caller, callee"}};
    select.parameters.add("tenant", context.tenant)
        .add("begin", range.begin)
        .add("end", range.end)
        .add("parts", static_cast<std::int64_t>(parts))
        .add("part", static_cast<std::int64_t>(part));
    SPANWAY_ASSIGN(const auto blocks, read_all(client, std::move(select), context));
    for (const block::Block& block : blocks)
      for (std::size_t row = 0; row < block.rows(); ++row) {
        const std::string caller(text_in(block, "caller", row));
        const std::string callee(text_in(block, "callee", row));
        Dependency& edge = edges[{caller, callee}];
        edge.caller = caller;
        edge.callee = callee;
        edge.calls += numbers<std::uint64_t>(block, "call_count")[row];
        edge.errors += numbers<std::uint64_t>(block, "error_count")[row];
      }
  }
  std::vector<Dependency> result;
  result.reserve(edges.size());
  for (auto& [names, edge] : edges) result.push_back(std::move(edge));
  return result;
}

}  // namespace spanway::query
