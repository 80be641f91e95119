// Results in a store, or in memory while that store refuses our user or our schema.
#pragma once

#include <atomic>
#include <functional>

#include "services/query/store/insight_store.h"

namespace spanway::query {

// Thread-safe. Every write is tried at the store first. Errors that are no matter of configuration
// stay errors. Both stores outlive it.
class FallbackInsightStore final : public InsightStore {
 public:
  // Called when results are kept in memory from now on (the error), or are no longer (OK).
  using Report = std::function<void(const Status&)>;
  FallbackInsightStore(InsightStore& store, InsightStore& memory, Report report)
      : store_(store), memory_(memory), report_(std::move(report)) {}

  Status write(const WindowResult& result, QueryContext& context) override;
  Result<std::vector<WindowState>> windows(TimeRange range, QueryContext& context) override;
  Result<std::vector<EdgeRow>> edges(TimeRange range, std::int64_t step_ns,
                                     QueryContext& context) override;
  Result<std::vector<FindingRow>> findings(const FindingQuery& query,
                                           QueryContext& context) override;
  bool is_durable() const noexcept override { return !has_fallen_back_; }

 private:
  template <typename Read>
  auto read(const Read& read);
  void use_memory(const Error& error);

  InsightStore& store_;
  InsightStore& memory_;
  const Report report_;
  std::atomic<bool> has_fallen_back_{false};
};

}  // namespace spanway::query
