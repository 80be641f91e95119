#include "operator/render/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/operator_render/objects.h"

namespace spanway::render {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// The live objects once everything has been applied, without canaries.
std::vector<Json> applied(const Rendering& rendering) {
  std::vector<Json> live;
  for (const Manifest& manifest : rendering.shared) live.push_back(manifest.object);
  if (rendering.topics_job) live.push_back(rendering.topics_job->object);
  for (const MigrateJob& migrate : rendering.migrate_jobs) live.push_back(migrate.job.object);
  for (const Component& component : rendering.components) {
    for (const Manifest& manifest : component.support) live.push_back(manifest.object);
    live.push_back(component.workload.object);
  }
  // Fields that the API server adds.
  for (Json& object : live) {
    object["metadata"]["uid"] = "u";
    object["metadata"]["resourceVersion"] = "7";
    object["metadata"]["managedFields"] = Json::array({Json::object()});
    object["status"] = {{"replicas", 1}};
  }
  return live;
}

class Planned {
 public:
  Planned(const api::Pipeline& before, const api::Pipeline& after,
          const ClusterFacts& facts = sample_facts())
      : Planned(applied(rendered(before)), render(after, facts)) {}
  Planned(const std::vector<Json>& live, const Rendering& desired)
      : changes_(plan(desired, live)) {}

  // "name: why" of all workloads whose pods restart.
  std::vector<std::string> restarts() const {
    std::vector<std::string> out;
    for (const Change& change : changes_) {
      if (change.restarts_pods) out.push_back(change.manifest.key().name + ": " + change.why);
    }
    return out;
  }
  // "Kind name" of all changes of a kind.
  std::vector<std::string> of(Change::Kind kind) const {
    std::vector<std::string> out;
    for (const Change& change : changes_) {
      if (change.kind == kind)
        out.push_back(std::string(change.manifest.type.kind) + " " + change.manifest.key().name);
    }
    return out;
  }
  const Change& on(const std::string& kind, const std::string& name) const {
    const auto found = std::find_if(changes_.begin(), changes_.end(), [&](const Change& change) {
      return change.manifest.type.kind == kind && change.manifest.key().name == name;
    });
    EXPECT_NE(found, changes_.end()) << kind << " " << name;
    return *found;
  }
  std::string text() const { return to_text(changes_); }

