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
// A run of one of our programs that ends by itself.
struct JobInput {
  std::string component;  // The container's name.
  Json labels;            // The pods' labels; those of `pods` are added.
  Role program = Role::kBridge;
  std::vector<std::string> command;
  std::string config_map;
  std::string service_account;
  std::vector<SecretMount> mounts;
  const api::PodTemplate& pods;  // Labels, annotations, placement.
  bool with_env = false;         // Also its environment.
  Json resources;
};
Json job_template(const Context& context, const JobInput& input);
// A short Job needs little, but a quota may require the CPU limit of the `pods`.
Json small_job_resources(const api::PodTemplate& pods);

// "name=hash,..." of the Secrets whose change restarts the pods; empty = none.
std::string secret_identity(const ClusterFacts& facts, const std::vector<SecretMount>& mounts);

// Literal text of an environment variable: the kubelet would expand $(NAME).
std::string environment_literal(const std::string& text);

}  // namespace spanway::render
