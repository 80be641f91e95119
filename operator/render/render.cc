#include "operator/render/render.h"

#include <array>

#include "operator/api/yaml.h"
#include "operator/render/monitoring.h"
#include "operator/render/network_policies.h"
#include "operator/render/pod_template.h"
#include "operator/render/query_routes.h"
#include "operator/render/service_config.h"
#include "operator/render/services.h"
#include "operator/render/storage_jobs.h"
#include "operator/render/topics_job.h"
#include "operator/render/workload.h"

namespace spanway::render {
namespace {

Component render_component(const Context& context, const ComponentSpec& spec) {
  const Json labels = component_labels(context, spec);
  const Json config = service_config(context.pipeline, spec);
  Component out;
  out.id = spec.id;
  out.stateful = spec.id.role == Role::kConsumer;
  out.replicas = spec.replicas;
  out.replicas_elsewhere = spec.is_autoscaled();

  out.support.push_back(config_map(context, spec.object, api::to_yaml(config), labels));
  const Json pods = pod_template(context, {spec, config, out.support.back().key().name});
  if (spec.pods->service_account_name.empty())
    out.support.push_back(service_account(context, spec.object, labels));
  for (Manifest& service : component_services(context, spec))
    out.support.push_back(std::move(service));
  out.support.push_back(disruption_budget(context, spec));
  if (spec.cpu_autoscaling != nullptr && spec.cpu_autoscaling->has_value())
    out.support.push_back(cpu_autoscaler(context, spec));
  if (spec.id.role == Role::kQuery)
    for (Manifest& route : query_routes(context, spec)) out.support.push_back(std::move(route));

  out.workload = stable_workload(context, spec, pods);
  out.canary = canary_workload(context, spec, pods);
  out.revision = kube::string_at(pods, "metadata/annotations/spanway.dev~1revision");
  return out;
}

}  // namespace

std::span<const kube::ResourceType> rendered_kinds() {
  static constexpr std::array kKinds = {kube::kConfigMaps,
                                        kube::kServices,
                                        kube::kServiceAccounts,
                                        kube::kDeployments,
                                        kube::kStatefulSets,
                                        kube::kJobs,
                                        kube::kCronJobs,
                                        kube::kHorizontalPodAutoscalers,
                                        kube::kPodDisruptionBudgets,
                                        kube::kNetworkPolicies,
                                        kube::kIngresses,
                                        kube::kHttpRoutes,
                                        kube::kServiceMonitors,
                                        kube::kPrometheusRules};
  return kKinds;
}

std::string revision_of(const std::map<std::string, std::string>& revisions) {
  return kube::fingerprint(Json(revisions));
}

Rendering render(const api::Pipeline& of, const ClusterFacts& facts) {
  api::Pipeline pipeline = of;
  pipeline.cluster_id = facts.cluster_id;
  const Context context{pipeline, facts};
  Rendering out;
  std::map<std::string, std::string> revisions;  // The order of exporters says nothing.
  for (const ComponentSpec& spec : component_specs(pipeline)) {
    out.components.push_back(render_component(context, spec));
    revisions[spec.object] = out.components.back().revision;
  }
  out.revision = revision_of(revisions);
  out.shared = network_policies(context);
  for (Manifest& manifest : monitoring(context)) out.shared.push_back(std::move(manifest));
  if (std::optional<TopicsJob> topics = topics_job(context)) {
    for (Manifest& manifest : topics->support) out.shared.push_back(std::move(manifest));
    out.topics_job = std::move(topics->job);
  }
  StorageJobs jobs = storage_jobs(context);
  for (Manifest& manifest : jobs.support) out.shared.push_back(std::move(manifest));
  out.migrate_jobs = std::move(jobs.migrate);
  return out;
}

}  // namespace spanway::render
