#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/operator_decide/rollout_faults_fixture.h"

namespace spanway::decide {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// ---- A destination ------------------------------------------------------------------------------

TEST_F(RolloutFaults, AnExporterThatLosesItsDestinationFailsAsACanary) {
  asks_ = true;
  for (const PodView& pod : views_[kExporter].pods)
    reports_[pod.name] = {.answered = true,
                          .has_destination = true,
                          .destination_reachable = true,
                          .destination_known = true};
  desired_parts_[kExporter].revision = "new";
  decide_next();
  add_canary(kExporter, now_);
  make_ready(canary(kExporter), now_);
  StatuszReport& reported = reports_["canary"];
  reported = {.answered = true,
              .has_destination = true,
              .destination_reachable = false,
              .destination_known = true,
              .destination_error = "no such host",
              .destination_endpoint = "tempoo:4317"};
  now_ += 60'000;
  const RolloutDecision waiting = decide_next();
  EXPECT_EQ(waiting.actions[kExporter].stable, Target::kLastGood) << "not promoted";
  EXPECT_THAT(waiting.message, HasSubstr("tempoo:4317 cannot be reached: no such host"));
  now_ += 270'000;
  const RolloutDecision failed = decide_next();
  EXPECT_TRUE(failed.just_failed);
  EXPECT_EQ(failed.reason, "CanaryUnhealthy");
}

TEST_F(RolloutFaults, ADestinationThatNoRevisionReachesFailsNothing) {
  asks_ = true;
  const StatuszReport dead = {.answered = true, .has_destination = true, .destination_known = true};
  for (const PodView& pod : views_[kExporter].pods) reports_[pod.name] = dead;
  desired_parts_[kExporter].revision = "new";
  decide_next();
  add_canary(kExporter, now_);
  make_ready(canary(kExporter), now_);
  reports_["canary"] = dead;
  now_ += 30'000;
  EXPECT_EQ(decide_next().actions[kExporter].stable, Target::kDesired);
}

TEST_F(RolloutFaults, AnExporterCanaryThatHasNotAnsweredYetIsWaitedFor) {
  asks_ = true;
  StatuszReport reached = {.answered = true,
                           .has_destination = true,
                           .destination_reachable = true,
                           .destination_known = true};
  for (const PodView& pod : views_[kExporter].pods) reports_[pod.name] = reached;
  desired_parts_[kExporter].revision = "new";
  decide_next();
  add_canary(kExporter, now_);
  make_ready(canary(kExporter), now_);
  reached.destination_known = false;
  reports_["canary"] = reached;
  now_ += 30'000;
  EXPECT_EQ(decide_next().actions[kExporter].stable, Target::kLastGood);
  now_ += 270'000;
  EXPECT_EQ(decide_next().actions[kExporter].stable, Target::kDesired)
      << "it never sends: no fault of it";
}

// ---- By hand ------------------------------------------------------------------------------------

TEST_F(RolloutFaults, ADeploymentThatIsPausedByHandIsNamed) {
  promote_the_ingress();
  views_[kIngress].stable.paused = true;
  now_ += 300'000;
  const RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.reason, "DeploymentPaused");
  EXPECT_THAT(decision.message, HasSubstr("kubectl rollout resume"));
}

TEST_F(RolloutFaults, APodThatItsNodeTookAwayIsNotItsFault) {
  promote_the_ingress();
  views_[kIngress] = healthy_view(desired_parts_[kIngress], now_);
  views_[kIngress].stable.settled = false;
  PodView pod = pod_of("lost", "new", false, now_);
  pod.reason = "NodeLost";
  pod.problem = "pod lost: its node node2 does not answer";
  views_[kIngress].pods.push_back(pod);
  now_ += 3'600'000;
  EXPECT_EQ(decide_next().phase, Phase::kProving);
}

TEST_F(RolloutFaults, NoRoomWhileOldPodsRemainIsItsFault) {
  promote_the_ingress();
  PodView pod = pod_of("no-room", "new", false, now_);
  pod.reason = "Unschedulable";
  views_[kIngress].pods.push_back(pod);
  views_[kIngress].pods[0].revision = "new";
  now_ += 300'000;
  EXPECT_EQ(decide_next().reason, "Unschedulable");
  EXPECT_EQ(decide_next().phase, Phase::kRolledBack);
}

