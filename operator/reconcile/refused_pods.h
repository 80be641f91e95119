// Why the pods of StatefulSets and Jobs cannot be made (a quota, an admission webhook): unlike a
// Deployment, neither has a condition for it, so their FailedCreate Events are asked for.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "operator/json/json.h"
#include "operator/k8s/client.h"
#include "services/lib/base/clock.h"

namespace spanway::reconcile {

using kube::Json;

// A StatefulSet or Job that asks for more pods than there are.
bool lacks_pods(const Json& workload);
// The newest refusal in a list of Events about the object; "" when there is none. Pure.
std::string newest_refusal(const std::vector<Json>& events, const std::string& uid);

// External lock: of one Pipeline. Remembers one answer for each object that lacks pods.
class RefusedPods {
 public:
  // How long an answer counts; sooner nothing is asked again.
  static constexpr Duration kAnswerCounts = std::chrono::seconds(30);

  // "" when nothing is refused, or when that may not be asked. Asks the API server, at most once in
  // kAnswerCounts for each object.
  std::string look_up(kube::Client& client, const kube::ResourceType& type, const Json& workload,
                      SteadyTime now);
  // Forgets all objects that were not looked up since the last call.
  void sweep();

 private:
  struct Entry {
    std::string refusal;
    SteadyTime at;
    bool used = true;
  };
  std::map<std::string, Entry> entries_;  // By uid.
};

}  // namespace spanway::reconcile
