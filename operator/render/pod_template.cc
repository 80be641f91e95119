#include "operator/render/pod_template.h"

#include <array>
#include <map>

#include "operator/render/file_volume.h"
#include "operator/render/memory_shares.h"
#include "operator/render/service_config.h"
#include "services/lib/config/substitute.h"

namespace spanway::render {
namespace {

constexpr int kUser = 65532;
constexpr std::uint64_t kMiB = 1u << 20;
constexpr int kSecretMode = 0440;  // Readable by the pod's group only.
constexpr char kConfigFolder[] = "/etc/spanway/config";
constexpr char kConfigVolume[] = "config";
constexpr char kDataVolume[] = "data";
constexpr char kSmallJobMemory[] = "128Mi";

const char* binary_of(Role role) {
  switch (role) {
    case Role::kIngress:
      return "/usr/bin/spanway-ingress";
    case Role::kBridge:
    case Role::kConsumer:
      return "/usr/bin/spanway-kafka-bridge";
    case Role::kExporter:
      return "/usr/bin/spanway-exporter";
    case Role::kQuery:
      return "/usr/bin/spanway-query";
  }
  return "";
}

const char* pull_policy(api::Image::PullPolicy policy) {
  constexpr std::array kNames = {"Always", "IfNotPresent", "Never"};
  return kNames[static_cast<std::size_t>(policy)];
}

std::string config_file() { return std::string(kConfigFolder) + "/" + kConfigKey; }

Json pod_security() {
  return {{"runAsNonRoot", true},
          {"runAsUser", kUser},
          {"runAsGroup", kUser},
          {"fsGroup", kUser},
          {"fsGroupChangePolicy", "OnRootMismatch"},
          {"seccompProfile", {{"type", "RuntimeDefault"}}}};
}

Json container_security() {
  return {{"allowPrivilegeEscalation", false},
          {"readOnlyRootFilesystem", true},
          {"runAsNonRoot", true},
          {"privileged", false},
          {"capabilities", {{"drop", Json::array({"ALL"})}}},
          {"seccompProfile", {{"type", "RuntimeDefault"}}}};
}

Json from_field(const char* name, const char* path) {
  return {{"name", name}, {"valueFrom", {{"fieldRef", {{"fieldPath", path}}}}}};
}

void add_variables(const api::PodTemplate& pods, Json& list) {
  for (const auto& [name, value] : pods.env) {
    if (name == "POD_NAME" || name == "GROUP_INSTANCE_ID") continue;
    list.push_back({{"name", name}, {"value", environment_literal(value)}});
  }
}

Json environment(const Context& context, const ComponentSpec& spec) {
  Json list = Json::array({from_field("POD_NAME", "metadata.name")});
  const std::string& cluster = context.facts.cluster_id;
  if (spec.id.role == Role::kConsumer && cluster.empty()) {
    list.push_back(from_field("GROUP_INSTANCE_ID", "metadata.name"));
  } else if (spec.id.role == Role::kConsumer) {
    list.push_back({{"name", "GROUP_INSTANCE_ID"}, {"value", cluster + "-$(POD_NAME)"}});
  }
  add_variables(*spec.pods, list);
  return list;
}

Json port(const char* name, int number) {
  return {{"name", name}, {"containerPort", number}, {"protocol", "TCP"}};
}

Json ports(const api::Pipeline& pipeline, Role role) {
  Json list = Json::array();
  switch (role) {
    case Role::kIngress:
      if (pipeline.spec.ingress.grpc_enabled) list.push_back(port("otlp-grpc", kIngressGrpcPort));
      if (pipeline.spec.ingress.http_enabled) list.push_back(port("otlp-http", kIngressHttpPort));
      break;
    case Role::kBridge:
      list.push_back(port("otlp-grpc", kBridgePort));
      break;
    case Role::kExporter:
      list.push_back(port("otlp-grpc", kExporterPort));
      break;
    case Role::kQuery:
      list.push_back(port("http", kQueryPort));
      list.push_back(port("jaeger-grpc", kQueryGrpcPort));
      break;
    case Role::kConsumer:
      break;
  }
  list.push_back(port("admin", kAdminPort));
  return list;
}

Json probe(const char* path, int period_seconds, int failures) {
  return {{"httpGet", {{"path", path}, {"port", "admin"}, {"scheme", "HTTP"}}},
          {"periodSeconds", period_seconds},
          {"timeoutSeconds", 2},
          {"failureThreshold", failures}};
}

// Readiness falls only when a pod stops, so a short period costs nothing and speeds up rollouts.
void add_probes(Json& container) {
  container["startupProbe"] = probe("/livez", 1, 60);
  container["readinessProbe"] = probe("/readyz", 5, 2);
  container["livenessProbe"] = probe("/livez", 10, 6);
}

std::string volume_name(const SecretMount& mount) {
  return "secret-" + kube::fingerprint(mount.folder).substr(0, 8);
}

Json secret_volume(const SecretMount& mount) {
  Json items = Json::array();
  for (const std::string& key : mount.keys) items.push_back({{"key", key}, {"path", key}});
  return {
      {"name", volume_name(mount)},
      {"secret", {{"secretName", mount.secret}, {"items", items}, {"defaultMode", kSecretMode}}}};
}

Json volumes(const std::string& config_map, const std::vector<SecretMount>& mounts) {
  Json list = Json::array({Json{{"name", kConfigVolume},
                                {"configMap", {{"name", config_map}, {"defaultMode", 0444}}}}});
  for (const SecretMount& mount : mounts) list.push_back(secret_volume(mount));
  return list;
}

Json volume_mounts(const std::vector<SecretMount>& mounts) {
  Json list = Json::array(
      {Json{{"name", kConfigVolume}, {"mountPath", kConfigFolder}, {"readOnly", true}}});
  for (const SecretMount& mount : mounts)
    list.push_back({{"name", volume_name(mount)}, {"mountPath", mount.folder}, {"readOnly", true}});
  return list;
}

// Only the `File` destination writes files. The kubelet evicts a pod that exceeds the volume, so
// its size is derived from the rotation.
void add_data_volume(const PodInput& input, Json& pod) {
  if (input.spec.id.role != Role::kExporter ||
      input.spec.exporter->destination.type != api::Destination::Type::kFile)
    return;
  Json volume = {{"name", kDataVolume}, {"emptyDir", Json::object()}};
  if (const std::optional<std::uint64_t> bytes = file_volume_bytes(input.config))
    volume["emptyDir"]["sizeLimit"] = std::to_string((*bytes + kMiB - 1) / kMiB) + "Mi";
  pod["volumes"].push_back(std::move(volume));
  pod["containers"][0]["volumeMounts"].push_back(
      {{"name", kDataVolume}, {"mountPath", api::kDataFolder}});
}

Json main_container(const Context& context, const PodInput& input,
                    const std::vector<SecretMount>& mounts) {
  Json container;
  container["name"] = to_string(input.spec.id.role);
  container["image"] = image_of(context);
  container["imagePullPolicy"] = pull_policy(context.pipeline.spec.image.pull_policy);
  container["command"] = Json::array({binary_of(input.spec.id.role)});
  container["args"] = Json::array({"--config", config_file()});
  container["env"] = environment(context, input.spec);
  container["ports"] = ports(context.pipeline, input.spec.id.role);
  container["resources"] = container_resources(input.spec);
  container["securityContext"] = container_security();
  container["terminationMessagePolicy"] = "FallbackToLogsOnError";
  container["volumeMounts"] = volume_mounts(mounts);
  add_probes(container);
  return container;
}

Json default_spread(const Json& selector) {
  return Json::array({{{"maxSkew", 1},
                       {"topologyKey", "kubernetes.io/hostname"},
                       {"whenUnsatisfiable", "ScheduleAnyway"},
                       {"labelSelector", {{"matchLabels", selector}}}}});
}

// Zones are not a second spread constraint: the scheduler leaves nodes without the zone's label out
// of the score of all constraints, and a cluster without zones would not spread over nodes either.
Json default_affinity(const Json& selector) {
  const Json term = {{"topologyKey", "topology.kubernetes.io/zone"},
                     {"labelSelector", {{"matchLabels", selector}}}};
  const Json preferred = Json::array({{{"weight", 100}, {"podAffinityTerm", term}}});
  return {{"podAntiAffinity", {{"preferredDuringSchedulingIgnoredDuringExecution", preferred}}}};
}

void add_placement(const Context& context, const ComponentSpec& spec, Json& pod) {
  const api::PodTemplate& pods = *spec.pods;
  const Json selector = component_selector(context, spec);
  if (!pods.node_selector.empty()) pod["nodeSelector"] = pods.node_selector;
  if (!pods.tolerations.is_null()) pod["tolerations"] = pods.tolerations;
  if (!pods.priority_class_name.empty()) pod["priorityClassName"] = pods.priority_class_name;
  pod["affinity"] = pods.affinity.is_null() ? default_affinity(selector) : pods.affinity;
  pod["topologySpreadConstraints"] = pods.topology_spread_constraints.is_null()
                                         ? default_spread(selector)
                                         : pods.topology_spread_constraints;
}

// Shared by every pod.
Json base_pod(const Context& context, const std::string& service_account) {
  Json pod;
  pod["serviceAccountName"] = service_account;
  pod["automountServiceAccountToken"] = false;
  pod["enableServiceLinks"] = false;
  pod["securityContext"] = pod_security();
  for (const std::string& secret : context.pipeline.spec.image.pull_secrets)
    pod["imagePullSecrets"].push_back({{"name", secret}});
  return pod;
}

std::int64_t seconds_up(Duration d) { return std::chrono::ceil<std::chrono::seconds>(d).count(); }

Json pod_spec(const Context& context, const PodInput& input,
              const std::vector<SecretMount>& mounts) {
  const api::PodTemplate& pods = *input.spec.pods;
  Json pod = base_pod(
      context, pods.service_account_name.empty() ? input.spec.object : pods.service_account_name);
  pod["containers"] = Json::array({main_container(context, input, mounts)});
  pod["volumes"] = volumes(input.config_map, mounts);
  add_data_volume(input, pod);
  add_placement(context, input.spec, pod);
  pod["terminationGracePeriodSeconds"] = pods.termination_grace_period_seconds > 0
                                             ? pods.termination_grace_period_seconds
                                             : seconds_up(shutdown_time(input.config));
  return pod;
}

Json pod_annotations(const Context& context, const ComponentSpec& spec,
                     const std::vector<SecretMount>& mounts) {
  Json annotations = spec.pods->annotations;
  if (annotations.is_null()) annotations = Json::object();
  const auto restart = context.pipeline.annotations.find(api::kRestartAnnotation);
  if (restart != context.pipeline.annotations.end())
    annotations[api::kRestartAnnotation] = restart->second;
  if (const std::string identity = secret_identity(context.facts, mounts); !identity.empty())
    annotations[api::kSecretsAnnotation] = identity;
  return annotations;
}

Json pod_labels(const Context& context, const ComponentSpec& spec) {
  Json labels = spec.pods->labels;
  if (labels.is_null()) labels = Json::object();
  labels.update(component_labels(
      context, spec));  // The operator's labels take precedence: selectors depend on them.
  labels[api::kTrackLabel] = kStableTrack;
  // Only on the object: on its pods a changed label would restart them.
  labels.erase("app.kubernetes.io/version");
  return labels;
}

// The mounted keys of "key=hash;key=hash": a label or another key of the Secret restarts no pod.
std::string identity_of_keys(const std::string& identity, const std::vector<std::string>& keys) {
  if (!identity.starts_with("uid=")) return identity;
  const std::string all = ";" + identity + ";";
  std::string out;
  for (const std::string& key : keys) {
    const std::size_t at = all.find(";" + key + "=");
    if (at == std::string::npos) continue;
    const std::size_t from = at + key.size() + 2;
    out += all.substr(from, all.find(';', from) - from);
  }
  return kube::fingerprint(Json(out));
}

}  // namespace

// The kubelet's $(NAME) has the escape of the services' ${...}.
std::string environment_literal(const std::string& text) { return config::escape_dollars(text); }

std::string secret_identity(const ClusterFacts& facts, const std::vector<SecretMount>& mounts) {
  std::map<std::string, std::string> identities;
  for (const SecretMount& mount : mounts) {
    const auto found = facts.secret_identities.find(mount.secret);
    if (!mount.reloaded && found != facts.secret_identities.end())
      identities[mount.secret] += identity_of_keys(found->second, mount.keys);
  }
  std::string text;
  for (const auto& [name, identity] : identities)
    text += (text.empty() ? "" : ",") + name + "=" + identity;
  return text;
}

std::string reloaded_secrets(const api::Pipeline& pipeline, const ClusterFacts& facts) {
  Json identities = Json::object();
  for (const ComponentSpec& spec : component_specs(pipeline)) {
    for (const SecretMount& mount : secret_mounts(pipeline, spec)) {
      const auto found = facts.secret_identities.find(mount.secret);
      if (!mount.reloaded || found == facts.secret_identities.end()) continue;
      identities[std::string(to_string(spec.id.role)) + "/" + spec.id.exporter + mount.folder] =
          identity_of_keys(found->second, mount.keys);
    }
  }
  return identities.empty() ? "" : kube::fingerprint(identities);
}

Json pod_template(const Context& context, const PodInput& input) {
  const std::vector<SecretMount> mounts = secret_mounts(context.pipeline, input.spec);
  Json tmpl;
  tmpl["metadata"]["labels"] = pod_labels(context, input.spec);
  tmpl["metadata"]["annotations"] = pod_annotations(context, input.spec, mounts);
  tmpl["spec"] = pod_spec(context, input, mounts);
  // The ConfigMap's name changes with its content, so the template covers the configuration.
  tmpl["metadata"]["annotations"][api::kRevisionAnnotation] = kube::fingerprint(tmpl);
  return tmpl;
}

Json canary_template(Json stable) {
  stable["metadata"]["labels"][api::kTrackLabel] = kCanaryTrack;
  Json& variables = stable["spec"]["containers"][0]["env"];
  Json kept = Json::array();
  for (const Json& variable : variables) {
    if (variable["name"] != "GROUP_INSTANCE_ID") kept.push_back(variable);
  }
  variables = std::move(kept);
  return stable;
}

namespace {

// Spread and zones are for workloads with several pods.
void add_job_placement(const api::PodTemplate& pods, Json& pod) {
  if (!pods.node_selector.empty()) pod["nodeSelector"] = pods.node_selector;
  if (!pods.tolerations.is_null()) pod["tolerations"] = pods.tolerations;
  if (!pods.priority_class_name.empty()) pod["priorityClassName"] = pods.priority_class_name;
  if (!pods.affinity.is_null()) pod["affinity"] = pods.affinity;
}

}  // namespace

Json job_template(const Context& context, const JobInput& input) {
  Json container;
  container["name"] = input.component;
  container["image"] = image_of(context);
  container["imagePullPolicy"] = pull_policy(context.pipeline.spec.image.pull_policy);
  container["command"] = Json::array({binary_of(input.program)});
  container["args"] = input.command;
  container["args"].push_back("--config");
  container["args"].push_back(config_file());
  container["env"] = Json::array({from_field("POD_NAME", "metadata.name")});
  if (input.with_env) add_variables(input.pods, container["env"]);
  container["resources"] = input.resources;
  container["securityContext"] = container_security();
  // The report is one line on standard output; on failure the last lines of the log follow.
  container["terminationMessagePolicy"] = "FallbackToLogsOnError";
  container["volumeMounts"] = volume_mounts(input.mounts);

  Json tmpl;
  Json labels = input.pods.labels;
  if (labels.is_null()) labels = Json::object();
  labels.update(input.labels);
  labels.erase("app.kubernetes.io/version");
  tmpl["metadata"]["labels"] = std::move(labels);
  if (!input.pods.annotations.empty()) tmpl["metadata"]["annotations"] = input.pods.annotations;
  tmpl["spec"] = base_pod(context, input.service_account);
  add_job_placement(input.pods, tmpl["spec"]);
  tmpl["spec"]["containers"] = Json::array({container});
  tmpl["spec"]["volumes"] = volumes(input.config_map, input.mounts);
  tmpl["spec"]["restartPolicy"] = "Never";
  tmpl["spec"]["terminationGracePeriodSeconds"] = 5;
  return tmpl;
}

Json small_job_resources(const api::PodTemplate& pods) {
  Json resources = {{"requests", {{"cpu", "20m"}, {"memory", "64Mi"}}},
                    {"limits", {{"memory", kSmallJobMemory}}}};
  const Json* cpu = kube::find(pods.resources, "limits/cpu");
  if (cpu == nullptr) return resources;
  resources["limits"]["cpu"] = *cpu;
  // A request must not be above its limit.
  const auto limit =
      cpu->is_string() ? kube::parse_quantity(cpu->get_ref<const std::string&>()) : std::nullopt;
  constexpr double kRequestedCpu = 0.02;
  if (limit && *limit < kRequestedCpu) resources["requests"]["cpu"] = *cpu;
  return resources;
}

}  // namespace spanway::render
