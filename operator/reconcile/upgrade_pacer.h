// When a Pipeline may take what a new version of the operator changes: a few at a time, and only
// within a maintenance window.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "operator/k8s/resource.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"

namespace spanway::reconcile {

// "22:00-06:00", or with days: "Sat,Sun 02:00-06:00". UTC. A window that ends before it begins ends
// on the next day.
struct MaintenanceWindow {
  unsigned days = 0;  // Bit 0 = Sunday.
  int begin_minute = 0;
  int end_minute = 0;
  // Nothing when it is none.
  static std::optional<MaintenanceWindow> parse(std::string_view text);
  bool is_open(SystemTime now) const;
};

struct UpgradeRules {
  std::int64_t concurrent_max = 0;               // 0 = no bound.
  std::optional<MaintenanceWindow> window = {};  // Nothing = always open.
};

// Thread-safe. Bounded by the number of Pipelines that roll at once.
class UpgradePacer {
 public:
  explicit UpgradePacer(UpgradeRules rules) : rules_(rules) {}

  // Empty = it may roll, and has a place until done(); else why it waits. One that has a place
  // keeps it when the window closes.
  std::string admit(const kube::ObjectKey& pipeline, SystemTime now);
  void done(const kube::ObjectKey& pipeline);

 private:
  const UpgradeRules rules_;
  Mutex mutex_;
  std::set<kube::ObjectKey> rolling_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::reconcile
