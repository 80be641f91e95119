#include "services/query/store/clickhouse/trace_statements.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "services/query/store/clickhouse/clickhouse_reading.h"

namespace spanway::query {
namespace {

using clickhouse::Select;

// The earliest root of a trace so far.
struct Root {
  std::int64_t begin = 0;
  std::string id;
  bool operator<(const Root& other) const {
    return std::tie(begin, id) < std::tie(other.begin, other.id);
  }
};
struct Trace {
  TraceSummary summary;
  std::optional<Root> root;
};
using Traces = std::map<TraceId, Trace, std::less<>>;

void append_range(std::optional<TimeRange> hint, Select& select) {
  if (!hint) return;
  const TimeRange range = clamped(*hint);
  select.sql.add(
      "AND ts >= fromUnixTimestamp64Nano({begin:Int64}) AND ts < "
      "fromUnixTimestamp64Nano({end:Int64})");
  select.parameters.add("begin", range.begin).add("end", range.end);
}

// One row of a service of a trace.
void add_row(const block::Block& block, std::size_t row, Traces& traces) {
  const auto number = [&](std::string_view name) {
    return numbers<std::uint64_t>(block, name)[row];
  };
  const auto time = [&](std::string_view name) { return numbers<std::int64_t>(block, name)[row]; };
  Trace& trace = traces[TraceId(text_in(block, "trace_id", row))];
  TraceSummary& summary = trace.summary;
  const std::string service(text_in(block, "service_name", row));
  summary.begin_unix_nano = summary.spans == 0
                                ? time("first_start")
                                : std::min(summary.begin_unix_nano, time("first_start"));
  summary.end_unix_nano = std::max(summary.end_unix_nano, time("last_end"));
  summary.spans += number("span_count");
  summary.errors += number("error_count");
  summary.services.push_back(
      {.service = service, .spans = number("span_count"), .errors = number("error_count")});
  if (number("root_count") == 0) return;
  Root root{.begin = time("root_start"), .id = std::string(text_in(block, "root_id", row))};
  if (trace.root && !(root < *trace.root)) return;
  trace.root = std::move(root);
  summary.root_service = service;
  summary.root_name = text_in(block, "root_name", row);
  summary.root_duration_ns = number("root_duration");
}

Status read_rows(clickhouse::Client& client, std::span<const TraceId> trace_ids,
                 std::optional<TimeRange> hint, QueryContext& context, Traces& traces) {
  Select select{
      .sql = {"SELECT trace_id, service_name, count() AS span_count, countIf(status = 'error') AS "
              "error_count, min(toUnixTimestamp64Nano(ts)) AS first_start, "
              "max(toUnixTimestamp64Nano(ts) + toInt64(duration_ns)) AS last_end, "
              "countIf(parent_span_id = unhex('0000000000000000')) AS root_count, "
              "minIf(toUnixTimestamp64Nano(ts), parent_span_id = unhex('0000000000000000')) AS "
              "root_start, "
              "argMinIf(span_id, (ts, span_id), parent_span_id = unhex('0000000000000000')) AS "
              "root_id, "
              "argMinIf(name, (ts, span_id), parent_span_id = unhex('0000000000000000')) AS "
              "root_name, "
              "argMinIf(duration_ns, (ts, span_id), parent_span_id = unhex('0000000000000000')) AS "
              "root_duration FROM spans"}};
  append_trace_ids(trace_ids, context.tenant, select);
  append_range(hint, select);
  select.sql.add("GROUP BY trace_id, service_name ORDER BY trace_id, service_name");
  SPANWAY_ASSIGN(const auto blocks, read_all(client, std::move(select), context));
  for (const block::Block& block : blocks)
    for (std::size_t row = 0; row < block.rows(); ++row) add_row(block, row, traces);
  return {};
}

Status read_orphans(clickhouse::Client& client, std::span<const TraceId> trace_ids,
                    std::optional<TimeRange> hint, QueryContext& context, Traces& traces) {
  Select select{.sql = {"SELECT c.trace_id AS trace_id, count() AS orphans FROM (SELECT trace_id, "
                        "parent_span_id FROM spans"}};
  append_trace_ids(trace_ids, context.tenant, select);
  append_range(hint, select);
  select.sql.add(
      "AND parent_span_id != unhex('0000000000000000')) AS c LEFT ANTI JOIN (SELECT trace_id, "
      "span_id FROM spans WHERE tenant = {tenant:String} AND trace_id IN "
      "{traces:Array(FixedString(16))}");
  if (hint)
    select.sql.add(
        "AND ts >= fromUnixTimestamp64Nano({begin:Int64}) AND ts < "
        "fromUnixTimestamp64Nano({end:Int64})");
  select.sql.add(
      ") AS p ON c.trace_id = p.trace_id AND c.parent_span_id = p.span_id GROUP BY trace_id");
  SPANWAY_ASSIGN(const auto blocks, read_all(client, std::move(select), context));
  for (const block::Block& block : blocks)
    for (std::size_t row = 0; row < block.rows(); ++row)
      if (const auto found = traces.find(text_in(block, "trace_id", row)); found != traces.end())
        found->second.summary.orphans = numbers<std::uint64_t>(block, "orphans")[row];
  return {};
}

}  // namespace

void append_trace_ids(std::span<const TraceId> trace_ids, const std::string& tenant,
                      clickhouse::Select& out) {
  // An expression of them would make no use of the index.
  out.sql.add(
      "WHERE tenant = {tenant:String} AND trace_id IN "
      "{traces:Array(FixedString(16))}");
  out.parameters.add("tenant", tenant).add_list("traces", trace_ids);
}

Result<std::vector<TraceSummary>> read_summaries(clickhouse::Client& client,
                                                 std::span<const TraceId> trace_ids,
                                                 std::optional<TimeRange> hint,
                                                 QueryContext& context) {
  if (trace_ids.empty()) return std::vector<TraceSummary>();
  Traces traces;
  SPANWAY_TRY(read_rows(client, trace_ids, hint, context, traces));
  SPANWAY_TRY(read_orphans(client, trace_ids, hint, context, traces));
  std::vector<TraceSummary> result;
  for (const TraceId& id : trace_ids) {
    const auto found = traces.find(id);
    if (found == traces.end()) continue;
    found->second.summary.trace_id = id;
    result.push_back(std::move(found->second.summary));
    traces.erase(found);
  }
  return result;
}

}  // namespace spanway::query
