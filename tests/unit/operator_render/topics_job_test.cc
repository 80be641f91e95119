#include "operator/render/topics_job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/unit/operator_render/objects.h"

namespace spanway::render {
namespace {

TEST(TopicsJob, FollowsThePipeline) {
  const auto args = [](const std::string& name) {
    const Rendering rendering = rendered(sample(name));
    return rendering.topics_job
               ? at(rendering.topics_job->object, "spec/template/spec/containers/0/args")
               : Json();
  };
  const Json file = Json::array({"--config", "/etc/spanway/config/config.yaml"});
  const auto with_file = [&file](Json command) {
    command.insert(command.end(), file.begin(), file.end());
    return command;
  };
  EXPECT_EQ(args("quickstart"), with_file(Json::array({"topics", "apply"})));
  EXPECT_EQ(args("public"), with_file(Json::array({"topics", "apply", "--create-only"})));
  EXPECT_EQ(args("verify"), with_file(Json::array({"topics", "verify"})));
  EXPECT_TRUE(args("bare").is_null());
}

TEST(TopicsJob, IsAnotherOneWhenThereIsSomethingToDo) {
  api::Pipeline pipeline = sample("secured");
  ClusterFacts facts = sample_facts();
  const auto name = [&] { return render(pipeline, facts).topics_job->key().name; };
  const std::string before = name();
  std::set<std::string> names = {before};

  pipeline.spec.ingress.replicas = 7;
  facts.secret_identities["otlp-tls"] = "other";
  EXPECT_EQ(name(), before) << "nothing to do with topics";

  pipeline.spec.kafka.topics.partitions = 24;
  EXPECT_TRUE(names.insert(name()).second);
  facts.secret_identities["kafka-login"] = "uid-of-kafka-login/2";
  EXPECT_TRUE(names.insert(name()).second);
  pipeline.annotations[api::kForceCheckAnnotation] = "now";
  EXPECT_TRUE(names.insert(name()).second);
  pipeline.spec.kafka.topics.management = api::Topics::Management::kVerify;
  EXPECT_TRUE(names.insert(name()).second);
}

// A quota that asks for CPU limits, or nodes with taints, must not keep it from starting.
TEST(TopicsJob, IsPlacedAndLimitedAsTheProducingBridge) {
  api::Pipeline pipeline = quickstart();
  api::PodTemplate& pods = pipeline.spec.produce.pods;
  pods.annotations["sidecar.istio.io/inject"] = "false";
  pods.node_selector["pool"] = "telemetry";
  pods.tolerations = Json::array({{{"key", "telemetry"}, {"operator", "Exists"}}});
  pods.priority_class_name = "high";
  pods.resources = {{"limits", {{"cpu", "2"}, {"memory", "1Gi"}}}};
  const Json object = rendered(pipeline).topics_job->object;
  EXPECT_EQ(at(object, "spec/template/metadata/annotations/sidecar.istio.io~1inject"), "false");
  EXPECT_EQ(at(object, "spec/template/spec/nodeSelector/pool"), "telemetry");
  EXPECT_EQ(at(object, "spec/template/spec/tolerations/0/key"), "telemetry");
  EXPECT_EQ(at(object, "spec/template/spec/priorityClassName"), "high");
  EXPECT_EQ(at(object, "spec/template/spec/containers/0/resources/limits/cpu"), "2");
  EXPECT_EQ(at(object, "spec/template/spec/containers/0/resources/limits/memory"), "128Mi")
      << "what it needs";
}

TEST(TopicsJob, EndsByItself) {
  const Json object = rendered(quickstart()).topics_job->object;
  EXPECT_GT(kube::int_at(object, "spec/activeDeadlineSeconds"), 0);
  // It stays until another takes its place: its result is part of the status.
  EXPECT_EQ(kube::find(object, "spec/ttlSecondsAfterFinished"), nullptr);
  EXPECT_EQ(at(object, "spec/template/spec/restartPolicy"), "Never");
  // All tries of a minute, and the waits between them, end before the deadline does.
  const std::int64_t retries = kube::int_at(object, "spec/backoffLimit");
  std::int64_t seconds = 60;
  for (std::int64_t i = 0; i < retries; ++i) seconds += 60 + (10 << i);
  EXPECT_LT(seconds, kube::int_at(object, "spec/activeDeadlineSeconds"));
}

}  // namespace
}  // namespace spanway::render