TEST_F(RolloutFaults, ACanaryThatAQuotaRefusesReportsSo) {
  roll_the_ingress();
  views_[kIngress].pods.pop_back();
  views_[kIngress].canary.problem = "pods cannot be created: exceeded quota";
  EXPECT_THAT(decide_next().message,
              HasSubstr("p-ingress: pods cannot be created: exceeded quota"));
  now_ += 300'000;
  const RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.phase, Phase::kRolledBack);
  EXPECT_EQ(decision.reason, "PodsRefused");
  EXPECT_THAT(decision.message, HasSubstr("p-ingress: pods cannot be created: exceeded quota"));
}

TEST_F(RolloutFaults, ACanaryThatTheApiServerRefusesIsWaitedForAndSeldomWrittenOf) {
  desired_parts_[kIngress].revision = "new";
  decide_next();
  int writes = 0;
  for (int minute = 0; minute < 60; ++minute) {
    const RolloutMemory before = memory_;
    now_ += 60'000;
    EXPECT_EQ(decide_next().phase, Phase::kRolling);
    writes += memory_ == before ? 0 : 1;
  }
  EXPECT_LE(writes, 60 / 3);
  add_canary(kIngress, now_);
  now_ += 149'000;
  EXPECT_EQ(decide_next().phase, Phase::kRolling);
}

// ---- What the pods say --------------------------------------------------------------------------

TEST_F(RolloutFaults, ACanaryThatCannotReachKafkaWhileOthersDoIsNotPromoted) {
  desired_parts_[kBridge].revision = "new";
  ASSERT_TRUE(decide_next().actions[kBridge].canary);
  add_canary(kBridge, now_);
  make_ready(canary(kBridge), now_);
  set_reports(true);
  reports_["canary"].kafka_reachable = false;
  reports_["canary"].last_error = "SASL authentication failed";
  now_ += 300'000;
  RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.reason, "CanaryProving");
  EXPECT_EQ(decision.actions[kBridge].stable, Target::kLastGood);
  EXPECT_THAT(decision.message, HasSubstr("SASL authentication failed"));
  EXPECT_EQ(decision.requeue_after, Duration(std::chrono::seconds(30)));
  now_ += 30'000;
  decision = decide_next();
  EXPECT_EQ(decision.phase, Phase::kRolledBack);
  EXPECT_EQ(decision.reason, "CanaryUnhealthy");
  EXPECT_THAT(decision.message, StartsWith("p-bridge: pod canary: SASL authentication failed"));
}

TEST_F(RolloutFaults, ACanaryThatMayNotUseATopicIsNotPromoted) {
  desired_parts_[kConsumer].revision = "new";
  ASSERT_TRUE(decide_next().actions[kConsumer].canary);
  add_canary(kConsumer, now_);
  make_ready(canary(kConsumer), now_);
  set_reports(true);
  reports_["canary"].topics = {{.name = "other.traces", .error = "authorization failed"}};
  now_ += 330'000;
  EXPECT_THAT(decide_next().message, HasSubstr("topic other.traces: authorization failed"));
  // The same error of those that run is no fault.
  forced_ = true;
  decide_next();
  forced_ = false;
  views_[kConsumer].pods.pop_back();
  views_[kConsumer].canary = {};
  ASSERT_TRUE(decide_next().actions[kConsumer].canary);
  add_canary(kConsumer, now_);
  make_ready(canary(kConsumer), now_);
  for (auto& [name, report] : reports_) {
    report.topics = {{.name = "otel.traces", .error = "no leader"}};
  }
  now_ += 30'000;
  EXPECT_EQ(decide_next().actions[kConsumer].stable, Target::kDesired);
}

