#include "operator/render/workload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/render/object_parts.h"
#include "tests/unit/operator_render/objects.h"

namespace spanway::render {
namespace {

using testing::Contains;
using testing::Not;

TEST(Workloads, ReplicasAreLeftToWhomeverScales) {
  const Rendering scaled = rendered(sample("autoscaled"));
  for (const Component& component : scaled.components) {
    EXPECT_TRUE(component.replicas_elsewhere);
    EXPECT_TRUE(at(component.workload.object, "spec/replicas").is_null());
  }
  EXPECT_EQ(component_of(scaled, Role::kIngress).replicas, 2);
  const Rendering plain = rendered(quickstart());
  for (const Component& component : plain.components) {
    EXPECT_FALSE(component.replicas_elsewhere);
    EXPECT_EQ(at(component.workload.object, "spec/replicas"), 1);
  }
}

TEST(Workloads, OfAPausedExporterHasNoConsumersAndNoAutoscaler) {
  const Rendering rendering = rendered(sample("paused"));
  const Component& consumer = component_of(rendering, Role::kConsumer, "zipkin");
  EXPECT_EQ(at(consumer.workload.object, "spec/replicas"), 0);
  EXPECT_FALSE(consumer.replicas_elsewhere);
  EXPECT_EQ(at(component_of(rendering, Role::kExporter, "zipkin").workload.object, "spec/replicas"),
            1);
}

TEST(Workloads, ConsumersAreStaticMembersThatStartTogether) {
  const Rendering rendering = rendered(quickstart());
  const Component& consumer = component_of(rendering, Role::kConsumer, "tempo");
  EXPECT_TRUE(consumer.stateful);
  const Json& object = consumer.workload.object;
  EXPECT_EQ(at(object, "spec/podManagementPolicy"), "Parallel");
  EXPECT_EQ(at(object, "spec/serviceName"), "quickstart-tempo-consumer");
  EXPECT_EQ(at(by_name(container_of(object)["env"]).at("GROUP_INSTANCE_ID"),
               "valueFrom/fieldRef/fieldPath"),
            "metadata.name");
}

TEST(Workloads, OfTheOthersTakeNothingAwayBeforeItsSuccessorIsReady) {
  for (const Component& component : rendered(quickstart()).components) {
    if (component.stateful) continue;
    EXPECT_EQ(at(component.workload.object, "spec/strategy/rollingUpdate"),
              Json({{"maxSurge", 1}, {"maxUnavailable", 0}}));
  }
}

TEST(Scaling, ByCpuFollowsThePipeline) {
  const Rendering rendering = rendered(sample("autoscaled"));
  const Json& scaler =
      support_of(component_of(rendering, Role::kIngress), kube::kHorizontalPodAutoscalers);
  EXPECT_EQ(
      at(scaler, "spec/scaleTargetRef"),
      Json({{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", "autoscaled-ingress"}}));
  EXPECT_EQ(at(scaler, "spec/minReplicas"), 2);
  EXPECT_EQ(at(scaler, "spec/maxReplicas"), 10);
  EXPECT_EQ(at(scaler, "spec/metrics/0/resource/target/averageUtilization"), 60);
  EXPECT_EQ(at(scaler, "spec/behavior/scaleDown/stabilizationWindowSeconds"), 120);
}

TEST(DisruptionBudget, NeverHoldsUpANodeForever) {
  for (const auto& [name, budget] : of_kind(rendered(quickstart()), kube::kPodDisruptionBudgets))
    EXPECT_EQ(at(budget, "spec/maxUnavailable"), 1) << name;  // minAvailable 1 of 1 would.
}

TEST(Template, OfThePipelineIsLaidOverThePods) {
  const Rendering rendering = rendered(sample("pods"));
  const Json& object = component_of(rendering, Role::kIngress).workload.object;
  const Json& pods = at(object, "spec/template");
  EXPECT_EQ(at(pods, "metadata/labels/team"), "platform");
  EXPECT_EQ(at(pods, "metadata/annotations/example.com~1note"), "hello");
  EXPECT_EQ(at(pods, "spec/nodeSelector/kubernetes.io~1arch"), "amd64");
  EXPECT_EQ(at(pods, "spec/tolerations/0/key"), "telemetry");
  EXPECT_EQ(at(pods, "spec/priorityClassName"), "high");
  EXPECT_EQ(at(pods, "spec/serviceAccountName"), "telemetry");
  EXPECT_EQ(at(pods, "spec/terminationGracePeriodSeconds"), 60);
  EXPECT_EQ(at(pods, "spec/imagePullSecrets/0/name"), "pull");
  const Json& container = container_of(object);
  EXPECT_EQ(container["image"], "registry.example.com/spanway:1.2.3");
  EXPECT_EQ(container["imagePullPolicy"], "Always");
  EXPECT_EQ(at(container, "resources/limits/cpu"), "1");
  const auto variables = by_name(container["env"]);
  EXPECT_EQ(at(variables.at("TZ"), "value"), "Europe/Berlin");
  // The kubelet turns $$ into $ and expands $(NAME).
  EXPECT_EQ(at(variables.at("MIXED"), "value"), "a$$(POD_NAME)$$$$b$$");
  // A ServiceAccount of the user's is not ours to make.
  EXPECT_THAT(names_of(of_kind(rendering, kube::kServiceAccounts)), Not(Contains("telemetry")));
  EXPECT_THAT(names_of(of_kind(rendering, kube::kServiceAccounts)), Not(Contains("pods-ingress")));
  // For the ingress only.
  EXPECT_TRUE(at(component_of(rendering, Role::kBridge).workload.object,
                 "spec/template/spec/priorityClassName")
                  .is_null());
}

TEST(Template, ReplacesThePlacement) {
  api::Pipeline pipeline = quickstart();
  api::PodTemplate& pods = pipeline.spec.ingress.pods;
  pods.affinity = {{"nodeAffinity", Json::object()}};
  pods.topology_spread_constraints = Json::array();
  const Rendering rendering = rendered(pipeline);
  const Json& spec =
      at(component_of(rendering, Role::kIngress).workload.object, "spec/template/spec");
  EXPECT_EQ(spec["affinity"], pods.affinity);  // No anti-affinity of ours beside it.
  EXPECT_EQ(spec["topologySpreadConstraints"], Json::array());
}

TEST(Template, CannotOverrideTheOperatorsFields) {
  api::Pipeline pipeline = quickstart();
  api::PodTemplate& pods = pipeline.spec.exporters[0].consumer.pods;
  pods.labels = {{api::kComponentLabel, "ingress"}, {"app.kubernetes.io/name", "theirs"}};
  pods.annotations = {{api::kRevisionAnnotation, "theirs"}};
  pods.env = {{"GROUP_INSTANCE_ID", "theirs"}, {"POD_NAME", "theirs"}};
  const Rendering rendering = rendered(pipeline);
  const Component& consumer = component_of(rendering, Role::kConsumer, "tempo");
  const Json& tmpl = at(consumer.workload.object, "spec/template");
  EXPECT_EQ(at(tmpl, "metadata/labels/spanway.dev~1component"), "consumer");
  EXPECT_EQ(at(tmpl, "metadata/labels/app.kubernetes.io~1name"), "spanway");
  EXPECT_EQ(at(tmpl, "metadata/annotations/spanway.dev~1revision"), consumer.revision);
  for (const Json& variable : container_of(consumer.workload.object)["env"])
    EXPECT_TRUE(variable.contains("valueFrom")) << variable;
}

TEST(Image, IsTheOperatorsUnlessThePipelineNamesAnother) {
  api::Pipeline pipeline = quickstart();
  ClusterFacts facts = sample_facts();
  facts.image_repository = "registry:5000/ours";
  facts.version = "9.9.9";
  const auto image = [&] { return image_of({pipeline, facts}); };
  EXPECT_EQ(image(), "registry:5000/ours:9.9.9");
  pipeline.spec.image.tag = "1";
  EXPECT_EQ(image(), "registry:5000/ours:1");
  pipeline.spec.image.repository = "theirs";
  pipeline.spec.image.digest = "sha256:" + std::string(64, 'a');
  EXPECT_EQ(image(), "theirs@sha256:" + std::string(64, 'a'));
}

TEST(FileDestination, HasSpaceForAllItsFiles) {
  api::Pipeline pipeline = sample("file");
  const auto limit = [&pipeline] {
    const Rendering rendering = rendered(pipeline);
    const Json& pods =
        at(component_of(rendering, Role::kExporter, "archive").workload.object, "spec/template");
    return kube::string_at(by_name(at(pods, "spec/volumes")).at("data"), "emptyDir/sizeLimit");
  };
  // Three signals, ten files and the open one, and what waits: 3 * 11 * 100 MiB + 64 MiB.
  EXPECT_EQ(limit(), "3364Mi");
  pipeline.spec.exporters[0].config = {
      {"destination",
       {{"file",
         {{"rotate", {{"bytes_max", "1MiB"}, {"files_max", 2}}}, {"queue_bytes_max", "5MiB"}}}}}};
  EXPECT_EQ(limit(), "14Mi");
  pipeline.spec.exporters[0].destination.endpoint = "/var/lib/spanway/all.jsonl";
  EXPECT_EQ(limit(), "8Mi");
}

}  // namespace
}  // namespace spanway::render
