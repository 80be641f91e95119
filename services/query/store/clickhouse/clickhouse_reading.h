// Statements of a query, and their blocks. Internal to query/store/clickhouse.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/block/block.h"
#include "services/lib/block/column.h"
#include "services/lib/clickhouse/clickhouse_client.h"
#include "services/query/store/block_stream.h"
#include "services/query/store/query_context.h"
#include "services/query/store/span_query.h"

namespace spanway::query {

// The part of what a query may still read, and of its time, that a statement gets.
enum class Share : unsigned char {
  kWhole,
  kSearch,  // Without a quarter of the rows and bytes, and without details_time: for what it finds.
};

// Starts the statement within the query's budget and deadline. The client and the context outlive
// the stream.
BlockStreamPtr open(clickhouse::Client& client, clickhouse::Select select, QueryContext& context,
                    Share share = Share::kWhole);
// All blocks of the statement; their memory is kept in the budget.
Result<std::vector<block::Block>> read_all(clickhouse::Client& client, clickhouse::Select select,
                                           QueryContext& context, Share share = Share::kWhole);

// Rows of the table of resources: each of these ids that exists, once.
Result<block::Block> read_resources(clickhouse::Client& client, std::span<const std::uint64_t> ids,
                                    QueryContext& context);

// The part of a range that a DateTime64(9) can hold.
TimeRange clamped(TimeRange range);
// Whole seconds since 1970 that a DateTime can hold.
std::int64_t seconds_of(std::int64_t unix_nano);

// Appends "WHERE tenant = ... AND t >= ... AND t < ...": the buckets of a rollup that the range
// touches. The tenant is a parameter of the caller's.
void append_rollup_range(TimeRange range, clickhouse::Select& out,
                         std::int64_t step_ns = kRollupNanos);
// "[1,2]", for Array(UInt64) and the like.
std::string number_list(std::span<const std::int64_t> numbers);

// A column of numbers; empty when the block has none of that name.
template <typename T>
std::span<const T> numbers(const block::Block& block, std::string_view name) {
  const auto* column = dynamic_cast<const block::FixedColumn*>(block.find(name));
  return column == nullptr ? std::span<const T>() : column->values<T>();
}

// Elements of a column of arrays of numbers.
template <typename T>
std::span<const T> elements(const block::Block& block, std::string_view name, std::size_t row) {
  const auto* list = dynamic_cast<const block::ListColumn*>(block.find(name));
  if (list == nullptr) return {};
  const auto* values = dynamic_cast<const block::FixedColumn*>(&list->nested());
  if (values == nullptr) return {};
  return values->values<T>().subspan(list->begin_of(row), list->end_of(row) - list->begin_of(row));
}

// A column of texts; the default when the block has none of that name.
std::string_view text_in(const block::Block& block, std::string_view name, std::size_t row);

}  // namespace spanway::query
