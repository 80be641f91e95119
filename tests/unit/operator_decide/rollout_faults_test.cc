#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/operator_decide/rollout_faults_fixture.h"

namespace spanway::decide {
namespace {

using ::testing::StartsWith;

// ---- Scaled to nothing --------------------------------------------------------------------------

TEST_F(RolloutFaults, APausedConsumerIsSettledWithoutPodsAndHasNoCanary) {
  desired_parts_[kConsumer].replicas = good_parts_[kConsumer].replicas = 0;
  take_pods(kConsumer);
  desired_parts_[kConsumer].revision = "new";
  RolloutDecision decision = decide_next();
  EXPECT_FALSE(decision.actions[kConsumer].canary);
  EXPECT_EQ(decision.actions[kConsumer].stable, Target::kDesired);
  views_[kConsumer].stable.revision = "new";
  EXPECT_EQ(decide_next().phase, Phase::kProving);
  now_ += 30'000;
  EXPECT_TRUE(decide_next().record_last_good);
}

TEST_F(RolloutFaults, PausingWhileItsCanaryIsAwaitedEndsTheWait) {
  desired_parts_[kConsumer].revision = "new";
  desired_parts_[kIngress].revision = "new";
  ASSERT_TRUE(decide_next().actions[kConsumer].canary);
  // The canary is scaled to 0 with the rest: no pod will ever be ready.
  views_[kConsumer].canary = {.exists = true, .revision = "new", .settled = true};
  desired_parts_[kConsumer].replicas = 0;
  take_pods(kConsumer);
  RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.reason, "Promoting");
  EXPECT_FALSE(decision.actions[kConsumer].canary);
  EXPECT_EQ(decision.actions[kConsumer].stable, Target::kDesired);
  views_[kConsumer].stable.revision = "new";
  views_[kConsumer].canary = {};
  decision = decide_next();
  EXPECT_TRUE(decision.actions[kIngress].canary) << "and the next one has its turn";
  now_ += 86'400'000;
  EXPECT_EQ(decide_next().phase, Phase::kRolling);
}

TEST_F(RolloutFaults, EverythingScaledToNothingIsInstalledAndGood) {
  has_good_ = false;
  memory_ = {};
  for (std::size_t i = 0; i < views_.size(); ++i) {
    desired_parts_[i].replicas = 0;
    take_pods(i);
  }
  EXPECT_EQ(decide_next().phase, Phase::kProving);
  now_ += 30'000;
  EXPECT_TRUE(decide_next().record_last_good);
}

TEST_F(RolloutFaults, WakingAPausedConsumerStartsNoRollout) {
  desired_parts_[kConsumer].replicas = good_parts_[kConsumer].replicas = 0;
  take_pods(kConsumer);
  EXPECT_EQ(decide_next().phase, Phase::kComplete);
  desired_parts_[kConsumer].replicas = 2;
  views_[kConsumer].stable.replicas = 2;
  views_[kConsumer].stable.settled = false;
  EXPECT_EQ(decide_next().phase, Phase::kComplete);
}

// ---- Few and many pods --------------------------------------------------------------------------

TEST_F(RolloutFaults, OneReplicaHasACanaryToo) {
  desired_parts_ = good_parts_ = four_parts("old", 1);
  for (std::size_t i = 0; i < views_.size(); ++i) {
    views_[i] = healthy_view(good_parts_[i], kNow - 3'600'000);
  }
  roll_the_ingress();
  EXPECT_EQ(decide_next().actions[kIngress].stable, Target::kLastGood)
      << "the one that serves stays";
  make_ready(canary(kIngress), now_);
  now_ += 30'000;
  const RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.actions[kIngress].stable, Target::kDesired);
  EXPECT_TRUE(decision.actions[kIngress].canary) << "it serves while the only other one changes";
}

TEST_F(RolloutFaults, AnAutoscalerThatAddsPodsMeanwhileIsProgress) {
  promote_the_ingress();
  for (int added = 0; added < 5; ++added) {
    now_ += 290'000;
    PodView pod = pod_of("added-" + std::to_string(added), "new", false, now_);
    make_ready(pod, now_);
    views_[kIngress].pods.push_back(pod);
    ++views_[kIngress].stable.replicas;
    EXPECT_EQ(decide_next().phase, Phase::kRolling) << added;
  }
}

