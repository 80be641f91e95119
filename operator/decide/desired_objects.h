// The objects that a rollout decision selects from the desired and the last good rendering: pure.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "operator/decide/rollout.h"
#include "operator/render/render.h"

namespace spanway::decide {

struct DesiredObjects {
  // In the order in which they are to be applied.
  std::vector<render::Manifest> support;  // For the Pipeline and all components.
  std::vector<render::Manifest> canaries;
  std::vector<render::Manifest> workloads;
  // Workloads that stay as they are: neither applied nor deleted.
  std::vector<std::pair<kube::ResourceType, kube::ObjectKey>> untouched;
};
DesiredObjects desired_objects(const render::Rendering& desired, const render::Rendering* last_good,
                               const RolloutDecision& decision);

// Names of ConfigMaps that workloads or pods mount: they must outlive them.
std::set<std::string> mounted_config_maps(const std::vector<Json>& workloads,
                                          const std::vector<Json>& pods);

}  // namespace spanway::decide
