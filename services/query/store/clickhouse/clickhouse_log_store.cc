#include "services/query/store/clickhouse/clickhouse_log_store.h"

#include <memory>
#include <utility>

#include "services/lib/block/text_view.h"
#include "services/query/store/clickhouse/clickhouse_reading.h"
#include "services/query/store/clickhouse/log_conditions.h"
#include "services/query/store/clickhouse/log_windows.h"

namespace spanway::query {
namespace {

using clickhouse::Select;

void add_seconds(TimeRange range, Select& select) {
  select.parameters.add("s_begin", seconds_of(range.begin))
      .add("s_end", seconds_of(range.end - 1));  // The last one of the range.
}

// "stream_id IN (...)" for the streams of a selector.
void in_streams(std::span<const LabelMatcher> matchers, TimeRange range, Select& select) {
  select.sql.add(
      "AND stream_id IN (SELECT stream_id FROM log_streams WHERE tenant = {tenant:String} AND day "
      ">= toDate(toDateTime({s_begin:Int64}, 'UTC')) AND day <= toDate(toDateTime({s_end:Int64}, "
      "'UTC'))");
  add_seconds(range, select);
  append_label_conditions(matchers, select);
  select.sql.add(")");
}

// A query of more rows reads its range at once.
constexpr std::size_t kWindowRowsMax = 1'000'000;

Select select_rows(const LogSelect& query, TimeRange range, std::size_t limit,
                   const std::string& tenant) {
  Select select{.sql = {"SELECT * EXCEPT (tenant) FROM logs WHERE tenant = {tenant:String} AND ts "
                        ">= fromUnixTimestamp64Nano({begin:Int64}) AND ts < "
                        "fromUnixTimestamp64Nano({end:Int64})"}};
  select.parameters.add("tenant", tenant)
      .add("begin", range.begin)
      .add("end", range.end)
      .add("limit", static_cast<std::int64_t>(limit));
  in_streams(query.matchers, range, select);
  append_line_conditions(query.lines, select);
  return select;
}

// Five minutes in which the streams have records, newest first, with how many.
Result<std::vector<Bucket5m>> read_buckets(clickhouse::Client& client, const LogSelect& query,
                                           TimeRange range, QueryContext& context) {
  Select select{.sql = {"SELECT t, sum(lines) AS candidates FROM log_volume_5m"}};
  select.parameters.add("tenant", context.tenant);
  append_rollup_range(range, select);
  in_streams(query.matchers, range, select);
  select.sql.add("GROUP BY t HAVING candidates > 0 ORDER BY t DESC LIMIT 200000");
  SPANWAY_ASSIGN(const auto blocks, read_all(client, std::move(select), context));
  return buckets_in(blocks);
}

}  // namespace

Result<std::vector<LogStream>> ClickHouseLogStore::streams(std::span<const LabelMatcher> matchers,
                                                           TimeRange range, QueryContext& context) {
  SPANWAY_TRY(LabelMatchers::create(matchers));
  range = clamped(range);
  Select select{
      .sql = {"SELECT stream_id, any(labels) AS found FROM log_streams WHERE tenant = "
              "{tenant:String} AND day >= toDate(toDateTime({s_begin:Int64}, 'UTC')) AND day "
              "<= toDate(toDateTime({s_end:Int64}, 'UTC'))"}};
  select.parameters.add("tenant", context.tenant);
  add_seconds(range, select);
  append_label_conditions(matchers, select);
  select.sql.add("GROUP BY stream_id ORDER BY stream_id");
  SPANWAY_ASSIGN(const auto blocks, read_all(client_, std::move(select), context));
  std::vector<LogStream> result;
  for (const block::Block& block : blocks) {
    const auto ids = numbers<std::uint64_t>(block, "stream_id");
    const auto* maps = dynamic_cast<const block::ListColumn*>(block.find("found"));
    if (maps == nullptr) continue;
    const auto names = block::TextView::of(maps->nested(0));
    const auto values = block::TextView::of(maps->nested(1));
    for (std::size_t row = 0; names && values && row < block.rows(); ++row) {
      LogStream& stream = result.emplace_back();
      stream.id = ids[row];
      for (std::size_t at = maps->begin_of(row); at < maps->end_of(row); ++at)
        stream.labels.emplace_back(names->at(at).value_or(""), values->at(at).value_or(""));
    }
  }
  return result;
}

Result<BlockStreamPtr> ClickHouseLogStore::select(const LogSelect& query, QueryContext& context) {
  SPANWAY_TRY(check(query));
  context.coverage = {
      .requested = query.range, .searched = query.range, .complete = true, .why = ""};
  const TimeRange range = clamped(query.range);
  if (!query.is_newest_first || query.limit > kWindowRowsMax) {
    Select select = select_rows(query, range, query.limit, context.tenant);
    if (query.is_newest_first) {
      select.sql.add("ORDER BY ts DESC LIMIT {limit:UInt64}");
    } else {
      select.sql.add("ORDER BY ts LIMIT {limit:UInt64}");
    }
    return open(client_, std::move(select), context);
  }
  SPANWAY_ASSIGN(auto buckets, read_buckets(client_, query, range, context));
  context.cost.index = "log_volume_5m";
  const auto open_window = [this, query, &context](const SearchWindow& window, std::size_t limit) {
    Select select = select_rows(query, window.range, limit, context.tenant);
    append_buckets(window, select);
    select.sql.add("ORDER BY ts DESC LIMIT {limit:UInt64}");
    return open(client_, std::move(select), context, Share::kSearch);
  };
  return BlockStreamPtr(
      std::make_unique<LogWindows>(range, query.limit, std::move(buckets), open_window, context));
}

Result<block::Block> ClickHouseLogStore::resources_of(std::span<const std::uint64_t> ids,
                                                      QueryContext& context) {
  return read_resources(client_, ids, context);
}

Result<std::vector<LogVolume>> ClickHouseLogStore::volume(std::span<const LabelMatcher> matchers,
                                                          TimeRange range, QueryContext& context) {
  SPANWAY_TRY(LabelMatchers::create(matchers));
  range = clamped(range);
  Select select{.sql = {"SELECT stream_id, sum(lines) AS lines, sum(bytes) AS bytes FROM "
                        "log_volume_5m WHERE tenant = {tenant:String} AND t >= "
                        "toStartOfFiveMinutes(toDateTime({s_begin:Int64})) AND t <= "
                        "toDateTime({s_end:Int64})"}};
  select.parameters.add("tenant", context.tenant);
  in_streams(matchers, range, select);
  select.sql.add("GROUP BY stream_id ORDER BY stream_id");
  SPANWAY_ASSIGN(const auto blocks, read_all(client_, std::move(select), context));
  std::vector<LogVolume> result;
  for (const block::Block& block : blocks)
    for (std::size_t row = 0; row < block.rows(); ++row)
      result.push_back({.stream_id = numbers<std::uint64_t>(block, "stream_id")[row],
                        .lines = numbers<std::uint64_t>(block, "lines")[row],
                        .bytes = numbers<std::uint64_t>(block, "bytes")[row]});
  return result;
}

}  // namespace spanway::query
