#include "tests/unit/operator_decide/renderings.h"

namespace spanway::decide {

SystemTime at_ms(std::int64_t unix_ms) { return SystemTime(std::chrono::milliseconds(unix_ms)); }

render::Rendering rendering_of(const std::vector<PartSpec>& parts) {
  render::Rendering rendering;
  std::map<std::string, std::string> revisions;
  for (const PartSpec& part : parts) {
    render::Component component;
    component.id = part.id;
    component.revision = part.revision;
    component.replicas = part.replicas;
    const std::string name = render::object_name("p", part.id);
    component.workload.type = kube::kDeployments;
    component.workload.object = {{"metadata", {{"name", name}}}};
    component.canary.type = kube::kDeployments;
    component.canary.object = {{"metadata", {{"name", name + "-canary"}}}};
    revisions[name] = part.revision;
    rendering.components.push_back(std::move(component));
  }
  rendering.revision = render::revision_of(revisions);
  return rendering;
}

std::vector<PartSpec> four_parts(const std::string& revision, std::int64_t replicas) {
  using render::Role;
  return {{{Role::kExporter, "a"}, revision, replicas},
          {{Role::kConsumer, "a"}, revision, replicas},
          {{Role::kBridge, ""}, revision, replicas},
          {{Role::kIngress, ""}, revision, replicas}};
}

PodView pod_of(const std::string& name, const std::string& revision, bool canary,
               std::int64_t created_ms) {
  PodView pod;
  pod.name = name;
  pod.uid = name;
  pod.revision = revision;
  pod.canary = canary;
  pod.created = at_ms(created_ms);
  pod.reason = "NotReady";
  pod.problem = "pod " + name + ": is not ready: its readiness probe does not pass";
  return pod;
}

ComponentView healthy_view(const PartSpec& part, std::int64_t ready_since_ms) {
  ComponentView view;
  view.id = part.id;
  view.stable = {.exists = true,
                 .revision = part.revision,
                 .replicas = part.replicas,
                 .ready = part.replicas,
                 .updated = part.replicas,
                 .settled = true};
  for (std::int64_t i = 0; i < part.replicas; ++i) {
    PodView pod = pod_of(render::object_name("p", part.id) + "-" + std::to_string(i), part.revision,
                         false, ready_since_ms);
    pod.ready = true;
    pod.ready_since = at_ms(ready_since_ms);
    pod.reason.clear();
    pod.problem.clear();
    view.pods.push_back(std::move(pod));
  }
  return view;
}

}  // namespace spanway::decide
