#include "operator/reconcile/stores.h"

#include <utility>

namespace spanway::reconcile {
namespace {

// Only which ConfigMaps a pod mounts: they must outlive it.
Json config_volumes(const Json& spec) {
  Json volumes = Json::array();
  const Json* all = kube::find(spec, "volumes");
  if (all == nullptr || !all->is_array()) return volumes;
  for (const Json& volume : *all) {
    const std::string name = kube::string_at(volume, "configMap/name");
    if (!name.empty()) volumes.push_back({{"configMap", {{"name", name}}}});
  }
  return volumes;
}

void strip_pod(Json& pod) {
  if (!pod.contains("spec")) return;
  Json spec = {{"volumes", config_volumes(pod["spec"])}};
  // For messages, as is what follows.
  if (const Json* node = kube::find(pod, "spec/nodeName")) spec["nodeName"] = *node;
  const Json* containers = kube::find(pod, "spec/containers");
  if (containers != nullptr && containers->is_array()) {
    for (const Json& container : *containers)
      spec["containers"].push_back({{"name", kube::string_at(container, "name")},
                                    {"image", kube::string_at(container, "image")}});
  }
  pod["spec"] = std::move(spec);
}

void keep_scaling_active(Json& autoscaler) {
  Json kept = Json::array();
  if (const Json* all = kube::find(autoscaler, "status/conditions");
      all != nullptr && all->is_array()) {
    for (const Json& one : *all) {
      if (kube::string_at(one, "type") != "ScalingActive" ||
          kube::string_at(one, "status") != "False")
        continue;
      kept.push_back({{"type", "ScalingActive"},
                      {"status", "False"},
                      {"reason", kube::string_at(one, "reason")},
                      {"message", kube::string_at(one, "message")}});
    }
  }
  autoscaler.erase("status");
  if (!kept.empty()) autoscaler["status"]["conditions"] = std::move(kept);
}

}  // namespace

Json project(const kube::ResourceType& type, Json object) {
  object = kube::without_bookkeeping(std::move(object));
  if (type == kube::kPods) strip_pod(object);
  // It moves all the time; only whether an autoscaler can compute at all counts.
  if (type == kube::kHorizontalPodAutoscalers) keep_scaling_active(object);
  if (type == kube::kPodDisruptionBudgets || type == kube::kIngresses || type == kube::kHttpRoutes)
    object.erase("status");
  if (type == kube::kConfigMaps && kube::bool_at(object, "immutable")) object.erase("data");
  return object;
}

Result<render::ServedKinds> served_kinds(kube::Client& client) {
  render::ServedKinds served;
  SPANWAY_ASSIGN(served.service_monitors, client.serves(kube::kServiceMonitors));
  SPANWAY_ASSIGN(served.prometheus_rules, client.serves(kube::kPrometheusRules));
  SPANWAY_ASSIGN(served.http_routes, client.serves(kube::kHttpRoutes));
  return served;
}

std::vector<kube::ResourceType> Stores::owned_kinds(const render::ServedKinds& served) {
  std::vector<kube::ResourceType> kinds;
  for (const kube::ResourceType& kind : render::rendered_kinds()) {
    if (kind == kube::kServiceMonitors && !served.service_monitors) continue;
    if (kind == kube::kPrometheusRules && !served.prometheus_rules) continue;
    if (kind == kube::kHttpRoutes && !served.http_routes) continue;
    kinds.push_back(kind);
  }
  return kinds;
}

Stores::Stores(const std::vector<std::string>& namespaces,
               const std::vector<kube::ResourceType>& kinds, Watches watches)
    : kinds_(kinds), watched_(namespaces.begin(), namespaces.end()) {
  const std::vector<std::string> all = {""};
  const bool per_namespace = watches == Watches::kPerNamespace && !namespaces.empty();
  kube::Store::NamespaceFilter keeps_namespace;
  if (!per_namespace && !namespaces.empty())
    keeps_namespace = [this](const std::string& name_space) {
      return watched_.contains(name_space);
    };
  const auto add = [&](const kube::ResourceType& type, const std::string& name_space,
                       const std::string& selector) {
    places_.emplace(std::pair(type.plural, name_space), entries_.size());
    entries_.push_back(
        {type, name_space, selector,
         std::make_unique<kube::Store>(
             [type](Json object) { return project(type, std::move(object)); }, keeps_namespace)});
  };
  for (const std::string& name_space : per_namespace ? namespaces : all) {
    add(kube::kPipelines, name_space, "");
    add(kube::kPods, name_space, kManagedBySelector);
    for (const kube::ResourceType& kind : kinds_) add(kind, name_space, kManagedBySelector);
  }
}

const kube::Store* Stores::find(const kube::ResourceType& type,
                                const std::string& name_space) const {
  auto found = places_.find({type.plural, std::string()});
  if (found == places_.end()) found = places_.find({type.plural, name_space});
  return found == places_.end() ? nullptr : entries_[found->second].store.get();
}

std::optional<Json> Stores::get(const kube::ResourceType& type, const kube::ObjectKey& key) const {
  const kube::Store* store = find(type, key.name_space);
  return store == nullptr ? std::nullopt : store->get(key);
}

std::vector<Json> Stores::of_owner(const kube::ResourceType& type,
                                   const kube::ObjectKey& pipeline) const {
  const kube::Store* store = find(type, pipeline.name_space);
  return store == nullptr ? std::vector<Json>() : store->of_owner(pipeline);
}

std::optional<kube::Store::State> Stores::state(const kube::ResourceType& type,
                                                const kube::ObjectKey& key) const {
  const kube::Store* store = find(type, key.name_space);
  return store == nullptr ? std::nullopt : store->state(key);
}

std::string Stores::version(const kube::ResourceType& type, const std::string& name_space) const {
  const kube::Store* store = find(type, name_space);
  return store == nullptr ? std::string() : store->version();
}

std::vector<kube::ObjectKey> Stores::keys_of_owner(const kube::ResourceType& type,
                                                   const kube::ObjectKey& pipeline) const {
  const kube::Store* store = find(type, pipeline.name_space);
  return store == nullptr ? std::vector<kube::ObjectKey>() : store->keys_of_owner(pipeline);
}

std::vector<kube::ObjectKey> Stores::pipelines() const {
  std::vector<kube::ObjectKey> keys;
  for (const Entry& entry : entries_) {
    if (!(entry.type == kube::kPipelines)) continue;
    const auto some = entry.store->keys();
    keys.insert(keys.end(), some.begin(), some.end());
  }
  return keys;
}

std::size_t Stores::size() const {
  std::size_t sum = 0;
  for (const Entry& entry : entries_) sum += entry.store->size();
  return sum;
}

std::size_t Stores::bytes() const {
  std::size_t sum = 0;
  for (const Entry& entry : entries_) sum += entry.store->bytes();
  return sum;
}

}  // namespace spanway::reconcile
