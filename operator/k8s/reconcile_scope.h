// Which reconciliation the calling thread runs.
#pragma once

#include <cstdint>

namespace spanway::kube {

// Marks the calling thread as running one reconciliation: the log lines of it, and those of the
// requests that it makes, have its id as `reconcile_id`, so that the lines of concurrent
// reconciliations can be distinguished. Not nested.
class ReconcileScope {
 public:
  explicit ReconcileScope(std::uint64_t id) noexcept;
  ~ReconcileScope();
  ReconcileScope(const ReconcileScope&) = delete;
  ReconcileScope& operator=(const ReconcileScope&) = delete;
  // 0 = the thread runs none.
  static std::uint64_t current() noexcept;
};

}  // namespace spanway::kube
