#include "operator/reconcile/controller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>

#include "tests/unit/operator_reconcile/controller_test_base.h"

namespace spanway::reconcile {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

TEST_F(ControllerTest, InstallsEverythingAndRecordsItAsGood) {
  fixture_.install();
  EXPECT_THAT(fixture_.kube.names(kube::kDeployments),
              testing::UnorderedElementsAre("p-ingress", "p-bridge", "p-tempo"));
  EXPECT_THAT(fixture_.kube.names(kube::kStatefulSets), testing::ElementsAre("p-tempo-consumer"));
  EXPECT_THAT(fixture_.kube.names(kube::kConfigMaps), Contains("p-last-good"));
  EXPECT_THAT(fixture_.condition("Ready"), StartsWith("True"));
  EXPECT_THAT(fixture_.condition("ConfigValid"), StartsWith("True"));
  EXPECT_FALSE(decide::rollout_memory(fixture_.status()).last_good_revision.empty());
  EXPECT_TRUE(fixture_.has_event("RolloutStarted"));
  EXPECT_TRUE(fixture_.has_event("RolloutComplete"));
  EXPECT_THAT(fixture_.errors, IsEmpty());
}

TEST_F(ControllerTest, WritesNothingWhileIdle) {
  fixture_.install();
  fixture_.kube.forget_writes();
  for (int i = 0; i < 20; ++i) {
    fixture_.resync();
    fixture_.pass(std::chrono::seconds(30), std::chrono::seconds(30));
  }
  EXPECT_THAT(fixture_.kube.writes(), IsEmpty());
}

TEST_F(ControllerTest, NothingIsRenderedWhileIdle) {
  fixture_.install();
  fixture_.resync();  // The objects that were applied last are verified.
  const std::size_t before = fixture_.controller->renderings();
  const std::size_t gets = fixture_.kube.read_count("get");
  const std::size_t rounds = fixture_.reconciliations;
  for (int i = 0; i < 5; ++i) fixture_.resync();
  // Pods come and go, and say something else: that is not what they are made of.
  fixture_.kube.erase(kube::kPods, {"team", "p-tempo-consumer-0"});
  fixture_.pass(std::chrono::seconds(30));
  fixture_.statusz.answer = [](const std::string&) { return decide::StatuszReport{}; };
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_GT(fixture_.reconciliations, rounds + 5);
  EXPECT_EQ(fixture_.controller->renderings(), before);
  EXPECT_EQ(fixture_.kube.read_count("get"), gets) << "no object is read again";
}

TEST_F(ControllerTest, WhatCountsForARenderingIsRenderedAnew) {
  fixture_.kube.put(kube::kSecrets, {{"metadata", {{"name", "kafka-user"}, {"namespace", "team"}}},
                                     {"data", {{"password", "YQ=="}}}});
  Json pipeline = ControllerFixture::pipeline();
  pipeline["spec"]["kafka"]["authentication"] = {
      {"type", "ScramSha512"},
      {"username", "u"},
      {"passwordSecretKeyRef", {{"name", "kafka-user"}, {"key", "password"}}}};
  fixture_.install(pipeline);
  const auto is_rendered_after = [this](const std::function<void()>& change) {
    fixture_.resync();
    const std::size_t before = fixture_.controller->renderings();
    change();
    fixture_.resync();
    return fixture_.controller->renderings() > before;
  };
  const auto annotate = [this](const char* name, const char* value) {
    fixture_.kube.edit(kube::kPipelines, {"team", "p"},
                       {{"metadata", {{"annotations", {{name, value}}}}}}, "kubectl");
  };
  EXPECT_FALSE(is_rendered_after([] {}));
  EXPECT_TRUE(is_rendered_after([&] { fixture_.change({{"ingress", {{"replicas", 2}}}}); }));
  EXPECT_TRUE(is_rendered_after([&] { annotate(api::kRestartAnnotation, "1"); }));
  EXPECT_TRUE(is_rendered_after([&] { annotate(api::kForceCheckAnnotation, "1"); }));
  EXPECT_TRUE(is_rendered_after([&] {
    fixture_.kube.put(kube::kSecrets,
                      {{"metadata", {{"name", "kafka-user"}, {"namespace", "team"}}},
                       {"data", {{"password", "Yg=="}}}});
    fixture_.secrets->poll();
  }));
  EXPECT_TRUE(is_rendered_after([&] {
    fixture_.kube.erase(kube::kConfigMaps, {"team", "p-last-good"});
  })) << "what there is to go back to";
  EXPECT_FALSE(is_rendered_after([] {}));
}

TEST_F(ControllerTest, AScalingChangeTouchesOneObjectAndNoPod) {
  fixture_.install();
  const auto pods = fixture_.kube.names(kube::kPods);
  fixture_.kube.forget_writes();
  fixture_.change({{"ingress", {{"replicas", 2}}}});
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_EQ(kube::int_at(deployment("p-ingress"), "spec/replicas"), 2);
  for (const std::string& write : writes_without_status())
    EXPECT_THAT(write, HasSubstr("p-ingress"));
  for (const std::string& pod : pods) EXPECT_THAT(fixture_.kube.names(kube::kPods), Contains(pod));
}

TEST_F(ControllerTest, AMistakeTouchesNothingThatRuns) {
  fixture_.install();
  fixture_.kube.forget_writes();
  fixture_.change({{"ingress", {{"config", {{"no_such_key", 1}}}}}});
  fixture_.pass(std::chrono::seconds(30));
  EXPECT_THAT(writes_without_status(), IsEmpty());
  EXPECT_THAT(fixture_.condition("ConfigValid"), StartsWith("False"));
  EXPECT_THAT(fixture_.message("ConfigValid"), HasSubstr("no_such_key"));
  fixture_.change({{"ingress", {{"config", nullptr}}}});
  fixture_.pass(std::chrono::seconds(30));
  EXPECT_THAT(fixture_.condition("ConfigValid"), StartsWith("True"));
}

// A refused spec is not rolled out, and what runs is still reconciled.
TEST_F(ControllerTest, WithARefusedSpecTheLastGoodOneIsReconciled) {
  fixture_.install();
  const std::string before = fixture_.revision_of(kube::kDeployments, "p-ingress");
  fixture_.change({{"ingress", {{"config", {{"no_such_key", 1}}}}}});
  fixture_.pass(std::chrono::seconds(30));
  fixture_.kube.erase(kube::kDeployments, {"team", "p-bridge"});
  fixture_.kube.edit(kube::kDeployments, {"team", "p-ingress"}, {{"spec", {{"replicas", 7}}}}, "x");
  fixture_.pass(std::chrono::seconds(30));
  EXPECT_FALSE(deployment("p-bridge").is_null()) << "repaired";
  EXPECT_NE(kube::int_at(deployment("p-ingress"), "spec/replicas"), 7);
  EXPECT_EQ(fixture_.revision_of(kube::kDeployments, "p-ingress"), before);
  fixture_.statusz.answer = [](const std::string&) {
    decide::StatuszReport report;
    report.ready = report.answered = true;
    report.last_error = "connection refused";
    return report;
  };
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_EQ(fixture_.condition("Ready"), "False: KafkaUnreachable") << "its conditions are fresh";
  EXPECT_EQ(fixture_.condition("Stalled"), "True: ConfigInvalid");
  fixture_.kube.forget_writes();
  for (int i = 0; i < 5; ++i) fixture_.resync();
  fixture_.pass(std::chrono::seconds(120), std::chrono::seconds(30));
  EXPECT_THAT(fixture_.kube.writes(), IsEmpty()) << "and rests";
}

TEST_F(ControllerTest, ARefusedSpecTakesAHalfRolledOutRevisionBack) {
  fixture_.install();
  const std::string good = fixture_.revision_of(kube::kDeployments, "p-tempo");
  fixture_.change({{"kafka", {{"bootstrapServers", "other:9092"}}},
                   {"exporters", Json::array({[] {
                      Json exporter = ControllerFixture::exporter("tempo");
                      exporter["destination"]["endpoint"] = "other:4317";
                      return exporter;
                    }()})}});
  for (int i = 0; i < 60 && fixture_.revision_of(kube::kDeployments, "p-tempo") == good; ++i)
    fixture_.pass(std::chrono::seconds(5));
  ASSERT_NE(fixture_.revision_of(kube::kDeployments, "p-tempo"), good);
  fixture_.change({{"ingress", {{"config", {{"no_such_key", 1}}}}}});
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_EQ(fixture_.revision_of(kube::kDeployments, "p-tempo"), good);
  for (const std::string& name : fixture_.kube.names(kube::kDeployments))
    EXPECT_THAT(name, Not(HasSubstr("canary")));
}

TEST_F(ControllerTest, ASecretThatIsDeletedStopsNothing) {
  const Json secret = {{"metadata", {{"name", "kafka-user"}, {"namespace", "team"}}},
                       {"data", {{"password", "YQ=="}}}};
  fixture_.kube.put(kube::kSecrets, secret);
  Json pipeline = ControllerFixture::pipeline();
  pipeline["spec"]["kafka"]["authentication"] = {
      {"type", "ScramSha512"},
      {"username", "u"},
      {"passwordSecretKeyRef", {{"name", "kafka-user"}, {"key", "password"}}}};
  fixture_.install(pipeline);
  const std::string before = fixture_.revision_of(kube::kDeployments, "p-bridge");
  fixture_.kube.erase(kube::kSecrets, {"team", "kafka-user"});
  fixture_.secrets->poll();
  fixture_.pass(std::chrono::seconds(30));
  EXPECT_EQ(fixture_.condition("ConfigValid"), "False: SecretMissing");
  EXPECT_THAT(fixture_.condition("Ready"), StartsWith("True")) << "its pods run on";
  fixture_.kube.erase(kube::kDeployments, {"team", "p-bridge"});
  fixture_.change({{"ingress", {{"replicas", 2}}}});
  fixture_.pass(std::chrono::seconds(30));
  EXPECT_EQ(fixture_.revision_of(kube::kDeployments, "p-bridge"), before) << "repaired as it was";
  EXPECT_EQ(kube::int_at(deployment("p-ingress"), "spec/replicas"), 2) << "the others continue";
}

TEST_F(ControllerTest, PodsThatHaveEndedAreAnEventAndNothingElse) {
  fixture_.install();
  Json pod;
  for (const Json& one : fixture_.kube.all(kube::kPods))
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
  fixture_.kube.put(kube::kPods, evicted, "kubelet");
  std::set<std::string> polled;
  const auto answer = fixture_.statusz.answer;
  fixture_.statusz.answer = [&](const std::string& name) {
    polled.insert(name);
    return answer(name);
  };
  fixture_.pass(std::chrono::seconds(180));
  EXPECT_THAT(polled, Contains(HasSubstr("p-ingress")));
  EXPECT_THAT(polled, Not(Contains(HasSubstr("evicted"))));
  EXPECT_EQ(fixture_.event("PodFailed"), "pod p-ingress-evicted: Evicted: low on memory");
  EXPECT_EQ(std::count_if(fixture_.events_seen.begin(), fixture_.events_seen.end(),
                          [](const Announcement& one) { return one.reason == "PodFailed"; }),
            1);
  EXPECT_THAT(fixture_.condition("Degraded"), StartsWith("False"));
}

TEST_F(ControllerTest, TheRecordOfTheLastGoodSpecIsCreatedAgainWhileIdle) {
  fixture_.install();
  fixture_.pass(std::chrono::seconds(60));
  const Json before = fixture_.kube.at(kube::kConfigMaps, {"team", "p-last-good"})["data"];
  fixture_.events_seen.clear();
  fixture_.kube.erase(kube::kConfigMaps, {"team", "p-last-good"});
  fixture_.pass(std::chrono::seconds(10));
  EXPECT_EQ(fixture_.kube.at(kube::kConfigMaps, {"team", "p-last-good"})["data"], before);
  EXPECT_FALSE(fixture_.has_event("RolloutComplete")) << "nothing was rolled out";
}

TEST_F(ControllerTest, AStatusThatIsEditedByHandIsWrittenAnew) {
  fixture_.install();
  fixture_.pass(std::chrono::seconds(60));
  const Json before = fixture_.status();
  const auto pods = fixture_.kube.names(kube::kPods);
  ASSERT_TRUE(
      fixture_.kube
          .merge_patch(
              kube::kPipelines, {"team", "p"},
              {{"status",
                {{"config", {{"lastGoodRevision", "made-up"}, {"failedRevision", "nonsense"}}}}}},
              "status")
          .ok());
  ASSERT_NE(fixture_.status()["config"], before["config"]);
  fixture_.pass(std::chrono::seconds(30));
  EXPECT_EQ(fixture_.status()["config"], before["config"]);
  EXPECT_EQ(fixture_.kube.names(kube::kPods), pods) << "nothing was rolled";
}

TEST_F(ControllerTest, APausedPipelineIsObserved) {
  fixture_.install();
  fixture_.change({{"paused", true}, {"ingress", {{"replicas", 3}}}});
  fixture_.pass(std::chrono::seconds(10));
  fixture_.statusz.answer = [](const std::string&) {
    decide::StatuszReport report;
    report.ready = report.answered = true;
    report.last_error = "connection refused";
    return report;
  };
  fixture_.kube.forget_writes();
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_EQ(fixture_.condition("Ready"), "False: KafkaUnreachable");
  EXPECT_THAT(writes_without_status(), IsEmpty());
}

TEST_F(ControllerTest, AMissingSecretIsNamedWithItsPlace) {
  Json object = ControllerFixture::pipeline();
  object["spec"]["ingress"]["tls"]["secretName"] = "otlp-tls";
  fixture_.install(object);
  EXPECT_THAT(fixture_.condition("ConfigValid"), StartsWith("False"));
  EXPECT_THAT(fixture_.message("ConfigValid"),
              AllOf(HasSubstr("otlp-tls"), HasSubstr("spec.ingress.tls.secretName")));
  EXPECT_EQ(fixture_.condition("Ready"), "False: SecretMissing");
  EXPECT_EQ(fixture_.condition("Reconciling"), "True: SecretMissing");
  EXPECT_THAT(fixture_.kube.names(kube::kDeployments), Not(Contains("p-ingress")));
  EXPECT_THAT(fixture_.kube.names(kube::kDeployments), Contains("p-bridge"))
      << "a Secret's trouble is that of who uses it";
  // It appears: the next poll finds it.
  fixture_.kube.put(kube::kSecrets, {{"metadata", {{"name", "otlp-tls"}, {"namespace", "team"}}},
                                     {"data", {{"tls.crt", "YQ=="}, {"tls.key", "YQ=="}}}});
  fixture_.secrets->poll();
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_THAT(fixture_.condition("ConfigValid"), StartsWith("True"));
  EXPECT_THAT(fixture_.kube.names(kube::kDeployments), Contains("p-ingress"));
}

// The garbage collector deletes what has an owner that is gone: in the same namespace, by uid.
// An object that is written for a deleted Pipeline has an owner that does not exist.
TEST_F(ControllerTest, IsNotReadyWhileTheServiceOfTheIngressSelectsNoPod) {
  fixture_.install();
  const Json pods = fixture_.kube.all(kube::kPods);
  EXPECT_EQ(decide::count_endpoints(fixture_.kube.at(kube::kServices, {"team", "p-ingress"}), pods),
            1);
  // It cannot be put back for now.
  fixture_.kube.fail("apply", "services", unavailable("HTTP 503"), 10'000);
  fixture_.kube.edit(kube::kServices, {"team", "p-ingress"},
                     {{"spec", {{"selector", {{"x", "1"}}}}}}, "kubectl-edit");
  EXPECT_EQ(decide::count_endpoints(fixture_.kube.at(kube::kServices, {"team", "p-ingress"}), pods),
            0);
  fixture_.pass(std::chrono::seconds(10));
  EXPECT_EQ(fixture_.condition("Ready"), "False: NoEndpoints");
  fixture_.kube.heal();
  fixture_.pass(std::chrono::seconds(10));
  EXPECT_THAT(fixture_.condition("Ready"), StartsWith("True"));
}

TEST_F(ControllerTest, TwoPipelinesDoNotDisturbEachOther) {
  fixture_.install();
  fixture_.kube.put(kube::kPipelines, ControllerFixture::pipeline("q"));
  fixture_.pass(std::chrono::seconds(60));
  fixture_.kube.forget_writes();
  fixture_.change({{"ingress", {{"config", {{"no_such_key", 1}}}}}}, "q");
  fixture_.change({{"bridge", {{"produce", {{"replicas", 2}}}}}});
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_THAT(fixture_.condition("ConfigValid", "q"), StartsWith("False"));
  EXPECT_THAT(fixture_.condition("Ready"), StartsWith("True"));
  for (const std::string& write : writes_without_status()) EXPECT_THAT(write, HasSubstr("/p-"));
}

TEST_F(ControllerTest, ADeadDestinationDegradesAndRollsNothingBack) {
  fixture_.install();
  fixture_.statusz.answer = [](const std::string& pod) {
    decide::StatuszReport report;
    report.ready = report.answered = report.kafka_reachable = true;
    report.has_destination = pod.find("tempo") != std::string::npos;
    report.destination_error = "tempo:4317: connection refused";
    return report;
  };
  fixture_.pass(std::chrono::seconds(120));
  EXPECT_THAT(fixture_.condition("ExportersHealthy"), StartsWith("False"));
  EXPECT_THAT(fixture_.condition("Degraded"), StartsWith("True"));
  EXPECT_THAT(fixture_.condition("Ready"), StartsWith("True"));
  EXPECT_TRUE(decide::rollout_memory(fixture_.status()).failed_revision.empty());
}

TEST_F(ControllerTest, AnOpenCircuitIsAnEventAtItsBeginAndOneAtItsEnd) {
  bool open = false;
  fixture_.statusz.answer = [&open](const std::string& pod) {
    decide::StatuszReport report;
    report.ready = report.answered = report.kafka_reachable = true;
    report.has_destination = report.destination_reachable = true;
    report.destination_degraded = open && pod.find("consumer") == std::string::npos;
    return report;
  };
  const auto count = [this](std::string_view reason) {
    return std::count_if(fixture_.events_seen.begin(), fixture_.events_seen.end(),
                         [reason](const Announcement& one) { return one.reason == reason; });
  };
  fixture_.install();
  fixture_.pass(std::chrono::seconds(60));
  open = true;
  fixture_.pass(std::chrono::seconds(300));
  EXPECT_EQ(count("DestinationDegraded"), 1);
  EXPECT_EQ(count("DestinationRecovered"), 0);
  EXPECT_THAT(fixture_.condition("Ready"), StartsWith("True"));
  EXPECT_EQ(kube::string_at(fixture_.status(), "exporters/0/state"), "Degraded");
  open = false;
  fixture_.pass(std::chrono::seconds(300));
  EXPECT_EQ(count("DestinationDegraded"), 1);
  EXPECT_EQ(count("DestinationRecovered"), 1);
}

TEST_F(ControllerTest, ALagThatMovesIsReportedSoonAndSeldom) {
  double lag = 1;
  fixture_.statusz.answer = [&](const std::string& pod) {
    decide::StatuszReport report;
    report.ready = report.answered = report.kafka_reachable = true;
    report.has_destination = report.destination_reachable = true;
    if (pod.find("consumer") != std::string::npos)
      report.partitions.push_back({.topic = "otel.traces", .lag_seconds = lag});
    return report;
  };
  fixture_.install();
  fixture_.pass(std::chrono::seconds(60));
  const auto reported = [&] { return kube::string_at(fixture_.status(), "summary/lag"); };
  EXPECT_EQ(reported(), "<10s");
  lag = 30;
  fixture_.pass(std::chrono::seconds(30));
  EXPECT_EQ(reported(), "<1m");
  // Too soon to be reported at once, and no news afterwards.
  lag = 4000;
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_EQ(reported(), ">1h");
  // First just below a border, where it stays, and then well below it.
  lag = 9;
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_EQ(reported(), "<1m");
  lag = 7;
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_EQ(reported(), "<10s");
  lag = 12 * 3600 + 3600;
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_THAT(fixture_.condition("RetentionAtRisk"), StartsWith("True"));
  lag = 9 * 3600;
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_THAT(fixture_.condition("RetentionAtRisk"), StartsWith("False"));
}

}  // namespace
}  // namespace spanway::reconcile
