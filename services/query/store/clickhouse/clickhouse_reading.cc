#include "services/query/store/clickhouse/clickhouse_reading.h"

#include <memory>
#include <utility>

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

BlockStreamPtr open(clickhouse::Client& client, clickhouse::Select select, QueryContext& context) {
  select.limits = {.rows_read = context.budget.rows_max,
                   .bytes_read = context.budget.bytes_max,
                   .memory_bytes = context.budget.store_memory_max,
                   .threads = 0};
  return std::make_unique<ClickHouseBlockStream>(client.stream(select, context.deadline), context);
}

Result<std::vector<block::Block>> read_all(clickhouse::Client& client, clickhouse::Select select,
                                           QueryContext& context) {
  const BlockStreamPtr stream = open(client, std::move(select), context);
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

}  // namespace spanway::query