TEST_F(RolloutFaults, PodsThatAnAutoscalerWantsAndNoNodeHasRoomForAreNotItsFault) {
  promote_the_ingress();
  views_[kIngress] = healthy_view(desired_parts_[kIngress], now_);
  views_[kIngress].stable.replicas = 9;
  views_[kIngress].stable.settled = false;
  PodView pod = pod_of("no-room", "new", false, now_);
  pod.reason = "Unschedulable";
  pod.problem = "pod no-room: cannot be scheduled: 0/3 nodes are available";
  views_[kIngress].pods.push_back(pod);
  now_ += 3'600'000;
  EXPECT_EQ(decide_next().phase, Phase::kProving);
  now_ += 30'000;
  EXPECT_TRUE(decide_next().record_last_good) << "what has room is good";
}

// ---- What users do meanwhile --------------------------------------------------------------------

TEST_F(RolloutFaults, AnotherSpecInTheMiddleBeginsAnewAndKeepsWhatIsHealthy) {
  desired_parts_ = four_parts("new");
  // The exporter has had its step; the consumer has just been promoted.
  views_[kExporter] = healthy_view(desired_parts_[kExporter], now_);
  ASSERT_TRUE(decide_next().actions[kConsumer].canary);
  add_canary(kConsumer, now_);
  make_ready(canary(kConsumer), now_);
  now_ += 30'000;
  ASSERT_EQ(decide_next().actions[kConsumer].stable, Target::kDesired);
  views_[kConsumer].stable.revision = "new";
  views_[kConsumer].stable.settled = false;

  desired_parts_ = four_parts("newer");
  const RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.memory.rolling_component, "p-a");
  EXPECT_TRUE(decision.actions[kExporter].canary);
  EXPECT_EQ(decision.actions[kExporter].stable, Target::kKeep) << "healthy, if not the last good";
  EXPECT_EQ(decision.actions[kConsumer].stable, Target::kLastGood) << "half of an unproven one";
  EXPECT_FALSE(decision.actions[kConsumer].canary);
  EXPECT_EQ(decision.actions[kIngress].stable, Target::kLastGood);
}

TEST_F(RolloutFaults, RevertingAFailedSpecEndsTheFailure) {
  fail_the_ingress();
  desired_parts_ = good_parts_;
  views_[kIngress] = healthy_view(good_parts_[kIngress], kNow);
  const RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.phase, Phase::kComplete);
  EXPECT_EQ(decision.memory.failed_revision, "");
  EXPECT_EQ(decision.memory.failed_reason, "");
  EXPECT_FALSE(decision.record_last_good);
}

TEST_F(RolloutFaults, RevertingDuringACanaryTakesItAway) {
  roll_the_ingress();
  desired_parts_ = good_parts_;
  const RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.phase, Phase::kComplete);
  EXPECT_FALSE(decision.actions[kIngress].canary);
  EXPECT_EQ(decision.memory.rolling_revision, "");
}

TEST_F(RolloutFaults, ForceWithoutAFailureChangesNothing) {
  EXPECT_EQ(decide_next().phase, Phase::kComplete);
  forced_ = true;
  EXPECT_EQ(decide_next().phase, Phase::kComplete);
  forced_ = false;
  roll_the_ingress(10'000);
  const RolloutMemory before = memory_;
  forced_ = true;
  EXPECT_EQ(decide_next().memory, before);
}

TEST_F(RolloutFaults, AForcedRevisionThatFailsAgainIsReportedAgain) {
  fail_the_ingress();
  views_[kIngress] = healthy_view(good_parts_[kIngress], kNow);
  forced_ = true;
  ASSERT_TRUE(decide_next().actions[kIngress].canary);
  forced_ = false;
  add_canary(kIngress, now_);
  canary(kIngress).reason = "CreateContainerConfigError";
  const RolloutDecision decision = decide_next();
  EXPECT_TRUE(decision.just_failed);
  EXPECT_THAT(decision.memory.failed_reason, StartsWith("CreateContainerConfigError: p-ingress"));
}

// A changed Secret gives a revision with the new identity; the recorded spec renders with
// the old one, exactly as what runs.
TEST_F(RolloutFaults, ASecretThatBreaksPodsRestartsNoneThatRun) {
  for (const std::size_t part : {kConsumer, kBridge}) desired_parts_[part].revision = "old+secret2";
  ASSERT_TRUE(decide_next().actions[kConsumer].canary);
  add_canary(kConsumer, now_);
  now_ += 300'000;
  const RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.reason, "CanaryNotReady");
  for (const std::size_t part : {kConsumer, kBridge}) {
    EXPECT_EQ(decision.actions[part].stable, Target::kLastGood);
    EXPECT_EQ(good_.components[part].revision, views_[part].stable.revision);
  }
  // The Secret is put right: another revision again, and it is tried.
  desired_parts_[kConsumer].revision = desired_parts_[kBridge].revision = "old+secret3";
  EXPECT_EQ(decide_next().phase, Phase::kRolling);
}

}  // namespace
}  // namespace spanway::decide
