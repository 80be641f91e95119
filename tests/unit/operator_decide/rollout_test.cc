#include "operator/decide/rollout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/operator_decide/rollout_fixture.h"

namespace spanway::decide {
namespace {

using render::Role;
using ::testing::HasSubstr;

TEST_F(RolloutTest, NothingToDoRequestsForNothing) {
  const RolloutMemory before = memory_;
  const RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.phase, Phase::kComplete);
  EXPECT_EQ(decision.requeue_after, Duration::zero());
  EXPECT_EQ(decision.memory, before);
  EXPECT_FALSE(decision.record_last_good);
  EXPECT_TRUE(decision.remove_others);
}

TEST_F(RolloutTest, ReplicasStartNoRollout) {
  desired_parts_[kIngress].replicas = 7;
  EXPECT_EQ(decide_next().phase, Phase::kComplete);
}

TEST_F(RolloutTest, TheFirstTimeEverythingIsAppliedAtOnce) {
  has_good_ = false;
  memory_ = {};
  for (ComponentView& view : views_) {
    view.stable = {};
    view.pods.clear();
  }
  const RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.phase, Phase::kInstalling);
  EXPECT_EQ(decision.reason, "Installing");
  for (const ComponentAction& action : decision.actions) {
    EXPECT_EQ(action.stable, Target::kDesired);
    EXPECT_FALSE(action.canary);
  }
  EXPECT_EQ(decision.requeue_after, Duration(std::chrono::seconds(300)));
}

TEST_F(RolloutTest, TheFirstTimeACrashIsReportedAndNothingRolledBack) {
  has_good_ = false;
  memory_ = {};
  decide_next();
  PodView& pod = views_[kIngress].pods[0];
  pod.ready = false;
  pod.restarts = 2;
  pod.crash_looping = true;
  pod.reason = "CrashLoopBackOff";
  pod.problem = "pod x: container ingress exited with 1 (Error), 2 restarts: cannot listen";
  views_[kIngress].stable.settled = false;
  const RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.phase, Phase::kInstalling);
  EXPECT_EQ(decision.reason, "CrashLoopBackOff");
  EXPECT_THAT(decision.message, HasSubstr("p-ingress: pod x: container ingress exited with 1"));
  EXPECT_FALSE(decision.just_failed);
  EXPECT_EQ(decision.actions[kIngress].stable, Target::kDesired);
  EXPECT_EQ(decision.memory.failed_revision, "");
}

TEST_F(RolloutTest, TheFirstTimeItIsGoodAfterBeingHealthyForAWhile) {
  has_good_ = false;
  memory_ = {};
  const RolloutDecision proving = decide_next();
  EXPECT_EQ(proving.phase, Phase::kProving);
  EXPECT_FALSE(proving.record_last_good);
  EXPECT_EQ(proving.requeue_after, Duration(std::chrono::seconds(30)));
  now_ += 29'999;
  EXPECT_FALSE(decide_next().record_last_good);
  now_ += 1;
  const RolloutDecision decision = decide_next();
  EXPECT_TRUE(decision.record_last_good);
  EXPECT_EQ(decision.phase, Phase::kComplete);
  EXPECT_EQ(decision.memory.last_good_revision, desired_.revision);
  has_good_ = true;
  EXPECT_FALSE(decide_next().record_last_good);
}

TEST_F(RolloutTest, ACanaryComesFirstAndAlone) {
  desired_parts_[kIngress].revision = "new";
  const RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.phase, Phase::kRolling);
  EXPECT_EQ(decision.reason, "CanaryStarting");
  EXPECT_TRUE(decision.actions[kIngress].canary);
  EXPECT_EQ(decision.actions[kIngress].stable, Target::kLastGood);
  EXPECT_EQ(decision.actions[kBridge].stable, Target::kDesired) << "it is the same in both";
  EXPECT_FALSE(decision.remove_others);
  EXPECT_EQ(decision.memory.rolling_component, "p-ingress");
}

