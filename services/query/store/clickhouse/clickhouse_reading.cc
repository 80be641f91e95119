#include "services/query/store/clickhouse/clickhouse_reading.h"

#include <memory>
#include <string>
#include <utility>

#include "services/lib/block/copy_rows.h"
#include "services/lib/block/text_view.h"
#include "services/query/store/clickhouse/clickhouse_block_stream.h"

namespace spanway::query {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
// DateTime holds 32 bits of seconds.
constexpr std::int64_t kSecondsMax = 4'294'967'295;
// The greatest time that a DateTime64(9) holds, about.
constexpr std::int64_t kTimeMax = 9'200'000'000'000'000'000;

}  // namespace

TimeRange clamped(TimeRange range) {
  return {.begin = std::clamp<std::int64_t>(range.begin, 0, kTimeMax),
          .end = std::clamp<std::int64_t>(range.end, 0, kTimeMax)};
}

std::int64_t seconds_of(std::int64_t unix_nano) {
  return std::clamp<std::int64_t>(unix_nano / kNanosPerSecond, 0, kSecondsMax);
}

void append_rollup_range(TimeRange range, clickhouse::Select& out, std::int64_t step_ns) {
  const TimeRange rounded = rounded_outwards(range, step_ns);
  out.sql.add(
      "WHERE tenant = {tenant:String} AND t >= toDateTime({t_begin:Int64}) AND t < "
      "toDateTime({t_end:Int64})");
  out.parameters.add("t_begin", seconds_of(rounded.begin)).add("t_end", seconds_of(rounded.end));
}

std::string number_list(std::span<const std::int64_t> numbers) {
  std::string list = "[";
  for (const std::int64_t number : numbers)
    list += (list.size() > 1 ? "," : "") + std::to_string(number);
  return list + "]";
}

std::string_view text_in(const block::Block& block, std::string_view name, std::size_t row) {
  const block::Column* column = block.find(name);
  const auto texts = column == nullptr ? std::nullopt : block::TextView::of(*column);
  return texts ? texts->at(row).value_or("") : std::string_view();
}

BlockStreamPtr open(clickhouse::Client& client, clickhouse::Select select, QueryContext& context,
                    Share share) {
  // The rest after earlier statements of the query; 0 would be without a limit.
  const auto left = [share](std::uint64_t limit, std::uint64_t used) {
    std::uint64_t rest = limit > used ? limit - used : 0;
    if (share == Share::kSearch) rest -= rest / 4;
    return std::max<std::uint64_t>(rest, 1);
  };
  select.limits = {.rows_read = left(context.budget.rows_max, context.cost.rows_read),
                   .bytes_read = left(context.budget.bytes_max, context.cost.bytes_read),
                   .memory_bytes = context.budget.store_memory_max,
                   .threads = 0};
  const Deadline deadline =
      share == Share::kSearch ? context.deadline.less(context.details_time) : context.deadline;
  return std::make_unique<ClickHouseBlockStream>(client.stream(select, deadline), context);
}

Result<std::vector<block::Block>> read_all(clickhouse::Client& client, clickhouse::Select select,
                                           QueryContext& context, Share share) {
  const BlockStreamPtr stream = open(client, std::move(select), context, share);
  std::vector<block::Block> blocks;
  std::size_t bytes = context.budget.memory.bytes();
  while (true) {
    SPANWAY_ASSIGN(auto block, stream->next());
    if (!block) return blocks;
    bytes += block->memory_bytes();
    SPANWAY_TRY(context.budget.keep(bytes));
    blocks.push_back(std::move(*block));
  }
}

Result<block::Block> read_resources(clickhouse::Client& client, std::span<const std::uint64_t> ids,
                                    QueryContext& context) {
  std::string list = "[";
  for (const std::uint64_t id : ids) list += (list.size() > 1 ? "," : "") + std::to_string(id);
  clickhouse::Select select{
      .sql = {"SELECT * EXCEPT (tenant) FROM resources WHERE tenant = {tenant:String} AND "
              "res_id IN {ids:Array(UInt64)} ORDER BY res_id, last_seen DESC LIMIT 1 BY "
              "res_id"}};
  select.parameters.add("tenant", context.tenant).add("ids", std::string_view(list + "]"));
  SPANWAY_ASSIGN(auto blocks, read_all(client, std::move(select), context));
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

}  // namespace spanway::query
