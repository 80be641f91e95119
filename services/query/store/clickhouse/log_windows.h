// Records of logs, from the newest on, part of the range by part. Internal to
// query/store/clickhouse.
#pragma once

#include <functional>
#include <vector>

#include "services/query/store/block_stream.h"
#include "services/query/store/clickhouse/search_planner.h"
#include "services/query/store/log_query.h"

namespace spanway::query {

// The rows of one statement after the other, one for each window of the planner, until there are
// `limit`. A budget or deadline that is reached after the first window ends the stream, and the
// context's coverage says how far it came.
class LogWindows final : public BlockStream {
 public:
  // Starts the statement that returns the newest `limit` rows of the window.
  using Open = std::function<BlockStreamPtr(const SearchWindow& window, std::size_t limit)>;

  // `range` is the one that is searched. The context outlives the stream.
  LogWindows(TimeRange range, std::size_t limit, std::vector<Bucket5m> buckets, Open open,
             QueryContext& context);
  Result<std::optional<block::Block>> next() override;

 private:
  const TimeRange range_;
  const Open open_;
  QueryContext& context_;
  SearchPlanner planner_;
  std::size_t left_;
  std::int64_t searched_to_;  // Everything behind it was read.
  SearchWindow window_ = {};  // The one that `rows_` reads.
  BlockStreamPtr rows_ = nullptr;
  bool has_rows_ = false;  // In that window.
};

}  // namespace spanway::query
