#include "services/query/insight_job/fallback_insight_store.h"

#include <utility>

namespace spanway::query {

void FallbackInsightStore::use_memory(const Error& error) {
  if (!has_fallen_back_.exchange(true)) report_(error);
}

Status FallbackInsightStore::write(const WindowResult& result, QueryContext& context) {
  Status written = store_.write(result, context);
  if (written.ok()) {
    if (!has_fallen_back_) return {};
    // The store may still refuse to give back what it has taken.
    const std::int64_t begin = result.state.begin_unix_nano;
    if (!store_.windows({begin, begin + 1}, context).ok()) return memory_.write(result, context);
    has_fallen_back_ = false;
    report_({});
    return {};
  }
  if (written.error().refusal != Refusal::kConfiguration) return written;
  use_memory(written.error());
  return memory_.write(result, context);
}

template <typename Read>
auto FallbackInsightStore::read(const Read& read) {
  if (has_fallen_back_) return read(memory_);
  auto rows = read(store_);
  if (rows.ok() || rows.error().refusal != Refusal::kConfiguration) return rows;
  use_memory(rows.error());
  return read(memory_);
}

Result<std::vector<WindowState>> FallbackInsightStore::windows(TimeRange range,
                                                               QueryContext& context) {
  return read([&](InsightStore& store) { return store.windows(range, context); });
}

Result<std::vector<EdgeRow>> FallbackInsightStore::edges(TimeRange range, std::int64_t step_ns,
                                                         QueryContext& context) {
  return read([&](InsightStore& store) { return store.edges(range, step_ns, context); });
}

Result<std::vector<FindingRow>> FallbackInsightStore::findings(const FindingQuery& query,
                                                               QueryContext& context) {
  return read([&](InsightStore& store) { return store.findings(query, context); });
}

}  // namespace spanway::query
