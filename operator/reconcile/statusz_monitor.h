// Polls GET /statusz of all pods in rounds and keeps the last reports.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "operator/k8s/resource.h"
#include "operator/reconcile/statusz_reader.h"
#include "operator/reconcile/stores.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"

namespace spanway::reconcile {

struct MonitorTimes {
  Duration moving = std::chrono::seconds(10);
  Duration idle = std::chrono::seconds(30);
};

// Thread-safe; poll() by one thread at a time. Keeps one report for each pod of each Pipeline.
class StatuszMonitor {
 public:
  // Called on the thread of poll() for each Pipeline whose pods report a change. Numbers that
  // move all the time (lag, within its bucket) are nothing new, except to a Pipeline that scales by
  // them.
  using Changed = std::function<void(const kube::ObjectKey& pipeline)>;
  StatuszMonitor(StatuszReader& reader, const Stores& stores, const Clock& clock,
                 MonitorTimes times, Changed changed);

  struct Reports {
    std::map<std::string, decide::StatuszReport> by_pod;
    std::uint64_t round = 0;  // 0 = never polled.
  };
  Reports reports(const kube::ObjectKey& pipeline) const;
  // A Pipeline that changes is polled more often; one that scales by lag is enqueued every round.
  void set_pace(const kube::ObjectKey& pipeline, bool is_moving, bool wants_every_round);
  void forget(const kube::ObjectKey& pipeline);

  // Polls the pods of all Pipelines whose time has come. Blocks until they have answered.
  void poll();

 private:
  struct Entry {
    Reports reports;
    std::string digest;
    SteadyTime polled_at{};
    bool is_moving = true;
    bool wants_every_round = false;
  };
  std::vector<StatuszReader::Address> addresses(const kube::ObjectKey& pipeline) const;
  void take(const kube::ObjectKey& pipeline, std::map<std::string, decide::StatuszReport> reports);

  StatuszReader& reader_;
  const Stores& stores_;
  const Clock& clock_;
  const MonitorTimes times_;
  const Changed changed_;
  mutable Mutex mutex_;
  std::map<kube::ObjectKey, Entry> entries_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::reconcile
