#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/unit/operator_reconcile/controller_test_base.h"

namespace spanway::reconcile {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

TEST_F(ControllerTest, TheTopicsJobRunsAgainWhenPodsMissATopicAndNotTooOften) {
  fixture_.install();
  const auto answer = fixture_.statusz.answer;
  fixture_.statusz.answer = [&](const std::string& pod) {
    decide::StatuszReport report = answer(pod);
    if (pod.find("bridge") != std::string::npos)
      report.topics.push_back({.name = "otel.traces", .error = "Broker: Unknown topic"});
    return report;
  };
  const auto jobs_made = [this] {
    const auto writes = fixture_.kube.writes();
    return std::count_if(writes.begin(), writes.end(),
                         [](const std::string& write) { return write.starts_with("apply jobs"); });
  };
  fixture_.kube.forget_writes();
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_EQ(fixture_.condition("TopicsReady"), "False: TopicMissing");
  EXPECT_EQ(fixture_.condition("Ready"), "False: TopicMissing");
  EXPECT_TRUE(fixture_.has_event("TopicMissing"));
  EXPECT_GE(jobs_made(), 1);
  fixture_.pass(std::chrono::seconds(1800), std::chrono::seconds(10));
  EXPECT_LE(jobs_made(), 8) << "backed off";
  fixture_.statusz.answer = answer;
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_THAT(fixture_.condition("Ready"), StartsWith("True"));
}

TEST_F(ControllerTest, TheTopicsJobRunsAgainWhenABridgeFindsATopicWeakerAndNotTooOften) {
  fixture_.install();
  const auto answer = fixture_.statusz.answer;
  fixture_.statusz.answer = [&](const std::string& pod) {
    decide::StatuszReport report = answer(pod);
    if (pod.find("bridge") != std::string::npos)
      report.topic_settings.push_back({.name = "otel.traces", .retention_ms = 60'000});
    return report;
  };
  const auto jobs_made = [this] {
    const auto writes = fixture_.kube.writes();
    return std::count_if(writes.begin(), writes.end(),
                         [](const std::string& write) { return write.starts_with("apply jobs"); });
  };
  fixture_.pass(std::chrono::minutes(7), std::chrono::seconds(10));
  EXPECT_EQ(fixture_.condition("TopicsReady"), "False: TopicsWeaker");
  EXPECT_THAT(fixture_.message("TopicsReady"), HasSubstr("otel.traces: retention.ms is 60000"));
  fixture_.kube.forget_writes();
  fixture_.pass(std::chrono::minutes(40), std::chrono::seconds(10));
  EXPECT_GE(jobs_made(), 2);
  EXPECT_LE(jobs_made(), 5) << "every ten minutes";
  fixture_.statusz.answer = answer;
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_EQ(fixture_.condition("TopicsReady"), "True: Ready");
  EXPECT_THAT(fixture_.condition("Ready"), StartsWith("True"));
}

TEST_F(ControllerTest, AnAutoscalerWithoutMetricsIsReported) {
  Json pipeline = ControllerFixture::pipeline();
  pipeline["spec"]["ingress"]["autoscaling"] = {{"minReplicas", 2}, {"maxReplicas", 10}};
  fixture_.install(pipeline);
  const Json status = {{"currentReplicas", 2},
                       {"conditions", Json::array({{{"type", "ScalingActive"},
                                                    {"status", "False"},
                                                    {"reason", "FailedGetResourceMetric"},
                                                    {"message", "no metrics API"}}})}};
  ASSERT_TRUE(fixture_.kube
                  .merge_patch(kube::kHorizontalPodAutoscalers, {"team", "p-ingress"},
                               {{"status", status}}, "status")
                  .ok());
  fixture_.pass(std::chrono::seconds(30));
  EXPECT_EQ(fixture_.condition("ScalingLimited"), "True: FailedGetResourceMetric");
  EXPECT_THAT(fixture_.message("ScalingLimited"), HasSubstr("p-ingress"));
}

TEST_F(ControllerTest, AfterARollbackTheFailedRevisionsTopicsJobIsGone) {
  fixture_.install();
  const auto good = fixture_.kube.names(kube::kJobs);
  const std::string old = fixture_.revision_of(kube::kDeployments, "p-bridge");
  fixture_.kube.fate = [old](const Json& pod) {
    fakes::FakeKube::PodFate fate;
    const bool is_new = kube::string_at(pod, "metadata/annotations/spanway.dev~1revision") != old;
    if (kube::string_at(pod, "metadata/labels/spanway.dev~1component") == "bridge" && is_new)
      fate.kind = fakes::FakeKube::PodFate::Kind::kCrashes;
    return fate;
  };
  fixture_.change({{"kafka", {{"bootstrapServers", "other:9092"}}}});
  fixture_.pass(std::chrono::seconds(600), std::chrono::seconds(10));
  ASSERT_THAT(fixture_.condition("RolledBack"), StartsWith("True"));
  EXPECT_EQ(fixture_.kube.names(kube::kJobs), good);
}

TEST_F(ControllerTest, AnAutoscalerIsNeverFought) {
  Json object = ControllerFixture::pipeline();
  object["spec"]["ingress"]["replicas"] = 4;
  fixture_.install(object);
  fixture_.change({{"ingress", {{"autoscaling", {{"minReplicas", 2}, {"maxReplicas", 10}}}}}});
  fixture_.pass(std::chrono::seconds(30));
  EXPECT_EQ(kube::int_at(deployment("p-ingress"), "spec/replicas"), 4);
  EXPECT_THAT(fixture_.kube.names(kube::kHorizontalPodAutoscalers), Contains("p-ingress"));
  for (const int replicas : {7, 3, 9}) {
    fixture_.kube.edit(kube::kDeployments, {"team", "p-ingress"},
                       {{"spec", {{"replicas", replicas}}}}, "kube-controller-manager");
    fixture_.kube.forget_writes();
    fixture_.pass(std::chrono::seconds(30));
    EXPECT_EQ(kube::int_at(deployment("p-ingress"), "spec/replicas"), replicas);
    EXPECT_THAT(writes_without_status(), IsEmpty());
  }
  EXPECT_FALSE(fixture_.has_event("DriftReverted"));
  // Back to a fixed number.
  fixture_.change({{"ingress", {{"autoscaling", nullptr}, {"replicas", 2}}}});
  fixture_.pass(std::chrono::seconds(30));
  EXPECT_EQ(kube::int_at(deployment("p-ingress"), "spec/replicas"), 2);
  EXPECT_THAT(fixture_.kube.names(kube::kHorizontalPodAutoscalers), IsEmpty());
}

TEST_F(ControllerTest, ConsumersFollowTheLagThroughTheScaleSubresource) {
  double lag = 0;
  report_lag(lag);
  fixture_.install(pipeline_that_scales_by_lag());
  EXPECT_EQ(consumers(), 2);
  const auto writes = fixture_.kube.writes();
  EXPECT_THAT(writes, Contains("patch statefulsets/scale team/p-tempo-consumer"));
  for (int i = 0; i < 30; ++i) {
    lag += 30;
    fixture_.pass(std::chrono::seconds(10), std::chrono::seconds(10));
  }
  EXPECT_GT(consumers(), 2);
  EXPECT_LE(consumers(), 6);
  EXPECT_TRUE(fixture_.has_event("Scaled"));
  EXPECT_FALSE(fixture_.has_event("DriftReverted"));
  // Replicas of what we scale are ours alone.
  const std::int64_t decided = consumers();
  lag = 5;
  fixture_.pass(std::chrono::seconds(20), std::chrono::seconds(10));
  fixture_.kube.edit(kube::kStatefulSets, {"team", "p-tempo-consumer"},
                     {{"spec", {{"replicas", 1}}}}, "kubectl-scale");
  fixture_.pass(std::chrono::seconds(10), std::chrono::seconds(10));
  EXPECT_EQ(consumers(), decided);
  EXPECT_THAT(fixture_.event("DriftReverted"), HasSubstr("\"kubectl-scale\""));
}

TEST_F(ControllerTest, ARefusedSpecStopsNoScaling) {
  double lag = 0;
  report_lag(lag);
  fixture_.install(pipeline_that_scales_by_lag());
  fixture_.change({{"ingress", {{"config", {{"no_such_key", 1}}}}}});
  fixture_.pass(std::chrono::seconds(30));
  ASSERT_EQ(fixture_.condition("ConfigValid"), "False: ConfigInvalid");
  for (int i = 0; i < 30; ++i) {
    lag += 30;
    fixture_.pass(std::chrono::seconds(10), std::chrono::seconds(10));
  }
  EXPECT_GT(consumers(), 2);
}

TEST_F(ControllerTest, PodsThatAQuotaRefusesAreNamedOfEveryKindOfWorkload) {
  fixture_.kube.refuse_pods = [](const Json&) {
    return "exceeded quota: cpu, limited: limits.cpu=1";
  };
  fixture_.kube.put(kube::kPipelines, ControllerFixture::pipeline());
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_EQ(fixture_.condition("TopicsReady"), "False: JobBlocked");
  EXPECT_THAT(fixture_.message("TopicsReady"), HasSubstr("exceeded quota: cpu"));
  EXPECT_THAT(fixture_.condition("Degraded"), StartsWith("True"));
  for (const char* workload : {"p-tempo: ", "p-tempo-consumer: "})
    EXPECT_THAT(fixture_.message("Degraded"),
                HasSubstr(std::string(workload) + "pods cannot be created: a pod is forbidden: "))
        << "a Deployment and a StatefulSet";
  fixture_.kube.refuse_pods = [](const Json&) { return ""; };
  fixture_.pass(std::chrono::seconds(180));
  EXPECT_THAT(fixture_.condition("Ready"), StartsWith("True"));
  EXPECT_THAT(fixture_.condition("Degraded"), StartsWith("False"));
}

TEST_F(ControllerTest, ConflictsAndThrottlingAreRetried) {
  fixture_.kube.fail(
      "apply", "",
      transient_error(Code::kResourceExhausted, "429").with_retry_after(std::chrono::seconds(1)),
      3);
  fixture_.kube.fail("patch", "pipelines",
                     transient_error(Code::kAborted, "conflict").with_reason("conflict"), 2);
  fixture_.install();
  // One reconciliation whose first three objects are refused, two whose status is.
  EXPECT_EQ(fixture_.errors.size(), 3u);
  EXPECT_THAT(fixture_.condition("Ready"), StartsWith("True"));
}

TEST_F(ControllerTest, ARefusalThatRepeatsIsInTheStatusWhateverItsCodeAndEndsInARollback) {
  fixture_.install();
  const std::string good = fixture_.revision_of(kube::kDeployments, "p-ingress");
  // The server's answer to an unknown field.
  fixture_.kube.fail("apply", "deployments",
                     transient_error(Code::kUnavailable, "HTTP 500: .spec.x: field not declared")
                         .with_reason("internal_error"),
                     10'000);
  fixture_.change({{"image", {{"tag", "next"}}}});
  fixture_.pass(std::chrono::seconds(20));
  EXPECT_NE(fixture_.condition("Degraded"), "True: ApplyFailed");
  fixture_.pass(std::chrono::seconds(20));
  EXPECT_EQ(fixture_.condition("Degraded"), "True: ApplyFailed");
  EXPECT_THAT(fixture_.message("Degraded"), HasSubstr("field not declared"));
  fixture_.pass(std::chrono::minutes(11), std::chrono::seconds(10));
  EXPECT_THAT(fixture_.condition("RolledBack"), StartsWith("True"));
  EXPECT_THAT(fixture_.message("RolledBack"), HasSubstr("field not declared"));
  EXPECT_EQ(fixture_.revision_of(kube::kDeployments, "p-ingress"), good);
}

TEST_F(ControllerTest, AWriteThatIsNotAnsweredEndsTheReconciliation) {
  fixture_.kube.fail("apply", "", transient_error(Code::kDeadlineExceeded, "no answer in time"),
                     10'000);
  fixture_.kube.put(kube::kPipelines, ControllerFixture::pipeline());
  fixture_.settle();
  const auto writes = fixture_.kube.writes();
  const auto applies = std::count_if(writes.begin(), writes.end(), [](const std::string& write) {
    return write.starts_with("apply");
  });
  EXPECT_EQ(static_cast<std::size_t>(applies), fixture_.errors.size());
}

TEST_F(ControllerTest, ARefusedWriteIsInTheStatusUntilItPasses) {
  fixture_.kube.fail("apply", "networkpolicies",
                     configuration_error(Code::kPermissionDenied, "networkpolicies is forbidden"),
                     10'000);
  fixture_.kube.put(kube::kPipelines, ControllerFixture::pipeline());
  fixture_.settle();
  EXPECT_EQ(fixture_.condition("Degraded"), "True: ApplyFailed");
  EXPECT_THAT(fixture_.message("Degraded"), HasSubstr("networkpolicies is forbidden"));
  EXPECT_THAT(fixture_.kube.names(kube::kServices), Contains("p-ingress"))
      << "the others do not wait for it";
  EXPECT_THAT(fixture_.kube.names(kube::kDeployments), IsEmpty()) << "pods do";
  fixture_.kube.heal();
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_THAT(fixture_.condition("Degraded"), Not(HasSubstr("ApplyFailed")));
  EXPECT_THAT(fixture_.condition("Ready"), StartsWith("True"));
}

TEST_F(ControllerTest, TheTopicsJobReports) {
  fixture_.kube.fate = [](const Json& pod) {
    fakes::FakeKube::PodFate fate;
    if (kube::string_at(pod, "metadata/ownerReferences/0/kind") == "Job")
      fate.message =
          R"({"topics":[{"name":"otel.traces","partitions":12,"replication_factor":3,"weaker":[],"error":""}],"ok":true})";
    return fate;
  };
  fixture_.install();
  EXPECT_THAT(fixture_.condition("TopicsReady"), StartsWith("True"));
  EXPECT_EQ(fixture_.kube.all(kube::kJobs).size(), 1u);
}

TEST_F(ControllerTest, TooFewReplicasInSyncAreReportedByTheConditionAndTheTopic) {
  fixture_.kube.fate = [](const Json& pod) {
    fakes::FakeKube::PodFate fate;
    if (kube::string_at(pod, "metadata/ownerReferences/0/kind") != "Job") return fate;
    fate.kind = fakes::FakeKube::PodFate::Kind::kCrashes;
    fate.exit_code = 3;
    fate.message =
        R"({"topics":[{"name":"otel.traces","partitions":12,"replication_factor":3,)"
        R"("min_insync_replicas":1,"weaker":["min.insync.replicas is 1, desired 2"],"error":""}],)"
        R"("ok":false})";
    return fate;
  };
  fixture_.install();
  EXPECT_EQ(fixture_.condition("TopicsReady"), "False: TopicsWeaker");
  EXPECT_EQ(fixture_.message("TopicsReady"),
            "topic otel.traces: min.insync.replicas is 1, desired 2");
  EXPECT_EQ(fixture_.condition("Degraded"), "True: TopicsWeaker");
  const Json status = fixture_.status();
  EXPECT_EQ(kube::int_at(status, "topics/0/minInsyncReplicas"), 1);
  EXPECT_EQ(kube::string_at(status, "topics/0/state"), "Weak");
}

TEST_F(ControllerTest, AFailedTopicsJobRunsAgain) {
  int runs = 0;
  fixture_.kube.fate = [&](const Json& pod) {
    fakes::FakeKube::PodFate fate;
    if (kube::string_at(pod, "metadata/ownerReferences/0/kind") != "Job") return fate;
    if (++runs > 2) return fate;
    fate.kind = fakes::FakeKube::PodFate::Kind::kCrashes;
    fate.message = "cannot reach kafka:9092";
    return fate;
  };
  fixture_.kube.put(kube::kPipelines, ControllerFixture::pipeline());
  fixture_.settle();
  EXPECT_THAT(fixture_.condition("TopicsReady"), StartsWith("False"));
  EXPECT_THAT(fixture_.message("TopicsReady"), HasSubstr("cannot reach kafka:9092"));
  fixture_.pass(std::chrono::seconds(240));
  EXPECT_EQ(runs, 3);
  EXPECT_THAT(fixture_.condition("TopicsReady"), StartsWith("True"));
}

}  // namespace
}  // namespace spanway::reconcile