TEST_F(RolloutFaults, AnExporterWhoseDestinationIsDeadIsRolledOut) {
  desired_parts_[kExporter].revision = "new";
  ASSERT_TRUE(decide_next().actions[kExporter].canary);
  add_canary(kExporter, now_);
  make_ready(canary(kExporter), now_);
  set_reports(true);
  for (auto& [name, report] : reports_) {
    report.has_destination = true;
    report.destination_reachable = name != "canary";
  }
  now_ += 30'000;
  EXPECT_EQ(decide_next().actions[kExporter].stable, Target::kDesired);
  views_[kExporter] = healthy_view(desired_parts_[kExporter], now_);
  set_reports(true);
  for (auto& [name, report] : reports_) report.has_destination = true;
  EXPECT_EQ(decide_next().phase, Phase::kProving);
  now_ += 30'000;
  const RolloutDecision decision = decide_next();
  EXPECT_TRUE(decision.record_last_good);
  EXPECT_FALSE(decision.just_failed);
}

TEST_F(RolloutFaults, WhileNoneReachesKafkaACanaryIsWaitedFor) {
  desired_parts_[kBridge].revision = "new";
  ASSERT_TRUE(decide_next().actions[kBridge].canary);
  add_canary(kBridge, now_);
  set_reports(false);
  for (int deadline = 0; deadline < 10; ++deadline) {
    now_ += 300'000;
    const RolloutDecision decision = decide_next();
    ASSERT_EQ(decision.phase, Phase::kRolling);
    EXPECT_EQ(decision.reason, "KafkaUnreachable");
    EXPECT_TRUE(decision.actions[kBridge].canary);
    EXPECT_EQ(decision.actions[kBridge].stable, Target::kLastGood);
  }
  set_reports(true);
  reports_["canary"].reason = "no metadata yet: unknown host";
  EXPECT_EQ(decide_next().phase, Phase::kRolling) << "its time begins when Kafka is back";
  now_ += 300'000;
  const RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.phase, Phase::kRolledBack);
  EXPECT_THAT(decision.message, HasSubstr("no metadata yet: unknown host"));
}

TEST_F(RolloutFaults, ACrashIsACrashAlsoWithoutKafka) {
  desired_parts_[kBridge].revision = "new";
  ASSERT_TRUE(decide_next().actions[kBridge].canary);
  add_canary(kBridge, now_);
  set_reports(false);
  canary(kBridge).crash_looping = true;
  canary(kBridge).reason = "CrashLoopBackOff";
  EXPECT_EQ(decide_next().phase, Phase::kRolledBack);
}

TEST_F(RolloutFaults, StablePodsAreWaitedForWhileNoneReachesKafka) {
  desired_parts_[kBridge].revision = "new";
  decide_next();
  add_canary(kBridge, now_);
  make_ready(canary(kBridge), now_);
  now_ += 30'000;
  ASSERT_EQ(decide_next().actions[kBridge].stable, Target::kDesired);
  views_[kBridge].stable.revision = "new";
  views_[kBridge].stable.settled = false;
  views_[kBridge].pods.push_back(pod_of("slow", "new", false, now_));
  set_reports(false);
  now_ += 300'000;
  RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.phase, Phase::kRolling);
  EXPECT_EQ(decision.reason, "KafkaUnreachable");
  EXPECT_EQ(decision.actions[kBridge].stable, Target::kDesired);
  EXPECT_EQ(decision.requeue_after, Duration(std::chrono::seconds(300)));
  set_reports(true);
  now_ += 300'000;
  EXPECT_EQ(decide_next().phase, Phase::kRolledBack);
}

TEST_F(RolloutFaults, AnOperatorThatHasJustStartedRequestsBeforeItDecides) {
  desired_parts_[kBridge].revision = "new";
  decide_next();
  add_canary(kBridge, now_);
  now_ += 600'000;
  asks_ = true;
  EXPECT_EQ(decide_next().phase, Phase::kRolling);
  // All were polled, and none answers.
  for (const ComponentView& view : views_) {
    for (const PodView& pod : view.pods) reports_[pod.name].error = "timed out";
  }
  now_ += 300'000;
  EXPECT_EQ(decide_next().phase, Phase::kRolledBack);
}

}  // namespace
}  // namespace spanway::decide
