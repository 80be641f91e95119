// Metadata, labels and selectors of rendered objects.
#pragma once

#include <string>

#include "operator/render/component_spec.h"

namespace spanway::render {

// The inputs of rendering; both outlive it.
struct Context {
  const api::Pipeline& pipeline;
  const ClusterFacts& facts;
};

// The image that all pods of the Pipeline run.
std::string image_of(const Context& context);

// Labels of objects that belong to no component.
Json common_labels(const Context& context, std::string_view component);
// Labels of a component's objects and pods, without the track.
Json component_labels(const Context& context, const ComponentSpec& spec);
// Selects a component's pods, stable and canary.
Json component_selector(const Context& context, const ComponentSpec& spec);
// Selects the pods of one workload.
Json track_selector(const Context& context, const ComponentSpec& spec, std::string_view track);

// An object with apiVersion, kind, name, namespace, labels and the Pipeline as its owner.
Manifest make_manifest(const Context& context, const kube::ResourceType& type, std::string name,
                       Json labels);

// A ConfigMap "<base>-<hash8>" that holds the file; its name changes with its content.
Manifest config_map(const Context& context, const std::string& base, const std::string& file,
                    Json labels);
Manifest service_account(const Context& context, std::string name, Json labels);

inline constexpr char kConfigKey[] = "config.yaml";
inline constexpr char kStableTrack[] = "stable";
inline constexpr char kCanaryTrack[] = "canary";

}  // namespace spanway::render
