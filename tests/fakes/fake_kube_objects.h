// Questions about objects that several parts of FakeKube ask.
#pragma once

#include <algorithm>
#include <vector>

#include "operator/json/json.h"
#include "operator/k8s/resource.h"

namespace spanway::fakes {

using kube::Json;
using kube::ObjectKey;
using kube::ResourceType;

// The label that names the template that a pod was created from.
inline constexpr char kHashLabel[] = "fake/template";

inline ObjectKey key_of(const Json& object) {
  return {kube::string_at(object, "metadata/namespace"), kube::string_at(object, "metadata/name")};
}

inline bool is_ready(const Json& pod) {
  const Json* conditions = kube::find(pod, "status/conditions");
  if (conditions == nullptr) return false;
  return std::any_of(conditions->begin(), conditions->end(), [](const Json& condition) {
    return kube::string_at(condition, "type") == "Ready" &&
           kube::string_at(condition, "status") == "True";
  });
}

inline const std::vector<ResourceType>& owned_types() {
  static const std::vector<ResourceType> kAll = {kube::kConfigMaps,
                                                 kube::kSecrets,
                                                 kube::kServices,
                                                 kube::kServiceAccounts,
                                                 kube::kPods,
                                                 kube::kDeployments,
                                                 kube::kStatefulSets,
                                                 kube::kCronJobs,
                                                 kube::kJobs,
                                                 kube::kHorizontalPodAutoscalers,
                                                 kube::kPodDisruptionBudgets,
                                                 kube::kNetworkPolicies,
                                                 kube::kServiceMonitors,
                                                 kube::kPrometheusRules};
  return kAll;
}

}  // namespace spanway::fakes
