#include "services/query/store/clickhouse/clickhouse_insight_store.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <unordered_map>
#include <utility>

#include "services/lib/block/column.h"
#include "services/lib/block/text_view.h"
#include "services/lib/clickhouse/native_writer.h"
#include "services/query/store/clickhouse/clickhouse_reading.h"
#include "services/query/store/clickhouse/insight_rows.h"

namespace spanway::query {
namespace {

using block::Block;
using block::ListColumn;
using clickhouse::Select;

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
// The rows of one window are some kilobytes.
constexpr Duration kInsertTime = std::chrono::minutes(1);

// The versions that count, by begin of the window in seconds.
using Versions = std::unordered_map<std::int64_t, std::uint64_t>;

void append_windows(TimeRange range, const std::string& tenant, Select& out) {
  out.sql.add(
      "WHERE tenant = {tenant:String} AND t >= toDateTime({t_begin:Int64}) AND t < "
      "toDateTime({t_end:Int64})");
  const auto rounded_up = [](std::int64_t time) { return seconds_of(time + kNanosPerSecond - 1); };
  const TimeRange own = clamped(range);
  out.parameters.add("tenant", tenant)
      .add("t_begin", rounded_up(own.begin))
      .add("t_end", rounded_up(own.end));
}

Versions versions_of(const std::vector<WindowState>& states) {
  Versions versions;
  for (const WindowState& state : states)
    versions[state.begin_unix_nano / kNanosPerSecond] = static_cast<std::uint64_t>(state.version);
  return versions;
}

// A row of a version that is not complete yet, or that another one has replaced.
bool counts(const Block& block, std::size_t row, const Versions& versions) {
  const auto found = versions.find(numbers<std::int64_t>(block, "begin")[row]);
  return found != versions.end() &&
         numbers<std::uint64_t>(block, "row_version")[row] >= found->second;
}

std::vector<std::string> texts_in(const Block& block, std::string_view name, std::size_t row) {
  std::vector<std::string> texts;
  const auto* list = dynamic_cast<const ListColumn*>(block.find(name));
  const auto values = list == nullptr ? std::nullopt : block::TextView::of(list->nested());
  if (!values) return texts;
  for (std::size_t i = list->begin_of(row); i < list->end_of(row); ++i)
    texts.emplace_back(values->at(i).value_or(""));
  return texts;
}

EdgeRow edge_in(const Block& block, std::size_t row) {
  EdgeRow edge;
  edge.begin_unix_nano = numbers<std::int64_t>(block, "begin")[row] * kNanosPerSecond;
  edge.parent = text_in(block, "parent", row);
  edge.child = text_in(block, "child", row);
  edge.link = text_in(block, "link_name", row);
  edge.calls = numbers<std::uint64_t>(block, "call_count")[row];
  edge.errors = numbers<std::uint64_t>(block, "error_count")[row];
  edge.duration_ns = numbers<std::uint64_t>(block, "duration_sum")[row];
  const auto buckets = elements<std::int16_t>(block, "buckets", row);
  const auto calls = elements<std::uint64_t>(block, "counts", row);
  for (std::size_t i = 0; i < std::min(buckets.size(), calls.size()); ++i)
    edge.durations[buckets[i]] = calls[i];
  return edge;
}

FindingRow finding_in(const Block& block, std::size_t row) {
  FindingRow finding;
  finding.begin_unix_nano = numbers<std::int64_t>(block, "begin")[row] * kNanosPerSecond;
  finding.kind = text_in(block, "kind", row);
  finding.subject = text_in(block, "subject", row);
  finding.service = text_in(block, "service", row);
  finding.operation = text_in(block, "operation", row);
  finding.span_kind = static_cast<int>(numbers<std::int64_t>(block, "span_kind")[row]);
  finding.token = text_in(block, "token", row);
  finding.symptom = text_in(block, "symptom", row);
  finding.score = numbers<double>(block, "score")[row];
  finding.baseline = numbers<double>(block, "baseline")[row];
  finding.observed = numbers<double>(block, "observed")[row];
  const std::vector<std::string> names = texts_in(block, "number_names", row);
  const auto values = elements<double>(block, "number_values", row);
  for (std::size_t i = 0; i < std::min(names.size(), values.size()); ++i)
    finding.numbers.emplace_back(names[i], values[i]);
  finding.also = texts_in(block, "also", row);
  finding.trace_ids = texts_in(block, "trace_ids", row);
  return finding;
}

// The first of the server's answer and a cancellation.
class Answer {
 public:
  void set(Status status) {
    if (!is_set_.exchange(true)) promise_.set_value(std::move(status));
  }
  Status wait() { return promise_.get_future().get(); }

