#include "tests/unit/operator_render/objects.h"

namespace spanway::render {

Rendering rendered(const api::Pipeline& pipeline) { return render(pipeline, sample_facts()); }

const Json& at(const Json& value, const std::string& path) {
  static const Json kNothing;
  const Json* found = kube::find(value, path);
  return found == nullptr ? kNothing : *found;
}

std::map<std::string, Json> of_kind(const Rendering& rendering, const kube::ResourceType& type) {
  std::map<std::string, Json> out;
  for (const Manifest& manifest : all_manifests(rendering)) {
    if (manifest.type == type) out.emplace(manifest.key().name, manifest.object);
  }
  return out;
}

std::vector<std::string> names_of(const std::map<std::string, Json>& objects) {
  std::vector<std::string> names;
  for (const auto& [name, object] : objects) names.push_back(name);
  return names;
}

const Json& container_of(const Json& workload) {
  return at(workload, "spec/template/spec/containers/0");
}

std::map<std::string, Json> by_name(const Json& list) {
  std::map<std::string, Json> out;
  for (const Json& entry : list) out.emplace(kube::string_at(entry, "name"), entry);
  return out;
}

bool selects(const Json& selector, const Json& labels) {
  return !selector.empty() && kube::contains(labels, selector);
}

}  // namespace spanway::render
