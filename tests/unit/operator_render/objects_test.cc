// Properties of the objects of any Pipeline.
#include "tests/unit/operator_render/objects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "operator/render/service_config.h"

namespace spanway::render {
namespace {

using testing::Contains;
using testing::ElementsAre;

class EverySample : public testing::TestWithParam<NamedPipeline> {
 protected:
  const api::Pipeline& pipeline() const { return GetParam().pipeline; }
  const Rendering rendering_ = rendered(GetParam().pipeline);
};

std::string name_of(const testing::TestParamInfo<NamedPipeline>& info) {
  std::string name = info.param.name;
  std::erase(name, '-');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Samples, EverySample, testing::ValuesIn(sample_pipelines()), name_of);

TEST_P(EverySample, ObjectsBelongToThePipeline) {
  for (const Manifest& manifest : all_manifests(rendering_)) {
    const Json& object = manifest.object;
    SCOPED_TRACE(kube::to_text(object["metadata"]));
    EXPECT_EQ(kube::string_at(object, "kind"), manifest.type.kind);
    EXPECT_EQ(kube::string_at(object, "apiVersion"), manifest.type.api_version());
    EXPECT_EQ(kube::string_at(object, "metadata/namespace"), "shop");
    const Json& owners = at(object, "metadata/ownerReferences");
    ASSERT_EQ(owners.size(), 1u);
    EXPECT_EQ(owners[0], Json({{"apiVersion", "spanway.dev/v1alpha1"},
                               {"kind", "Pipeline"},
                               {"name", GetParam().name},
                               {"uid", pipeline().uid},
                               {"controller", true},
                               {"blockOwnerDeletion", true}}));
    const Json& labels = at(object, "metadata/labels");
    EXPECT_EQ(labels["app.kubernetes.io/managed-by"], "spanway-operator");
    EXPECT_EQ(labels["app.kubernetes.io/instance"], GetParam().name);
    EXPECT_EQ(labels[api::kPipelineLabel], GetParam().name);
    EXPECT_TRUE(at(object, "metadata/managedFields").is_null());
    EXPECT_TRUE(at(object, "status").is_null());
  }
}

// A Pipeline from a file has no uid, and the API server refuses an owner without one.
TEST(Objects, OfAPipelineWithoutUidHaveNoOwner) {
  api::Pipeline pipeline = quickstart();
  pipeline.uid = "";
  for (const Manifest& manifest : all_manifests(rendered(pipeline)))
    EXPECT_FALSE(manifest.object["metadata"].contains("ownerReferences")) << manifest.key().name;
}

// The "restricted" profile of the Pod Security Standards, and the requirements beyond it.
TEST_P(EverySample, PodsAreConfined) {
  for (const Manifest& manifest : all_manifests(rendering_)) {
    const Json* pods = pod_template_of(manifest.object);
    if (pods == nullptr) continue;
    SCOPED_TRACE(manifest.key().name);
    const Json& pod = (*pods)["spec"];
    EXPECT_EQ(at(pod, "securityContext/runAsNonRoot"), true);
    EXPECT_GT(kube::int_at(pod, "securityContext/runAsUser"), 0);
    EXPECT_EQ(at(pod, "securityContext/seccompProfile/type"), "RuntimeDefault");
    EXPECT_EQ(at(pod, "enableServiceLinks"), false);
    EXPECT_EQ(at(pod, "automountServiceAccountToken"), false);
    for (const char* never : {"hostNetwork", "hostPID", "hostIPC", "initContainers", "hostAliases"})
      EXPECT_FALSE(pod.contains(never)) << never;
    ASSERT_EQ(at(pod, "containers").size(), 1u);
    const Json& security = at(pod, "containers/0/securityContext");
    EXPECT_EQ(security["allowPrivilegeEscalation"], false);
    EXPECT_EQ(security["readOnlyRootFilesystem"], true);
    EXPECT_EQ(security["runAsNonRoot"], true);
    EXPECT_EQ(at(security, "capabilities/drop"), Json::array({"ALL"}));
    EXPECT_TRUE(at(security, "capabilities/add").is_null());
    EXPECT_EQ(at(security, "seccompProfile/type"), "RuntimeDefault");
    EXPECT_EQ(at(pod, "containers/0/terminationMessagePolicy"), "FallbackToLogsOnError");
    EXPECT_FALSE(kube::string_at(pod, "containers/0/resources/limits/memory").empty());
  }
}

TEST_P(EverySample, VolumesAreMountedFilesAndBoundedSpace) {
  const std::map<std::string, Json> files = of_kind(rendering_, kube::kConfigMaps);
  const std::vector<std::string> secrets = referenced_secrets(pipeline());
  for (const Manifest& manifest : all_manifests(rendering_)) {
    const Json* pods = pod_template_of(manifest.object);
    if (pods == nullptr) continue;
    SCOPED_TRACE(manifest.key().name);
    const std::map<std::string, Json> mounts = by_name(at(*pods, "spec/containers/0/volumeMounts"));
    for (const auto& [name, volume] : by_name(at(*pods, "spec/volumes"))) {
      ASSERT_TRUE(mounts.contains(name)) << name;
      EXPECT_EQ(volume.size(), 2u) << volume;
      if (volume.contains("configMap")) {
        EXPECT_TRUE(files.contains(kube::string_at(volume, "configMap/name"))) << volume;
        EXPECT_EQ(at(mounts.at(name), "readOnly"), true);
      } else if (volume.contains("secret")) {
        EXPECT_THAT(secrets, Contains(kube::string_at(volume, "secret/secretName")));
        EXPECT_FALSE(at(volume, "secret/items").empty()) << "all keys would be mounted";
        EXPECT_EQ(at(volume, "secret/defaultMode"), 0440);
        EXPECT_EQ(at(mounts.at(name), "readOnly"), true);
      } else {
        EXPECT_FALSE(kube::string_at(volume, "emptyDir/sizeLimit").empty()) << volume;
      }
    }
  }
}

TEST_P(EverySample, NoSecretIsAnEnvironmentVariable) {
  for (const Manifest& manifest : all_manifests(rendering_)) {
    const Json* pods = pod_template_of(manifest.object);
    if (pods == nullptr) continue;
    const Json& container = at(*pods, "spec/containers/0");
    EXPECT_FALSE(container.contains("envFrom"));
    for (const Json& variable : container["env"])
      EXPECT_TRUE(at(variable, "valueFrom/secretKeyRef").is_null()) << variable;
  }
}

TEST_P(EverySample, ProbesAskTheAdminPort) {
  for (const Component& component : rendering_.components) {
    const Json& container = container_of(component.workload.object);
    const std::map<std::string, Json> ports = by_name(container["ports"]);
    ASSERT_TRUE(ports.contains("admin"));
    for (const auto& [probe, path] :
         {std::pair("startupProbe", "/livez"), std::pair("livenessProbe", "/livez"),
          std::pair("readinessProbe", "/readyz")}) {
      EXPECT_EQ(at(container, std::string(probe) + "/httpGet/port"), "admin");
      EXPECT_EQ(at(container, std::string(probe) + "/httpGet/path"), path);
    }
  }
}

TEST_P(EverySample, ThereIsTimeToDrain) {
  for (const Component& component : rendering_.components) {
    const ComponentSpec spec = component_spec(pipeline(), component.id);
    const std::int64_t grace =
        kube::int_at(component.workload.object, "spec/template/spec/terminationGracePeriodSeconds");
    EXPECT_GE(std::chrono::seconds(grace), shutdown_time(service_config(pipeline(), spec)))
        << spec.object;
  }
}

TEST_P(EverySample, PodsAreSpreadOverNodesAndZones) {
  for (const Component& component : rendering_.components) {
    const Json& pods = at(component.workload.object, "spec/template");
    const Json& labels = at(pods, "metadata/labels");
    // One constraint only: of several, a node must have the labels of all to be scored for any.
    const Json& spread = at(pods, "spec/topologySpreadConstraints");
    ASSERT_EQ(spread.size(), 1u);
    EXPECT_EQ(spread[0]["topologyKey"], "kubernetes.io/hostname");
    EXPECT_EQ(spread[0]["whenUnsatisfiable"], "ScheduleAnyway");  // One node must do.
    EXPECT_TRUE(selects(at(spread[0], "labelSelector/matchLabels"), labels));
    const Json& term = at(pods,
                          "spec/affinity/podAntiAffinity/"
                          "preferredDuringSchedulingIgnoredDuringExecution/0/podAffinityTerm");
    EXPECT_EQ(term["topologyKey"], "topology.kubernetes.io/zone");
    EXPECT_TRUE(selects(at(term, "labelSelector/matchLabels"), labels));
  }
}

TEST_P(EverySample, EachSelectorFindsItsOwnPodsOnly) {
  for (const Component& component : rendering_.components) {
    const Json& stable = component.workload.object;
    const Json& canary = component.canary.object;
    for (const Json* workload : {&stable, &canary})
      EXPECT_TRUE(selects(at(*workload, "spec/selector/matchLabels"),
                          at(*workload, "spec/template/metadata/labels")));
    EXPECT_FALSE(selects(at(stable, "spec/selector/matchLabels"),
                         at(canary, "spec/template/metadata/labels")));
    EXPECT_FALSE(selects(at(canary, "spec/selector/matchLabels"),
                         at(stable, "spec/template/metadata/labels")));
    for (const Manifest& manifest : component.support) {
      const bool is_service = manifest.type == kube::kServices;
      if (!is_service && manifest.type != kube::kPodDisruptionBudgets) continue;
      const Json& selector =
          at(manifest.object, is_service ? "spec/selector" : "spec/selector/matchLabels");
      for (const Component& other : rendering_.components) {
        EXPECT_EQ(selects(selector, at(other.workload.object, "spec/template/metadata/labels")),
                  other.id == component.id)
            << manifest.key().name;
        // A broken canary must not use up the budget of the stable pods.
        EXPECT_EQ(selects(selector, at(other.canary.object, "spec/template/metadata/labels")),
                  is_service && other.id == component.id)
            << manifest.key().name;
      }
      if (rendering_.topics_job) {
        EXPECT_FALSE(
            selects(selector, at(rendering_.topics_job->object, "spec/template/metadata/labels")));
      }
    }
  }
}

// The selector of a workload can never be changed again.
TEST_P(EverySample, SelectorsUseNamesOnly) {
  for (const Component& component : rendering_.components) {
    for (const Json* workload : {&component.workload.object, &component.canary.object}) {
      for (const auto& [key, value] : at(*workload, "spec/selector/matchLabels").items())
        EXPECT_THAT((std::vector<std::string>{api::kPipelineLabel, api::kComponentLabel,
                                              api::kExporterLabel, api::kTrackLabel}),
                    Contains(key));
    }
  }
}

TEST_P(EverySample, ServicePortsLeadToPortsOfThePods) {
  for (const Component& component : rendering_.components) {
    const std::map<std::string, Json> ports =
        by_name(container_of(component.workload.object)["ports"]);
    for (const Manifest& manifest : component.support) {
      if (manifest.type != kube::kServices) continue;
      for (const Json& port : at(manifest.object, "spec/ports"))
        EXPECT_TRUE(ports.contains(kube::string_at(port, "targetPort"))) << port;
    }
  }
}

TEST_P(EverySample, TheRevisionStandsOnWorkloadAndPods) {
  for (const Component& component : rendering_.components) {
    for (const Json* workload : {&component.workload.object, &component.canary.object}) {
      EXPECT_EQ(kube::string_at(*workload, "metadata/annotations/spanway.dev~1revision"),
                component.revision);
      EXPECT_EQ(
          kube::string_at(*workload, "spec/template/metadata/annotations/spanway.dev~1revision"),
          component.revision);
    }
  }
}

TEST_P(EverySample, ACanaryIsOnePodThatReplacesNothing) {
  for (const Component& component : rendering_.components) {
    const Json& canary = component.canary.object;
    EXPECT_EQ(kube::string_at(canary, "kind"), "Deployment");
    EXPECT_EQ(at(canary, "spec/replicas"), component.replicas > 0 ? 1 : 0);
    EXPECT_FALSE(by_name(container_of(canary)["env"]).contains("GROUP_INSTANCE_ID"));
    EXPECT_EQ(container_of(canary)["image"], container_of(component.workload.object)["image"]);
  }
}

TEST_P(EverySample, ComponentsComeInTheOrderOfARollout) {
  std::vector<Role> roles;
  for (const Component& component : rendering_.components) roles.push_back(component.id.role);
  EXPECT_TRUE(std::is_sorted(roles.begin(), roles.end()));
  const std::size_t others = pipeline().spec.query ? 3 : 2;
  EXPECT_EQ(roles.size(), 2 * pipeline().spec.exporters.size() + others);
}

TEST(Objects, OfEachComponentAreComplete) {
  const Rendering rendering = rendered(sample("autoscaled"));
  EXPECT_THAT(names_of(of_kind(rendering, kube::kDeployments)),
              ElementsAre("autoscaled-bridge", "autoscaled-bridge-canary", "autoscaled-ingress",
                          "autoscaled-ingress-canary", "autoscaled-tempo",
                          "autoscaled-tempo-canary", "autoscaled-tempo-consumer-canary"));
  EXPECT_THAT(names_of(of_kind(rendering, kube::kStatefulSets)),
              ElementsAre("autoscaled-tempo-consumer"));
  EXPECT_THAT(names_of(of_kind(rendering, kube::kServices)),
              ElementsAre("autoscaled-bridge", "autoscaled-ingress", "autoscaled-ingress-admin",
                          "autoscaled-tempo", "autoscaled-tempo-consumer"));
  const auto components = {"autoscaled-bridge", "autoscaled-ingress", "autoscaled-tempo",
                           "autoscaled-tempo-consumer"};
  EXPECT_EQ(names_of(of_kind(rendering, kube::kPodDisruptionBudgets)),
            std::vector<std::string>(components.begin(), components.end()));
  EXPECT_THAT(names_of(of_kind(rendering, kube::kHorizontalPodAutoscalers)),
              ElementsAre("autoscaled-bridge", "autoscaled-ingress", "autoscaled-tempo"));
  EXPECT_THAT(names_of(of_kind(rendering, kube::kServiceAccounts)),
              ElementsAre("autoscaled-bridge", "autoscaled-ingress", "autoscaled-tempo",
                          "autoscaled-tempo-consumer", "autoscaled-topics"));
}

TEST(Objects, TheClusterIdSeparatesGroupsAndInstancesOfTwoClusters) {
  ClusterFacts facts = sample_facts();
  facts.cluster_id = "eu1";
  const Rendering rendering = render(quickstart(), facts);
  const Component& consumer =
      component_of(rendering, Role::kConsumer, quickstart().spec.exporters[0].name);
  const std::string file = config_file_of(consumer);
  EXPECT_THAT(file, testing::HasSubstr("spanway.eu1."));
  EXPECT_THAT(file, testing::HasSubstr("spanway-eu1-"));
  const auto env = by_name(at(container_of(consumer.workload.object), "env"));
  EXPECT_EQ(kube::string_at(env.at("GROUP_INSTANCE_ID"), "value"), "eu1-$(POD_NAME)");
  EXPECT_FALSE(
      by_name(at(container_of(consumer.canary.object), "env")).contains("GROUP_INSTANCE_ID"));
}

TEST(Objects, ThePrefixStandsBeforeTheNameOfEachTopic) {
  api::Pipeline pipeline = quickstart();
  pipeline.spec.kafka.topics.prefix = "mine.";
  const std::string file =
      config_file_of(component_of(render(pipeline, sample_facts()), Role::kBridge));
  for (const char* topic : {"mine.otel.traces", "mine.otel.metrics", "mine.otel.logs"})
    EXPECT_THAT(file, testing::HasSubstr(topic));
}

TEST(Objects, NoLabelOfAPodNamesTheVersion) {
  for (const Manifest& manifest : all_manifests(rendered(sample("secured")))) {
    const Json* pods = pod_template_of(manifest.object);
    if (pods == nullptr) continue;
    EXPECT_EQ(kube::find(*pods, "metadata/labels/app.kubernetes.io~1version"), nullptr)
        << manifest.key().name;
  }
}

// A Job's template cannot be changed, so whatever it depends on is part of its name.
// The rules of a policy that let in at a port.

}  // namespace
}  // namespace spanway::render