TEST_F(RolloutTest, ACanaryMustStayReadyForAWhile) {
  roll_the_ingress(5'000);
  make_ready(canary(kIngress), now_);
  RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.reason, "CanaryProving");
  EXPECT_EQ(decision.requeue_after, Duration(std::chrono::seconds(30)));
  now_ += 29'000;
  EXPECT_EQ(decide_next().actions[kIngress].stable, Target::kLastGood);
  now_ += 1'000;
  decision = decide_next();
  EXPECT_EQ(decision.reason, "Promoting");
  EXPECT_EQ(decision.actions[kIngress].stable, Target::kDesired);
  EXPECT_TRUE(decision.actions[kIngress].canary) << "it bears its share until the others do";
}

TEST_F(RolloutTest, ComponentsFollowEachOtherFromTheEndOfTheFlow) {
  desired_parts_ = four_parts("new");
  std::vector<std::string> order;
  for (int step = 0; step < 4; ++step) {
    RolloutDecision decision = decide_next();
    const auto at = static_cast<std::size_t>(step);
    ASSERT_TRUE(decision.actions[at].canary);
    order.push_back(decision.memory.rolling_component);
    add_canary(at, now_);
    make_ready(canary(at), now_);
    now_ += 30'000;
    decision = decide_next();
    ASSERT_EQ(decision.actions[at].stable, Target::kDesired);
    for (std::size_t later = at + 1; later < 4; ++later) {
      EXPECT_EQ(decision.actions[later].stable, Target::kLastGood);
    }
    views_[at] = healthy_view(desired_parts_[at], now_);
  }
  EXPECT_THAT(order, ::testing::ElementsAre("p-a", "p-a-consumer", "p-bridge", "p-ingress"));
  EXPECT_EQ(decide_next().phase, Phase::kProving);
  now_ += 30'000;
  EXPECT_TRUE(decide_next().record_last_good);
}

struct FailureCase {
  const char* name;
  const char* reason_of_pod;
  std::int64_t restarts;
  bool at_once;
  const char* reason;
};

class CanaryFailure : public RolloutTest, public ::testing::WithParamInterface<FailureCase> {};

TEST_P(CanaryFailure, RollsBackWithItsReason) {
  const FailureCase& c = GetParam();
  roll_the_ingress(10'000);
  canary(kIngress).restarts = c.restarts;
  canary(kIngress).reason = c.reason_of_pod;
  canary(kIngress).crash_looping = std::string_view(c.reason_of_pod) == "CrashLoopBackOff";
  canary(kIngress).problem = "pod canary: the kubelet's words";
  EXPECT_EQ(decide_next().phase == Phase::kRolledBack, c.at_once);
  if (!c.at_once) {
    now_ += 289'999;
    EXPECT_EQ(decide_next().phase, Phase::kRolling);
    now_ += 1;
    EXPECT_TRUE(decide_next().just_failed);
  }
  const RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.phase, Phase::kRolledBack);
  EXPECT_EQ(decision.reason, c.reason);
  EXPECT_THAT(decision.message, HasSubstr("p-ingress: pod canary: the kubelet's words"));
  EXPECT_FALSE(decision.just_failed) << "it is reported once";
  EXPECT_EQ(decision.actions[kIngress].stable, Target::kLastGood);
  EXPECT_FALSE(decision.actions[kIngress].canary);
  EXPECT_EQ(decision.requeue_after, Duration::zero());
}

