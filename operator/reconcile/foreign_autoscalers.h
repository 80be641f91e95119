// HorizontalPodAutoscalers of other owners that scale a workload whose replicas the operator sets:
// the two would create and delete the same pods for ever.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "operator/json/json.h"
#include "operator/k8s/kube_client.h"
#include "services/lib/base/clock.h"

namespace spanway::reconcile {

using kube::Json;

// Selects the autoscalers that the operator does not manage, by the workload that they name
// ("<kind>/<name>") out of `workloads`. Pure.
std::map<std::string, std::string> foreign_autoscalers(const std::vector<Json>& autoscalers,
                                                       const std::set<std::string>& workloads);

// External lock: of one Pipeline. Foreign autoscalers are not watched: they are listed when
// replicas are not as they were set, and again while one has been found.
class ForeignAutoscalers {
 public:
  // How long a list counts.
  static constexpr Duration kListCounts = std::chrono::seconds(30);

  // By "<kind>/<name>" of the workload. `workloads`: those whose replicas the operator sets;
  // `contested`: some of them has other replicas at the moment. Lists at most once in kListCounts;
  // a list that fails changes nothing.
  const std::map<std::string, std::string>& refresh(kube::Client& client,
                                                    const std::string& name_space,
                                                    const std::set<std::string>& workloads,
                                                    bool contested, SteadyTime now);

 private:
  std::map<std::string, std::string> found_;
  std::optional<SteadyTime> listed_at_;
};

}  // namespace spanway::reconcile
