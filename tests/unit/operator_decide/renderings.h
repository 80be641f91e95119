// Renderings as small as a rollout needs them.
#pragma once

#include <string>
#include <vector>

#include "operator/decide/observation.h"
#include "operator/render/render.h"

namespace spanway::decide {

struct PartSpec {
  render::ComponentId id;
  std::string revision;
  std::int64_t replicas = 2;
};

// "p-ingress" and so on, of pipeline "p". The revision of all is made of those of the parts.
render::Rendering rendering_of(const std::vector<PartSpec>& parts);

// exporter a, consumer a, bridge, ingress: all of this revision.
std::vector<PartSpec> four_parts(const std::string& revision, std::int64_t replicas = 2);

// A component that runs: settled, its pods ready since `ready_since_ms`.
ComponentView healthy_view(const PartSpec& part, std::int64_t ready_since_ms);
PodView pod_of(const std::string& name, const std::string& revision, bool canary,
               std::int64_t created_ms);

SystemTime at_ms(std::int64_t unix_ms);

}  // namespace spanway::decide