 private:
  std::atomic<bool> is_set_{false};
  std::promise<Status> promise_;
};

// Waits for the server's answer, kInsertTime at most. One that is cancelled may be stored or not.
Status insert(clickhouse::Client& client, const char* table, const Block& rows,
              QueryContext& context) {
  if (rows.rows() == 0) return {};
  SPANWAY_TRY(rows.check());
  clickhouse::Insert insert;
  insert.sql = clickhouse::insert_sql(table, rows);
  clickhouse::append_native(rows, insert.body);
  // The answer comes after the rows are stored; so it does where the table is a Distributed one.
  insert.settings = {{"async_insert", "0"}, {"distributed_foreground_insert", "1"}};
  const auto answer = std::make_shared<Answer>();
  const auto registration = context.cancel.on_cancel([answer] {
    answer->set(
        transient_error(Code::kCancelled, "the insert was cancelled").with_reason("cancelled"));
  });
  ++context.cost.statements;
  client.insert(std::move(insert),
                context.deadline.earlier(Deadline::after(*context.clock, kInsertTime)),
                [answer](Status status) { answer->set(std::move(status)); });
  return answer->wait();
}

}  // namespace

Status ClickHouseInsightStore::write(const WindowResult& result, QueryContext& context) {
  SPANWAY_TRY(insert(writer_, kEdgesTable, edge_rows(result, context.tenant), context));
  SPANWAY_TRY(insert(writer_, kFindingsTable, finding_rows(result, context.tenant), context));
  return insert(writer_, kInsightWindowsTable, window_row(result.state, context.tenant), context);
}

Result<std::vector<WindowState>> ClickHouseInsightStore::windows(TimeRange range,
                                                                 QueryContext& context) {
  Select select{.sql = {"SELECT toInt64(toUnixTimestamp(t)) AS begin, max(version) AS newest, "
                        "argMax(part, version) AS read_part, argMax(traces, version) AS "
                        "read_traces FROM insight_windows"}};
  append_windows(range, context.tenant, select);
  select.sql.add("GROUP BY begin ORDER BY begin");
  SPANWAY_ASSIGN(const auto blocks, read_all(reader_, std::move(select), context));
  std::vector<WindowState> states;
  for (const Block& block : blocks)
    for (std::size_t row = 0; row < block.rows(); ++row)
      states.push_back(
          {.begin_unix_nano = numbers<std::int64_t>(block, "begin")[row] * kNanosPerSecond,
           .version = numbers<std::uint64_t>(block, "newest")[row] >=
                              static_cast<std::uint64_t>(WindowVersion::kFinal)
                          ? WindowVersion::kFinal
                          : WindowVersion::kPreliminary,
           .part = numbers<double>(block, "read_part")[row],
           .traces = numbers<std::uint64_t>(block, "read_traces")[row]});
  return states;
}

Result<std::vector<EdgeRow>> ClickHouseInsightStore::edges(TimeRange range, std::int64_t step_ns,
                                                           QueryContext& context) {
  // The newest row of each key, if its version is complete.
  Select select{
      .sql = {"SELECT intDiv(toInt64(toUnixTimestamp(e.t)), {step:Int64}) * {step:Int64} AS begin, "
              "e.parent AS parent, e.child AS child, toString(e.link) AS link_name, sum(e.calls) "
              "AS call_count, sum(e.errors) AS error_count, sum(e.duration_ns) AS duration_sum, "
              "sumMap(e.hist) AS durations, mapKeys(durations) AS buckets, mapValues(durations) AS "
              "counts FROM (SELECT t, parent, child, link, version, calls, errors, duration_ns, "
              "hist FROM edges_5m"}};
  append_windows(range, context.tenant, select);
  select.sql.add(
      "ORDER BY t, parent, child, link, version DESC LIMIT 1 BY t, parent, child, link) AS e "
      "GLOBAL INNER JOIN (SELECT t, max(version) AS newest FROM insight_windows WHERE tenant = "
      "{tenant:String} AND t >= toDateTime({t_begin:Int64}) AND t < toDateTime({t_end:Int64}) "
      "GROUP BY t) AS w ON e.t = w.t WHERE e.version >= w.newest GROUP BY begin, parent, child, "
      "link_name ORDER BY begin, parent, child, link_name");
  select.parameters.add("step", step_ns / kNanosPerSecond);
  SPANWAY_ASSIGN(const auto blocks, read_all(reader_, std::move(select), context));
  std::vector<EdgeRow> edges;
  for (const Block& block : blocks)
    for (std::size_t row = 0; row < block.rows(); ++row) edges.push_back(edge_in(block, row));
  return edges;
}

Result<std::vector<FindingRow>> ClickHouseInsightStore::findings(const FindingQuery& query,
                                                                 QueryContext& context) {
  SPANWAY_ASSIGN(const auto states, windows(query.range, context));
  const Versions versions = versions_of(states);
  Select select{
      .sql = {"SELECT toInt64(toUnixTimestamp(t)) AS begin, version AS row_version, kind, subject, "
              "score, baseline, observed, JSONExtractString(evidence, 'service') AS service, "
              "JSONExtractString(evidence, 'operation') AS operation, JSONExtractInt(evidence, "
              "'span_kind') AS span_kind, JSONExtractString(evidence, 'token') AS token, "
              "JSONExtractString(evidence, 'symptom') AS symptom, JSONExtract(evidence, "
              "'numbers', 'Map(String, Float64)') AS all_numbers, mapKeys(all_numbers) AS "
              "number_names, mapValues(all_numbers) AS number_values, JSONExtract(evidence, "
              "'also', 'Array(String)') AS also, trace_ids FROM findings"}};
  append_windows(query.range, context.tenant, select);
  if (!query.kinds.empty()) {
    select.sql.add("AND kind IN {kinds:Array(String)}");
    select.parameters.add_list("kinds", query.kinds);
  }
  if (!query.service.empty()) {
    select.sql.add("AND JSONExtractString(evidence, 'service') = {service:String}");
    select.parameters.add("service", query.service);
  }
  select.sql.add("ORDER BY t, kind, subject, version DESC LIMIT 1 BY t, kind, subject");
  SPANWAY_ASSIGN(const auto blocks, read_all(reader_, std::move(select), context));
  std::vector<FindingRow> findings;
  for (const Block& block : blocks)
    for (std::size_t row = 0; row < block.rows(); ++row)
      if (counts(block, row, versions)) findings.push_back(finding_in(block, row));
  return findings;
}

Result<std::vector<std::string>> read_tenants(clickhouse::Client& client, TimeRange range,
                                              std::size_t limit, QueryContext& context) {
  Select select{.sql = {"SELECT DISTINCT tenant FROM red_service_5m WHERE t >= "
                        "toDateTime({t_begin:Int64}) AND t < toDateTime({t_end:Int64}) ORDER BY "
                        "tenant LIMIT {limit:UInt64}"}};
  const TimeRange rounded = rounded_outwards(clamped(range), kRollupNanos);
  select.parameters.add("t_begin", seconds_of(rounded.begin))
      .add("t_end", seconds_of(rounded.end))
      .add("limit", static_cast<std::int64_t>(limit));
  SPANWAY_ASSIGN(const auto blocks, read_all(client, std::move(select), context));
  std::vector<std::string> tenants;
  for (const Block& block : blocks)
    for (std::size_t row = 0; row < block.rows(); ++row)
      tenants.emplace_back(text_in(block, "tenant", row));
  return tenants;
}

}  // namespace spanway::query
