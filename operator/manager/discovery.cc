#include "operator/manager/discovery.h"

#include <utility>
#include <vector>

namespace spanway::manager {
namespace {

// An error when the namespace cannot be read just now: another id would reset the offsets of all
// consumers.
Result<std::string> find_cluster_id(kube::Client& client, const telemetry::Logger& log) {
  constexpr std::size_t kDigits = 8;
  const auto name_space = client.get(kube::kNamespaces, {"", "kube-system"});
  if (name_space.ok()) return kube::string_at(*name_space, "metadata/uid").substr(0, kDigits);
  const Code code = name_space.error().code;
  if (code != Code::kNotFound && code != Code::kPermissionDenied) return name_space.error();
  log.warn(
      "The namespace kube-system may not be read: consumer groups hold no cluster id. Set "
      "cluster_id when several clusters use one Kafka",
      {{"error", name_space.error().message}});
  return std::string();
}

// Few watches when the rights are there: each costs a list at the start and the API server's
// memory. What may not be listed over all namespaces is watched in each.
Result<reconcile::Stores::Watches> choose_watches(kube::Client& client,
                                                  const OperatorSettings& settings,
                                                  std::vector<kube::ResourceType> kinds,
                                                  const telemetry::Logger& log) {
  constexpr std::size_t kPerNamespaceMax = 4;
  if (settings.watch_namespaces.size() <= kPerNamespaceMax)
    return reconcile::Stores::Watches::kPerNamespace;
  kinds.push_back(kube::kPipelines);
  kinds.push_back(kube::kPods);
  for (const kube::ResourceType& kind : kinds) {
    // Selects nothing: only the right counts.
    const auto listed = client.list(kind, {.name_space = {},
                                           .label_selector = "spanway.dev/none=none",
                                           .field_selector = {},
                                           .resource_version = "0"});
    if (listed.ok()) continue;
    // A server that is busy says nothing about rights.
    if (listed.error().refusal == Refusal::kTransient) return listed.error();
    log.info(
        "Each namespace is watched on its own, a stream for each kind; permission to list and "
        "watch "
        "in all namespaces (Helm: rbac.watchAll) makes it one stream for each kind",
        {{"namespaces", settings.watch_namespaces.size()}, {"error", listed.error().message}});
    return reconcile::Stores::Watches::kPerNamespace;
  }
  return reconcile::Stores::Watches::kClusterWide;
}

}  // namespace

Result<Discovered> discover(kube::Client& client, const OperatorSettings& settings,
                            const telemetry::Logger& log) {
  SPANWAY_ASSIGN(const bool pipelines, client.serves(kube::kPipelines));
  if (!pipelines)
    return configuration_error(Code::kFailedPrecondition,
                               "the API server has no Pipelines (spanway.dev/v1alpha1): apply the "
                               "output of `spanway-operator crd`");
  Discovered found;
  SPANWAY_ASSIGN(found.serves, reconcile::served_kinds(client));
  found.cluster_id = settings.cluster_id;
  if (found.cluster_id.empty()) {
    SPANWAY_ASSIGN(found.cluster_id, find_cluster_id(client, log));
  }
  SPANWAY_ASSIGN(found.watches, choose_watches(client, settings,
                                               reconcile::Stores::owned_kinds(found.serves), log));
  return found;
}

}  // namespace spanway::manager
