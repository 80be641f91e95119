#include "operator/reconcile/controller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "tests/unit/operator_reconcile/controller_fixture.h"

namespace spanway::reconcile {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

class ControllerTest : public testing::Test {
 protected:
  std::vector<std::string> writes_without_status() {
    std::vector<std::string> out;
    for (const std::string& write : bench_.kube.writes())
      if (!write.starts_with("patch pipelines/status")) out.push_back(write);
    return out;
  }
  Json object() const { return bench_.kube.at(kube::kPipelines, {"team", "p"}); }
  Json deployment(const char* name) const {
    return bench_.kube.at(kube::kDeployments, {"team", name});
  }
  // Consumers of 12 partitions report `lag`, which outlives this.
  void report_lag(const double& lag) {
    bench_.statusz.answer = [&lag](const std::string& pod) {
      StatuszReport report;
      report.ready = report.answered = report.kafka_reachable = true;
      report.has_destination = report.destination_reachable = true;
      if (pod.find("consumer") == std::string::npos) return report;
      TopicReport& topic = report.topics.emplace_back();
      topic.name = "otel.traces";
      topic.partitions = 12;
      for (int i = 0; i < 6; ++i) {
        PartitionReport& partition = report.partitions.emplace_back();
        partition.topic = "otel.traces";
        partition.partition = i;
        partition.lag_messages = 1000;
        partition.lag_seconds = lag;
      }
      return report;
    };
  }
  static Json pipeline_that_scales_by_lag() {
    Json object = Bench::pipeline();
    object["spec"]["exporters"][0]["consumer"]["autoscaling"] = {
        {"minReplicas", 2}, {"maxReplicas", 6}, {"targetLagSeconds", 10}};
    return object;
  }
  std::int64_t consumers() const {
    return kube::int_at(bench_.kube.at(kube::kStatefulSets, {"team", "p-tempo-consumer"}),
                        "spec/replicas");
  }
  Bench bench_;
};

TEST_F(ControllerTest, InstallsEverythingAndRecordsItAsGood) {
  bench_.install();
  EXPECT_THAT(bench_.kube.names(kube::kDeployments),
              testing::UnorderedElementsAre("p-ingress", "p-bridge", "p-tempo"));
  EXPECT_THAT(bench_.kube.names(kube::kStatefulSets), testing::ElementsAre("p-tempo-consumer"));
  EXPECT_THAT(bench_.kube.names(kube::kConfigMaps), Contains("p-last-good"));
  EXPECT_THAT(bench_.condition("Ready"), StartsWith("True"));
  EXPECT_THAT(bench_.condition("ConfigValid"), StartsWith("True"));
  EXPECT_FALSE(rollout_memory(bench_.status()).last_good_revision.empty());
  EXPECT_TRUE(bench_.has_event("RolloutStarted"));
  EXPECT_TRUE(bench_.has_event("RolloutComplete"));
  EXPECT_THAT(bench_.errors, IsEmpty());
}

TEST_F(ControllerTest, WritesNothingAtRest) {
  bench_.install();
  bench_.kube.forget_writes();
  for (int i = 0; i < 20; ++i) {
    bench_.resync();
    bench_.pass(std::chrono::seconds(30), std::chrono::seconds(30));
  }
  EXPECT_THAT(bench_.kube.writes(), IsEmpty());
}

TEST_F(ControllerTest, NothingIsRenderedAtRest) {
  bench_.install();
  bench_.resync();  // What was applied last is found to hold.
  const std::size_t before = bench_.controller->renderings();
  const std::size_t gets = bench_.kube.read_count("get");
  const std::size_t looks = bench_.reconciliations;
  for (int i = 0; i < 5; ++i) bench_.resync();
  // Pods come and go, and say something else: that is not what they are made of.
  bench_.kube.erase(kube::kPods, {"team", "p-tempo-consumer-0"});
  bench_.pass(std::chrono::seconds(30));
  bench_.statusz.answer = [](const std::string&) { return StatuszReport{}; };
  bench_.pass(std::chrono::seconds(60));
  EXPECT_GT(bench_.reconciliations, looks + 5);
  EXPECT_EQ(bench_.controller->renderings(), before);
  EXPECT_EQ(bench_.kube.read_count("get"), gets) << "no object is read again";
}

TEST_F(ControllerTest, WhatCountsForARenderingIsRenderedAnew) {
  bench_.kube.put(kube::kSecrets, {{"metadata", {{"name", "kafka-user"}, {"namespace", "team"}}},
                                   {"data", {{"password", "YQ=="}}}});
  Json pipeline = Bench::pipeline();
  pipeline["spec"]["kafka"]["authentication"] = {
      {"type", "ScramSha512"},
      {"username", "u"},
      {"passwordSecretKeyRef", {{"name", "kafka-user"}, {"key", "password"}}}};
  bench_.install(pipeline);
  const auto is_rendered_after = [this](const std::function<void()>& change) {
    bench_.resync();
    const std::size_t before = bench_.controller->renderings();
    change();
    bench_.resync();
    return bench_.controller->renderings() > before;
  };
  const auto annotate = [this](const char* name, const char* value) {
    bench_.kube.edit(kube::kPipelines, {"team", "p"},
                     {{"metadata", {{"annotations", {{name, value}}}}}}, "kubectl");
  };
  EXPECT_FALSE(is_rendered_after([] {}));
  EXPECT_TRUE(is_rendered_after([&] { bench_.change({{"ingress", {{"replicas", 2}}}}); }));
  EXPECT_TRUE(is_rendered_after([&] { annotate(api::kRestartAnnotation, "1"); }));
  EXPECT_TRUE(is_rendered_after([&] { annotate(api::kForceCheckAnnotation, "1"); }));
  EXPECT_TRUE(is_rendered_after([&] {
    bench_.kube.put(kube::kSecrets, {{"metadata", {{"name", "kafka-user"}, {"namespace", "team"}}},
                                     {"data", {{"password", "Yg=="}}}});
    bench_.secrets->poll();
  }));
  EXPECT_TRUE(is_rendered_after([&] {
    bench_.kube.erase(kube::kConfigMaps, {"team", "p-last-good"});
  })) << "what there is to go back to";
  EXPECT_FALSE(is_rendered_after([] {}));
}

TEST_F(ControllerTest, EveryKindOfObjectIsPutBackHoweverLongItHasRested) {
  Json pipeline = Bench::pipeline();
  pipeline["spec"]["ingress"]["autoscaling"] = {{"minReplicas", 2}, {"maxReplicas", 10}};
  bench_.install(pipeline);
  for (int i = 0; i < 3; ++i) bench_.resync();
  struct Change {
    kube::ResourceType type;
    const char* name;
    Json patch;
  };
  const Json label = {
      {"metadata",
       {{"labels", {{api::kPipelineLabel, "p"}, {"app.kubernetes.io/component", "x"}}}}}};
  for (const auto& [type, name, patch] :
       {Change{kube::kDeployments, "p-bridge", {{"spec", {{"replicas", 7}}}}},
        Change{kube::kStatefulSets, "p-tempo-consumer", label},
        Change{kube::kServices, "p-ingress", {{"spec", {{"type", "NodePort"}}}}},
        Change{kube::kPodDisruptionBudgets, "p-ingress", label},
        Change{kube::kHorizontalPodAutoscalers, "p-ingress", {{"spec", {{"maxReplicas", 99}}}}},
        Change{kube::kServiceAccounts, "p-ingress", {{"automountServiceAccountToken", true}}}}) {
    const auto made_of = [&, type = type, name = name] {
      Json object = bench_.kube.at(type, {"team", name});
      object.erase("status");
      for (const char* field : {"resourceVersion", "generation"}) object["metadata"].erase(field);
      return object;
    };
    const Json before = made_of();
    for (int again = 0; again < 2; ++again) {
      bench_.kube.edit(type, {"team", name}, patch, "somebody");
      ASSERT_NE(made_of(), before) << type.plural;
      bench_.pass(std::chrono::seconds(10));
      EXPECT_EQ(made_of(), before) << type.plural;
    }
    bench_.kube.erase(type, {"team", name});
    bench_.pass(std::chrono::seconds(10));
    EXPECT_FALSE(bench_.kube.at(type, {"team", name}).is_null()) << type.plural;
  }
}

TEST_F(ControllerTest, AScalingChangeTouchesOneObjectAndNoPod) {
  bench_.install();
  const auto pods = bench_.kube.names(kube::kPods);
  bench_.kube.forget_writes();
  bench_.change({{"ingress", {{"replicas", 2}}}});
  bench_.pass(std::chrono::seconds(60));
  EXPECT_EQ(kube::int_at(deployment("p-ingress"), "spec/replicas"), 2);
  for (const std::string& write : writes_without_status())
    EXPECT_THAT(write, HasSubstr("p-ingress"));
  for (const std::string& pod : pods) EXPECT_THAT(bench_.kube.names(kube::kPods), Contains(pod));
}

TEST_F(ControllerTest, AMistakeTouchesNothingThatRuns) {
  bench_.install();
  bench_.kube.forget_writes();
  bench_.change({{"ingress", {{"config", {{"no_such_key", 1}}}}}});
  bench_.pass(std::chrono::seconds(30));
  EXPECT_THAT(writes_without_status(), IsEmpty());
  EXPECT_THAT(bench_.condition("ConfigValid"), StartsWith("False"));
  EXPECT_THAT(bench_.message("ConfigValid"), HasSubstr("no_such_key"));
  bench_.change({{"ingress", {{"config", nullptr}}}});
  bench_.pass(std::chrono::seconds(30));
  EXPECT_THAT(bench_.condition("ConfigValid"), StartsWith("True"));
}

// What is refused is not rolled out, and what runs is not left alone for it.
TEST_F(ControllerTest, WithARefusedSpecTheLastGoodOneIsReconciled) {
  bench_.install();
  const std::string before = bench_.revision_of(kube::kDeployments, "p-ingress");
  bench_.change({{"ingress", {{"config", {{"no_such_key", 1}}}}}});
  bench_.pass(std::chrono::seconds(30));
  bench_.kube.erase(kube::kDeployments, {"team", "p-bridge"});
  bench_.kube.edit(kube::kDeployments, {"team", "p-ingress"}, {{"spec", {{"replicas", 7}}}}, "x");
  bench_.pass(std::chrono::seconds(30));
  EXPECT_FALSE(deployment("p-bridge").is_null()) << "repaired";
  EXPECT_NE(kube::int_at(deployment("p-ingress"), "spec/replicas"), 7);
  EXPECT_EQ(bench_.revision_of(kube::kDeployments, "p-ingress"), before);
  bench_.statusz.answer = [](const std::string&) {
    StatuszReport report;
    report.ready = report.answered = true;
    report.last_error = "connection refused";
    return report;
  };
  bench_.pass(std::chrono::seconds(60));
  EXPECT_EQ(bench_.condition("Ready"), "False: KafkaUnreachable") << "its conditions are fresh";
  EXPECT_EQ(bench_.condition("Stalled"), "True: ConfigInvalid");
  bench_.kube.forget_writes();
  for (int i = 0; i < 5; ++i) bench_.resync();
  bench_.pass(std::chrono::seconds(120), std::chrono::seconds(30));
  EXPECT_THAT(bench_.kube.writes(), IsEmpty()) << "and rests";
}

TEST_F(ControllerTest, ARefusedSpecTakesAHalfRolledOutRevisionBack) {
  bench_.install();
  const std::string good = bench_.revision_of(kube::kDeployments, "p-tempo");
  bench_.change({{"kafka", {{"bootstrapServers", "other:9092"}}},
                 {"exporters", Json::array({[] {
                    Json exporter = Bench::exporter("tempo");
                    exporter["destination"]["endpoint"] = "other:4317";
                    return exporter;
                  }()})}});
  for (int i = 0; i < 60 && bench_.revision_of(kube::kDeployments, "p-tempo") == good; ++i)
    bench_.pass(std::chrono::seconds(5));
  ASSERT_NE(bench_.revision_of(kube::kDeployments, "p-tempo"), good);
  bench_.change({{"ingress", {{"config", {{"no_such_key", 1}}}}}});
  bench_.pass(std::chrono::seconds(60));
  EXPECT_EQ(bench_.revision_of(kube::kDeployments, "p-tempo"), good);
  for (const std::string& name : bench_.kube.names(kube::kDeployments))
    EXPECT_THAT(name, Not(HasSubstr("canary")));
}

TEST_F(ControllerTest, ASecretThatIsDeletedStopsNothing) {
  const Json secret = {{"metadata", {{"name", "kafka-user"}, {"namespace", "team"}}}};
  bench_.kube.put(kube::kSecrets, secret);
  Json pipeline = Bench::pipeline();
  pipeline["spec"]["kafka"]["authentication"] = {
      {"type", "ScramSha512"},
      {"username", "u"},
      {"passwordSecretKeyRef", {{"name", "kafka-user"}, {"key", "password"}}}};
  bench_.install(pipeline);
  const std::string before = bench_.revision_of(kube::kDeployments, "p-bridge");
  bench_.kube.erase(kube::kSecrets, {"team", "kafka-user"});
  bench_.secrets->poll();
  bench_.pass(std::chrono::seconds(30));
  EXPECT_EQ(bench_.condition("ConfigValid"), "False: SecretMissing");
  EXPECT_THAT(bench_.condition("Ready"), StartsWith("True")) << "its pods run on";
  bench_.kube.erase(kube::kDeployments, {"team", "p-bridge"});
  bench_.change({{"ingress", {{"replicas", 2}}}});
  bench_.pass(std::chrono::seconds(30));
  EXPECT_EQ(bench_.revision_of(kube::kDeployments, "p-bridge"), before) << "repaired as it was";
  EXPECT_EQ(kube::int_at(deployment("p-ingress"), "spec/replicas"), 2) << "the others go on";
}

TEST_F(ControllerTest, PodsThatHaveEndedAreAnEventAndNothingElse) {
  bench_.install();
  Json pod;
  for (const Json& one : bench_.kube.all(kube::kPods))
    if (kube::string_at(one, "metadata/name").find("p-ingress") == 0) pod = one;
  ASSERT_FALSE(pod.is_null());
  Json evicted = pod;
  evicted["metadata"]["name"] = "p-ingress-evicted";
  for (const char* field : {"uid", "resourceVersion", "ownerReferences"})
    evicted["metadata"].erase(field);
  evicted["status"] = {{"phase", "Failed"},
                       {"reason", "Evicted"},
                       {"message", "low on memory"},
                       {"podIP", "10.0.0.9"}};
  bench_.kube.put(kube::kPods, evicted, "kubelet");
  std::set<std::string> asked;
  const auto answer = bench_.statusz.answer;
  bench_.statusz.answer = [&](const std::string& name) {
    asked.insert(name);
    return answer(name);
  };
  bench_.pass(std::chrono::seconds(180));
  EXPECT_THAT(asked, Contains(HasSubstr("p-ingress")));
  EXPECT_THAT(asked, Not(Contains(HasSubstr("evicted"))));
  EXPECT_EQ(bench_.event("PodFailed"), "pod p-ingress-evicted: Evicted: low on memory");
  EXPECT_EQ(std::count_if(bench_.events_seen.begin(), bench_.events_seen.end(),
                          [](const Announcement& one) { return one.reason == "PodFailed"; }),
            1);
  EXPECT_THAT(bench_.condition("Degraded"), StartsWith("False"));
}

TEST_F(ControllerTest, TheTopicsJobRunsAgainWhenPodsMissATopicAndNotTooOften) {
  bench_.install();
  const auto answer = bench_.statusz.answer;
  bench_.statusz.answer = [&](const std::string& pod) {
    StatuszReport report = answer(pod);
    if (pod.find("bridge") != std::string::npos)
      report.topics.push_back({.name = "otel.traces", .error = "Broker: Unknown topic"});
    return report;
  };
  const auto jobs_made = [this] {
    const auto writes = bench_.kube.writes();
    return std::count_if(writes.begin(), writes.end(),
                         [](const std::string& write) { return write.starts_with("apply jobs"); });
  };
  bench_.kube.forget_writes();
  bench_.pass(std::chrono::seconds(60));
  EXPECT_EQ(bench_.condition("TopicsReady"), "False: TopicMissing");
  EXPECT_EQ(bench_.condition("Ready"), "False: TopicMissing");
  EXPECT_TRUE(bench_.has_event("TopicMissing"));
  EXPECT_GE(jobs_made(), 1);
  bench_.pass(std::chrono::seconds(1800), std::chrono::seconds(10));
  EXPECT_LE(jobs_made(), 8) << "backed off";
  bench_.statusz.answer = answer;
  bench_.pass(std::chrono::seconds(60));
  EXPECT_THAT(bench_.condition("Ready"), StartsWith("True"));
}

TEST_F(ControllerTest, TheRecordOfTheLastGoodSpecIsMadeAgainAtRest) {
  bench_.install();
  bench_.pass(std::chrono::seconds(60));
  const Json before = bench_.kube.at(kube::kConfigMaps, {"team", "p-last-good"})["data"];
  bench_.events_seen.clear();
  bench_.kube.erase(kube::kConfigMaps, {"team", "p-last-good"});
  bench_.pass(std::chrono::seconds(10));
  EXPECT_EQ(bench_.kube.at(kube::kConfigMaps, {"team", "p-last-good"})["data"], before);
  EXPECT_FALSE(bench_.has_event("RolloutComplete")) << "nothing was rolled out";
}

TEST_F(ControllerTest, WhatAPipelineLeftAsOrphansIsAdopted) {
  bench_.install();
  std::map<std::string, Json> left;
  const auto kinds = bench_.stores->kinds();
  std::vector<std::pair<kube::ResourceType, Json>> objects;
  for (const kube::ResourceType& type : kinds) {
    for (Json object : bench_.kube.all(type)) {
      object["metadata"].erase("ownerReferences");
      object["metadata"].erase("resourceVersion");
      objects.emplace_back(type, std::move(object));
    }
  }
  bench_.kube.erase(kube::kPipelines, {"team", "p"});
  bench_.pass(std::chrono::seconds(5));
  for (auto& [type, object] : objects) bench_.kube.put(type, object);
  bench_.install();
  EXPECT_THAT(bench_.condition("Degraded"), Not(HasSubstr("ApplyFailed")));
  EXPECT_THAT(bench_.condition("Ready"), StartsWith("True"));
  EXPECT_EQ(kube::string_at(deployment("p-ingress"), "metadata/ownerReferences/0/uid"),
            kube::string_at(object(), "metadata/uid"));
}

TEST_F(ControllerTest, AStatusThatIsEditedByHandIsWrittenAnew) {
  bench_.install();
  bench_.pass(std::chrono::seconds(60));
  const Json before = bench_.status();
  const auto pods = bench_.kube.names(kube::kPods);
  ASSERT_TRUE(
      bench_.kube
          .merge_patch(
              kube::kPipelines, {"team", "p"},
              {{"status",
                {{"config", {{"lastGoodRevision", "made-up"}, {"failedRevision", "nonsense"}}}}}},
              "status")
          .ok());
  ASSERT_NE(bench_.status()["config"], before["config"]);
  bench_.pass(std::chrono::seconds(30));
  EXPECT_EQ(bench_.status()["config"], before["config"]);
  EXPECT_EQ(bench_.kube.names(kube::kPods), pods) << "nothing was rolled";
}

TEST_F(ControllerTest, AnAutoscalerWithoutMetricsIsSaid) {
  Json pipeline = Bench::pipeline();
  pipeline["spec"]["ingress"]["autoscaling"] = {{"minReplicas", 2}, {"maxReplicas", 10}};
  bench_.install(pipeline);
  const Json status = {{"currentReplicas", 2},
                       {"conditions", Json::array({{{"type", "ScalingActive"},
                                                    {"status", "False"},
                                                    {"reason", "FailedGetResourceMetric"},
                                                    {"message", "no metrics API"}}})}};
  ASSERT_TRUE(bench_.kube
                  .merge_patch(kube::kHorizontalPodAutoscalers, {"team", "p-ingress"},
                               {{"status", status}}, "status")
                  .ok());
  bench_.pass(std::chrono::seconds(30));
  EXPECT_EQ(bench_.condition("ScalingLimited"), "True: FailedGetResourceMetric");
  EXPECT_THAT(bench_.message("ScalingLimited"), HasSubstr("p-ingress"));
}

TEST_F(ControllerTest, AfterARollbackTheFailedRevisionsTopicsJobIsGone) {
  bench_.install();
  const auto good = bench_.kube.names(kube::kJobs);
  const std::string old = bench_.revision_of(kube::kDeployments, "p-bridge");
  bench_.kube.fate = [old](const Json& pod) {
    fakes::FakeKube::PodFate fate;
    const bool is_new = kube::string_at(pod, "metadata/annotations/spanway.dev~1revision") != old;
    if (kube::string_at(pod, "metadata/labels/spanway.dev~1component") == "bridge" && is_new)
      fate.kind = fakes::FakeKube::PodFate::Kind::kCrashes;
    return fate;
  };
  bench_.change({{"kafka", {{"bootstrapServers", "other:9092"}}}});
  bench_.pass(std::chrono::seconds(600), std::chrono::seconds(10));
  ASSERT_THAT(bench_.condition("RolledBack"), StartsWith("True"));
  EXPECT_EQ(bench_.kube.names(kube::kJobs), good);
}

TEST_F(ControllerTest, APausedPipelineIsObserved) {
  bench_.install();
  bench_.change({{"paused", true}, {"ingress", {{"replicas", 3}}}});
  bench_.pass(std::chrono::seconds(10));
  bench_.statusz.answer = [](const std::string&) {
    StatuszReport report;
    report.ready = report.answered = true;
    report.last_error = "connection refused";
    return report;
  };
  bench_.kube.forget_writes();
  bench_.pass(std::chrono::seconds(60));
  EXPECT_EQ(bench_.condition("Ready"), "False: KafkaUnreachable");
  EXPECT_THAT(writes_without_status(), IsEmpty());
}

TEST_F(ControllerTest, AMissingSecretIsNamedWithItsPlace) {
  Json object = Bench::pipeline();
  object["spec"]["ingress"]["tls"]["secretName"] = "otlp-tls";
  bench_.install(object);
  EXPECT_THAT(bench_.condition("ConfigValid"), StartsWith("False"));
  EXPECT_THAT(bench_.message("ConfigValid"),
              AllOf(HasSubstr("otlp-tls"), HasSubstr("spec.ingress.tls.secretName")));
  EXPECT_EQ(bench_.condition("Ready"), "False: SecretMissing");
  EXPECT_EQ(bench_.condition("Reconciling"), "True: SecretMissing");
  EXPECT_THAT(bench_.kube.names(kube::kDeployments), Not(Contains("p-ingress")));
  EXPECT_THAT(bench_.kube.names(kube::kDeployments), Contains("p-bridge"))
      << "a Secret's trouble is that of who uses it";
  // It appears: the next poll finds it.
  bench_.kube.put(kube::kSecrets, {{"metadata", {{"name", "otlp-tls"}, {"namespace", "team"}}}});
  bench_.secrets->poll();
  bench_.pass(std::chrono::seconds(60));
  EXPECT_THAT(bench_.condition("ConfigValid"), StartsWith("True"));
  EXPECT_THAT(bench_.kube.names(kube::kDeployments), Contains("p-ingress"));
}

TEST_F(ControllerTest, PutsDriftBack) {
  bench_.install();
  bench_.kube.edit(kube::kDeployments, {"team", "p-bridge"}, {{"spec", {{"replicas", 0}}}},
                   "kubectl-scale");
  bench_.settle();
  EXPECT_EQ(kube::int_at(deployment("p-bridge"), "spec/replicas"), 1);
  EXPECT_THAT(bench_.event("DriftReverted"),
              AllOf(HasSubstr("p-bridge"), HasSubstr("kubectl-scale"), HasSubstr("replicas")));
}

TEST_F(ControllerTest, MakesAgainWhatWasDeleted) {
  bench_.install();
  bench_.kube.erase(kube::kServices, {"team", "p-ingress"});
  bench_.kube.erase(kube::kConfigMaps, {"team", "p-last-good"});
  bench_.pass(std::chrono::seconds(60));
  EXPECT_THAT(bench_.kube.names(kube::kServices), Contains("p-ingress"));
  EXPECT_THAT(bench_.condition("Ready"), StartsWith("True"));
}

TEST_F(ControllerTest, PausedByAnnotationOrFieldNothingIsTouched) {
  bench_.install();
  for (const Json& patch :
       {Json{{"metadata", {{"annotations", {{api::kPauseAnnotation, "true"}}}}}},
        Json{{"metadata", {{"annotations", {{api::kPauseAnnotation, nullptr}}}}},
             {"spec", {{"paused", true}}}}}) {
    bench_.kube.edit(kube::kPipelines, {"team", "p"}, patch, "kubectl");
    bench_.settle();
    bench_.kube.forget_writes();
    bench_.kube.edit(kube::kDeployments, {"team", "p-bridge"}, {{"spec", {{"replicas", 3}}}}, "x");
    bench_.change({{"ingress", {{"replicas", 2}}}});
    bench_.pass(std::chrono::seconds(30));
    EXPECT_THAT(writes_without_status(), IsEmpty());
    EXPECT_THAT(bench_.condition("Paused"), StartsWith("True"));
  }
  bench_.change({{"paused", false}});
  bench_.pass(std::chrono::seconds(30));
  EXPECT_THAT(bench_.condition("Paused"), StartsWith("False"));
  EXPECT_EQ(kube::int_at(deployment("p-bridge"), "spec/replicas"), 1);
  EXPECT_EQ(kube::int_at(deployment("p-ingress"), "spec/replicas"), 2);
}

TEST_F(ControllerTest, ARemovedExporterTakesItsObjectsAlong) {
  Json object = Bench::pipeline();
  object["spec"]["exporters"].push_back(Bench::exporter("loki"));
  bench_.install(object);
  ASSERT_THAT(bench_.kube.names(kube::kDeployments), Contains("p-loki"));
  Json exporters = object["spec"]["exporters"];
  exporters.erase(1);
  bench_.change({{"exporters", exporters}});
  bench_.pass(std::chrono::seconds(180));
  for (const kube::ResourceType& type : bench_.stores->kinds())
    for (const std::string& name : bench_.kube.names(type))
      EXPECT_THAT(name, Not(HasSubstr("loki")));
  EXPECT_THAT(bench_.kube.names(kube::kDeployments), Contains("p-tempo"));
  EXPECT_THAT(bench_.condition("Ready"), StartsWith("True"));
}

TEST_F(ControllerTest, DeletionLeavesNothing) {
  bench_.install();
  bench_.kube.forget_writes();
  bench_.kube.erase(kube::kPipelines, {"team", "p"});
  bench_.pass(std::chrono::seconds(10));
  for (const kube::ResourceType& type : bench_.stores->kinds())
    EXPECT_THAT(bench_.kube.names(type), IsEmpty()) << type.plural;
  EXPECT_THAT(bench_.kube.writes(), IsEmpty());
  EXPECT_EQ(bench_.controller->remembered(), 0u);
  EXPECT_EQ(bench_.secrets->size(), 0u);
}

// The garbage collector deletes what has an owner that is gone: in the same namespace, by uid.
TEST_F(ControllerTest, EverythingItMakesHasThePipelineAsItsOwner) {
  Json pipeline = Bench::pipeline();
  pipeline["spec"]["exporters"].push_back(Bench::exporter("loki"));
  pipeline["spec"]["ingress"]["autoscaling"] = {{"minReplicas", 2}, {"maxReplicas", 10}};
  bench_.install(pipeline);
  const std::string uid = kube::string_at(object(), "metadata/uid");
  ASSERT_FALSE(uid.empty());
  std::size_t seen = 0;
  for (const kube::ResourceType& type : bench_.stores->kinds()) {
    for (const Json& one : bench_.kube.all(type)) {
      const std::string what = std::string(type.plural) + " " + kube::to_text(one["metadata"]);
      const Json* owners = kube::find(one, "metadata/ownerReferences");
      ASSERT_NE(owners, nullptr) << what;
      ASSERT_EQ(owners->size(), 1u) << what;
      const Json& owner = owners->front();
      EXPECT_EQ(owner["uid"], uid) << what;
      EXPECT_EQ(owner["apiVersion"], kube::kPipelines.api_version()) << what;
      EXPECT_EQ(owner["kind"], "Pipeline") << what;
      EXPECT_EQ(owner["name"], "p") << what;
      EXPECT_TRUE(kube::bool_at(owner, "controller")) << what;
      EXPECT_EQ(kube::string_at(one, "metadata/namespace"), "team") << what;
      EXPECT_EQ(kube::find(one, "metadata/finalizers"), nullptr) << what;
      ++seen;
    }
  }
  EXPECT_GT(seen, 20u);
  EXPECT_THAT(bench_.kube.names(kube::kConfigMaps), Contains("p-last-good"));
  EXPECT_EQ(bench_.kube.all(kube::kJobs).size(), 1u);
  EXPECT_EQ(kube::find(object(), "metadata/finalizers"), nullptr);
}

// What is written for a Pipeline that has just gone has an owner that does not exist.
TEST_F(ControllerTest, AWriteAfterTheDeletionIsCollectedToo) {
  bench_.install();
  const Json late = bench_.kube.at(kube::kServices, {"team", "p-ingress"});
  bench_.kube.erase(kube::kPipelines, {"team", "p"});
  bench_.kube.put(kube::kServices, late);
  bench_.pass(std::chrono::seconds(10));
  EXPECT_THAT(bench_.kube.all(kube::kServices), IsEmpty());
}

TEST_F(ControllerTest, ANewOperatorWritesNothingOverWhatItFinds) {
  bench_.install();
  bench_.restart();
  bench_.kube.forget_writes();
  bench_.pass(std::chrono::seconds(120), std::chrono::seconds(30));
  for (int i = 0; i < 5; ++i) bench_.resync();
  EXPECT_THAT(bench_.kube.writes(), IsEmpty());
  EXPECT_FALSE(bench_.has_event("DriftReverted"));
}

TEST_F(ControllerTest, ChangesOfOthersToFieldsThatAreNotOursStay) {
  bench_.install();
  bench_.kube.forget_writes();
  bench_.kube.edit(
      kube::kDeployments, {"team", "p-bridge"},
      {{"metadata", {{"annotations", {{"team/owner", "us"}}}, {"labels", {{"team", "us"}}}}}},
      "kubectl-annotate");
  bench_.kube.edit(kube::kServices, {"team", "p-ingress"},
                   {{"metadata", {{"annotations", {{"lb.example/id", "7"}}}}}}, "cloud-controller");
  bench_.pass(std::chrono::seconds(30));
  EXPECT_THAT(bench_.kube.writes(), IsEmpty());
  EXPECT_EQ(kube::string_at(deployment("p-bridge"), "metadata/labels/team"), "us");
  EXPECT_FALSE(bench_.has_event("DriftReverted"));
}

TEST_F(ControllerTest, ARolloutRestartOfKubectlIsLeftAlone) {
  bench_.install();
  const auto pods = bench_.kube.names(kube::kPods);
  bench_.kube.forget_writes();
  bench_.kube.edit(kube::kDeployments, {"team", "p-bridge"},
                   {{"spec",
                     {{"template",
                       {{"metadata",
                         {{"annotations",
                           {{"kubectl.kubernetes.io/restartedAt", "2026-01-01T00:05:00Z"}}}}}}}}}},
                   "kubectl-rollout");
  bench_.pass(std::chrono::seconds(120));
  EXPECT_THAT(writes_without_status(), IsEmpty());
  EXPECT_EQ(
      kube::string_at(deployment("p-bridge"),
                      "spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt"),
      "2026-01-01T00:05:00Z");
  EXPECT_FALSE(bench_.has_event("DriftReverted"));
  EXPECT_NE(bench_.kube.names(kube::kPods), pods) << "the restart has happened";
  EXPECT_THAT(bench_.condition("Ready"), StartsWith("True"));
}

TEST_F(ControllerTest, OurRestartAnnotationRestartsOnce) {
  bench_.install();
  bench_.kube.edit(kube::kPipelines, {"team", "p"},
                   {{"metadata", {{"annotations", {{api::kRestartAnnotation, "now"}}}}}},
                   "kubectl");
  const auto before = bench_.kube.names(kube::kPods);
  bench_.pass(std::chrono::seconds(900));
  const auto after = bench_.kube.names(kube::kPods);
  EXPECT_NE(after, before);
  EXPECT_THAT(bench_.condition("Ready"), StartsWith("True"));
  EXPECT_THAT(bench_.condition("Progressing"), StartsWith("False"));
  bench_.kube.forget_writes();
  bench_.restart();
  bench_.pass(std::chrono::seconds(300), std::chrono::seconds(30));
  EXPECT_EQ(bench_.kube.names(kube::kPods), after) << "not again";
  EXPECT_THAT(bench_.kube.writes(), IsEmpty());
}

TEST_F(ControllerTest, APipelineThatIsBeingDeletedIsLeftAlone) {
  bench_.install();
  bench_.kube.forget_writes();
  bench_.kube.edit(kube::kPipelines, {"team", "p"},
                   {{"metadata", {{"deletionTimestamp", "2026-01-01T00:00:00Z"}}},
                    {"spec", {{"ingress", {{"replicas", 9}}}}}},
                   "kubectl");
  bench_.pass(std::chrono::seconds(10));
  EXPECT_THAT(bench_.kube.writes(), IsEmpty());
}

TEST_F(ControllerTest, AnAutoscalerIsNeverFought) {
  Json object = Bench::pipeline();
  object["spec"]["ingress"]["replicas"] = 4;
  bench_.install(object);
  bench_.change({{"ingress", {{"autoscaling", {{"minReplicas", 2}, {"maxReplicas", 10}}}}}});
  bench_.pass(std::chrono::seconds(30));
  EXPECT_EQ(kube::int_at(deployment("p-ingress"), "spec/replicas"), 4);
  EXPECT_THAT(bench_.kube.names(kube::kHorizontalPodAutoscalers), Contains("p-ingress"));
  for (const int replicas : {7, 3, 9}) {
    bench_.kube.edit(kube::kDeployments, {"team", "p-ingress"},
                     {{"spec", {{"replicas", replicas}}}}, "kube-controller-manager");
    bench_.kube.forget_writes();
    bench_.pass(std::chrono::seconds(30));
    EXPECT_EQ(kube::int_at(deployment("p-ingress"), "spec/replicas"), replicas);
    EXPECT_THAT(writes_without_status(), IsEmpty());
  }
  EXPECT_FALSE(bench_.has_event("DriftReverted"));
  // Back to a fixed number.
  bench_.change({{"ingress", {{"autoscaling", nullptr}, {"replicas", 2}}}});
  bench_.pass(std::chrono::seconds(30));
  EXPECT_EQ(kube::int_at(deployment("p-ingress"), "spec/replicas"), 2);
  EXPECT_THAT(bench_.kube.names(kube::kHorizontalPodAutoscalers), IsEmpty());
}

TEST_F(ControllerTest, ConsumersFollowTheLagThroughTheScaleSubresource) {
  double lag = 0;
  report_lag(lag);
  bench_.install(pipeline_that_scales_by_lag());
  EXPECT_EQ(consumers(), 2);
  const auto writes = bench_.kube.writes();
  EXPECT_THAT(writes, Contains("patch statefulsets/scale team/p-tempo-consumer"));
  for (int i = 0; i < 30; ++i) {
    lag += 30;
    bench_.pass(std::chrono::seconds(10), std::chrono::seconds(10));
  }
  EXPECT_GT(consumers(), 2);
  EXPECT_LE(consumers(), 6);
  EXPECT_TRUE(bench_.has_event("Scaled"));
  EXPECT_FALSE(bench_.has_event("DriftReverted"));
  // Replicas of what we scale are ours alone.
  const std::int64_t decided = consumers();
  lag = 5;
  bench_.pass(std::chrono::seconds(20), std::chrono::seconds(10));
  bench_.kube.edit(kube::kStatefulSets, {"team", "p-tempo-consumer"}, {{"spec", {{"replicas", 1}}}},
                   "kubectl-scale");
  bench_.pass(std::chrono::seconds(10), std::chrono::seconds(10));
  EXPECT_EQ(consumers(), decided);
  EXPECT_THAT(bench_.event("DriftReverted"), HasSubstr("\"kubectl-scale\""));
}

TEST_F(ControllerTest, ARefusedSpecStopsNoScaling) {
  double lag = 0;
  report_lag(lag);
  bench_.install(pipeline_that_scales_by_lag());
  bench_.change({{"ingress", {{"config", {{"no_such_key", 1}}}}}});
  bench_.pass(std::chrono::seconds(30));
  ASSERT_EQ(bench_.condition("ConfigValid"), "False: ConfigInvalid");
  for (int i = 0; i < 30; ++i) {
    lag += 30;
    bench_.pass(std::chrono::seconds(10), std::chrono::seconds(10));
  }
  EXPECT_GT(consumers(), 2);
}

TEST_F(ControllerTest, PodsThatAQuotaRefusesAreNamedOfEveryKindOfWorkload) {
  bench_.kube.refuse_pods = [](const Json&) {
    return "exceeded quota: cpu, limited: limits.cpu=1";
  };
  bench_.kube.put(kube::kPipelines, Bench::pipeline());
  bench_.pass(std::chrono::seconds(60));
  EXPECT_EQ(bench_.condition("TopicsReady"), "False: JobBlocked");
  EXPECT_THAT(bench_.message("TopicsReady"), HasSubstr("exceeded quota: cpu"));
  EXPECT_THAT(bench_.condition("Degraded"), StartsWith("True"));
  for (const char* workload : {"p-tempo: ", "p-tempo-consumer: "})
    EXPECT_THAT(bench_.message("Degraded"),
                HasSubstr(std::string(workload) + "pods cannot be made: a pod is forbidden: "))
        << "a Deployment and a StatefulSet";
  bench_.kube.refuse_pods = [](const Json&) { return ""; };
  bench_.pass(std::chrono::seconds(180));
  EXPECT_THAT(bench_.condition("Ready"), StartsWith("True"));
  EXPECT_THAT(bench_.condition("Degraded"), StartsWith("False"));
}

TEST_F(ControllerTest, ConflictsAndThrottlingAreRetried) {
  bench_.kube.fail(
      "apply", "",
      transient_error(Code::kResourceExhausted, "429").with_retry_after(std::chrono::seconds(1)),
      3);
  bench_.kube.fail("patch", "pipelines",
                   transient_error(Code::kAborted, "conflict").with_reason("conflict"), 2);
  bench_.install();
  // One look whose first three objects are refused, two whose status is.
  EXPECT_EQ(bench_.errors.size(), 3u);
  EXPECT_THAT(bench_.condition("Ready"), StartsWith("True"));
}

TEST_F(ControllerTest, ARefusalThatRepeatsIsInTheStatusWhateverItsCodeAndEndsInARollback) {
  bench_.install();
  const std::string good = bench_.revision_of(kube::kDeployments, "p-ingress");
  // What the server answers to a field that it does not know.
  bench_.kube.fail("apply", "deployments",
                   transient_error(Code::kUnavailable, "HTTP 500: .spec.x: field not declared")
                       .with_reason("internal_error"),
                   10'000);
  bench_.change({{"image", {{"tag", "next"}}}});
  bench_.pass(std::chrono::seconds(20));
  EXPECT_NE(bench_.condition("Degraded"), "True: ApplyFailed");
  bench_.pass(std::chrono::seconds(20));
  EXPECT_EQ(bench_.condition("Degraded"), "True: ApplyFailed");
  EXPECT_THAT(bench_.message("Degraded"), HasSubstr("field not declared"));
  bench_.pass(std::chrono::minutes(11), std::chrono::seconds(10));
  EXPECT_THAT(bench_.condition("RolledBack"), StartsWith("True"));
  EXPECT_THAT(bench_.message("RolledBack"), HasSubstr("field not declared"));
  EXPECT_EQ(bench_.revision_of(kube::kDeployments, "p-ingress"), good);
}

TEST_F(ControllerTest, AWriteThatIsNotAnsweredEndsTheReconciliation) {
  bench_.kube.fail("apply", "", transient_error(Code::kDeadlineExceeded, "no answer in time"),
                   10'000);
  bench_.kube.put(kube::kPipelines, Bench::pipeline());
  bench_.settle();
  const auto writes = bench_.kube.writes();
  const auto applies = std::count_if(writes.begin(), writes.end(), [](const std::string& write) {
    return write.starts_with("apply");
  });
  EXPECT_EQ(static_cast<std::size_t>(applies), bench_.errors.size());
}

TEST_F(ControllerTest, IsNotReadyWhileTheServiceOfTheIngressSelectsNoPod) {
  bench_.install();
  const Json pods = bench_.kube.all(kube::kPods);
  EXPECT_EQ(count_endpoints(bench_.kube.at(kube::kServices, {"team", "p-ingress"}), pods), 1);
  // It cannot be put back for now.
  bench_.kube.fail("apply", "services", unavailable("HTTP 503"), 10'000);
  bench_.kube.edit(kube::kServices, {"team", "p-ingress"}, {{"spec", {{"selector", {{"x", "1"}}}}}},
                   "kubectl-edit");
  EXPECT_EQ(count_endpoints(bench_.kube.at(kube::kServices, {"team", "p-ingress"}), pods), 0);
  bench_.pass(std::chrono::seconds(10));
  EXPECT_EQ(bench_.condition("Ready"), "False: NoEndpoints");
  bench_.kube.heal();
  bench_.pass(std::chrono::seconds(10));
  EXPECT_THAT(bench_.condition("Ready"), StartsWith("True"));
}

TEST_F(ControllerTest, ARefusedWriteIsInTheStatusUntilItPasses) {
  bench_.kube.fail("apply", "networkpolicies",
                   configuration_error(Code::kPermissionDenied, "networkpolicies is forbidden"),
                   10'000);
  bench_.kube.put(kube::kPipelines, Bench::pipeline());
  bench_.settle();
  EXPECT_EQ(bench_.condition("Degraded"), "True: ApplyFailed");
  EXPECT_THAT(bench_.message("Degraded"), HasSubstr("networkpolicies is forbidden"));
  EXPECT_THAT(bench_.kube.names(kube::kServices), Contains("p-ingress"))
      << "the others do not wait for it";
  EXPECT_THAT(bench_.kube.names(kube::kDeployments), IsEmpty()) << "pods do";
  bench_.kube.heal();
  bench_.pass(std::chrono::seconds(60));
  EXPECT_THAT(bench_.condition("Degraded"), Not(HasSubstr("ApplyFailed")));
  EXPECT_THAT(bench_.condition("Ready"), StartsWith("True"));
}

TEST_F(ControllerTest, AnObjectOfSomebodyElseStopsItAndIsNotTouched) {
  const Json foreign = {{"metadata", {{"name", "p-ingress"}, {"namespace", "team"}}},
                        {"spec", {{"type", "ExternalName"}}}};
  bench_.kube.put(kube::kServices, foreign, "helm");
  bench_.install();
  EXPECT_EQ(bench_.condition("Degraded"), "True: ApplyFailed");
  EXPECT_THAT(bench_.message("Degraded"), HasSubstr("does not belong to this Pipeline"));
  EXPECT_EQ(bench_.kube.at(kube::kServices, {"team", "p-ingress"})["spec"], foreign["spec"]);
}

TEST_F(ControllerTest, TwoPipelinesDoNotDisturbEachOther) {
  bench_.install();
  bench_.kube.put(kube::kPipelines, Bench::pipeline("q"));
  bench_.pass(std::chrono::seconds(60));
  bench_.kube.forget_writes();
  bench_.change({{"ingress", {{"config", {{"no_such_key", 1}}}}}}, "q");
  bench_.change({{"bridge", {{"produce", {{"replicas", 2}}}}}});
  bench_.pass(std::chrono::seconds(60));
  EXPECT_THAT(bench_.condition("ConfigValid", "q"), StartsWith("False"));
  EXPECT_THAT(bench_.condition("Ready"), StartsWith("True"));
  for (const std::string& write : writes_without_status()) EXPECT_THAT(write, HasSubstr("/p-"));
}

TEST_F(ControllerTest, TheTopicsJobReports) {
  bench_.kube.fate = [](const Json& pod) {
    fakes::FakeKube::PodFate fate;
    if (kube::string_at(pod, "metadata/ownerReferences/0/kind") == "Job")
      fate.message =
          R"({"topics":[{"name":"otel.traces","partitions":12,"replication_factor":3,"weaker":[],"error":""}],"ok":true})";
    return fate;
  };
  bench_.install();
  EXPECT_THAT(bench_.condition("TopicsReady"), StartsWith("True"));
  EXPECT_EQ(bench_.kube.all(kube::kJobs).size(), 1u);
}

TEST_F(ControllerTest, TooFewReplicasInSyncAreSaidByTheConditionAndTheTopic) {
  bench_.kube.fate = [](const Json& pod) {
    fakes::FakeKube::PodFate fate;
    if (kube::string_at(pod, "metadata/ownerReferences/0/kind") != "Job") return fate;
    fate.kind = fakes::FakeKube::PodFate::Kind::kCrashes;
    fate.exit_code = 3;
    fate.message =
        R"({"topics":[{"name":"otel.traces","partitions":12,"replication_factor":3,)"
        R"("min_insync_replicas":1,"weaker":["min.insync.replicas is 1, wanted 2"],"error":""}],)"
        R"("ok":false})";
    return fate;
  };
  bench_.install();
  EXPECT_EQ(bench_.condition("TopicsReady"), "False: TopicsWeaker");
  EXPECT_EQ(bench_.message("TopicsReady"), "topic otel.traces: min.insync.replicas is 1, wanted 2");
  EXPECT_EQ(bench_.condition("Degraded"), "True: TopicsWeaker");
  const Json status = bench_.status();
  EXPECT_EQ(kube::int_at(status, "topics/0/minInsyncReplicas"), 1);
  EXPECT_EQ(kube::string_at(status, "topics/0/state"), "Weak");
}

TEST_F(ControllerTest, AFailedTopicsJobRunsAgain) {
  int runs = 0;
  bench_.kube.fate = [&](const Json& pod) {
    fakes::FakeKube::PodFate fate;
    if (kube::string_at(pod, "metadata/ownerReferences/0/kind") != "Job") return fate;
    if (++runs > 2) return fate;
    fate.kind = fakes::FakeKube::PodFate::Kind::kCrashes;
    fate.message = "cannot reach kafka:9092";
    return fate;
  };
  bench_.kube.put(kube::kPipelines, Bench::pipeline());
  bench_.settle();
  EXPECT_THAT(bench_.condition("TopicsReady"), StartsWith("False"));
  EXPECT_THAT(bench_.message("TopicsReady"), HasSubstr("cannot reach kafka:9092"));
  bench_.pass(std::chrono::seconds(240));
  EXPECT_EQ(runs, 3);
  EXPECT_THAT(bench_.condition("TopicsReady"), StartsWith("True"));
}

TEST_F(ControllerTest, ADeadDestinationDegradesAndRollsNothingBack) {
  bench_.install();
  bench_.statusz.answer = [](const std::string& pod) {
    StatuszReport report;
    report.ready = report.answered = report.kafka_reachable = true;
    report.has_destination = pod.find("tempo") != std::string::npos;
    report.destination_error = "tempo:4317: connection refused";
    return report;
  };
  bench_.pass(std::chrono::seconds(120));
  EXPECT_THAT(bench_.condition("ExportersHealthy"), StartsWith("False"));
  EXPECT_THAT(bench_.condition("Degraded"), StartsWith("True"));
  EXPECT_THAT(bench_.condition("Ready"), StartsWith("True"));
  EXPECT_TRUE(rollout_memory(bench_.status()).failed_revision.empty());
}

TEST_F(ControllerTest, ALagThatMovesIsToldSoonAndSeldom) {
  double lag = 1;
  bench_.statusz.answer = [&](const std::string& pod) {
    StatuszReport report;
    report.ready = report.answered = report.kafka_reachable = true;
    report.has_destination = report.destination_reachable = true;
    if (pod.find("consumer") != std::string::npos)
      report.partitions.push_back({.topic = "otel.traces", .lag_seconds = lag});
    return report;
  };
  bench_.install();
  bench_.pass(std::chrono::seconds(60));
  const auto told = [&] { return kube::string_at(bench_.status(), "summary/lag"); };
  EXPECT_EQ(told(), "<10s");
  lag = 30;
  bench_.pass(std::chrono::seconds(30));
  EXPECT_EQ(told(), "<1m");
  // Too soon to be told at once, and no news afterwards.
  lag = 4000;
  bench_.pass(std::chrono::seconds(60));
  EXPECT_EQ(told(), ">1h");
  // First just below a border, where it stays, and then well below it.
  lag = 9;
  bench_.pass(std::chrono::seconds(60));
  EXPECT_EQ(told(), "<1m");
  lag = 7;
  bench_.pass(std::chrono::seconds(60));
  EXPECT_EQ(told(), "<10s");
  lag = 12 * 3600 + 3600;
  bench_.pass(std::chrono::seconds(60));
  EXPECT_THAT(bench_.condition("RetentionAtRisk"), StartsWith("True"));
  lag = 9 * 3600;
  bench_.pass(std::chrono::seconds(60));
  EXPECT_THAT(bench_.condition("RetentionAtRisk"), StartsWith("False"));
}

}  // namespace
}  // namespace spanway::reconcile
