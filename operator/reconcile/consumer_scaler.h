// Scales the consumers of one Pipeline by lag. Remembers between two looks what the decisions need;
// after a restart of the operator it starts anew, which is careful: it waits before it scales down.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "operator/k8s/client.h"
#include "operator/reconcile/events.h"
#include "operator/decide/lag_scaler.h"
#include "operator/decide/observation.h"
#include "operator/reconcile/statusz_monitor.h"
#include "operator/render/render.h"

namespace spanway::reconcile {

// External lock: one Pipeline is worked on by one thread at a time.
class ConsumerScaler {
 public:
  // Decides for each exporter whose consumers scale by lag, once for each round of reports.
  // `components` are those of `wanted`, in its order.
  std::map<std::string, LagScalerDecision> decide(const api::Pipeline& pipeline,
                                                  const render::Rendering& wanted,
                                                  const std::vector<ComponentView>& components,
                                                  const StatuszMonitor::Reports& reports,
                                                  std::int64_t now_ms);
  // Writes the scale of those that have another number of replicas. `workloads` are live.
  Status write(const Json& pipeline, const render::Rendering& wanted,
               const std::vector<Json>& workloads, kube::Client& client, const Events& events);

 private:
  struct Exporter {
    LagScalerMemory memory;
    LagScalerDecision decision;
    std::uint64_t round = 0;
    std::int64_t partitions = 0;  // The most that were ever seen; topics never lose any.
    bool decided = false;
    // The store's version of the workload when its scale was last written, and to what: until
    // another version is seen, that is what it has.
    std::string written_at;
    std::int64_t written = 0;
    std::int64_t held = 0;  // What it was seen to have as decided; 0 = not yet.
  };
  std::map<std::string, Exporter> exporters_;
};

}  // namespace spanway::reconcile
