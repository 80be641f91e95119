#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "operator/api/schema.h"
#include "operator/decide/wall_time.h"
#include "tests/unit/operator_decide/status_fixture.h"

namespace spanway::decide {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Phase = RolloutDecision::Phase;

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
    EXPECT_EQ(condition_after_update("KafkaReachable"), "False: " + reason);
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
  EXPECT_EQ(condition_after_update("KafkaReachable"), "True: Reachable");
  scene_.report(kSceneBridge).kafka_reachable = false;
  EXPECT_EQ(condition_after_update("KafkaReachable"), "False: KafkaUnreachable");
}

TEST_F(StatusTest, ABridgeThatHasOnlyJustStartedIsNoFailure) {
  auto& bridge = scene_.report(kSceneBridge);
  bridge.ready = bridge.kafka_reachable = false;
  EXPECT_EQ(condition_after_update("KafkaReachable"), "Unknown: Connecting");
  scene_.report(kSceneConsumer).kafka_reachable = false;  // This one was connected once.
  EXPECT_EQ(condition_after_update("KafkaReachable"), "False: KafkaUnreachable");
  scene_.report(kSceneConsumer).kafka_reachable = true;
  bridge.last_error = "connect failed";
  EXPECT_EQ(condition_after_update("KafkaReachable"), "False: KafkaUnreachable");
  bridge.last_error = "";
  bridge.ready = bridge.kafka_reachable = true;
  EXPECT_EQ(condition_after_update("KafkaReachable"), "True: Reachable");
  bridge.ready = bridge.kafka_reachable = false;  // Restarted.
  EXPECT_EQ(condition_after_update("KafkaReachable"), "True: Reachable");
}

TEST_F(StatusTest, AConsumerThatDoesNotReachKafkaCountsToo) {
  scene_.report(kSceneConsumer).kafka_reachable = false;
  EXPECT_EQ(condition_after_update("KafkaReachable"), "False: KafkaUnreachable");
  EXPECT_THAT(scene_.message("KafkaReachable"), StartsWith("p-a-consumer: "));
}

TEST_F(StatusTest, ChangingTextOfTheSameFailureAreNoNews) {
  scene_.report(kSceneBridge).kafka_reachable = false;
  scene_.report(kSceneBridge).last_error = "connect failed (after 3ms)";
  const Json before = scene_.update();
  scene_.report(kSceneBridge).last_error = "connect failed (after 7ms)";
  scene_.pass(60);
  EXPECT_EQ(scene_.update(), before);
}

TEST_F(StatusTest, KafkaIsUnknownWhileNoneAnswersAndStaysAsItWasWhileNoneWasPolled) {
  all_silent();
  EXPECT_EQ(condition_after_update("KafkaReachable"), "Unknown: NoReports");
  scene_ = StatusScene();
  const Json before = scene_.update();
  lose_reports();  // The operator has just started.
  scene_.pass(5);
  EXPECT_EQ(scene_.update(), before);
  all_silent();
  for (const ComponentView& view : scene_.views) scene_.reports[view.pods[0].name].error = "x";
  EXPECT_EQ(condition_after_update("KafkaReachable"), "Unknown: NoReports");
}

// ---- TopicsReady --------------------------------------------------------------------------------

TEST_F(StatusTest, TopicsReadyReportsWhatTheJobHasReported) {
  using State = TopicsView::State;
  scene_.topics = {.state = State::kPending, .message = "the topics Job runs"};
  EXPECT_EQ(condition_after_update("TopicsReady"), "Unknown: Pending");
  EXPECT_EQ(scene_.message("TopicsReady"), "the topics Job runs");
  scene_.topics = {.state = State::kFailed, .message = "topic otel.logs: no rights"};
  EXPECT_EQ(condition_after_update("TopicsReady"), "False: TopicsFailed");
  EXPECT_EQ(scene_.message("TopicsReady"), "topic otel.logs: no rights");
  EXPECT_EQ(scene_.condition("Degraded"), "True: TopicsFailed");
  scene_.topics = {.state = State::kWeak,
                   .message = "topic otel.traces: min.insync.replicas 1, desired 2"};
  EXPECT_EQ(condition_after_update("TopicsReady"), "False: TopicsWeaker");
  EXPECT_THAT(scene_.message("TopicsReady"), HasSubstr("min.insync.replicas 1, desired 2"));
  scene_.topics = {.state = State::kReady};
  EXPECT_EQ(condition_after_update("TopicsReady"), "True: Ready");
  scene_.topics = {.state = State::kPending};
  EXPECT_EQ(condition_after_update("TopicsReady"), "True: Updating")
      << "they are there all the time";
  scene_.topics = {.state = State::kUnmanaged};
  EXPECT_EQ(condition_after_update("TopicsReady"), "True: Unmanaged");
}

