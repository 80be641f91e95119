#include "operator/decide/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/api/schema.h"
#include "operator/decide/wall_time.h"
#include "tests/unit/operator_decide/status_scene.h"

namespace spanway::reconcile {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Phase = RolloutDecision::Phase;

class StatusTest : public ::testing::Test {
 protected:
  std::string look_at(const std::string& type) {
    scene_.look();
    return scene_.condition(type);
  }
  // A container that has crashed, as the kubelet tells of it.
  static Json crashed_pod(const std::string& name, const std::string& container) {
    const Json ended = {{"exitCode", 78},
                        {"reason", "Error"},
                        {"finishedAt", "2027-01-15T07:59:00Z"},
                        {"message", "starting\nlisten on 0.0.0.0:4317: address in use\n"}};
    const Json state = {{"name", container},
                        {"ready", false},
                        {"restartCount", 4},
                        {"state", {{"waiting", {{"reason", "CrashLoopBackOff"}}}}},
                        {"lastState", {{"terminated", ended}}}};
    return {{"metadata",
             {{"name", name},
              {"creationTimestamp", "2027-01-15T07:50:00Z"},
              {"annotations", {{api::kRevisionAnnotation, "r1"}}}}},
            {"status", {{"phase", "Running"}, {"containerStatuses", Json::array({state})}}}};
  }
  void all_silent() {
    for (auto& [name, report] : scene_.reports) report = StatuszReport{.error = "timed out"};
  }
  void lose_reports() { scene_.reports.clear(); }
  StatusScene scene_;
};

TEST_F(StatusTest, HasThirteenConditionsOfWhichNoneIsWrong) {
  const Json status = scene_.look();
  std::vector<std::string> types;
  for (const Json& one : status["conditions"]) {
    types.push_back(kube::string_at(one, "type"));
    EXPECT_EQ(kube::int_at(one, "observedGeneration"), 3);
    EXPECT_EQ(kube::string_at(one, "lastTransitionTime"), wall_time_text(kSceneStartMs));
    EXPECT_FALSE(kube::string_at(one, "message").empty());
  }
  EXPECT_THAT(types,
              ElementsAre("Ready", "Progressing", "ConfigValid", "KafkaReachable", "TopicsReady",
                          "ExportersHealthy", "Degraded", "RolledBack", "ScalingLimited",
                          "RetentionAtRisk", "Paused", "Reconciling", "Stalled"));
  EXPECT_EQ(scene_.condition("Ready"), "True: Running");
  EXPECT_EQ(scene_.condition("Progressing"), "False: Complete");
  EXPECT_EQ(scene_.condition("ConfigValid"), "True: Valid");
  EXPECT_EQ(scene_.condition("KafkaReachable"), "True: Reachable");
  EXPECT_EQ(scene_.condition("TopicsReady"), "True: Ready");
  EXPECT_EQ(scene_.condition("ExportersHealthy"), "True: Delivering");
  EXPECT_EQ(scene_.condition("Degraded"), "False: AsWanted");
  EXPECT_EQ(scene_.condition("RolledBack"), "False: NotRolledBack");
  EXPECT_EQ(scene_.condition("ScalingLimited"), "False: NotLimited");
  EXPECT_EQ(scene_.condition("RetentionAtRisk"), "False: LagWithinRetention");
  EXPECT_EQ(scene_.condition("Paused"), "False: NotPaused");
  EXPECT_EQ(kube::int_at(status, "observedGeneration"), 3);
}

// ---- Ready --------------------------------------------------------------------------------------

TEST_F(StatusTest, NotReadyNamesPodContainerExitCodeAndLastLine) {
  scene_.set_pod(kSceneIngress, crashed_pod("p-ingress-x1", "ingress"));
  EXPECT_EQ(look_at("Ready"), "False: CrashLoopBackOff");
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
  EXPECT_EQ(look_at("Ready"), "True: Running");
  EXPECT_EQ(scene_.condition("Degraded"), "True: CrashLoopBackOff");
}

TEST_F(StatusTest, APodThatGoesServesNobody) {
  scene_.views[kSceneBridge].pods[0].deleting = true;
  EXPECT_EQ(look_at("Ready"), "False: ComponentNotReady");
  EXPECT_THAT(scene_.message("Ready"), HasSubstr("p-bridge"));
}

TEST_F(StatusTest, WithoutAnyPodItIsNotReady) {
  scene_.views[kSceneIngress].pods.clear();
  EXPECT_EQ(look_at("Ready"), "False: ComponentNotReady");
  EXPECT_EQ(scene_.message("Ready"), "p-ingress has no ready pod");
}

TEST_F(StatusTest, PodsThatAreRefusedAreToldOf) {
  scene_.views[kSceneIngress].stable.problem = "pods cannot be made: a pod is forbidden: quota";
  EXPECT_EQ(look_at("Degraded"), "True: PodsRefused") << "there is one too few";
  EXPECT_EQ(scene_.condition("Ready"), "True: Running");
  scene_.views[kSceneIngress].pods.clear();
  EXPECT_EQ(look_at("Ready"), "False: PodsRefused");
  EXPECT_EQ(scene_.message("Ready"), "p-ingress: pods cannot be made: a pod is forbidden: quota");
}

TEST_F(StatusTest, WhatIsScaledToNothingNeedsNoPod) {
  const auto scale_to_nothing = [this](std::size_t place) {
    scene_.wanted.components[place].replicas = 0;
    scene_.views[place].stable = {.exists = true, .revision = "r1", .settled = true};
    scene_.views[place].pods.clear();
  };
  scale_to_nothing(kSceneConsumer);
  EXPECT_EQ(look_at("Ready"), "True: Running");
  scale_to_nothing(kSceneIngress);
  EXPECT_EQ(look_at("Ready"), "False: ScaledToZero") << "nothing is received";
  EXPECT_EQ(scene_.message("Ready"), "p-ingress has 0 replicas: nothing is received");
}

// ---- Ready: what the pods report now ------------------------------------------------------------

TEST_F(StatusTest, ATopicThatIsGoneIsNotReadyHoweverTheJobEnded) {
  scene_.look();
  scene_.report(kSceneBridge).topics = {
      {.name = "otel.traces", .error = "Broker: Unknown topic or partition"}};
  EXPECT_EQ(look_at("TopicsReady"), "False: TopicMissing");
  EXPECT_THAT(scene_.message("TopicsReady"),
              AllOf(StartsWith("p-bridge: pod " + scene_.name_of(kSceneBridge)),
                    HasSubstr("otel.traces"), HasSubstr("Unknown topic")));
  EXPECT_EQ(scene_.condition("Ready"), "False: TopicMissing");
  EXPECT_EQ(scene_.condition("Degraded"), "True: TopicMissing");
  scene_.topics.state = TopicsView::State::kUnmanaged;
  EXPECT_EQ(look_at("Ready"), "False: TopicMissing") << "whoever makes the topics";
}

TEST_F(StatusTest, ProduceErrorsAreNotReady) {
  for (const auto& [error, reason] : std::map<std::string, std::string>{
           {"NOT_ENOUGH_REPLICAS", "NotEnoughReplicas"},
           {"Broker: Not enough in-sync replicas", "NotEnoughReplicas"},
           {"Broker: Topic authorization failed", "KafkaAccessDenied"},
           {"Broker: Unknown topic or partition", "TopicMissing"},
           {"Local: Message timed out", "ProduceFailed"}}) {
    scene_.report(kSceneBridge).produce = {.ok = false, .error = error};
    EXPECT_EQ(look_at("Ready"), "False: " + reason) << error;
    EXPECT_THAT(scene_.message("Ready"), HasSubstr(error));
  }
  scene_.report(kSceneBridge).produce = {.ok = true};
  EXPECT_EQ(look_at("Ready"), "True: Running");
  EXPECT_EQ(scene_.condition("TopicsReady"), "True: Ready");
}

TEST_F(StatusTest, AnIngressWithoutItsNextHopIsNotReady) {
  scene_.report(kSceneIngress).next = {.ok = false, .error = "connect failed (after 3ms)"};
  EXPECT_EQ(look_at("Ready"), "False: NextHopUnreachable");
  EXPECT_THAT(scene_.message("Ready"),
              AllOf(StartsWith("p-ingress: pod "), HasSubstr("after 3ms")));
  const Json before = scene_.status;
  scene_.report(kSceneIngress).next = {.ok = false, .error = "connect failed (after 7ms)"};
  scene_.pass(60);
  EXPECT_EQ(scene_.look(), before) << "other words of the same failure";
  scene_.report(kSceneIngress).next = {.ok = true};
  EXPECT_EQ(look_at("Ready"), "True: Running");
}

TEST_F(StatusTest, OnePodOfTwoThatFailsIsDegradedOnly) {
  PodView other = scene_.views[kSceneBridge].pods[0];
  other.name = "other";
  scene_.views[kSceneBridge].pods.push_back(other);
  scene_.report(kSceneBridge).produce = {.ok = true};
  scene_.reports["other"] = {.answered = true,
                             .kafka_reachable = true,
                             .produce = ActivityReport{.ok = false, .error = "timed out"}};
  EXPECT_EQ(look_at("Ready"), "True: Running");
  EXPECT_EQ(scene_.condition("Degraded"), "True: ProduceFailed");
}

TEST_F(StatusTest, AGroupThatMayNotBeJoinedIsNotReady) {
  scene_.report(kSceneConsumer).assignment = {.ok = false, .error = "Group authorization failed"};
  EXPECT_EQ(look_at("Ready"), "False: KafkaAccessDenied");
  EXPECT_THAT(scene_.message("Ready"), StartsWith("p-a-consumer: "));
  scene_.report(kSceneConsumer).assignment = {.ok = false, .error = "foreign assignor"};
  EXPECT_EQ(look_at("Ready"), "True: Running");
  EXPECT_EQ(scene_.condition("ExportersHealthy"), "False: NoAssignment");
  EXPECT_THAT(scene_.message("ExportersHealthy"), HasSubstr("foreign assignor"));
}

TEST_F(StatusTest, StallsAndLostRecordsOfAConsumerAreToldOf) {
  scene_.report(kSceneConsumer).stalls = {
      {.signal = "logs", .tenant = "t", .scope = "tenant", .reason = "HTTP 403"}};
  EXPECT_EQ(look_at("ExportersHealthy"), "False: DestinationRefuses");
  EXPECT_EQ(scene_.message("ExportersHealthy"),
            "exporter a: tenant logs of tenant t stalls: HTTP 403");
  scene_.report(kSceneConsumer).lost_records = 3;
  EXPECT_EQ(look_at("RetentionAtRisk"), "True: RecordsLost");
}

TEST_F(StatusTest, AnIngressThatKeepsItsOldCertificateIsDegraded) {
  scene_.report(kSceneIngress).certificate_error = "tls.crt: no certificate in it";
  EXPECT_EQ(look_at("Degraded"), "True: CertificateNotLoaded");
  EXPECT_THAT(scene_.message("Degraded"),
              AllOf(StartsWith("p-ingress: pod "), HasSubstr("the old certificate stays in use"),
                    HasSubstr("no certificate in it")));
  EXPECT_EQ(scene_.condition("Ready"), "True: Running");
}

TEST_F(StatusTest, WeaknessesOfTopicsOfOthersDegrade) {
  scene_.report(kSceneBridge).weaknesses = {"otel.logs: cleanup.policy=compact"};
  EXPECT_EQ(look_at("Degraded"), "False: AsWanted") << "of managed topics the Job reports";
  scene_.topics.state = TopicsView::State::kUnmanaged;
  EXPECT_EQ(look_at("Degraded"), "True: TopicsWeaker");
  EXPECT_EQ(scene_.condition("Ready"), "True: Running");
}

// ---- Reconciling and Stalled: kstatus -----------------------------------------------------------

// The rules of sigs.k8s.io/cli-utils/pkg/kstatus for a custom resource, restated.
std::string kstatus(const Json& status, std::int64_t generation) {
  if (kube::int_at(status, "observedGeneration") != generation) return "InProgress";
  std::string ready = "Current";
  for (const Json& one : status["conditions"]) {
    const std::string type = kube::string_at(one, "type");
    const bool is_true = kube::string_at(one, "status") == "True";
    if (type == "Reconciling" && is_true) return "InProgress";
    if (type == "Stalled" && is_true) return "Failed";
    if (type == "Ready") ready = is_true ? "Current" : "InProgress";
  }
  return ready;
}

TEST_F(StatusTest, EveryPhaseIsWhatKstatusMakesOfIt) {
  struct Case {
    Phase phase;
    const char* reason;
    const char* kstatus;
  };
  scene_.look();
  scene_.pipeline.generation = 4;
  for (const Case& c : {Case{Phase::kInstalling, "Installing", "InProgress"},
                        Case{Phase::kInstalling, "CrashLoopBackOff", "Failed"},
                        Case{Phase::kInstalling, "SecretMissing", "InProgress"},
                        Case{Phase::kRolling, "CanaryProving", "InProgress"},
                        Case{Phase::kProving, "Proving", "InProgress"},
                        Case{Phase::kRolledBack, "OOMKilled", "Failed"},
                        Case{Phase::kPausedFailure, "OOMKilled", "Failed"}}) {
    scene_.set_rollout(c.phase, c.reason, "what it does");
    scene_.look();
    EXPECT_EQ(kstatus(scene_.status, 4), c.kstatus) << c.reason;
    EXPECT_EQ(scene_.condition("Ready"), "True: Running") << "what runs is ready";
    EXPECT_EQ(kube::int_at(scene_.status["conditions"][0], "observedGeneration"), 3)
        << "and not at this generation: " << c.reason;
  }
  scene_.views[kSceneIngress].stable.settled = false;
  scene_.set_rollout(Phase::kRolledBack, "OOMKilled", "x");
  EXPECT_EQ(look_at("Reconciling"), "True: RollingBack");
  scene_.views[kSceneIngress].stable.settled = true;
  scene_.set_rollout(Phase::kComplete, "Complete", "it runs");
  scene_.look();
  EXPECT_EQ(kstatus(scene_.status, 4), "Current");
  EXPECT_EQ(kube::int_at(scene_.status["conditions"][0], "observedGeneration"), 4);
}

TEST_F(StatusTest, AScalingChangeIsReconcilingUntilItsPodsAreThere) {
  scene_.look();
  scene_.pipeline.generation = 4;
  scene_.wanted.components[kSceneIngress].replicas = 2;
  EXPECT_EQ(look_at("Reconciling"), "True: Scaling");
  EXPECT_EQ(kstatus(scene_.status, 4), "InProgress");
  scene_.views[kSceneIngress].stable.replicas = 2;
  EXPECT_EQ(look_at("Reconciling"), "False: Complete");
  EXPECT_EQ(kstatus(scene_.status, 4), "Current");
  scene_.views[kSceneIngress].stable.settled = false;
  EXPECT_EQ(look_at("Reconciling"), "False: Complete") << "a pod that restarts is no change";
}

TEST_F(StatusTest, TheVersionIsThatOfWhatRuns) {
  EXPECT_EQ((scene_.look(), scene_.at("version")), "1.2.3");
  scene_.last_good_version = "1.2.2";
  for (const Phase phase : {Phase::kRolling, Phase::kRolledBack}) {
    scene_.set_rollout(phase, "CanaryStarting", "x");
    EXPECT_EQ((scene_.look(), scene_.at("version")), "1.2.2");
  }
  scene_.set_rollout(Phase::kComplete, "Complete", "x");
  EXPECT_EQ((scene_.look(), scene_.at("version")), "1.2.3");
}

TEST_F(StatusTest, APodThatIsNotReadySaysWhyInItsFirstWords) {
  PodView& pod = scene_.views[kSceneBridge].pods[0];
  const std::string name = pod.name;
  pod = pod_of(name, "r1", false, kSceneStartMs - 10'000);
  StatuszReport& report = scene_.report(kSceneBridge);
  report.ready = false;
  report.reason = "no metadata yet: connect to k:9092 failed (after 3ms)";
  EXPECT_EQ(look_at("Ready"), "False: ComponentNotReady");
  EXPECT_THAT(scene_.message("Ready"), HasSubstr(name));
  EXPECT_THAT(scene_.message("Ready"), HasSubstr("connect to k:9092 failed (after 3ms)"));
  report.reason = "no metadata yet: connect to k:9092 failed (after 5ms)";
  scene_.look();
  EXPECT_THAT(scene_.message("Ready"), HasSubstr("(after 3ms)")) << "one writes it once";
}

TEST_F(StatusTest, WithoutKafkaOrTopicsItIsNotReady) {
  scene_.topics.state = TopicsView::State::kPending;
  EXPECT_EQ(look_at("Ready"), "False: TopicsPending");
  scene_.topics = {.state = TopicsView::State::kFailed, .message = "topic otel.logs: no rights"};
  EXPECT_EQ(look_at("Ready"), "False: TopicsFailed");
  EXPECT_EQ(scene_.message("Ready"), "topic otel.logs: no rights");
  scene_.report(kSceneBridge).kafka_reachable = false;
  EXPECT_EQ(look_at("Ready"), "False: KafkaUnreachable");
}

TEST_F(StatusTest, WhetherItIsReadyIsUnknownUntilABridgeHasAnswered) {
  all_silent();
  EXPECT_EQ(look_at("Ready"), "Unknown: NoReports");
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
    EXPECT_EQ(look_at("Progressing"), c.condition);
    EXPECT_EQ(scene_.at("summary/config"), c.config) << c.condition;
  }
  scene_.views[kSceneIngress].stable.settled = false;
  EXPECT_EQ(look_at("Progressing"), "True: RollingBack");
  EXPECT_THAT(scene_.message("Progressing"), HasSubstr("p-ingress"));
}

// ---- ConfigValid --------------------------------------------------------------------------------

TEST_F(StatusTest, WithARefusedSpecTheLastGoodOneIsObservedOn) {
  scene_.look();
  scene_.pipeline.generation = 4;
  scene_.problems.add("spec.ingress.config", "has no such key");
  scene_.keeps_wanted = true;
  scene_.look();
  EXPECT_EQ(scene_.condition("ConfigValid"), "False: ConfigInvalid");
  EXPECT_EQ(scene_.condition("Ready"), "True: Running");
  EXPECT_EQ(scene_.condition("Stalled"), "True: ConfigInvalid");
  EXPECT_EQ(scene_.condition("Progressing"), "False: ConfigInvalid");
  EXPECT_EQ(kstatus(scene_.status, 4), "Failed");
  scene_.report(kSceneBridge).kafka_reachable = false;
  EXPECT_EQ(look_at("Ready"), "False: KafkaUnreachable") << "its conditions are fresh";
  EXPECT_THAT(scene_.message("Degraded"), AllOf(HasSubstr("has no such key"), HasSubstr("broker")));
}

TEST_F(StatusTest, AMissingSecretIsInTheConditions) {
  scene_.secret_problems.add("spec.ingress.tls.secretName", "there is no Secret \"x\"");
  EXPECT_EQ(look_at("ConfigValid"), "False: SecretMissing");
  EXPECT_EQ(scene_.condition("Ready"), "True: Running");
  EXPECT_EQ(scene_.condition("Degraded"), "True: SecretMissing");
  scene_.views[kSceneIngress].stable.exists = false;
  scene_.views[kSceneIngress].pods.clear();
  EXPECT_EQ(look_at("Ready"), "False: SecretMissing") << "nothing was made of it yet";
}

TEST_F(StatusTest, APausedPipelineIsObserved) {
  const Json config = scene_.look()["config"];
  scene_.paused = true;
  scene_.pipeline.generation = 4;
  scene_.set_rollout(Phase::kRolling, "CanaryStarting", "not now");
  scene_.report(kSceneBridge).kafka_reachable = false;
  EXPECT_EQ(look_at("Ready"), "False: KafkaUnreachable");
  EXPECT_EQ(scene_.condition("Progressing"), "False: Paused");
  EXPECT_EQ(scene_.condition("Reconciling"), "False: Paused");
  EXPECT_EQ(scene_.condition("Stalled"), "False: Paused");
  EXPECT_EQ(scene_.status["config"], config) << "nothing is decided";
}

TEST_F(StatusTest, AnInvalidConfigurationNamesTheFieldAndChangesNothingElse) {
  const Json before = scene_.look();
  scene_.pass(60);
  scene_.pipeline.generation = 4;
  scene_.problems.add("spec.exporters[a].destination.endpoint", "is no address");
  scene_.problems.add("spec.ingress.config", "has no such key");
  scene_.has_rollout = false;
  const Json after = scene_.look();
  EXPECT_EQ(scene_.condition("ConfigValid"), "False: ConfigInvalid");
  EXPECT_EQ(scene_.message("ConfigValid"),
            "2 problems, the first: spec.exporters[a].destination.endpoint: is no address");
  EXPECT_EQ(scene_.condition("Progressing"), "False: ConfigInvalid");
  EXPECT_EQ(scene_.condition("Degraded"), "True: ConfigInvalid");
  EXPECT_EQ(scene_.condition("Ready"), "True: Running") << "what runs goes on";
  EXPECT_EQ(scene_.at("summary/config"), "Invalid");
  for (const char* part : {"components", "exporters", "topics", "config", "replicas", "selector"}) {
    EXPECT_EQ(after[part], before[part]) << part;
  }
  EXPECT_EQ(kube::int_at(after, "observedGeneration"), 4);
  EXPECT_EQ(rollout_memory(after), rollout_memory(before));
}

TEST_F(StatusTest, OneProblemIsToldWithoutACount) {
  scene_.problems.add("spec", "has no exporter");
  scene_.has_rollout = false;
  EXPECT_EQ(look_at("ConfigValid"), "False: ConfigInvalid");
  EXPECT_EQ(scene_.message("ConfigValid"), "spec: has no exporter");
  EXPECT_EQ(scene_.condition("Ready"), "False: ConfigInvalid") << "nothing was ever made of it";
  EXPECT_EQ(scene_.condition("KafkaReachable"), "Unknown: ConfigInvalid");
  EXPECT_EQ(scene_.condition("RolledBack"), "Unknown: ConfigInvalid");
  scene_.problems = {};
  scene_.has_rollout = true;
  EXPECT_EQ(look_at("ConfigValid"), "True: Valid");
}

// ---- Paused -------------------------------------------------------------------------------------

TEST_F(StatusTest, APausedPipelineKeepsItsStatus) {
  scene_.look();
  const std::string ready_since = scene_.since("Ready");
  scene_.pass(100);
  scene_.paused = true;
  scene_.has_rollout = false;
  EXPECT_EQ(look_at("Paused"), "True: Paused");
  EXPECT_EQ(scene_.since("Paused"), wall_time_text(scene_.now_ms));
  EXPECT_EQ(scene_.condition("Ready"), "True: Running");
  EXPECT_EQ(scene_.since("Ready"), ready_since);
  EXPECT_EQ(scene_.condition("ConfigValid"), "True: Valid");
  EXPECT_EQ(scene_.condition("Progressing"), "False: Paused");
  EXPECT_EQ(scene_.at("summary/config"), "Paused");
  EXPECT_EQ(scene_.at("summary/ingress"), "1/1");
  const Json status = scene_.status;
  scene_.pass(86'400);
  EXPECT_EQ(scene_.look(), status);
}

TEST_F(StatusTest, OfAPipelineThatWasNeverLookedAtNothingIsClaimed) {
  scene_.paused = true;
  scene_.has_rollout = false;
  scene_.look();
  for (const char* type :
       {"Ready", "ConfigValid", "KafkaReachable", "TopicsReady", "ExportersHealthy", "Degraded",
        "RolledBack", "ScalingLimited", "RetentionAtRisk"}) {
    EXPECT_EQ(scene_.condition(type), "Unknown: Paused") << type;
  }
}

// ---- KafkaReachable -----------------------------------------------------------------------------

TEST_F(StatusTest, WhyKafkaIsOutOfReachIsOneWord) {
  for (const auto& [error, reason] : std::map<std::string, std::string>{
           {"connect to k:9092 failed: refused", "KafkaUnreachable"},
           {"SASL authentication failed", "KafkaAuthenticationFailed"},
           {"SSL handshake failed: certificate verify failed", "KafkaTlsFailed"},
           {"Cluster authorization failed", "KafkaAccessDenied"},
           {"", "KafkaUnreachable"}}) {
    scene_.report(kSceneBridge).kafka_reachable = false;
    scene_.report(kSceneBridge).last_error = error;
    EXPECT_EQ(look_at("KafkaReachable"), "False: " + reason);
    EXPECT_THAT(scene_.message("KafkaReachable"),
                StartsWith("p-bridge: pod " + scene_.name_of(kSceneBridge) + ": "));
    EXPECT_THAT(scene_.message("KafkaReachable"),
                HasSubstr(error.empty() ? "no broker answers" : error));
    scene_.status = Json::object();
  }
}

TEST_F(StatusTest, ABridgeOfTwoThatReachesKafkaIsEnough) {
  PodView other = scene_.views[kSceneBridge].pods[0];
  other.name = "other";
  scene_.views[kSceneBridge].pods.push_back(other);
  scene_.reports["other"] = {.answered = true, .kafka_reachable = false};
  EXPECT_EQ(look_at("KafkaReachable"), "True: Reachable");
  scene_.report(kSceneBridge).kafka_reachable = false;
  EXPECT_EQ(look_at("KafkaReachable"), "False: KafkaUnreachable");
}

TEST_F(StatusTest, ABridgeThatHasOnlyJustStartedIsNoFailure) {
  auto& bridge = scene_.report(kSceneBridge);
  bridge.ready = bridge.kafka_reachable = false;
  EXPECT_EQ(look_at("KafkaReachable"), "Unknown: Connecting");
  scene_.report(kSceneConsumer).kafka_reachable = false;  // This one was connected once.
  EXPECT_EQ(look_at("KafkaReachable"), "False: KafkaUnreachable");
  scene_.report(kSceneConsumer).kafka_reachable = true;
  bridge.last_error = "connect failed";
  EXPECT_EQ(look_at("KafkaReachable"), "False: KafkaUnreachable");
  bridge.last_error = "";
  bridge.ready = bridge.kafka_reachable = true;
  EXPECT_EQ(look_at("KafkaReachable"), "True: Reachable");
  bridge.ready = bridge.kafka_reachable = false;  // Restarted.
  EXPECT_EQ(look_at("KafkaReachable"), "True: Reachable");
}

TEST_F(StatusTest, AConsumerThatDoesNotReachKafkaCountsToo) {
  scene_.report(kSceneConsumer).kafka_reachable = false;
  EXPECT_EQ(look_at("KafkaReachable"), "False: KafkaUnreachable");
  EXPECT_THAT(scene_.message("KafkaReachable"), StartsWith("p-a-consumer: "));
}

TEST_F(StatusTest, ChangingWordsOfTheSameFailureAreNoNews) {
  scene_.report(kSceneBridge).kafka_reachable = false;
  scene_.report(kSceneBridge).last_error = "connect failed (after 3ms)";
  const Json before = scene_.look();
  scene_.report(kSceneBridge).last_error = "connect failed (after 7ms)";
  scene_.pass(60);
  EXPECT_EQ(scene_.look(), before);
}

TEST_F(StatusTest, KafkaIsUnknownWhileNobodyAnswersAndStaysAsItWasWhileNobodyWasAsked) {
  all_silent();
  EXPECT_EQ(look_at("KafkaReachable"), "Unknown: NoReports");
  scene_ = StatusScene();
  const Json before = scene_.look();
  lose_reports();  // The operator has just started.
  scene_.pass(5);
  EXPECT_EQ(scene_.look(), before);
  all_silent();
  for (const ComponentView& view : scene_.views) scene_.reports[view.pods[0].name].error = "x";
  EXPECT_EQ(look_at("KafkaReachable"), "Unknown: NoReports");
}

// ---- TopicsReady --------------------------------------------------------------------------------

TEST_F(StatusTest, TopicsReadySaysWhatTheJobHasReported) {
  using State = TopicsView::State;
  scene_.topics = {.state = State::kPending, .message = "the topics Job runs"};
  EXPECT_EQ(look_at("TopicsReady"), "Unknown: Pending");
  EXPECT_EQ(scene_.message("TopicsReady"), "the topics Job runs");
  scene_.topics = {.state = State::kFailed, .message = "topic otel.logs: no rights"};
  EXPECT_EQ(look_at("TopicsReady"), "False: TopicsFailed");
  EXPECT_EQ(scene_.message("TopicsReady"), "topic otel.logs: no rights");
  EXPECT_EQ(scene_.condition("Degraded"), "True: TopicsFailed");
  scene_.topics = {.state = State::kWeak,
                   .message = "topic otel.traces: min.insync.replicas 1, wanted 2"};
  EXPECT_EQ(look_at("TopicsReady"), "False: TopicsWeaker");
  EXPECT_THAT(scene_.message("TopicsReady"), HasSubstr("min.insync.replicas 1, wanted 2"));
  scene_.topics = {.state = State::kReady};
  EXPECT_EQ(look_at("TopicsReady"), "True: Ready");
  scene_.topics = {.state = State::kPending};
  EXPECT_EQ(look_at("TopicsReady"), "True: Updating") << "they are there all the time";
  scene_.topics = {.state = State::kUnmanaged};
  EXPECT_EQ(look_at("TopicsReady"), "True: Unmanaged");
}

// ---- ExportersHealthy, and Degraded by it -------------------------------------------------------

TEST_F(StatusTest, ADeadDestinationIsDegradedAndNothingElse) {
  scene_.look();
  StatuszReport& sender = scene_.report(kSceneExporter);
  sender.destination_reachable = false;
  sender.destination_error = "connect to tempo:4317: connection refused";
  sender.destination_error_reason = "connect_failed";
  scene_.pass(60);
  EXPECT_EQ(look_at("ExportersHealthy"), "False: DestinationUnreachable");
  EXPECT_EQ(scene_.message("ExportersHealthy"),
            "exporter a: connect to tempo:4317: connection refused");
  EXPECT_EQ(scene_.condition("Degraded"), "True: DestinationUnreachable");
  EXPECT_EQ(scene_.message("Degraded"), scene_.message("ExportersHealthy"));
  EXPECT_EQ(scene_.condition("Ready"), "True: Running");
  EXPECT_EQ(scene_.condition("RolledBack"), "False: NotRolledBack");
  EXPECT_EQ(scene_.at("exporters/0/state"), "Stalled");
  EXPECT_EQ(scene_.at("exporters/0/lastError/reason"), "ConnectFailed");
  EXPECT_EQ(scene_.at("summary/exporters"), "0/1");
}

TEST_F(StatusTest, ADestinationThatRefusesStallsItsPartitions) {
  scene_.report(kSceneConsumer).partitions[0].stalled = true;
  scene_.report(kSceneConsumer).partitions[0].reason = "HTTP 401: token expired";
  EXPECT_EQ(look_at("ExportersHealthy"), "False: DestinationRefuses");
  EXPECT_EQ(scene_.message("ExportersHealthy"), "exporter a: HTTP 401: token expired");
  EXPECT_EQ(scene_.at("exporters/0/lastError/reason"), "Stalled");
}

TEST_F(StatusTest, OneOfTwoSendersThatGetsThroughIsEnough) {
  PodView other = scene_.views[kSceneExporter].pods[0];
  other.name = "other";
  scene_.views[kSceneExporter].pods.push_back(other);
  scene_.reports["other"] = {.answered = true, .has_destination = true};
  EXPECT_EQ(look_at("ExportersHealthy"), "True: Delivering");
}

TEST_F(StatusTest, OfAnExporterThatDoesNotAnswerNothingIsClaimed) {
  scene_.report(kSceneExporter) = {.error = "timed out"};
  EXPECT_EQ(look_at("ExportersHealthy"), "Unknown: NoReports");
  EXPECT_THAT(scene_.message("ExportersHealthy"), HasSubstr("a"));
  EXPECT_EQ(scene_.condition("Degraded"), "False: AsWanted");
}

TEST_F(StatusTest, PausedAndStoppedExportersAreWell) {
  scene_.report(kSceneExporter).destination_reachable = false;
  scene_.pipeline.spec.exporters[0].paused = true;
  EXPECT_EQ(look_at("ExportersHealthy"), "True: Delivering");
  EXPECT_EQ(scene_.at("exporters/0/state"), "Paused");
  scene_.pipeline.spec.exporters[0].paused = false;
  scene_.pipeline.spec.exporters[0].consumer.replicas = 0;
  scene_.look();
  EXPECT_EQ(scene_.at("exporters/0/state"), "Paused");
  EXPECT_EQ(scene_.at("summary/exporters"), "1/1");
  scene_.pipeline.spec.exporters.clear();
  EXPECT_EQ(look_at("ExportersHealthy"), "True: NoExporters");
}

// ---- Degraded -----------------------------------------------------------------------------------

TEST_F(StatusTest, DegradedTellsEverythingThatIsWrongTheWorstFirst) {
  scene_.set_rollout(Phase::kRolledBack, "OOMKilled", "p-ingress: pod x: killed");
  scene_.report(kSceneBridge).kafka_reachable = false;
  scene_.topics = {.state = TopicsView::State::kFailed, .message = "topic t: no"};
  scene_.report(kSceneExporter).destination_reachable = false;
  scene_.report(kSceneExporter).destination_error = "refused";
  EXPECT_EQ(look_at("Degraded"), "True: RolledBack");
  for (const char* part :
       {"p-ingress: pod x: killed", "no broker answers", "topic t: no", "exporter a: refused"}) {
    EXPECT_THAT(scene_.message("Degraded"), HasSubstr(part));
  }
  EXPECT_LE(scene_.message("Degraded").size(), 512u);
}

TEST_F(StatusTest, ACanaryInTroubleDegradesNothing) {
  PodView& pod =
      scene_.views[kSceneIngress].pods.emplace_back(pod_of("c", "r2", true, kSceneStartMs));
  pod.crash_looping = true;
  pod.reason = "CrashLoopBackOff";
  scene_.set_rollout(Phase::kRolling, "CanaryStarting", "p-ingress: the canary starts");
  EXPECT_EQ(look_at("Degraded"), "False: AsWanted");
}

TEST_F(StatusTest, AStartingPodDegradesNothingForTwoMinutes) {
  scene_.views[kSceneIngress].pods.push_back(pod_of("slow", "r1", false, kSceneStartMs));
  scene_.pass(119);
  EXPECT_EQ(look_at("Degraded"), "False: AsWanted");
  scene_.pass(1);
  EXPECT_EQ(look_at("Degraded"), "True: NotReady");
  EXPECT_THAT(scene_.message("Degraded"), HasSubstr("p-ingress: pod slow: is not ready"));
}

// ---- RolledBack ---------------------------------------------------------------------------------

TEST_F(StatusTest, RolledBackNamesBothRevisionsAndWhy) {
  scene_.set_rollout(Phase::kRolledBack, "CrashLoopBackOff",
                     "p-ingress: pod p-ingress-canary-x: container ingress exited with 1 (Error)");
  scene_.rollout.memory.failed_revision = "r2";
  scene_.rollout.memory.last_good_revision = "r1";
  scene_.rollout.memory.failed_reason = "CrashLoopBackOff: p-ingress: pod p-ingress-canary-x";
  EXPECT_EQ(look_at("RolledBack"), "True: CrashLoopBackOff");
  EXPECT_EQ(scene_.message("RolledBack"),
            "revision r2 failed, r1 is back: p-ingress: pod p-ingress-canary-x: container ingress "
            "exited with 1 (Error)");
  EXPECT_EQ(scene_.condition("Ready"), "True: Running");
  EXPECT_EQ(scene_.at("config/activeRevision"), "r1");
  EXPECT_EQ(scene_.at("config/failedRevision"), "r2");
}

TEST_F(StatusTest, TheFirstRevisionThatFailsHasNothingToGoBackTo) {
  scene_.set_pod(kSceneIngress, crashed_pod("p-ingress-x1", "ingress"));
  scene_.set_rollout(Phase::kInstalling, "CrashLoopBackOff",
                     "p-ingress: " + scene_.views[kSceneIngress].pods[0].problem);
  scene_.rollout.memory = {};
  EXPECT_EQ(look_at("RolledBack"), "False: NothingToGoBackTo");
  for (const char* type : {"RolledBack", "Progressing", "Ready", "Degraded"}) {
    EXPECT_THAT(scene_.message(type),
                HasSubstr("pod p-ingress-x1: container ingress exited with 78 (Error), 4 restarts: "
                          "listen on 0.0.0.0:4317: address in use"))
        << type;
  }
  EXPECT_EQ(scene_.condition("Progressing"), "False: CrashLoopBackOff");
  EXPECT_EQ(scene_.condition("Ready"), "False: CrashLoopBackOff");
  EXPECT_EQ(scene_.condition("Degraded"), "True: CrashLoopBackOff");
  EXPECT_EQ(scene_.at("config/lastGoodRevision"), "");
}

// ---- ScalingLimited -----------------------------------------------------------------------------

TEST_F(StatusTest, ScalingLimitedSaysWhyNot) {
  scene_.scaling["a"] = {.replicas = 12,
                         .limited = true,
                         .reason = "AtPartitionCount",
                         .message = "12 consumers for 12 partitions: more would have nothing"};
  EXPECT_EQ(look_at("ScalingLimited"), "True: AtPartitionCount");
  EXPECT_EQ(scene_.message("ScalingLimited"),
            "exporter a: 12 consumers for 12 partitions: more would have nothing");
  scene_.scaling["b"] = {.limited = true, .reason = "AtMaxReplicas", .message = "3 consumers"};
  EXPECT_EQ(look_at("ScalingLimited"), "True: AtPartitionCount");
  EXPECT_THAT(scene_.message("ScalingLimited"), HasSubstr("; exporter b: 3 consumers"));
  scene_.scaling.clear();
  EXPECT_EQ(look_at("ScalingLimited"), "False: NotLimited");
}

TEST_F(StatusTest, AnAutoscalerThatCannotComputeLimitsScaling) {
  scene_.idle_autoscalers["p-ingress"] = "FailedGetResourceMetric: no metrics API";
  EXPECT_EQ(look_at("ScalingLimited"), "True: FailedGetResourceMetric");
  EXPECT_EQ(scene_.message("ScalingLimited"),
            "HorizontalPodAutoscaler p-ingress does not scale: no metrics API");
}

TEST_F(StatusTest, AnAutoscalerOfAnotherThatScalesTheSameIsNamed) {
  scene_.foreign_autoscalers = {{"Deployment/p-bridge", "team-hpa"}};
  EXPECT_EQ(look_at("ScalingLimited"), "True: ForeignAutoscaler");
  EXPECT_THAT(scene_.message("ScalingLimited"),
              AllOf(HasSubstr("HorizontalPodAutoscaler team-hpa"), HasSubstr("Deployment/p-bridge"),
                    HasSubstr("delete it")));
  EXPECT_EQ(scene_.condition("Degraded"), "True: ForeignAutoscaler");
  EXPECT_EQ(scene_.condition("Ready"), "True: Running") << "it still delivers";
  scene_.foreign_autoscalers.clear();
  EXPECT_EQ(look_at("ScalingLimited"), "False: NotLimited");
  EXPECT_EQ(scene_.condition("Degraded"), "False: AsWanted");
}

TEST_F(StatusTest, ATopicsJobThatCannotStartIsSaid) {
  scene_.topics = {.state = TopicsView::State::kBlocked,
                   .message = "the topics Job does not start: exceeded quota"};
  EXPECT_EQ(look_at("TopicsReady"), "False: JobBlocked");
  EXPECT_EQ(scene_.condition("Degraded"), "True: JobBlocked");
  scene_.topics.state = TopicsView::State::kReady;
  scene_.look();
  scene_.topics.state = TopicsView::State::kBlocked;
  scene_.topics.message = "the topics Job does not start: exceeded quota";
  EXPECT_EQ(look_at("TopicsReady"), "True: JobBlocked") << "they are there all the time";
  EXPECT_EQ(scene_.condition("Degraded"), "True: JobBlocked");
  EXPECT_THAT(scene_.message("Degraded"), HasSubstr("exceeded quota"));
}

TEST_F(StatusTest, WhetherScalingIsLimitedIsUnknownUntilConsumersHaveTold) {
  scene_.scaling["a"] = {.reason = "NoReports"};
  EXPECT_EQ(look_at("ScalingLimited"), "Unknown: NoReports");
  scene_.scaling["a"] = {.reason = "Steady"};
  EXPECT_EQ(look_at("ScalingLimited"), "False: NotLimited");
  scene_.scaling["a"] = {.reason = "NoReports"};
  EXPECT_EQ(look_at("ScalingLimited"), "False: NotLimited") << "a pod that restarts is no news";
}

// ---- RetentionAtRisk ----------------------------------------------------------------------------

TEST_F(StatusTest, RetentionIsAtRiskFromHalfOfItOnUntilClearlyBelow) {
  scene_.pipeline.spec.kafka.topics.retention = std::chrono::hours(10);
  for (const auto& [hours, expected] :
       std::vector<std::pair<double, std::string>>{{4.9, "False: LagWithinRetention"},
                                                   {5.1, "True: LagNearRetention"},
                                                   {4.1, "True: LagNearRetention"},
                                                   {3.9, "False: LagWithinRetention"},
                                                   {4.9, "False: LagWithinRetention"}}) {
    scene_.set_lag(hours * 3600);
    EXPECT_EQ(look_at("RetentionAtRisk"), expected) << hours;
  }
  scene_.set_lag(36'000);
  scene_.look();
  EXPECT_THAT(scene_.message("RetentionAtRisk"), HasSubstr("exporter a"));
  EXPECT_EQ(scene_.condition("Degraded"), "True: RetentionAtRisk");
  scene_.report(kSceneConsumer) = {.error = "timed out"};
  EXPECT_EQ(look_at("RetentionAtRisk"), "True: LagNearRetention") << "silence is no relief";
}

TEST_F(StatusTest, WithoutALagOrARetentionTheRiskIsUnknown) {
  scene_.report(kSceneConsumer).partitions.clear();
  EXPECT_EQ(look_at("RetentionAtRisk"), "Unknown: NoReports");
  scene_.report(kSceneConsumer).partitions = {{.topic = "t", .lag_seconds = 1}};
  EXPECT_EQ(look_at("RetentionAtRisk"), "False: LagWithinRetention");
  scene_.report(kSceneConsumer).partitions.clear();
  EXPECT_EQ(look_at("RetentionAtRisk"), "False: LagWithinRetention");
  scene_.pipeline.spec.kafka.topics.management = api::Topics::Management::kNone;
  EXPECT_EQ(look_at("RetentionAtRisk"), "Unknown: RetentionUnknown");
}

// ---- When it is written -------------------------------------------------------------------------

TEST_F(StatusTest, TheTimeOfATransitionMovesWithTheStatusOnly) {
  scene_.look();
  const std::string start = wall_time_text(kSceneStartMs);
  scene_.pass(100);
  scene_.set_rollout(Phase::kRolling, "CanaryStarting", "one");
  scene_.look();
  const std::string later = wall_time_text(scene_.now_ms);
  EXPECT_EQ(scene_.since("Progressing"), later);
  EXPECT_EQ(scene_.since("Ready"), start);
  scene_.pass(100);
  scene_.set_rollout(Phase::kRolling, "CanaryProving", "two");
  scene_.pipeline.generation = 9;
  scene_.look();
  EXPECT_EQ(scene_.condition("Progressing"), "True: CanaryProving");
  EXPECT_EQ(scene_.since("Progressing"), later) << "reason, message and generation may move";
  EXPECT_EQ(scene_.since("Ready"), start);
}

TEST_F(StatusTest, AtRestEveryByteStaysAsItIs) {
  const std::string before = kube::to_text(scene_.look());
  Json stored = *kube::parse_json(before);
  for (int look = 0; look < 100; ++look) {
    scene_.pass(37);
    // What always moves: lag within its bucket, messages, the order of pods in a map of reports.
    scene_.set_lag(0.1 * (look % 50));
    scene_.report(kSceneConsumer).partitions[0].lag_messages = look;
    scene_.status = stored;
    ASSERT_EQ(kube::to_text(scene_.look()), before);
    ASSERT_EQ(scene_.look_again(), Duration::zero());
  }
}

TEST_F(StatusTest, ABrokenPipelineIsAtRestToo) {
  StatuszReport& sender = scene_.report(kSceneExporter);
  sender.destination_reachable = false;
  sender.destination_error = "refused";
  scene_.set_pod(kSceneIngress, crashed_pod("p-ingress-x1", "ingress"));
  scene_.set_rollout(Phase::kRolledBack, "CrashLoopBackOff", "p-ingress: pod c");
  scene_.topics = {.state = TopicsView::State::kWeak, .message = "topic t: weaker"};
  const std::string before = kube::to_text(scene_.look());
  for (int look = 0; look < 20; ++look) {
    scene_.pass(1000);
    ASSERT_EQ(kube::to_text(scene_.look()), before);
  }
}

TEST_F(StatusTest, LagIsABucketThatMovesAtMostEvery30Seconds) {
  scene_.look();
  EXPECT_EQ(scene_.at("exporters/0/lag"), "<10s");
  scene_.pass(100);
  scene_.set_lag(30);
  scene_.look();
  EXPECT_EQ(scene_.at("exporters/0/lag"), "<1m");
  EXPECT_EQ(scene_.look_again(), Duration::zero());
  scene_.pass(29);
  scene_.set_lag(4000);
  scene_.look();
  EXPECT_EQ(scene_.at("exporters/0/lag"), "<1m") << "held back";
  EXPECT_EQ(scene_.look_again(), Duration(std::chrono::seconds(30)))
      << "and somebody has to come back for it";
  scene_.pass(1);
  scene_.look();
  EXPECT_EQ(scene_.at("exporters/0/lag"), ">1h");
  EXPECT_EQ(scene_.at("summary/lag"), ">1h");
  EXPECT_EQ(scene_.look_again(), Duration::zero());
}

TEST_F(StatusTest, ALagThatNobodyTellsAnyMoreIsUnknown) {
  scene_.report(kSceneConsumer).answered = false;
  scene_.look();
  EXPECT_EQ(scene_.at("exporters/0/lag"), "") << "a consumer that is starting";
  scene_.report(kSceneConsumer).answered = true;
  scene_.set_lag(1);
  scene_.look();
  EXPECT_EQ(scene_.at("exporters/0/lag"), "<10s");
  scene_.report(kSceneConsumer).answered = false;
  scene_.pass(31);
  scene_.look();
  EXPECT_EQ(scene_.at("exporters/0/lag"), "unknown");
  EXPECT_EQ(scene_.at("summary/lag"), "unknown");
  scene_.report(kSceneConsumer).answered = true;
  scene_.look();
  EXPECT_EQ(scene_.at("exporters/0/lag"), "<10s") << "not held back";
}

TEST_F(StatusTest, ALagThatWobblesAroundABorderIsNoNews) {
  scene_.set_lag(61);
  const Json before = scene_.look();
  EXPECT_EQ(scene_.at("exporters/0/lag"), "<10m");
  for (const double lag : {59.0, 61.0, 49.0, 75.0, 58.0}) {
    scene_.pass(60);
    scene_.set_lag(lag);
    EXPECT_EQ(scene_.look(), before) << lag;
  }
  scene_.pass(60);
  scene_.set_lag(47);
  scene_.look();
  EXPECT_EQ(scene_.at("exporters/0/lag"), "<1m");
}

TEST_F(StatusTest, TheLagOfWhoDoesNotAnswerIsNotForgotten) {
  PodView other = scene_.views[kSceneConsumer].pods[0];
  other.name = "other";
  scene_.views[kSceneConsumer].pods.push_back(other);
  scene_.reports["other"] = scene_.report(kSceneConsumer);
  scene_.reports["other"].partitions[0].lag_seconds = 1000;
  scene_.look();
  EXPECT_EQ(scene_.at("exporters/0/lag"), "<1h");
  scene_.reports["other"] = {.error = "timed out"};
  scene_.pass(60);
  scene_.look();
  EXPECT_EQ(scene_.at("exporters/0/lag"), "<1h");
}

TEST_F(StatusTest, WordsOfTheSameErrorMoveAtMostEvery30Seconds) {
  StatuszReport& sender = scene_.report(kSceneExporter);
  sender.destination_reachable = false;
  sender.destination_error_reason = "http_503";
  sender.destination_error = "request 1: 503";
  scene_.look();
  EXPECT_EQ(scene_.at("exporters/0/lastError/message"), "request 1: 503");
  EXPECT_EQ(scene_.at("exporters/0/lastError/reason"), "Http503");
  scene_.pass(10);
  sender.destination_error = "request 2: 503";
  scene_.look();
  EXPECT_EQ(scene_.at("exporters/0/lastError/message"), "request 1: 503");
  // Another kind of error is told at once, and so is the end of it.
  sender.destination_error_reason = "tls";
  sender.destination_error = "bad certificate";
  scene_.look();
  EXPECT_EQ(scene_.at("exporters/0/lastError/message"), "bad certificate");
  sender.destination_reachable = true;
  scene_.look();
  EXPECT_EQ(kube::find(scene_.status, "exporters/0/lastError"), nullptr);
}

// ---- The other fields ---------------------------------------------------------------------------

TEST_F(StatusTest, ComponentsTellPodsRevisionsAndTheLastRestart) {
  ComponentView& bridge = scene_.views[kSceneBridge];
  bridge.stable = {
      .exists = true, .revision = "r1", .replicas = 3, .ready = 2, .updated = 1, .settled = false};
  bridge.pods[0].last_restart_reason = "container bridge: OOMKilled, exit code 137";
  bridge.pods[0].last_restart = at_ms(kSceneStartMs - 9000);
  PodView newer = bridge.pods[0];
  newer.name = "newer";
  newer.last_restart_reason = "container bridge: Error, exit code 1";
  newer.last_restart = at_ms(kSceneStartMs - 1000);
  bridge.pods.push_back(newer);
  scene_.look();
  EXPECT_EQ(scene_.status["components"][kSceneBridge],
            Json({{"name", "p-bridge"},
                  {"role", "bridge"},
                  {"desired", 3},
                  {"ready", 2},
                  {"updated", 1},
                  {"revision", "r1"},
                  {"lastRestartReason", "container bridge: Error, exit code 1"}}));
  EXPECT_EQ(scene_.at("components/0/exporter"), "a");
}

TEST_F(StatusTest, ColumnsAndScaleAreThoseOfTheIngress) {
  scene_.views[kSceneIngress].stable.replicas = 5;
  scene_.views[kSceneIngress].stable.ready = 4;
  scene_.look();
  EXPECT_EQ(scene_.at("summary/ingress"), "4/5");
  EXPECT_EQ(scene_.at("summary/exporters"), "1/1");
  EXPECT_EQ(scene_.at("summary/lag"), "<10s");
  EXPECT_EQ(scene_.at("version"), "1.2.3");
  EXPECT_EQ(kube::int_at(scene_.status, "replicas"), 5);
  EXPECT_EQ(scene_.at("selector"), "spanway.dev/component=ingress,spanway.dev/pipeline=p");
}

TEST_F(StatusTest, TheMemoryOfARolloutIsReadAsItWasWritten) {
  scene_.rollout.memory = {.last_good_revision = "g",
                           .failed_revision = "f",
                           .failed_reason = "OOMKilled: p-a: pod x",
                           .rolling_revision = "r",
                           .rolling_since_ms = 17,
                           .rolling_component = "p-a",
                           .rolling_promoted = true,
                           .available_since_ms = {{"p-a", 18}, {"p-b", 19}},
                           .unproven = {"p-a", "p-b"},
                           .force_check = "2026-11-21 17:00"};
  EXPECT_EQ(rollout_memory(scene_.look()), scene_.rollout.memory);
  EXPECT_EQ(rollout_memory(Json::object()), RolloutMemory());
}

TEST_F(StatusTest, AStoredStatusThatIsNoneIsSurvived) {
  for (
      const char* text :
      {"null", "[]", "3", R"({"conditions":{},"exporters":3,"config":[],"summary":"x"})",
       R"({"conditions":[1,{"type":"Ready"},{"type":7,"status":false}],"exporters":[{"name":1},)"
       R"({"name":"a","since":9,"lag":[]}],"config":{"rollingSince":-5,"availableSince":{"p-a":"x"}}})"}) {
    scene_.status = *kube::parse_json(text);
    scene_.look();
    EXPECT_EQ(scene_.condition("Ready"), "True: Running") << text;
    scene_.status = *kube::parse_json(text);
    EXPECT_EQ(rollout_memory(scene_.status), RolloutMemory()) << text;
    // What is kept is kept as it is.
    scene_.paused = true;
    scene_.has_rollout = scene_.checks_schema = false;
    EXPECT_EQ(look_at("Paused"), "True: Paused");
    scene_.paused = false;
    scene_.has_rollout = scene_.checks_schema = true;
  }
}

TEST_F(StatusTest, TextFromOutsideIsCutAndStaysText) {
  std::string endless(100'000, 'x');
  for (std::size_t i = 0; i < endless.size(); i += 7) endless[i] = static_cast<char>(0xe2);
  StatuszReport& sender = scene_.report(kSceneExporter);
  sender.destination_reachable = false;
  sender.destination_error = endless;
  scene_.report(kSceneBridge).kafka_reachable = false;
  scene_.report(kSceneBridge).last_error = endless;
  scene_.topics = {.state = TopicsView::State::kFailed, .message = endless};
  scene_.problems.add("spec", endless);
  scene_.has_rollout = false;
  scene_.look();
  scene_.problems = {};
  scene_.has_rollout = true;
  scene_.look();
  for (const Json& one : scene_.status["conditions"]) {
    EXPECT_LE(kube::string_at(one, "message").size(), 512u);
  }
}

// What the schema does not have the API server would prune; what nobody writes is no promise.
TEST_F(StatusTest, TheSchemaHasExactlyWhatIsWritten) {
  scene_.report(kSceneExporter).destination_reachable = false;
  scene_.report(kSceneExporter).destination_error = "refused";
  scene_.views[kSceneBridge].pods[0].last_restart_reason = "container bridge: Error, exit code 1";
  scene_.rollout.memory = {"g",   "f",  "OOMKilled: x", "r",     17,
                           "p-a", true, {{"p-a", 18}},  {"p-a"}, "1"};
  scene_.look();
  std::set<std::string> missing;
  for (const std::string& field : fields_of(api::status_schema(), "")) {
    // The topics are those of the Job's report; what concerns other Pipelines is not in the scene.
    const bool is_elsewhere = field.starts_with("topics[].") ||
                              field.starts_with("topicsSharedWith") || field == "upgrade";
    if (!scene_.findings.seen.contains(field) && !is_elsewhere) {
      missing.insert(field);
    }
  }
  EXPECT_THAT(missing, ::testing::IsEmpty());
}

TEST(SchemaCheck, FindsWhatTheApiServerWouldNotKeep) {
  const Json good = {{"observedGeneration", 1},
                     {"conditions", Json::array({Json{{"type", "Ready"}, {"status", "True"}}})}};
  const auto problems_of = [](const Json& status) {
    SchemaFindings findings;
    check_schema(status, api::status_schema(), "", findings);
    return findings.problems.size();
  };
  EXPECT_EQ(problems_of(good), 0u);
  for (const auto& [path, value] :
       std::map<std::string, Json>{{"/observedGeneration", "1"},
                                   {"/unknown", 1},
                                   {"/version", std::string(5000, 'x')},
                                   {"/conditions/0/status", "Maybe"},
                                   {"/conditions/1", Json{{"type", "Ready"}, {"status", "True"}}},
                                   {"/conditions/0/type", nullptr}}) {
    Json bad = good;
    bad[Json::json_pointer(path)] = value;
    EXPECT_GE(problems_of(bad), 1u) << path;
  }
}

}  // namespace
}  // namespace spanway::reconcile
