// Renders a Pipeline to the Kubernetes objects that run it: a pure function, tested by golden
// files.
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "operator/api/pipeline.h"
#include "operator/json/json.h"
#include "operator/k8s/resource.h"
#include "services/lib/base/clock.h"
#include "services/lib/config/binder.h"

namespace spanway::render {

using kube::Json;

// Kinds of other projects, as far as the API server has them.
struct ServedKinds {
  bool service_monitors = false;
  bool prometheus_rules = false;
  bool http_routes = false;
};

// The inputs of rendering besides the Pipeline.
struct ClusterFacts {
  std::string operator_namespace = "spanway-system";  // Its pods may read /statusz and metrics.
  std::string version;                                // The release of this build.
  std::string image_repository = "spanway";
  // Part of consumer groups and client ids, so that clusters can share one Kafka; empty = none.
  std::string cluster_id;
  ServedKinds serves;
  // Exporters may send to public addresses only: for multi-tenant clusters.
  bool deny_private_endpoints = false;
  // The identity of each referenced Secret (keyed hashes of its keys), by name. Missing = not read.
  std::map<std::string, std::string> secret_identities;
};

// In the order of a rollout.
enum class Role { kExporter, kConsumer, kBridge, kIngress, kQuery };
// "exporter", "consumer", "bridge", "ingress", "query"
std::string_view to_string(Role role) noexcept;

struct ComponentId {
  Role role = Role::kIngress;
  std::string exporter;  // Set for kExporter and kConsumer.
  friend auto operator<=>(const ComponentId&, const ComponentId&) = default;
};
// "<pipeline>-ingress", "<pipeline>-bridge", "<pipeline>-query", "<pipeline>-<exporter>",
// "<pipeline>-<exporter>-consumer"; with two dashes before an exporter that has one in its name.
// With the rules on names no two Pipelines of a namespace share one.
std::string object_name(const std::string& pipeline, const ComponentId& id);

struct Manifest {
  kube::ResourceType type;
  Json object;  // Full intent: apiVersion, kind, metadata with labels and owner, and the rest.
  kube::ObjectKey key() const;
};

// The kinds of a rendering; those of ServedKinds only where the cluster serves them.
std::span<const kube::ResourceType> rendered_kinds();

struct Component {
  ComponentId id;
  // Hash of everything whose change restarts the pods: configuration, image, template, identity of
  // Secrets that cannot be reloaded. Without replicas and scaling.
  std::string revision;
  // ConfigMap (content-addressed, immutable), ServiceAccount, Services, PodDisruptionBudget,
  // HorizontalPodAutoscaler, Ingress, HTTPRoute: may be applied at any time.
  std::vector<Manifest> support;
  // Deployment, or StatefulSet for consumers. Without spec.replicas when an autoscaler owns them.
  Manifest workload;
  // One pod of this revision behind the same Services; name with "-canary". A canary consumer is a
  // dynamic member of the group, so that it leaves at once.
  Manifest canary;
  std::int64_t replicas = 1;  // The desired replicas; with autoscaling the minimum.
  bool replicas_elsewhere = false;
  bool stateful = false;
};

// The Job that brings the tables of one exporter to the schema of its image; its name has the
// fingerprint of its work. The exporter is not rolled out before it has succeeded.
struct MigrateJob {
  std::string exporter;
  Manifest job;
};

struct Rendering {
  // NetworkPolicies, PrometheusRule, ServiceMonitor, CronJobs, and the objects that Jobs mount.
  std::vector<Manifest> shared;
  std::vector<Component> components;  // In the order of a rollout.
  // The Job that creates or verifies the topics; its name has the fingerprint of its work.
  std::optional<Manifest> topics_job;
  std::vector<MigrateJob> migrate_jobs;
  std::string revision;  // Hash over all components.
};

Rendering render(const api::Pipeline& pipeline, const ClusterFacts& facts);
// The revision of components together: object names with the revision of each, in any order.
std::string revision_of(const std::map<std::string, std::string>& revisions);

// The names of all Secrets that the Pipeline refers to, sorted.
std::vector<std::string> referenced_secrets(const api::Pipeline& pipeline);

// Keys of Secrets, by the Secret's name.
using SecretKeys = std::map<std::string, std::set<std::string>>;
// Those that pods mount.
SecretKeys referenced_keys(const api::Pipeline& pipeline);

// Components whose pods mount one of these keys; true when the topics Job does. A Secret without
// keys means all of its keys.
std::set<ComponentId> components_with(const api::Pipeline& pipeline, const SecretKeys& secrets);
bool topics_job_uses(const api::Pipeline& pipeline, const SecretKeys& secrets);
// The same of the exporter's migrate Job.
bool migrate_job_uses(const api::Pipeline& pipeline, const std::string& exporter,
                      const SecretKeys& secrets);

// Fingerprint of the keys that pods read again without a restart, which are no part of any
// revision; "" when there are none.
std::string reloaded_secrets(const api::Pipeline& pipeline, const ClusterFacts& facts);

// The session timeout of an exporter's consumers, from their configuration.
Duration session_timeout(const api::Exporter& exporter);

// The configuration file of a component, as the service reads it.
std::string service_config(const api::Pipeline& pipeline, const ComponentId& id);
// Loads every component's file with that service's own code. Problems name the field of the
// Pipeline ("spec.ingress.config.limits.body_bytes_max"), or the component. Of the facts only
// deny_private_endpoints matters, and those of check_served().
void check_configs(const api::Pipeline& pipeline, const ClusterFacts& facts,
                   config::Problems& problems);
// Refuses fields whose objects are of a kind that the cluster does not serve.
void check_served(const api::Pipeline& pipeline, const ClusterFacts& facts,
                  config::Problems& problems);

}  // namespace spanway::render
