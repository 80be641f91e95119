// Computes the insight's windows as they become due, and again once late spans have come.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/base/memory_budget.h"
#include "services/query/insight/thresholds.h"
#include "services/query/insight_job/job_events.h"
#include "services/query/insight_job/window_insight.h"
#include "services/query/store/cancel_token.h"
#include "services/query/store/insight_store.h"
#include "services/query/store/trace_store.h"

namespace spanway::query {

struct InsightJobOptions {
  Duration delay = std::chrono::minutes(2);  // From the end of a window to its first computation.
  Duration final_delay = std::chrono::minutes(15);  // To the second one, with late spans.
  Duration catch_up = std::chrono::hours(1);        // Windows that ended longer ago are left out.
  Duration window_time = std::chrono::minutes(1);   // For one computation.
  ReadBudget limits = {};                           // For one computation; without permits.
  std::size_t memory_bytes_max = 48u << 20;         // For one answer of the store.
  insight::Thresholds thresholds = {};
  WindowBounds bounds = {};
};

// One thread calls run_due(); cancel() is thread-safe. Needs no leader: a window's result is a
// function of the stored spans, and several processes that compute it write the same rows.
class InsightJob {
 public:
  // The tenants with spans in a range.
  using Tenants = std::function<Result<std::vector<std::string>>(TimeRange, QueryContext&)>;
  // All of them outlive the job.
  struct Parts {
    TraceStore& traces;
    InsightStore& results;
    MemoryBudget& budget;
    const Clock& clock;
    JobEvents& events;
    Tenants tenants;
  };
  InsightJob(InsightJobOptions options, Parts parts);

  // Computes each window that is due and has not been computed by any replica, the newest first.
  // Returns when there are no more, and early when the store is away. A window whose computation
  // fails by itself is tried kAttemptsMax times.
  void run_due();
  static constexpr int kAttemptsMax = 3;
  // Ends a computation, and all later ones.
  void cancel() const { cancel_.cancel(); }

 private:
  struct Due {
    std::int64_t begin_unix_nano;
    std::string tenant;
    WindowVersion version;
    auto key() const { return std::tuple(begin_unix_nano, tenant, version); }
  };
  QueryContext context_of(const std::string& tenant) const;
  std::int64_t now_unix_nano() const;
  // The windows that may be due: begins of whole windows.
  TimeRange windows_in_reach(std::int64_t now) const;
  WindowVersion version_at(std::int64_t begin, std::int64_t now) const;
  Result<std::vector<Due>> find_due(const std::vector<std::string>& tenants, std::int64_t now);
  Result<bool> is_computed(const Due& due);
  // An error that would meet other windows as well.
  Status compute(const Due& due);
  void show(const std::vector<std::string>& tenants, std::int64_t now);

  const InsightJobOptions options_;
  const Parts parts_;
  const CancelToken cancel_;
  // Failed computations of windows in reach.
  std::map<std::tuple<std::int64_t, std::string, WindowVersion>, int> attempts_;
};

}  // namespace spanway::query