 private:
  std::vector<Change> changes_;
};

using Kind = Change::Kind;

TEST(Plan, ForAnEmptyClusterCreatesEverythingAndRestartsNothing) {
  const Rendering rendering = rendered(quickstart());
  const Planned planned(std::vector<Json>{}, rendering);
  EXPECT_EQ(planned.of(Kind::kCreate).size(), applied(rendering).size());
  EXPECT_THAT(planned.restarts(), IsEmpty());
  EXPECT_THAT(planned.text(), HasSubstr("+ create Deployment quickstart-ingress\n"));
  EXPECT_THAT(planned.text(), HasSubstr(" to create, 0 to change, 0 to delete, 0 unchanged\n"
                                        "no pods restart\n"));
}

TEST(Plan, OfTheLiveStateIsEmpty) {
  for (const NamedPipeline& sample : sample_pipelines()) {
    const Planned planned(sample.pipeline, sample.pipeline);
    EXPECT_THAT(planned.of(Kind::kCreate), IsEmpty()) << sample.name;
    EXPECT_THAT(planned.of(Kind::kUpdate), IsEmpty()) << sample.name;
    EXPECT_THAT(planned.of(Kind::kDelete), IsEmpty()) << sample.name;
    EXPECT_THAT(planned.restarts(), IsEmpty()) << sample.name;
    EXPECT_THAT(planned.text(), AllOf(HasSubstr("0 to create"), HasSubstr("no pods restart")));
  }
}

TEST(Plan, NamesTheSettingsThatRestartPods) {
  api::Pipeline after = quickstart();
  after.spec.ingress.config = {{"limits", {{"body_bytes_max", "32MiB"}, {"streams_max", 7}}}};
  const Planned planned(quickstart(), after);
  EXPECT_THAT(planned.restarts(), ElementsAre("quickstart-ingress: configuration: "
                                              "limits.body_bytes_max, limits.streams_max"));
  EXPECT_THAT(planned.text(), HasSubstr("pods restart: quickstart-ingress\n"));
  EXPECT_THAT(planned.of(Kind::kCreate), ElementsAre(HasSubstr("ConfigMap quickstart-ingress-")));
  EXPECT_THAT(planned.of(Kind::kDelete), ElementsAre(HasSubstr("ConfigMap quickstart-ingress-")));
}

TEST(Plan, TruncatesLongListsOfSettings) {
  api::Pipeline after = quickstart();
  after.spec.ingress.config = {{"limits",
                                {{"streams_max", 7},
                                 {"connections_max", 7},
                                 {"header_count_max", 70},
                                 {"value_depth_max", 7},
                                 {"json_depth_max", 70},
                                 {"submessages_max", 70'000}}}};
  EXPECT_THAT(Planned(quickstart(), after).restarts(), ElementsAre(HasSubstr(" and 1 more")));
}

TEST(Plan, ListsThePodsThatASharedSettingRestarts) {
  api::Pipeline after = quickstart();
  after.spec.kafka.bootstrap_servers = "other:9092";
  EXPECT_THAT(Planned(quickstart(), after).restarts(),
              ElementsAre("quickstart-tempo-consumer: configuration: kafka.brokers",
                          "quickstart-bridge: configuration: kafka.brokers"));
}

TEST(Plan, OfScalingAloneRestartsNothing) {
  api::Pipeline after = quickstart();
  after.spec.ingress.replicas = 4;
  after.spec.exporters[0].autoscaling = api::CpuAutoscaling{2, 5, 60, 60};
  after.spec.exporters[0].consumer.autoscaling = api::LagAutoscaling{2, 5, 60, 60};
  const Planned planned(quickstart(), after);
  EXPECT_THAT(planned.restarts(), IsEmpty());
  EXPECT_EQ(planned.on("Deployment", "quickstart-ingress").why, "replicas: 1 to 4");
  EXPECT_THAT(planned.of(Kind::kCreate), ElementsAre("HorizontalPodAutoscaler quickstart-tempo"));
  EXPECT_THAT(planned.of(Kind::kUpdate), ElementsAre("Deployment quickstart-ingress"));
}

// Replicas set by an autoscaler are no difference.
TEST(Plan, LeavesReplicasToTheAutoscaler) {
  std::vector<Json> live = applied(rendered(sample("autoscaled")));
  for (Json& object : live) {
    if (kube::string_at(object, "kind") == "Deployment") object["spec"]["replicas"] = 9;
  }
  EXPECT_THAT(Planned(live, rendered(sample("autoscaled"))).of(Kind::kUpdate), IsEmpty());
}

TEST(Plan, OfANewImageNamesTheImage) {
  api::Pipeline after = quickstart();
  after.spec.image.digest = "sha256:" + std::string(64, 'a');
  const std::vector<std::string> restarts = Planned(quickstart(), after).restarts();
  EXPECT_EQ(restarts.size(), 4u);
  EXPECT_THAT(restarts, Contains("quickstart-ingress: image"));
}

TEST(Plan, OfAChangedSecretNamesIt) {
  ClusterFacts facts = sample_facts();
  facts.secret_identities["kafka-login"] = "uid-of-kafka-login/2";
  EXPECT_THAT(Planned(sample("secured"), sample("secured"), facts).restarts(),
              ElementsAre("secured-tempo-consumer: Secret kafka-login changed",
                          "secured-bridge: Secret kafka-login changed"));
}

TEST(Plan, OfACertificateThatIsReadAgainRestartsNothing) {
  ClusterFacts facts = sample_facts();
  facts.secret_identities["otlp-tls"] = "renewed";
  facts.secret_identities["tempo-ca"] = "renewed";
  const Planned planned(sample("secured"), sample("secured"), facts);
  EXPECT_THAT(planned.restarts(), IsEmpty());
  EXPECT_THAT(planned.of(Kind::kUpdate), IsEmpty());
}

TEST(Plan, OfARequestedRestartNamesIt) {
  api::Pipeline after = quickstart();
  after.annotations[api::kRestartAnnotation] = "2026-01-01";
  const std::vector<std::string> restarts = Planned(quickstart(), after).restarts();
  EXPECT_EQ(restarts.size(), 4u);
  EXPECT_THAT(restarts, Contains("quickstart-bridge: a restart was requested"));
}

TEST(Plan, OfPodSettingsNamesThem) {
  api::Pipeline after = quickstart();
  after.spec.produce.pods.priority_class_name = "high";
  EXPECT_THAT(Planned(quickstart(), after).restarts(),
              ElementsAre("quickstart-bridge: pod template: spec/priorityClassName"));
}

// All of several reasons are reported.
TEST(Plan, JoinsReasons) {
  api::Pipeline after = quickstart();
  after.spec.produce.pods.env = {{"TZ", "UTC"}};
  after.spec.produce.compression = api::Produce::Compression::kZstd;
  after.spec.produce.replicas = 3;
  EXPECT_THAT(Planned(quickstart(), after).restarts(),
              ElementsAre(AllOf(HasSubstr("configuration: producer.compression"),
                                HasSubstr("pod template: spec/containers/0/env"),
                                HasSubstr("replicas: 1 to 3"))));
}

TEST(Plan, OfARemovedExporterDeletesItsObjectsOnly) {
  api::Pipeline after = sample("fan-out");
  after.spec.exporters.erase(after.spec.exporters.begin() + 1);
  const Planned planned(sample("fan-out"), after);
  const std::vector<std::string> deleted = planned.of(Kind::kDelete);
  EXPECT_THAT(deleted, Contains("Deployment fan-out-zipkin"));
  EXPECT_THAT(deleted, Contains("StatefulSet fan-out-zipkin-consumer"));
  EXPECT_THAT(deleted, Contains("Service fan-out-zipkin"));
  EXPECT_THAT(deleted, Contains("NetworkPolicy fan-out-zipkin"));
  EXPECT_THAT(deleted, testing::Each(HasSubstr("fan-out-zipkin")));
  EXPECT_THAT(planned.restarts(), IsEmpty());
  EXPECT_THAT(planned.of(Kind::kCreate), IsEmpty());
  EXPECT_THAT(planned.of(Kind::kUpdate), IsEmpty());
}

TEST(Plan, DeletesNothingOfOthers) {
  std::vector<Json> live = applied(rendered(quickstart()));
  api::Pipeline other = quickstart();
  other.name = "other";
  for (Json& object : applied(rendered(other))) live.push_back(std::move(object));
  // Objects of the same Pipeline, but of a foreign kind, and a canary, which its rollout removes.
  Json foreign = {
      {"apiVersion", "example.com/v1"},
      {"kind", "Thing"},
      {"metadata",
       {{"name", "x"}, {"namespace", "shop"}, {"labels", {{api::kPipelineLabel, "quickstart"}}}}}};
  live.push_back(foreign);
  live.push_back(rendered(quickstart()).components[0].canary.object);
  EXPECT_THAT(Planned(live, rendered(quickstart())).of(Kind::kDelete), IsEmpty());
}

TEST(Plan, PutsDriftBack) {
  std::vector<Json> live = applied(rendered(quickstart()));
  for (Json& object : live) {
    if (kube::string_at(object, "kind") == "PodDisruptionBudget")
      object["spec"]["maxUnavailable"] = 0;
    // A field that the operator does not state is its owner's.
    object["metadata"]["annotations"]["example.com/note"] = "kept";
  }
  const Planned planned(live, rendered(quickstart()));
  EXPECT_EQ(planned.of(Kind::kUpdate).size(), 4u);
  EXPECT_THAT(planned.on("PodDisruptionBudget", "quickstart-ingress").fields,
              ElementsAre("spec/maxUnavailable"));
  EXPECT_THAT(planned.restarts(), IsEmpty());
}

TEST(Plan, RestoringForeignPodChangesRestartsThem) {
  std::vector<Json> live = applied(rendered(quickstart()));
  for (Json& object : live) {
    if (kube::string_at(object, "metadata/name") == "quickstart-ingress" &&
        kube::string_at(object, "kind") == "Deployment")
      object["spec"]["template"]["spec"]["containers"][0]["image"] = "theirs";
  }
  EXPECT_THAT(Planned(live, rendered(quickstart())).restarts(),
              ElementsAre("quickstart-ingress: image"));
}

TEST(Plan, NamesTheFieldsOfAChange) {
  api::Pipeline after = quickstart();
  after.spec.ingress.service.type = api::IngressService::Type::kLoadBalancer;
  const Planned planned(quickstart(), after);
  EXPECT_THAT(planned.on("Service", "quickstart-ingress").fields, ElementsAre("spec/type"));
  EXPECT_THAT(planned.text(), HasSubstr("~ change Service quickstart-ingress\n    spec/type\n"));
}

TEST(Plan, NeverShowsTheContentOfASecret) {
  ClusterFacts facts = sample_facts();
  facts.secret_identities["kafka-login"] = "uid-of-kafka-login/2";
  EXPECT_THAT(Planned(sample("secured"), sample("secured"), facts).text(),
              Not(HasSubstr("uid-of-kafka-login/2")));
}

}  // namespace
}  // namespace spanway::render