// ---- ExportersHealthy, and Degraded by it -------------------------------------------------------

TEST_F(StatusTest, ADeadDestinationIsDegradedAndNothingElse) {
  scene_.update();
  StatuszReport& sender = scene_.report(kSceneExporter);
  sender.destination_reachable = false;
  sender.destination_error = "connect to tempo:4317: connection refused";
  sender.destination_error_reason = "connect_failed";
  scene_.pass(60);
  EXPECT_EQ(condition_after_update("ExportersHealthy"), "False: DestinationUnreachable");
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

TEST_F(StatusTest, AnOpenCircuitIsDegradedWithItsReasonAndSinceWhen) {
  scene_.update();
  scene_.pass(60);
  const std::string opened = wall_time_text(scene_.now_ms);
  StatuszReport& sender = scene_.report(kSceneExporter);
  sender.destination_degraded = true;
  sender.destination_error = "HTTP 503 in 12 ms";
  sender.destination_error_reason = "http_503";
  EXPECT_EQ(condition_after_update("ExportersHealthy"), "False: CircuitOpen");
  EXPECT_EQ(scene_.message("ExportersHealthy"),
            "exporter a: degraded since " + opened +
                ": only probes are sent by 1 of 1 pods: HTTP 503 in 12 ms");
  EXPECT_EQ(scene_.condition("Degraded"), "True: CircuitOpen");
  EXPECT_EQ(scene_.condition("Ready"), "True: Running");
  EXPECT_EQ(scene_.at("exporters/0/state"), "Degraded");
  EXPECT_EQ(scene_.at("exporters/0/degraded/since"), opened);
  EXPECT_EQ(scene_.at("exporters/0/degraded/reason"), "Http503");
  EXPECT_EQ(scene_.at("summary/exporters"), "0/1");

  // Another text of the same failure is not reported.
  const Json before = scene_.status;
  sender.destination_error = "HTTP 503 in 7 ms";
  scene_.pass(300);
  EXPECT_EQ(scene_.update(), before);
  // Nothing gets through any more: stalled, and degraded still.
  sender.destination_reachable = false;
  EXPECT_EQ(condition_after_update("ExportersHealthy"), "False: DestinationUnreachable");
  EXPECT_EQ(scene_.at("exporters/0/state"), "Stalled");
  EXPECT_EQ(scene_.at("exporters/0/degraded/since"), opened);
  EXPECT_THAT(scene_.message("ExportersHealthy"), HasSubstr("degraded since " + opened));

  sender = {.answered = true, .has_destination = true, .destination_reachable = true};
  scene_.pass(60);
  EXPECT_EQ(condition_after_update("ExportersHealthy"), "True: Delivering");
  EXPECT_EQ(kube::find(scene_.status, "exporters/0/degraded"), nullptr);
  EXPECT_EQ(scene_.at("exporters/0/state"), "Running");
}

TEST_F(StatusTest, ACircuitThatOpensAndClosesAllTheTimeIsWrittenSeldom) {
  StatuszReport& sender = scene_.report(kSceneExporter);
  sender.destination_degraded = true;
  scene_.update();
  sender.destination_degraded = false;
  scene_.pass(29);
  scene_.update();
  EXPECT_NE(kube::find(scene_.status, "exporters/0/degraded"), nullptr);
  EXPECT_GT(scene_.requeue_after(), Duration::zero()) << "nothing else ends it";
  scene_.pass(1);
  scene_.update();
  EXPECT_EQ(kube::find(scene_.status, "exporters/0/degraded"), nullptr);
}

TEST_F(StatusTest, OneDegradedPodOfTwoDegradesTheDestinationAndSilenceIsNoRecovery) {
  PodView other = scene_.views[kSceneExporter].pods[0];
  other.name = "other";
  scene_.views[kSceneExporter].pods.push_back(other);
  scene_.reports["other"] = {
      .answered = true, .has_destination = true, .destination_reachable = true};
  scene_.report(kSceneExporter).destination_degraded = true;
  scene_.update();
  EXPECT_EQ(scene_.at("exporters/0/state"), "Degraded");
  EXPECT_EQ(scene_.at("exporters/0/degraded/reason"), "CircuitOpen");
  EXPECT_EQ(scene_.at("exporters/0/degraded/message"), "only probes are sent by 1 of 2 pods");
  all_silent();
  scene_.pass(300);
  scene_.update();
  EXPECT_NE(kube::find(scene_.status, "exporters/0/degraded"), nullptr);
  scene_.pipeline.spec.exporters[0].paused = true;
  scene_.update();
  EXPECT_EQ(kube::find(scene_.status, "exporters/0/degraded"), nullptr);
}

TEST_F(StatusTest, ADestinationThatRefusesStallsItsPartitions) {
  scene_.report(kSceneConsumer).partitions[0].stalled = true;
  scene_.report(kSceneConsumer).partitions[0].reason = "HTTP 401: token expired";
  EXPECT_EQ(condition_after_update("ExportersHealthy"), "False: DestinationRefuses");
  EXPECT_EQ(scene_.message("ExportersHealthy"), "exporter a: HTTP 401: token expired");
  EXPECT_EQ(scene_.at("exporters/0/lastError/reason"), "Stalled");
}

TEST_F(StatusTest, OneOfTwoSendersThatGetsThroughIsEnough) {
  PodView other = scene_.views[kSceneExporter].pods[0];
  other.name = "other";
  scene_.views[kSceneExporter].pods.push_back(other);
  scene_.reports["other"] = {.answered = true, .has_destination = true};
  EXPECT_EQ(condition_after_update("ExportersHealthy"), "True: Delivering");
}

TEST_F(StatusTest, OfAnExporterThatDoesNotAnswerNothingIsClaimed) {
  scene_.report(kSceneExporter) = {.error = "timed out"};
  EXPECT_EQ(condition_after_update("ExportersHealthy"), "Unknown: NoReports");
  EXPECT_THAT(scene_.message("ExportersHealthy"), HasSubstr("a"));
  EXPECT_EQ(scene_.condition("Degraded"), "False: AsExpected");
}

TEST_F(StatusTest, PausedAndStoppedExportersAreWell) {
  scene_.report(kSceneExporter).destination_reachable = false;
  scene_.pipeline.spec.exporters[0].paused = true;
  EXPECT_EQ(condition_after_update("ExportersHealthy"), "True: Delivering");
  EXPECT_EQ(scene_.at("exporters/0/state"), "Paused");
  scene_.pipeline.spec.exporters[0].paused = false;
  scene_.pipeline.spec.exporters[0].consumer.replicas = 0;
  scene_.update();
  EXPECT_EQ(scene_.at("exporters/0/state"), "Paused");
  EXPECT_EQ(scene_.at("summary/exporters"), "1/1");
  scene_.pipeline.spec.exporters.clear();
  EXPECT_EQ(condition_after_update("ExportersHealthy"), "True: NoExporters");
}

// ---- query ---

TEST_F(StatusTest, TheStoreOfQueryIsInTheStatusAndDegradesOnly) {
  scene_.update();
  EXPECT_EQ(kube::find(scene_.status, "query"), nullptr);
  scene_.add_query();
  scene_.update();
  EXPECT_EQ(scene_.at("query/store"), "Unknown");
  EXPECT_EQ(scene_.at("query/ready"), "1/1");
  scene_.report(kSceneQuery).store = ActivityReport{.ok = true};
  scene_.update();
  EXPECT_EQ(scene_.at("query/store"), "Reachable");
  scene_.pass(60);
  const std::string lost = wall_time_text(scene_.now_ms);
  scene_.report(kSceneQuery).store = ActivityReport{.ok = false, .error = "connection refused"};
  EXPECT_EQ(condition_after_update("Degraded"), "True: StoreUnreachable");
  EXPECT_EQ(scene_.message("Degraded"), "the store of query is unreachable since " + lost +
                                            ": 1 of 1 pods do not reach it: connection refused");
  EXPECT_EQ(scene_.condition("Ready"), "True: Running");
  EXPECT_EQ(scene_.at("query/since"), lost);

  // Another text is not reported, and neither is silence.
  const Json before = scene_.status;
  scene_.report(kSceneQuery).store->error = "connection refused (7 ms)";
  scene_.pass(60);
  EXPECT_EQ(scene_.update(), before);
  scene_.report(kSceneQuery).store.reset();
  EXPECT_EQ(scene_.update(), before);

  scene_.report(kSceneQuery).store = ActivityReport{.ok = true};
  EXPECT_EQ(condition_after_update("Degraded"), "False: AsExpected");
  EXPECT_EQ(scene_.at("query/store"), "Reachable");
  // Written at most every 30 s.
  scene_.report(kSceneQuery).store->ok = false;
  scene_.pass(29);
  scene_.update();
  EXPECT_EQ(scene_.at("query/store"), "Reachable");
  EXPECT_GT(scene_.requeue_after(), Duration::zero());
  scene_.pass(1);
  scene_.update();
  EXPECT_EQ(scene_.at("query/store"), "Unreachable");
}

// ---- Degraded -----------------------------------------------------------------------------------

TEST_F(StatusTest, DegradedReportsEverythingThatIsWrongTheWorstFirst) {
  scene_.set_rollout(Phase::kRolledBack, "OOMKilled", "p-ingress: pod x: killed");
  scene_.report(kSceneBridge).kafka_reachable = false;
  scene_.topics = {.state = TopicsView::State::kFailed, .message = "topic t: no"};
  scene_.report(kSceneExporter).destination_reachable = false;
  scene_.report(kSceneExporter).destination_error = "refused";
  EXPECT_EQ(condition_after_update("Degraded"), "True: RolledBack");
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
  scene_.set_rollout(Phase::kRolling, "CanaryStarting", "p-ingress: the canary is starting");
  EXPECT_EQ(condition_after_update("Degraded"), "False: AsExpected");
}

TEST_F(StatusTest, AStartingPodDegradesNothingForTwoMinutes) {
  scene_.views[kSceneIngress].pods.push_back(pod_of("slow", "r1", false, kSceneStartMs));
  scene_.pass(119);
  EXPECT_EQ(condition_after_update("Degraded"), "False: AsExpected");
  scene_.pass(1);
  EXPECT_EQ(condition_after_update("Degraded"), "True: NotReady");
  EXPECT_THAT(scene_.message("Degraded"), HasSubstr("p-ingress: pod slow: is not ready"));
}

// ---- RolledBack ---------------------------------------------------------------------------------

TEST_F(StatusTest, RolledBackNamesBothRevisionsAndWhy) {
  scene_.set_rollout(Phase::kRolledBack, "CrashLoopBackOff",
                     "p-ingress: pod p-ingress-canary-x: container ingress exited with 1 (Error)");
  scene_.rollout.memory.failed_revision = "r2";
  scene_.rollout.memory.last_good_revision = "r1";
  scene_.rollout.memory.failed_reason = "CrashLoopBackOff: p-ingress: pod p-ingress-canary-x";
  EXPECT_EQ(condition_after_update("RolledBack"), "True: CrashLoopBackOff");
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
  EXPECT_EQ(condition_after_update("RolledBack"), "False: NothingToGoBackTo");
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

TEST_F(StatusTest, ScalingLimitedReportsWhyNot) {
  scene_.scaling["a"] = {.replicas = 12,
                         .limited = true,
                         .reason = "AtPartitionCount",
                         .message = "12 consumers for 12 partitions: more would have nothing"};
  EXPECT_EQ(condition_after_update("ScalingLimited"), "True: AtPartitionCount");
  EXPECT_EQ(scene_.message("ScalingLimited"),
            "exporter a: 12 consumers for 12 partitions: more would have nothing");
  scene_.scaling["b"] = {.limited = true, .reason = "AtMaxReplicas", .message = "3 consumers"};
  EXPECT_EQ(condition_after_update("ScalingLimited"), "True: AtPartitionCount");
  EXPECT_THAT(scene_.message("ScalingLimited"), HasSubstr("; exporter b: 3 consumers"));
  scene_.scaling.clear();
  EXPECT_EQ(condition_after_update("ScalingLimited"), "False: NotLimited");
}

TEST_F(StatusTest, AnAutoscalerThatCannotComputeLimitsScaling) {
  scene_.idle_autoscalers["p-ingress"] = "FailedGetResourceMetric: no metrics API";
  EXPECT_EQ(condition_after_update("ScalingLimited"), "True: FailedGetResourceMetric");
  EXPECT_EQ(scene_.message("ScalingLimited"),
            "HorizontalPodAutoscaler p-ingress does not scale: no metrics API");
}

TEST_F(StatusTest, AnAutoscalerOfAnotherThatScalesTheSameIsNamed) {
  scene_.foreign_autoscalers = {{"Deployment/p-bridge", "team-hpa"}};
  EXPECT_EQ(condition_after_update("ScalingLimited"), "True: ForeignAutoscaler");
  EXPECT_THAT(scene_.message("ScalingLimited"),
              AllOf(HasSubstr("HorizontalPodAutoscaler team-hpa"), HasSubstr("Deployment/p-bridge"),
                    HasSubstr("delete it")));
  EXPECT_EQ(scene_.condition("Degraded"), "True: ForeignAutoscaler");
  EXPECT_EQ(scene_.condition("Ready"), "True: Running") << "it still delivers";
  scene_.foreign_autoscalers.clear();
  EXPECT_EQ(condition_after_update("ScalingLimited"), "False: NotLimited");
  EXPECT_EQ(scene_.condition("Degraded"), "False: AsExpected");
}

TEST_F(StatusTest, ATopicsJobThatCannotStartIsReported) {
  scene_.topics = {.state = TopicsView::State::kBlocked,
                   .message = "the topics Job does not start: exceeded quota"};
  EXPECT_EQ(condition_after_update("TopicsReady"), "False: JobBlocked");
  EXPECT_EQ(scene_.condition("Degraded"), "True: JobBlocked");
  scene_.topics.state = TopicsView::State::kReady;
  scene_.update();
  scene_.topics.state = TopicsView::State::kBlocked;
  scene_.topics.message = "the topics Job does not start: exceeded quota";
  EXPECT_EQ(condition_after_update("TopicsReady"), "True: JobBlocked")
      << "they are there all the time";
  EXPECT_EQ(scene_.condition("Degraded"), "True: JobBlocked");
  EXPECT_THAT(scene_.message("Degraded"), HasSubstr("exceeded quota"));
}

TEST_F(StatusTest, WhetherScalingIsLimitedIsUnknownUntilConsumersHaveReported) {
  scene_.scaling["a"] = {.reason = "NoReports"};
  EXPECT_EQ(condition_after_update("ScalingLimited"), "Unknown: NoReports");
  scene_.scaling["a"] = {.reason = "Steady"};
  EXPECT_EQ(condition_after_update("ScalingLimited"), "False: NotLimited");
  scene_.scaling["a"] = {.reason = "NoReports"};
  EXPECT_EQ(condition_after_update("ScalingLimited"), "False: NotLimited")
      << "a pod that restarts is no news";
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
    EXPECT_EQ(condition_after_update("RetentionAtRisk"), expected) << hours;
  }
  scene_.set_lag(36'000);
  scene_.update();
  EXPECT_THAT(scene_.message("RetentionAtRisk"), HasSubstr("exporter a"));
  EXPECT_EQ(scene_.condition("Degraded"), "True: RetentionAtRisk");
  scene_.report(kSceneConsumer) = {.error = "timed out"};
  EXPECT_EQ(condition_after_update("RetentionAtRisk"), "True: LagNearRetention")
      << "silence is no relief";
}

TEST_F(StatusTest, WithoutALagOrARetentionTheRiskIsUnknown) {
  scene_.report(kSceneConsumer).partitions.clear();
  EXPECT_EQ(condition_after_update("RetentionAtRisk"), "Unknown: NoReports");
  scene_.report(kSceneConsumer).partitions = {{.topic = "t", .lag_seconds = 1}};
  EXPECT_EQ(condition_after_update("RetentionAtRisk"), "False: LagWithinRetention");
  scene_.report(kSceneConsumer).partitions.clear();
  EXPECT_EQ(condition_after_update("RetentionAtRisk"), "False: LagWithinRetention");
  scene_.pipeline.spec.kafka.topics.management = api::Topics::Management::kNone;
  EXPECT_EQ(condition_after_update("RetentionAtRisk"), "Unknown: RetentionUnknown");
}

}  // namespace
}  // namespace spanway::decide
