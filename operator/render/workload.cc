#include "operator/render/workload.h"

#include "operator/render/pod_template.h"

namespace spanway::render {
namespace {

constexpr int kHistory = 2;  // The operator keeps the last good configuration itself.

bool is_stateful(const ComponentSpec& spec) { return spec.id.role == Role::kConsumer; }

// New pods first: an old pod is removed when its successor is ready.
Json rolling_update() {
  return {{"type", "RollingUpdate"}, {"rollingUpdate", {{"maxSurge", 1}, {"maxUnavailable", 0}}}};
}

// Consumers go one after the other and keep their partitions while they restart.
void add_stateful_fields(const ComponentSpec& spec, Json& body) {
  body["serviceName"] = spec.object;
  body["podManagementPolicy"] = "Parallel";
  body["updateStrategy"] = {{"type", "RollingUpdate"}, {"rollingUpdate", {{"partition", 0}}}};
}

Json scale_down(std::int64_t stabilization_seconds) {
  return {{"stabilizationWindowSeconds", stabilization_seconds},
          {"selectPolicy", "Max"},
          {"policies", Json::array({Json{{"type", "Percent"}, {"value", 50}, {"periodSeconds", 60}},
                                    Json{{"type", "Pods"}, {"value", 1}, {"periodSeconds", 60}}})}};
}

Json scale_up() {
  return {
      {"stabilizationWindowSeconds", 0},
      {"selectPolicy", "Max"},
      {"policies", Json::array({Json{{"type", "Percent"}, {"value", 100}, {"periodSeconds", 15}},
                                Json{{"type", "Pods"}, {"value", 4}, {"periodSeconds", 15}}})}};
}

}  // namespace

Manifest stable_workload(const Context& context, const ComponentSpec& spec, const Json& pods) {
  Manifest manifest =
      make_manifest(context, is_stateful(spec) ? kube::kStatefulSets : kube::kDeployments,
                    spec.object, component_labels(context, spec));
  manifest.object["metadata"]["labels"][api::kTrackLabel] = kStableTrack;
  manifest.object["metadata"]["annotations"][api::kRevisionAnnotation] =
      kube::string_at(pods, std::string("metadata/annotations/spanway.dev~1revision"));
  Json& body = manifest.object["spec"];
  body["selector"]["matchLabels"] = track_selector(context, spec, kStableTrack);
  body["template"] = pods;
  body["revisionHistoryLimit"] = kHistory;
  if (!spec.is_autoscaled()) body["replicas"] = spec.replicas;
  if (is_stateful(spec)) {
    add_stateful_fields(spec, body);
  } else {
    body["strategy"] = rolling_update();
  }
  return manifest;
}

Manifest canary_workload(const Context& context, const ComponentSpec& spec, const Json& pods) {
  Manifest manifest = make_manifest(context, kube::kDeployments, spec.object + "-canary",
                                    component_labels(context, spec));
  manifest.object["metadata"]["labels"][api::kTrackLabel] = kCanaryTrack;
  manifest.object["metadata"]["annotations"][api::kRevisionAnnotation] =
      kube::string_at(pods, "metadata/annotations/spanway.dev~1revision");
  Json& body = manifest.object["spec"];
  body["replicas"] = spec.replicas > 0 ? 1 : 0;
  body["selector"]["matchLabels"] = track_selector(context, spec, kCanaryTrack);
  body["template"] = canary_template(pods);
  body["strategy"] = {{"type", "Recreate"}};
  body["revisionHistoryLimit"] = 0;
  return manifest;
}

// One pod at a time; a pod that is not ready never blocks a node drain. The canary is not selected:
// a broken one must not use up the budget of the stable pods.
Manifest disruption_budget(const Context& context, const ComponentSpec& spec) {
  Manifest manifest = make_manifest(context, kube::kPodDisruptionBudgets, spec.object,
                                    component_labels(context, spec));
  manifest.object["spec"] = {
      {"maxUnavailable", 1},
      {"unhealthyPodEvictionPolicy", "AlwaysAllow"},
      {"selector", {{"matchLabels", track_selector(context, spec, kStableTrack)}}}};
  return manifest;
}

Manifest cpu_autoscaler(const Context& context, const ComponentSpec& spec) {
  const api::CpuAutoscaling& scaling = **spec.cpu_autoscaling;
  Manifest manifest = make_manifest(context, kube::kHorizontalPodAutoscalers, spec.object,
                                    component_labels(context, spec));
  Json& body = manifest.object["spec"];
  body["scaleTargetRef"] = {{"apiVersion", kube::kDeployments.api_version()},
                            {"kind", kube::kDeployments.kind},
                            {"name", spec.object}};
  body["minReplicas"] = scaling.min_replicas;
  body["maxReplicas"] = scaling.max_replicas;
  body["metrics"] = Json::array(
      {Json{{"type", "Resource"},
            {"resource",
             {{"name", "cpu"},
              {"target",
               {{"type", "Utilization"},
                {"averageUtilization", scaling.target_cpu_utilization_percentage}}}}}}});
  body["behavior"] = {{"scaleUp", scale_up()},
                      {"scaleDown", scale_down(scaling.scale_down_stabilization_seconds)}};
  return manifest;
}

}  // namespace spanway::render
