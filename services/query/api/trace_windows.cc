#include "services/query/api/trace_windows.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "services/lib/block/copy_rows.h"

namespace spanway::query {
namespace {

// Ids of one statement: its URL holds them.
constexpr std::size_t kIdsMax = 500;

}  // namespace

Result<std::optional<block::Block>> TraceWindows::next() {
  std::optional<block::Block> window = std::exchange(ahead_, std::nullopt);
  while (!ended_ && (!window || window->memory_bytes() < kWindowBytes)) {
    SPANWAY_ASSIGN(auto block, spans_->next());
    if (!block) {
      ended_ = true;
    } else if (!window) {
      window = std::move(*block);
    } else if (window->memory_bytes() + block->memory_bytes() > kWindowBytes) {
      ahead_ = std::move(*block);
      break;
    } else {
      for (std::size_t row = 0; row < block->rows(); ++row) block::append_row(*block, row, *window);
    }
  }
  if (!window) return std::optional<block::Block>();
  // The encoded answer and the block that waits take about as much again.
  SPANWAY_TRY(context_.budget.keep(3 * window->memory_bytes() + resources_.memory_bytes()));
  SPANWAY_TRY(read_resources(*window));
  return window;
}

Status TraceWindows::read_resources(const block::Block& spans) {
  const auto* ids = dynamic_cast<const block::FixedColumn*>(spans.find("res_id"));
  if (ids == nullptr) return {};
  std::vector<std::uint64_t> missing;
  for (const std::uint64_t id : ids->values<std::uint64_t>())
    if (!resources_.contains(id)) missing.push_back(id);
  std::sort(missing.begin(), missing.end());
  missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
  for (std::size_t at = 0; at < missing.size(); at += kIdsMax) {
    const std::size_t count = std::min(kIdsMax, missing.size() - at);
    SPANWAY_ASSIGN(auto block, store_.resources_of({missing.data() + at, count}, context_));
    SPANWAY_TRY(resources_.add(std::move(block)));
  }
  return {};
}

}  // namespace spanway::query
