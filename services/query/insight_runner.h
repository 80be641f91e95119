// The insight of the service: its thread, and where its results are.
#pragma once

#include <memory>
#include <optional>
#include <thread>

#include "services/lib/base/memory_budget.h"
#include "services/lib/base/mutex.h"
#include "services/lib/runtime/service.h"
#include "services/query/config.h"
#include "services/query/configured_store.h"
#include "services/query/insight_job/fallback_insight_store.h"
#include "services/query/insight_job/insight_job.h"
#include "services/query/insight_job/job_events.h"
#include "services/query/store/memory/memory_insight_store.h"

namespace spanway::query {

// start() and the destructor on one thread; results() is thread-safe. Everything that the
// constructor is given outlives it. One thread, which blocks in the store; the destructor cancels
// what it is doing.
class InsightRunner {
 public:
  InsightRunner(const QueryConfig& config, const runtime::ServiceDeps& deps, ConfiguredStore& store,
                MemoryBudget& budget);
  ~InsightRunner();
  InsightRunner(const InsightRunner&) = delete;
  InsightRunner& operator=(const InsightRunner&) = delete;

  // Checks for windows that are due after each `insight.interval`.
  void start();
  InsightStore& results() noexcept;

 private:
  void run(const std::stop_token& stop);

  const Duration interval_;
  JobEvents events_;
  MemoryInsightStore memory_;
  std::unique_ptr<InsightStore> stored_;  // Null: results are in memory alone.
  InsightJob job_;
  Mutex mutex_;
  CondVar stopped_;
  std::optional<std::jthread> thread_;
};

}  // namespace spanway::query
