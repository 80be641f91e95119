// Pipelines that the tests render, from the smallest to one with everything in it.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "operator/render/render.h"

namespace spanway::render {

api::Pipeline quickstart();

struct NamedPipeline {
  std::string name;
  api::Pipeline pipeline;
};
// Failed tests name the sample, not its bytes.
inline void PrintTo(const NamedPipeline& sample, std::ostream* out) { *out << sample.name; }
// All of them, by the names of their golden files.
std::vector<NamedPipeline> sample_pipelines();

// The one of this name, which must be there.
api::Pipeline sample(const std::string& name);

// A cluster that serves every kind and where all Secrets of the samples are known.
ClusterFacts sample_facts();

// Every object of a rendering.
std::vector<Manifest> all_manifests(const Rendering& rendering);
// The component, which must be there.
const Component& component_of(const Rendering& rendering, Role role,
                              const std::string& exporter = "");
// The only support object of a kind; fails the test when there is none.
const Json& support_of(const Component& component, const kube::ResourceType& type);
// The component's configuration file, as its ConfigMap holds it.
std::string config_file_of(const Component& component);
// Where a pod template lies in a workload or Job; null in others.
const Json* pod_template_of(const Json& object);

}  // namespace spanway::render
