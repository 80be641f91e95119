#include "services/query/store/clickhouse/log_windows.h"

#include <algorithm>
#include <utility>

namespace spanway::query {
namespace {

// Lines of the first window, for each requested row, and at least.
constexpr std::uint64_t kLinesPerRow = 4;
constexpr std::uint64_t kFirstLinesMin = 20'000;

}  // namespace

LogWindows::LogWindows(TimeRange range, std::size_t limit, std::vector<Bucket5m> buckets, Open open,
                       QueryContext& context)
    : range_(range),
      open_(std::move(open)),
      context_(context),
      planner_(range, std::max<std::uint64_t>(kFirstLinesMin, kLinesPerRow * limit),
               std::move(buckets)),
      left_(limit),
      searched_to_(range.end) {}

Result<std::optional<block::Block>> LogWindows::next() {
  while (true) {
    if (!rows_) {
      if (left_ == 0) return std::optional<block::Block>();
      const auto window = planner_.next();
      if (!window) return std::optional<block::Block>();
      window_ = *window;
      has_rows_ = false;
      rows_ = open_(window_, left_);
    }
    auto block = rows_->next();
    if (!block.ok()) {
      // The rows of a window come once all of it was read: it fails without any, or is broken.
      if (searched_to_ == range_.end || has_rows_ || !reached_bound(block.error())) return block;
      context_.coverage.searched.begin = searched_to_;
      context_.coverage.complete = false;
      context_.coverage.why = block.error().message;
      rows_.reset();
      left_ = 0;
      return std::optional<block::Block>();
    }
    if (block->has_value()) {
      has_rows_ = true;
      left_ -= std::min(left_, (*block)->rows());
      return block;
    }
    rows_.reset();
    searched_to_ = window_.range.begin;
  }
}

}  // namespace spanway::query
