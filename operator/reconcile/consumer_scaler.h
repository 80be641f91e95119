// Scales the consumers of one Pipeline by lag. Keeps the state of the decisions between two
// reconciliations; after a restart of the operator it starts without that state: it waits before it
// scales down.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "operator/decide/lag_scaler.h"
#include "operator/decide/observation.h"
#include "operator/k8s/kube_client.h"
#include "operator/reconcile/events.h"
#include "operator/reconcile/statusz_monitor.h"
#include "operator/render/render.h"

namespace spanway::reconcile {

// External lock: one Pipeline is worked on by one thread at a time.
class ConsumerScaler {
 public:
  // Decides for each exporter whose consumers scale by lag, once for each round of reports.
  // `components` are those of `desired`, in its order.
  std::map<std::string, decide::LagScalerDecision> decide(
      const api::Pipeline& pipeline, const render::Rendering& desired,
      const std::vector<decide::ComponentView>& components, const StatuszMonitor::Reports& reports,
      std::int64_t now_ms);
  // The last decision for an exporter; nothing before the first one.
  std::optional<std::int64_t> replicas_of(const std::string& exporter) const;
  // Writes the scale of those that have another number of replicas. `workloads` are live.
  Status write(const Json& pipeline, const render::Rendering& desired,
               const std::vector<Json>& workloads, kube::Client& client, const Events& events);

 private:
  struct Exporter {
    decide::LagScalerMemory memory;
    decide::LagScalerDecision decision;
    std::uint64_t round = 0;
    std::int64_t partitions = 0;  // The highest number reported so far; topics never lose any.
    bool decided = false;
    // The store's version of the workload when its scale was last written, and to what: until
    // another version is observed, that is its number of replicas.
    std::string written_at;
    std::int64_t written = 0;
    std::int64_t applied = 0;  // The decided number that was observed on it; 0 = not yet.
  };
  std::map<std::string, Exporter> exporters_;
};

}  // namespace spanway::reconcile
