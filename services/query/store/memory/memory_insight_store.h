// Results of the insight in the memory of this process.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/base/mutex.h"
#include "services/query/store/insight_store.h"

namespace spanway::query {

// Thread-safe. Holds at most `bytes_max`: the oldest windows of all tenants are dropped first.
class MemoryInsightStore final : public InsightStore {
 public:
  explicit MemoryInsightStore(std::size_t bytes_max = 16u << 20) noexcept : bytes_max_(bytes_max) {}

  Status write(const WindowResult& result, QueryContext& context) override;
  Result<std::vector<WindowState>> windows(TimeRange range, QueryContext& context) override;
  Result<std::vector<EdgeRow>> edges(TimeRange range, std::int64_t step_ns,
                                     QueryContext& context) override;
  Result<std::vector<FindingRow>> findings(const FindingQuery& query,
                                           QueryContext& context) override;
  bool is_durable() const noexcept override { return false; }
  std::size_t memory_bytes() const;

 private:
  struct Entry {
    WindowResult result;
    std::size_t bytes = 0;
  };
  using Key = std::pair<std::int64_t, std::string>;  // Begin and tenant.
  // Calls `visit` for each window of the tenant in the range, by time.
  template <typename Visit>
  void each(TimeRange range, const std::string& tenant, const Visit& visit) const;

  const std::size_t bytes_max_;
  mutable Mutex mutex_;
  std::map<Key, Entry> entries_ SPANWAY_GUARDED_BY(mutex_);
  std::size_t bytes_ SPANWAY_GUARDED_BY(mutex_) = 0;
};

}  // namespace spanway::query
