// The pods: restricted security, probes, mounts, shutdown.
#pragma once

#include <string>

#include "operator/render/object_parts.h"
#include "operator/render/secret_mounts.h"

namespace spanway::render {

struct PodInput {
  const ComponentSpec& spec;
  const Json& config;      // The component's file, for how long stopping takes.
  std::string config_map;  // Its name.
};

// The template of the stable workload, annotated with its revision.
Json pod_template(const Context& context, const PodInput& input);
// Derived from the stable one: another track, and no static membership in a consumer group.
Json canary_template(Json stable);
// The template of the topics Job.
Json topics_template(const Context& context, const std::string& config_map,
                     const std::string& service_account, const std::vector<std::string>& command);

// "name=hash,..." of the Secrets whose change restarts the pods; empty = none.
std::string secret_identity(const ClusterFacts& facts, const std::vector<SecretMount>& mounts);

// Literal text of an environment variable: the kubelet would expand $(NAME).
std::string environment_literal(const std::string& text);

}  // namespace spanway::render