INSTANTIATE_TEST_SUITE_P(
    Reasons, CanaryFailure,
    ::testing::Values(FailureCase{"Crash", "CrashLoopBackOff", 1, true, "CrashLoopBackOff"},
                      FailureCase{"TwoRestarts", "Restarted", 2, true, "CrashLoopBackOff"},
                      FailureCase{"OutOfMemory", "OOMKilled", 2, true, "OOMKilled"},
                      FailureCase{"OneRestart", "Restarted", 1, false, "CanaryNotReady"},
                      FailureCase{"BadConfig", "CreateContainerConfigError", 0, true,
                                  "CreateContainerConfigError"},
                      FailureCase{"BadImageName", "InvalidImageName", 0, true, "InvalidImageName"},
                      FailureCase{"NoImage", "ImagePullBackOff", 0, false, "ImagePullBackOff"},
                      FailureCase{"NoRoom", "Unschedulable", 0, false, "Unschedulable"},
                      FailureCase{"NotReady", "NotReady", 0, false, "CanaryNotReady"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST_F(RolloutTest, StableStuckAtTheDeadlineRollsBack) {
  promote_the_ingress();
  views_[kIngress].stable.updated = 1;
  views_[kIngress].stable.ready = 1;
  now_ += 299'999;
  EXPECT_EQ(decide_next().reason, "Promoting");
  now_ += 1;
  const RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.reason, "ProgressDeadlineExceeded");
  EXPECT_THAT(decision.message, HasSubstr("1 of 2 pods are up to date"));
}

TEST_F(RolloutTest, EachFurtherReadyPodIsProgress) {
  promote_the_ingress();
  now_ += 200'000;
  PodView pod = pod_of("late", "new", false, now_);
  make_ready(pod, now_);
  views_[kIngress].pods.push_back(pod);
  now_ += 299'999;
  EXPECT_EQ(decide_next().phase, Phase::kRolling);
  now_ += 1;
  EXPECT_EQ(decide_next().phase, Phase::kRolledBack);
}

TEST_F(RolloutTest, AComponentThatWasDoneStillCounts) {
  desired_parts_[kExporter].revision = "new";
  desired_parts_[kIngress].revision = "new";
  views_[kExporter] = healthy_view(desired_parts_[kExporter], now_ - 60'000);
  EXPECT_TRUE(decide_next().actions[kIngress].canary);
  views_[kExporter].pods[0].crash_looping = true;
  views_[kExporter].pods[0].reason = "CrashLoopBackOff";
  EXPECT_TRUE(decide_next().just_failed);
}

TEST_F(RolloutTest, RestartsOfLongAgoAreNoCrash) {
  desired_parts_[kExporter].revision = "new";
  desired_parts_[kIngress].revision = "new";
  views_[kExporter] = healthy_view(desired_parts_[kExporter], now_ - 3'600'000);
  views_[kExporter].pods[0].restarts = 9;
  views_[kExporter].pods[0].last_restart = at_ms(now_ - 301'000);
  EXPECT_EQ(decide_next().phase, Phase::kRolling);
}

TEST_F(RolloutTest, OneThatIsNotChangedFailsNothing) {
  views_[kBridge].pods[0].crash_looping = true;
  views_[kBridge].stable.settled = false;
  promote_the_ingress();
  views_[kIngress] = healthy_view(desired_parts_[kIngress], now_);
  now_ += 3'600'000;
  EXPECT_EQ(decide_next().phase, Phase::kProving);
  views_[kBridge] = healthy_view(desired_parts_[kBridge], now_);
  decide_next();
  now_ += 30'000;
  EXPECT_TRUE(decide_next().record_last_good);
}

TEST_F(RolloutTest, TheFailedRevisionIsNotTriedAgainUntilForced) {
  roll_the_ingress();
  canary(kIngress).crash_looping = true;
  EXPECT_TRUE(decide_next().just_failed);
  views_[kIngress] = healthy_view(good_parts_[kIngress], kNow);
  desired_parts_[kBridge].replicas = 5;
  now_ += 86'400'000;
  EXPECT_EQ(decide_next().phase, Phase::kRolledBack);
  forced_ = true;
  EXPECT_TRUE(decide_next().actions[kIngress].canary);
  forced_ = false;
  EXPECT_TRUE(decide_next().actions[kIngress].canary);
}

TEST(ForceCheck, EachValueIsConsumedOnceAndAnOldOneNeverAgain) {
  RolloutMemory memory;
  EXPECT_FALSE(consume_force_check("", memory)) << "there is none";
  EXPECT_EQ(memory, RolloutMemory());
  EXPECT_TRUE(consume_force_check("1", memory));
  EXPECT_EQ(memory.force_check, "1");
  EXPECT_FALSE(consume_force_check("1", memory));
  EXPECT_FALSE(consume_force_check("", memory));
  EXPECT_FALSE(consume_force_check("1", memory)) << "taken away and put back";
  EXPECT_TRUE(consume_force_check("2", memory));
  EXPECT_FALSE(consume_force_check("2", memory));
}

TEST(ForceCheck, AValueThatDoesNotFitTheStatusIsDistinguishedAllTheSame) {
  RolloutMemory memory;
  const std::string endless(200'000, 'x');
  EXPECT_TRUE(consume_force_check(endless, memory));
  EXPECT_LE(memory.force_check.size(), 128u);
  EXPECT_FALSE(consume_force_check(endless, memory));
  EXPECT_TRUE(consume_force_check(endless + "y", memory));
}

TEST_F(RolloutTest, TheValueThatWasConsumedIsKeptThroughARollout) {
  memory_.force_check = "1";
  promote_the_ingress();
  EXPECT_EQ(memory_.force_check, "1");
  views_[kIngress].pods.back().crash_looping = true;
  decide_next();
  EXPECT_EQ(memory_.force_check, "1");
}

TEST_F(RolloutTest, AnotherSpecIsTriedAndTheFailedOneToo) {
  roll_the_ingress();
  canary(kIngress).crash_looping = true;
  decide_next();
  views_[kIngress] = healthy_view(good_parts_[kIngress], kNow);
  desired_parts_[kIngress].revision = "newer";
  EXPECT_TRUE(decide_next().actions[kIngress].canary);
  desired_parts_[kIngress].revision = "new";
  EXPECT_TRUE(decide_next().actions[kIngress].canary);
}

TEST_F(RolloutTest, GoingBackToTheLastGoodOneIsDoneAtOnce) {
  promote_the_ingress();
  desired_parts_ = good_parts_;
  const RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.phase, Phase::kComplete);
  EXPECT_EQ(decision.actions[kIngress].stable, Target::kDesired);
  EXPECT_FALSE(decision.actions[kIngress].canary);
  EXPECT_EQ(decision.memory.rolling_revision, "");
}

TEST_F(RolloutTest, PauseLeavesThingsAsTheyAre) {
  rules_.on_failure = api::Rollout::OnFailure::kPause;
  desired_parts_[kExporter].revision = "new";
  views_[kExporter] = healthy_view(desired_parts_[kExporter], now_);
  roll_the_ingress(1'000);
  canary(kIngress).crash_looping = true;
  const RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.phase, Phase::kPausedFailure);
  EXPECT_TRUE(decision.just_failed);
  EXPECT_EQ(decision.actions[kExporter].stable, Target::kDesired);
  EXPECT_EQ(decision.actions[kIngress].stable, Target::kLastGood);
  EXPECT_TRUE(decision.actions[kIngress].canary) << "kept for debugging";
  EXPECT_EQ(decide_next().phase, Phase::kPausedFailure);
}

TEST_F(RolloutTest, ACanaryOfAnEarlierAttemptGoesFirst) {
  desired_parts_[kIngress].revision = "new";
  add_canary(kIngress, kNow - 600'000);
  canary(kIngress).crash_looping = true;
  canary(kIngress).restarts = 7;
  EXPECT_FALSE(decide_next().actions[kIngress].canary);
  EXPECT_EQ(decide_next().phase, Phase::kRolling);
  views_[kIngress].canary = {};
  views_[kIngress].pods.pop_back();
  EXPECT_TRUE(decide_next().actions[kIngress].canary);
}

TEST_F(RolloutTest, ACanaryDeletedByHandComesBackWithItsTime) {
  roll_the_ingress(299'000);
  EXPECT_EQ(decide_next().phase, Phase::kRolling);
  views_[kIngress].canary = {};
  views_[kIngress].pods.pop_back();
  EXPECT_TRUE(decide_next().actions[kIngress].canary);
  now_ += 299'000;
  add_canary(kIngress, now_);
  EXPECT_EQ(decide_next().phase, Phase::kRolling);
}

TEST_F(RolloutTest, WithoutPodsOrWithRollingUpdateThereIsNoCanary) {
  desired_parts_[kConsumer].revision = "new";
  desired_parts_[kConsumer].replicas = 0;
  RolloutDecision decision = decide_next();
  EXPECT_FALSE(decision.actions[kConsumer].canary);
  EXPECT_EQ(decision.actions[kConsumer].stable, Target::kDesired);

  desired_parts_ = four_parts("newer");
  rules_.strategy = api::Rollout::Strategy::kRollingUpdate;
  decision = decide_next();
  EXPECT_EQ(decision.actions[kExporter].stable, Target::kDesired);
  EXPECT_FALSE(decision.actions[kExporter].canary);
  EXPECT_EQ(decision.actions[kIngress].stable, Target::kLastGood) << "the order holds";
}

TEST_F(RolloutTest, ANewExporterIsCreatedInItsTurnAndGoesAgainOnFailure) {
  const PartSpec b{{Role::kExporter, "b"}, "new", 1};
  desired_parts_.insert(desired_parts_.begin() + 1, b);
  ComponentView nothing;
  nothing.id = b.id;
  views_.insert(views_.begin() + 1, nothing);
  RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.actions[1].stable, Target::kDesired);
  EXPECT_FALSE(decision.actions[1].canary);
  views_[1] = healthy_view(b, now_);
  views_[1].stable.settled = false;
  views_[1].pods[0].crash_looping = true;
  decision = decide_next();
  EXPECT_EQ(decision.phase, Phase::kRolledBack);
  EXPECT_EQ(decision.actions[1].stable, Target::kLastGood) << "which has none";
  EXPECT_EQ(decision.actions[0].stable, Target::kDesired);
}

TEST_F(RolloutTest, ARemovedExporterStaysUntilTheOthersHaveHadTheirTurn) {
  desired_parts_.erase(desired_parts_.begin(), desired_parts_.begin() + 2);
  views_.erase(views_.begin(), views_.begin() + 2);
  EXPECT_TRUE(decide_next().remove_others) << "no other component changes";
  desired_parts_[1].revision = "new";
  EXPECT_FALSE(decide_next().remove_others);
}

// The recorded spec renders differently after an upgrade of the operator.
TEST_F(RolloutTest, WhatRunsIsKeptWhenItCannotBeRenderedAnyMore) {
  desired_parts_ = good_parts_ = four_parts("upgraded");
  RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.phase, Phase::kRolling);
  EXPECT_TRUE(decision.actions[kExporter].canary);
  for (const ComponentAction& action : decision.actions) {
    EXPECT_EQ(action.stable, Target::kKeep);
  }
  add_canary(kExporter, now_);
  canary(kExporter).crash_looping = true;
  decision = decide_next();
  EXPECT_EQ(decision.phase, Phase::kRolledBack);
  for (const ComponentAction& action : decision.actions) {
    EXPECT_EQ(action.stable, Target::kKeep);
  }
}

TEST_F(RolloutTest, WithoutTheRecordedSpecACanaryStillProtectsWhatRuns) {
  has_good_ = false;
  desired_parts_[kIngress].revision = "new";
  RolloutDecision decision = decide_next();
  EXPECT_TRUE(decision.actions[kIngress].canary);
  EXPECT_EQ(decision.actions[kIngress].stable, Target::kKeep);
  add_canary(kIngress, now_);
  canary(kIngress).crash_looping = true;
  decision = decide_next();
  EXPECT_EQ(decision.phase, Phase::kRolledBack);
  EXPECT_EQ(decision.actions[kIngress].stable, Target::kKeep);
}

TEST_F(RolloutTest, ALostStatusIsFoundAgainInTheRecord) {
  memory_ = {};
  const RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.phase, Phase::kComplete);
  EXPECT_EQ(decision.memory.last_good_revision, good_.revision);
}

TEST_F(RolloutTest, AClockThatIsPutBackDoesNotMakeItWait) {
  roll_the_ingress();
  now_ -= 86'400'000;
  canary(kIngress).created = at_ms(now_);
  decide_next();
  now_ += 300'000;
  EXPECT_TRUE(decide_next().just_failed);
}

TEST_F(RolloutTest, WhatIsObservedMayBeShorterThanWhatIsDesired) {
  views_.clear();
  desired_parts_[kIngress].revision = "new";
  EXPECT_EQ(decide_next().actions.size(), 4u);
}

}  // namespace
}  // namespace spanway::decide
