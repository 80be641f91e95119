#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "operator/api/schema.h"
#include "operator/decide/wall_time.h"
#include "tests/unit/operator_decide/status_fixture.h"

namespace spanway::decide {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Phase = RolloutDecision::Phase;

// ---- Ready --------------------------------------------------------------------------------------

TEST_F(StatusTest, NotReadyNamesPodContainerExitCodeAndLastLine) {
  scene_.set_pod(kSceneIngress, crashed_pod("p-ingress-x1", "ingress"));
  EXPECT_EQ(condition_after_update("Ready"), "False: CrashLoopBackOff");
  EXPECT_EQ(scene_.message("Ready"),
            "p-ingress: pod p-ingress-x1: container ingress exited with 78 (Error), 4 restarts: "
            "listen on 0.0.0.0:4317: address in use");
  EXPECT_EQ(scene_.condition("Degraded"), "True: CrashLoopBackOff");
  EXPECT_EQ(scene_.message("Degraded"), scene_.message("Ready"));
}

TEST_F(StatusTest, OneReadyPodOfAComponentIsEnough) {
  PodView& pod =
      scene_.views[kSceneBridge].pods.emplace_back(pod_of("sick", "r1", false, kSceneStartMs));
  pod.reason = "CrashLoopBackOff";
  EXPECT_EQ(condition_after_update("Ready"), "True: Running");
  EXPECT_EQ(scene_.condition("Degraded"), "True: CrashLoopBackOff");
}

TEST_F(StatusTest, APodThatGoesServesNone) {
  scene_.views[kSceneBridge].pods[0].deleting = true;
  EXPECT_EQ(condition_after_update("Ready"), "False: ComponentNotReady");
  EXPECT_THAT(scene_.message("Ready"), HasSubstr("p-bridge"));
}

TEST_F(StatusTest, WithoutAnyPodItIsNotReady) {
  scene_.views[kSceneIngress].pods.clear();
  EXPECT_EQ(condition_after_update("Ready"), "False: ComponentNotReady");
  EXPECT_EQ(scene_.message("Ready"), "p-ingress has no ready pod");
}

TEST_F(StatusTest, PodsThatAreRefusedAreReported) {
  scene_.views[kSceneIngress].stable.problem = "pods cannot be created: a pod is forbidden: quota";
  EXPECT_EQ(condition_after_update("Degraded"), "True: PodsRefused") << "there is one too few";
  EXPECT_EQ(scene_.condition("Ready"), "True: Running");
  scene_.views[kSceneIngress].pods.clear();
  EXPECT_EQ(condition_after_update("Ready"), "False: PodsRefused");
  EXPECT_EQ(scene_.message("Ready"),
            "p-ingress: pods cannot be created: a pod is forbidden: quota");
}

TEST_F(StatusTest, WhatIsScaledToNothingNeedsNoPod) {
  const auto scale_to_nothing = [this](std::size_t place) {
    scene_.desired.components[place].replicas = 0;
    scene_.views[place].stable = {.exists = true, .revision = "r1", .settled = true};
    scene_.views[place].pods.clear();
  };
  scale_to_nothing(kSceneConsumer);
  EXPECT_EQ(condition_after_update("Ready"), "True: Running");
  scale_to_nothing(kSceneIngress);
  EXPECT_EQ(condition_after_update("Ready"), "False: ScaledToZero") << "nothing is received";
  EXPECT_EQ(scene_.message("Ready"), "p-ingress has 0 replicas: nothing is received");
}

// ---- Ready: what the pods report now ------------------------------------------------------------

TEST_F(StatusTest, ATopicThatIsGoneIsNotReadyHoweverTheJobEnded) {
  scene_.update();
  scene_.report(kSceneBridge).topics = {
      {.name = "otel.traces", .error = "Broker: Unknown topic or partition"}};
  EXPECT_EQ(condition_after_update("TopicsReady"), "False: TopicMissing");
  EXPECT_THAT(scene_.message("TopicsReady"),
              AllOf(StartsWith("p-bridge: pod " + scene_.name_of(kSceneBridge)),
                    HasSubstr("otel.traces"), HasSubstr("Unknown topic")));
  EXPECT_EQ(scene_.condition("Ready"), "False: TopicMissing");
  EXPECT_EQ(scene_.condition("Degraded"), "True: TopicMissing");
  scene_.topics.state = TopicsView::State::kUnmanaged;
  EXPECT_EQ(condition_after_update("Ready"), "False: TopicMissing")
      << "whatever creates the topics";
}

TEST_F(StatusTest, ProduceErrorsAreNotReady) {
  for (const auto& [error, reason] : std::map<std::string, std::string>{
           {"NOT_ENOUGH_REPLICAS", "NotEnoughReplicas"},
           {"Broker: Not enough in-sync replicas", "NotEnoughReplicas"},
           {"Broker: Topic authorization failed", "KafkaAccessDenied"},
           {"Broker: Unknown topic or partition", "TopicMissing"},
           {"Local: Message timed out", "ProduceFailed"}}) {
    scene_.report(kSceneBridge).produce = {.ok = false, .error = error};
    EXPECT_EQ(condition_after_update("Ready"), "False: " + reason) << error;
    EXPECT_THAT(scene_.message("Ready"), HasSubstr(error));
  }
  scene_.report(kSceneBridge).produce = {.ok = true};
  EXPECT_EQ(condition_after_update("Ready"), "True: Running");
  EXPECT_EQ(scene_.condition("TopicsReady"), "True: Ready");
}

TEST_F(StatusTest, AnIngressWithoutItsNextHopIsNotReady) {
  scene_.report(kSceneIngress).next = {.ok = false, .error = "connect failed (after 3ms)"};
  EXPECT_EQ(condition_after_update("Ready"), "False: NextHopUnreachable");
  EXPECT_THAT(scene_.message("Ready"),
              AllOf(StartsWith("p-ingress: pod "), HasSubstr("after 3ms")));
  const Json before = scene_.status;
  scene_.report(kSceneIngress).next = {.ok = false, .error = "connect failed (after 7ms)"};
  scene_.pass(60);
  EXPECT_EQ(scene_.update(), before) << "other words of the same failure";
  scene_.report(kSceneIngress).next = {.ok = true};
  EXPECT_EQ(condition_after_update("Ready"), "True: Running");
}

TEST_F(StatusTest, OnePodOfTwoThatFailsIsDegradedOnly) {
  PodView other = scene_.views[kSceneBridge].pods[0];
  other.name = "other";
  scene_.views[kSceneBridge].pods.push_back(other);
  scene_.report(kSceneBridge).produce = {.ok = true};
  scene_.reports["other"] = {.answered = true,
                             .kafka_reachable = true,
                             .produce = ActivityReport{.ok = false, .error = "timed out"}};
  EXPECT_EQ(condition_after_update("Ready"), "True: Running");
  EXPECT_EQ(scene_.condition("Degraded"), "True: ProduceFailed");
}

TEST_F(StatusTest, AGroupThatMayNotBeJoinedIsNotReady) {
  scene_.report(kSceneConsumer).assignment = {.ok = false, .error = "Group authorization failed"};
  EXPECT_EQ(condition_after_update("Ready"), "False: KafkaAccessDenied");
  EXPECT_THAT(scene_.message("Ready"), StartsWith("p-a-consumer: "));
  scene_.report(kSceneConsumer).assignment = {.ok = false, .error = "foreign assignor"};
  EXPECT_EQ(condition_after_update("Ready"), "True: Running");
  EXPECT_EQ(scene_.condition("ExportersHealthy"), "False: NoAssignment");
  EXPECT_THAT(scene_.message("ExportersHealthy"), HasSubstr("foreign assignor"));
}

TEST_F(StatusTest, StallsAndLostRecordsOfAConsumerAreReported) {
  scene_.report(kSceneConsumer).stalls = {
      {.signal = "logs", .tenant = "t", .scope = "tenant", .reason = "HTTP 403"}};
  EXPECT_EQ(condition_after_update("ExportersHealthy"), "False: DestinationRefuses");
  EXPECT_EQ(scene_.message("ExportersHealthy"),
            "exporter a: tenant logs of tenant t stalls: HTTP 403");
  scene_.report(kSceneConsumer).lost_records = 3;
  EXPECT_EQ(condition_after_update("RetentionAtRisk"), "True: RecordsLost");
}

TEST_F(StatusTest, AnIngressThatKeepsItsOldCertificateIsDegraded) {
  scene_.report(kSceneIngress).certificate_error = "tls.crt: no certificate in it";
  EXPECT_EQ(condition_after_update("Degraded"), "True: CertificateNotLoaded");
  EXPECT_THAT(scene_.message("Degraded"),
              AllOf(StartsWith("p-ingress: pod "), HasSubstr("the old certificate stays in use"),
                    HasSubstr("no certificate in it")));
  EXPECT_EQ(scene_.condition("Ready"), "True: Running");
}

TEST_F(StatusTest, AComponentThatKeepsItsOldCredentialsIsDegraded) {
  scene_.report(kSceneIngress).credential_errors = {
      "auth.tokens[0].token_file: /secrets/a/token holds no credential; write one into it"};
  EXPECT_EQ(condition_after_update("Degraded"), "True: CredentialsNotLoaded");
  EXPECT_THAT(scene_.message("Degraded"),
              AllOf(StartsWith("p-ingress: pod "), HasSubstr("the old credentials stay in use"),
                    HasSubstr("auth.tokens[0].token_file")));
  EXPECT_EQ(scene_.condition("Ready"), "True: Running");
  scene_.report(kSceneIngress).credential_errors.clear();
  scene_.report(kSceneConsumer).credential_errors = {"kafka.sasl.password_file: the file is empty",
                                                     "tls: no certificate"};
  EXPECT_EQ(condition_after_update("Degraded"), "True: CredentialsNotLoaded");
  EXPECT_THAT(scene_.message("Degraded"),
              AllOf(HasSubstr("kafka.sasl.password_file"), HasSubstr("; tls: no certificate")));
  scene_.report(kSceneConsumer).credential_errors.clear();
  EXPECT_EQ(condition_after_update("Degraded"), "False: AsExpected");
}

TEST_F(StatusTest, WeaknessesOfTopicsOfOthersDegrade) {
  scene_.report(kSceneBridge).weaknesses = {"otel.logs: cleanup.policy=compact"};
  EXPECT_EQ(condition_after_update("Degraded"), "False: AsExpected")
      << "of managed topics the Job reports";
  scene_.topics.state = TopicsView::State::kUnmanaged;
  EXPECT_EQ(condition_after_update("Degraded"), "True: TopicsWeaker");
  EXPECT_EQ(scene_.condition("Ready"), "True: Running");
}

// ---- Reconciling and Stalled: kstatus -----------------------------------------------------------

TEST_F(StatusTest, EveryPhaseIsWhatKstatusMakesOfIt) {
  struct Case {
    Phase phase;
    const char* reason;
    const char* kstatus;
  };
  scene_.update();
  scene_.pipeline.generation = 4;
  for (const Case& c : {Case{Phase::kInstalling, "Installing", "InProgress"},
                        Case{Phase::kInstalling, "CrashLoopBackOff", "Failed"},
                        Case{Phase::kInstalling, "SecretMissing", "InProgress"},
                        Case{Phase::kRolling, "CanaryProving", "InProgress"},
                        Case{Phase::kProving, "Proving", "InProgress"},
                        Case{Phase::kRolledBack, "OOMKilled", "Failed"},
                        Case{Phase::kPausedFailure, "OOMKilled", "Failed"}}) {
    scene_.set_rollout(c.phase, c.reason, "what it does");
    scene_.update();
    EXPECT_EQ(kstatus(scene_.status, 4), c.kstatus) << c.reason;
    EXPECT_EQ(scene_.condition("Ready"), "True: Running") << "what runs is ready";
    EXPECT_EQ(kube::int_at(scene_.status["conditions"][0], "observedGeneration"), 3)
        << "and not at this generation: " << c.reason;
  }
  scene_.views[kSceneIngress].stable.settled = false;
  scene_.set_rollout(Phase::kRolledBack, "OOMKilled", "x");
  EXPECT_EQ(condition_after_update("Reconciling"), "True: RollingBack");
  scene_.views[kSceneIngress].stable.settled = true;
  scene_.set_rollout(Phase::kComplete, "Complete", "it runs");
  scene_.update();
  EXPECT_EQ(kstatus(scene_.status, 4), "Current");
  EXPECT_EQ(kube::int_at(scene_.status["conditions"][0], "observedGeneration"), 4);
}

TEST_F(StatusTest, AScalingChangeIsReconcilingUntilItsPodsAreThere) {
  scene_.update();
  scene_.pipeline.generation = 4;
  scene_.desired.components[kSceneIngress].replicas = 2;
  EXPECT_EQ(condition_after_update("Reconciling"), "True: Scaling");
  EXPECT_EQ(kstatus(scene_.status, 4), "InProgress");
  scene_.views[kSceneIngress].stable.replicas = 2;
  EXPECT_EQ(condition_after_update("Reconciling"), "False: Complete");
  EXPECT_EQ(kstatus(scene_.status, 4), "Current");
  scene_.views[kSceneIngress].stable.settled = false;
  EXPECT_EQ(condition_after_update("Reconciling"), "False: Complete")
      << "a pod that restarts is no change";
}

TEST_F(StatusTest, PodsThatAreReplacedAreAChangeAndThoseThatEndAreNone) {
  scene_.update();
  EXPECT_EQ(kstatus(scene_.status, 3), "Current");
  scene_.views[kSceneIngress].stable.settled = false;
  scene_.views[kSceneIngress].stable.outdated = 1;
  EXPECT_EQ(condition_after_update("Reconciling"), "True: ReplacingPods");
  EXPECT_EQ(scene_.condition("Stalled"), "False: Reconciling");
  EXPECT_EQ(kstatus(scene_.status, 3), "InProgress");
  scene_.views[kSceneIngress].stable.outdated = 0;
  EXPECT_EQ(condition_after_update("Reconciling"), "False: Complete");
  // A StatefulSet counts a pod that ends as one of no template.
  scene_.desired.components[kSceneConsumer].stateful = true;
  scene_.views[kSceneConsumer].stable.outdated = 1;
  EXPECT_EQ(condition_after_update("Reconciling"), "True: ReplacingPods");
  scene_.views[kSceneConsumer].pods[0].deleting = true;
  EXPECT_EQ(condition_after_update("Reconciling"), "False: Complete");
}

TEST_F(StatusTest, TheVersionIsThatOfWhatRuns) {
  EXPECT_EQ((scene_.update(), scene_.at("version")), "1.2.3");
  scene_.last_good_version = "1.2.2";
  for (const Phase phase : {Phase::kRolling, Phase::kRolledBack}) {
    scene_.set_rollout(phase, "CanaryStarting", "x");
    EXPECT_EQ((scene_.update(), scene_.at("version")), "1.2.2");
  }
  scene_.set_rollout(Phase::kComplete, "Complete", "x");
  EXPECT_EQ((scene_.update(), scene_.at("version")), "1.2.3");
}

TEST_F(StatusTest, APodThatIsNotReadyReportsWhyInItsFirstText) {
  PodView& pod = scene_.views[kSceneBridge].pods[0];
  const std::string name = pod.name;
  pod = pod_of(name, "r1", false, kSceneStartMs - 10'000);
  StatuszReport& report = scene_.report(kSceneBridge);
  report.ready = false;
  report.reason = "no metadata yet: connect to k:9092 failed (after 3ms)";
  EXPECT_EQ(condition_after_update("Ready"), "False: ComponentNotReady");
  EXPECT_THAT(scene_.message("Ready"), HasSubstr(name));
  EXPECT_THAT(scene_.message("Ready"), HasSubstr("connect to k:9092 failed (after 3ms)"));
  report.reason = "no metadata yet: connect to k:9092 failed (after 5ms)";
  scene_.update();
  EXPECT_THAT(scene_.message("Ready"), HasSubstr("(after 3ms)")) << "one writes it once";
}

TEST_F(StatusTest, WithoutKafkaOrTopicsItIsNotReady) {
  scene_.topics.state = TopicsView::State::kPending;
  EXPECT_EQ(condition_after_update("Ready"), "False: TopicsPending");
  scene_.topics = {.state = TopicsView::State::kFailed, .message = "topic otel.logs: no rights"};
  EXPECT_EQ(condition_after_update("Ready"), "False: TopicsFailed");
  EXPECT_EQ(scene_.message("Ready"), "topic otel.logs: no rights");
  scene_.report(kSceneBridge).kafka_reachable = false;
  EXPECT_EQ(condition_after_update("Ready"), "False: KafkaUnreachable");
}

TEST_F(StatusTest, WhetherItIsReadyIsUnknownUntilABridgeHasAnswered) {
  all_silent();
  EXPECT_EQ(condition_after_update("Ready"), "Unknown: NoReports");
}

// ---- Progressing --------------------------------------------------------------------------------

TEST_F(StatusTest, ProgressingFollowsTheRollout) {
  struct Case {
    Phase phase;
    const char* reason;
    const char* condition;
    const char* config;
  };
  for (const Case& c :
       {Case{Phase::kInstalling, "Installing", "True: Installing", "Installing"},
        Case{Phase::kInstalling, "CrashLoopBackOff", "False: CrashLoopBackOff", "Failed"},
        Case{Phase::kRolling, "CanaryProving", "True: CanaryProving", "Rolling"},
        Case{Phase::kProving, "Proving", "True: Proving", "Proving"},
        Case{Phase::kComplete, "Complete", "False: Complete", "Active"},
        Case{Phase::kPausedFailure, "OOMKilled", "False: RolloutFailed", "Failed"},
        Case{Phase::kRolledBack, "OOMKilled", "False: RolledBack", "RolledBack"}}) {
    scene_.set_rollout(c.phase, c.reason, "what it does");
    EXPECT_EQ(condition_after_update("Progressing"), c.condition);
    EXPECT_EQ(scene_.at("summary/config"), c.config) << c.condition;
  }
  scene_.views[kSceneIngress].stable.settled = false;
  EXPECT_EQ(condition_after_update("Progressing"), "True: RollingBack");
  EXPECT_THAT(scene_.message("Progressing"), HasSubstr("p-ingress"));
}

// ---- Paused -------------------------------------------------------------------------------------

TEST_F(StatusTest, APausedPipelineKeepsItsStatus) {
  scene_.update();
  const std::string ready_since = scene_.since("Ready");
  scene_.pass(100);
  scene_.paused = true;
  scene_.has_rollout = false;
  EXPECT_EQ(condition_after_update("Paused"), "True: Paused");
  EXPECT_EQ(scene_.since("Paused"), wall_time_text(scene_.now_ms));
  EXPECT_EQ(scene_.condition("Ready"), "True: Running");
  EXPECT_EQ(scene_.since("Ready"), ready_since);
  EXPECT_EQ(scene_.condition("ConfigValid"), "True: Valid");
  EXPECT_EQ(scene_.condition("Progressing"), "False: Paused");
  EXPECT_EQ(scene_.at("summary/config"), "Paused");
  EXPECT_EQ(scene_.at("summary/ingress"), "1/1");
  const Json status = scene_.status;
  scene_.pass(86'400);
  EXPECT_EQ(scene_.update(), status);
}

TEST_F(StatusTest, OfAPipelineThatWasNeverReconciledNothingIsClaimed) {
  scene_.paused = true;
  scene_.has_rollout = false;
  scene_.update();
  for (const char* type :
       {"Ready", "ConfigValid", "KafkaReachable", "TopicsReady", "ExportersHealthy", "Degraded",
        "RolledBack", "ScalingLimited", "RetentionAtRisk"}) {
    EXPECT_EQ(scene_.condition(type), "Unknown: Paused") << type;
  }
}

}  // namespace
}  // namespace spanway::decide
