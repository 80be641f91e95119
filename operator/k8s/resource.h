// The kinds of the Kubernetes API that the operator uses, and their paths.
#pragma once

#include <array>
#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace spanway::kube {

struct ResourceType {
  std::string_view group;  // Empty = the core group.
  std::string_view version;
  std::string_view plural;
  std::string_view kind;
  bool namespaced = true;

  std::string api_version() const;  // "apps/v1", "v1"
  friend bool operator==(const ResourceType&, const ResourceType&) = default;
};

inline constexpr ResourceType kPipelines{"spanway.dev", "v1alpha1", "pipelines", "Pipeline"};
inline constexpr ResourceType kConfigMaps{"", "v1", "configmaps", "ConfigMap"};
inline constexpr ResourceType kSecrets{"", "v1", "secrets", "Secret"};
inline constexpr ResourceType kServices{"", "v1", "services", "Service"};
inline constexpr ResourceType kServiceAccounts{"", "v1", "serviceaccounts", "ServiceAccount"};
inline constexpr ResourceType kPods{"", "v1", "pods", "Pod"};
inline constexpr ResourceType kDeployments{"apps", "v1", "deployments", "Deployment"};
inline constexpr ResourceType kStatefulSets{"apps", "v1", "statefulsets", "StatefulSet"};
inline constexpr ResourceType kJobs{"batch", "v1", "jobs", "Job"};
inline constexpr ResourceType kCronJobs{"batch", "v1", "cronjobs", "CronJob"};
inline constexpr ResourceType kHorizontalPodAutoscalers{
    "autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler"};
inline constexpr ResourceType kPodDisruptionBudgets{"policy", "v1", "poddisruptionbudgets",
                                                    "PodDisruptionBudget"};
inline constexpr ResourceType kNetworkPolicies{"networking.k8s.io", "v1", "networkpolicies",
                                               "NetworkPolicy"};
inline constexpr ResourceType kIngresses{"networking.k8s.io", "v1", "ingresses", "Ingress"};
// The Gateway API's, which a cluster may lack.
inline constexpr ResourceType kHttpRoutes{"gateway.networking.k8s.io", "v1", "httproutes",
                                          "HTTPRoute"};
inline constexpr ResourceType kServiceMonitors{"monitoring.coreos.com", "v1", "servicemonitors",
                                               "ServiceMonitor"};
inline constexpr ResourceType kPrometheusRules{"monitoring.coreos.com", "v1", "prometheusrules",
                                               "PrometheusRule"};
inline constexpr ResourceType kLeases{"coordination.k8s.io", "v1", "leases", "Lease"};
inline constexpr ResourceType kEvents{"events.k8s.io", "v1", "events", "Event"};
inline constexpr ResourceType kNamespaces{"", "v1", "namespaces", "Namespace", false};
inline constexpr ResourceType kCustomResourceDefinitions{
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", false};

// "/apis/apps/v1/namespaces/a/deployments/b/scale". Without a namespace: of all namespaces. Names
// are percent-encoded.
std::string resource_path(const ResourceType& type, std::string_view name_space,
                          std::string_view name = {}, std::string_view subresource = {});

// The order of two resourceVersions of one kind (both decimal numbers, as Kubernetes 1.35 promises
// and every server before it does); nullopt when one of them is not.
std::optional<std::strong_ordering> compare_versions(std::string_view a, std::string_view b);

// Namespace and name of an object.
struct ObjectKey {
  std::string name_space;
  std::string name;
  friend auto operator<=>(const ObjectKey&, const ObjectKey&) = default;
  std::string text() const { return name_space + "/" + name; }
};

}  // namespace spanway::kube
