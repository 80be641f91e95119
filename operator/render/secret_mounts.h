// The Secret keys that a component's pods mount, and their paths. Secrets are always files, never
// environment variables, which end up in crash dumps, child processes and `kubectl describe`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "operator/render/component_spec.h"

namespace spanway::render {

inline constexpr char kServerTlsFolder[] = "/etc/spanway/tls/server";
inline constexpr char kClientCaFolder[] = "/etc/spanway/tls/client-ca";
inline constexpr char kKafkaCaFolder[] = "/etc/spanway/tls/kafka-ca";
inline constexpr char kKafkaClientFolder[] = "/etc/spanway/tls/kafka-client";
inline constexpr char kDestinationCaFolder[] = "/etc/spanway/tls/destination-ca";
inline constexpr char kDestinationClientFolder[] = "/etc/spanway/tls/destination-client";

struct SecretMount {
  std::string secret;
  std::vector<std::string> keys;  // Sorted; only these become files.
  std::string folder;
  // The service re-reads these files: a change needs no restart.
  bool reloaded = false;
};

// One per folder, sorted by it.
std::vector<SecretMount> secret_mounts(const api::Pipeline& pipeline, const ComponentSpec& spec);
// Mounts of the Jobs that migrate or compact what this destination stores.
std::vector<SecretMount> storage_job_mounts(const api::Destination& destination);
// Mounts of the topics Job.
std::vector<SecretMount> kafka_mounts(const api::Pipeline& pipeline);

// "/etc/spanway/secrets/<secret>/<key>"
std::string secret_file(const api::SecretKey& key);
// For the services' loader, which replaces it by the content.
std::string secret_content(const api::SecretKey& key);

}  // namespace spanway::render
