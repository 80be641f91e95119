// Why the API server refuses pods of StatefulSets and Jobs (a quota, an admission webhook): unlike
// a Deployment, neither has a condition for it, so their FailedCreate Events are listed.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "operator/json/json.h"
#include "operator/k8s/kube_client.h"
#include "services/lib/base/clock.h"

namespace spanway::reconcile {

using kube::Json;

// A StatefulSet or Job that has fewer pods than it needs.
bool lacks_pods(const Json& workload);
// The newest refusal in a list of Events about the object; "" when there is none. Pure.
std::string newest_refusal(const std::vector<Json>& events, const std::string& uid);

// External lock: of one Pipeline. Remembers one answer for each object that lacks pods.
class RefusedPods {
 public:
  // How long an answer counts: doubled with each list that says the same, at most ten minutes. A
  // thousand Pipelines on a cluster without room must not list Events all the time.
  static constexpr Duration kAnswerCounts = std::chrono::seconds(30);
  static constexpr Duration kAnswerCountsMax = std::chrono::minutes(10);

  struct Answer {
    std::string refusal;  // "" when nothing is refused, or without the right to list Events.
    Duration valid_for = Duration::zero();  // Zero = until the workload changes.
  };
  // Lists Events when no answer about this generation of the object counts any more.
  Answer refusal_of(kube::Client& client, const kube::ResourceType& type, const Json& workload,
                    SteadyTime now);
  // Forgets all objects that were not requested since the last call.
  void sweep();

 private:
  struct Entry {
    std::string refusal;
    std::int64_t generation = 0;
    SteadyTime at;
    Duration counts = kAnswerCounts;
    bool used = true;
  };
  std::map<std::string, Entry> entries_;  // By uid.
};

}  // namespace spanway::reconcile
