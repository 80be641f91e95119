// Which part of the spans a search reads first. Internal to query/store/clickhouse.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "services/lib/block/block.h"
#include "services/lib/clickhouse/select_stream.h"
#include "services/query/store/query_context.h"
#include "services/query/store/span_query.h"

namespace spanway::query {

// The part of a condition that every match fulfils and the rollups know.
struct RollupConditions {
  std::optional<std::string> service;
  std::optional<std::string> name;
  std::optional<std::int64_t> kind;
  bool is_error = false;
  std::uint64_t duration_min_ns = 0;
};
RollupConditions rollup_conditions(const SpanCondition& condition);

// Five minutes that may hold matches, with the number of spans that fulfil what the rollups know.
struct Bucket5m {
  std::int64_t begin_unix_nano = 0;
  std::uint64_t candidates = 0;
};

// The statement that returns them, newest first, as columns `t` (DateTime) and `candidates`.
clickhouse::Select bucket_statement(const RollupConditions& conditions, TimeRange range,
                                    const std::string& tenant);

// The rows of such a statement.
std::vector<Bucket5m> buckets_in(std::span<const block::Block> blocks);

// A part of the range, to be searched by one statement.
struct SearchWindow {
  TimeRange range;
  // Begins in seconds of the only five minutes of it that can hold matches; empty = all of them.
  std::vector<std::int64_t> buckets_s;
};

// Divides a range into windows, from the newest on: the first one has `first` candidates, each
// further one four times as many as the one before.
// Single-thread.
class SearchPlanner {
 public:
  // A window of more buckets is a range instead of a list.
  static constexpr std::size_t kListedBucketsMax = 200;

  // `buckets`: newest first. kOneWindow as `first`: for a search that an index leads.
  SearchPlanner(TimeRange range, std::uint64_t first, std::vector<Bucket5m> buckets);
  static constexpr std::uint64_t kOneWindow = std::numeric_limits<std::uint64_t>::max();
  // Nothing when no further bucket can hold a match.
  std::optional<SearchWindow> next();

 private:
  const TimeRange range_;
  const std::vector<Bucket5m> buckets_;
  std::size_t at_ = 0;
  std::uint64_t target_;
  std::int64_t end_;
};

// Appends the condition of a window's buckets; its range belongs into the query.
void append_buckets(const SearchWindow& window, clickhouse::Select& out);

}  // namespace spanway::query
