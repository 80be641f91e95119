#include "operator/decide/desired_objects.h"

#include <algorithm>

namespace spanway::decide {
namespace {

using render::Component;
using render::Manifest;

const Component* find_component(const render::Rendering* rendering, const render::ComponentId& id) {
  if (rendering == nullptr) return nullptr;
  for (const Component& component : rendering->components)
    if (component.id == id) return &component;
  return nullptr;
}

// Mounted by pods of both revisions, so needed whatever the target of the workload is.
bool serves_pods_of_both(const Manifest& manifest) {
  return manifest.type == kube::kConfigMaps || manifest.type == kube::kServiceAccounts;
}

class Builder {
 public:
  Builder(const render::Rendering& desired, const render::Rendering* last_good,
          const RolloutDecision& decision)
      : desired_(desired), last_good_(last_good), decision_(decision) {}

  DesiredObjects build() {
    const bool is_back =
        decision_.phase == RolloutDecision::Phase::kRolledBack && last_good_ != nullptr;
    for (const Manifest& manifest : (is_back ? *last_good_ : desired_).shared)
      add_support(manifest);
    for (const Component& component : desired_.components) add(component);
    if (!decision_.remove_others && last_good_ != nullptr) {
      for (const Component& component : last_good_->components)
        if (find_component(&desired_, component.id) == nullptr) add_whole(component);
    }
    return std::move(out_);
  }

 private:
  ComponentAction action_of(const render::ComponentId& id) const {
    for (const ComponentAction& action : decision_.actions)
      if (action.id == id) return action;
    return {.id = id};
  }

  void add_support(const Manifest& manifest) {
    const std::string place = std::string(manifest.type.plural) + "/" + manifest.key().text();
    if (seen_.insert(place).second) out_.support.push_back(manifest);
  }

  void add_whole(const Component& component) {
    for (const Manifest& manifest : component.support) add_support(manifest);
    out_.workloads.push_back(component.workload);
  }

  void add(const Component& component) {
    const ComponentAction action = action_of(component.id);
    const Component* good = find_component(last_good_, component.id);
    const bool uses_last_good = action.stable == Target::kLastGood && good != nullptr;
    // Scaling is no part of a revision and never rolled back: it is always as it is desired.
    const Component& chosen = uses_last_good ? *good : component;
    for (const Manifest& manifest : component.support)
      if (manifest.type == kube::kHorizontalPodAutoscalers) add_support(manifest);
    for (const Manifest& manifest : chosen.support)
      if (!(manifest.type == kube::kHorizontalPodAutoscalers)) add_support(manifest);
    if (good != nullptr) add_pods_support(*good);
    add_pods_support(component);
    if (action.canary) out_.canaries.push_back(component.canary);
    add_workload(component, good, action);
  }

  void add_pods_support(const Component& component) {
    for (const Manifest& manifest : component.support)
      if (serves_pods_of_both(manifest)) add_support(manifest);
  }

  void add_workload(const Component& component, const Component* good,
                    const ComponentAction& action) {
    switch (action.stable) {
      case Target::kDesired:
        out_.workloads.push_back(component.workload);
        return;
      case Target::kKeep:
        out_.untouched.emplace_back(component.workload.type, component.workload.key());
        return;
      case Target::kLastGood:
        break;
    }
    if (good == nullptr) return;
    Manifest workload = good->workload;
    Json& spec = workload.object["spec"];
    const Json* replicas = kube::find(component.workload.object, "spec/replicas");
    spec.erase("replicas");
    if (replicas != nullptr) spec["replicas"] = *replicas;
    out_.workloads.push_back(std::move(workload));
  }

  const render::Rendering& desired_;
  const render::Rendering* last_good_;
  const RolloutDecision& decision_;
  DesiredObjects out_;
  std::set<std::string> seen_;
};

void collect_volumes(const Json& object, std::string_view path, std::set<std::string>& out) {
  const Json* volumes = kube::find(object, path);
  if (volumes == nullptr || !volumes->is_array()) return;
  for (const Json& volume : *volumes) {
    const std::string name = kube::string_at(volume, "configMap/name");
    if (!name.empty()) out.insert(name);
  }
}

}  // namespace

DesiredObjects desired_objects(const render::Rendering& desired, const render::Rendering* last_good,
                               const RolloutDecision& decision) {
  return Builder(desired, last_good, decision).build();
}

std::set<std::string> mounted_config_maps(const std::vector<Json>& workloads,
                                          const std::vector<Json>& pods) {
  std::set<std::string> out;
  for (const Json& workload : workloads)
    collect_volumes(workload, "spec/template/spec/volumes", out);
  for (const Json& pod : pods) collect_volumes(pod, "spec/volumes", out);
  return out;
}

}  // namespace spanway::decide
