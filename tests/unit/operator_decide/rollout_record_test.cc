#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "tests/unit/operator_decide/rollout_faults_fixture.h"

namespace spanway::decide {
namespace {

using ::testing::HasSubstr;

// ---- What is good is recorded component by component --------------------------------------------

TEST_F(RolloutFaults, PodsThatAreReplacedAllTheTimeAreGoodWhileTheirComponentIsAvailable) {
  promote_the_ingress();
  views_[kIngress] = healthy_view(desired_parts_[kIngress], now_);
  EXPECT_EQ(decide_next().phase, Phase::kProving);
  for (int moment = 0; moment < 3; ++moment) {
    now_ += 10'000;
    // One pod is always younger than healthy_after, and one is just being made.
    views_[kIngress].pods[0] = pod_of("young-" + std::to_string(moment), "new", false, now_);
    make_ready(views_[kIngress].pods[0], now_);
    views_[kIngress].pods[1] = pod_of("made-" + std::to_string(moment), "new", false, now_);
    views_[kIngress].stable.settled = false;
    if (moment == 2) break;
    EXPECT_FALSE(decide_next().record_last_good);
  }
  EXPECT_TRUE(decide_next().record_last_good);
}

TEST_F(RolloutFaults, APodThatRestartsDelaysTheRecordOfItsComponent) {
  promote_the_ingress();
  desired_parts_[kIngress].replicas = 1;
  views_[kIngress] = healthy_view(desired_parts_[kIngress], now_);
  EXPECT_EQ(decide_next().phase, Phase::kProving);
  now_ += 20'000;
  // Its only pod restarts, and is ready again a second later.
  PodView& pod = views_[kIngress].pods[0];
  pod.ready = false;
  views_[kIngress].stable.settled = false;
  decide_next();
  now_ += 1'000;
  pod.restarts = 1;
  make_ready(pod, now_);
  views_[kIngress].stable.settled = true;
  decide_next();
  now_ += 29'000;
  EXPECT_FALSE(decide_next().record_last_good) << "available for 29 s only";
  now_ += 1'000;
  EXPECT_TRUE(decide_next().record_last_good);
}

TEST_F(RolloutFaults, ARestartBetweenTwoReconciliationsCountsToo) {
  promote_the_ingress();
  desired_parts_[kIngress].replicas = 1;
  views_[kIngress] = healthy_view(desired_parts_[kIngress], now_);
  decide_next();
  now_ += 20'000;
  make_ready(views_[kIngress].pods[0], now_ - 5'000);
  now_ += 10'000;
  EXPECT_FALSE(decide_next().record_last_good) << "ready for 15 s";
  now_ += 15'000;
  EXPECT_TRUE(decide_next().record_last_good);
}

TEST_F(RolloutFaults, OfTheTimeBeforeTheOperatorStartedOnlyThePodsOfTodayAreWitnesses) {
  promote_the_ingress();
  desired_parts_[kIngress].replicas = 1;
  views_[kIngress] = healthy_view(desired_parts_[kIngress], now_);
  decide_next();
  // The operator is away; another pod takes the place of the only one.
  now_ += 60'000;
  views_[kIngress].pods = {pod_of("another", "new", false, now_ - 10'000)};
  make_ready(views_[kIngress].pods[0], now_ - 10'000);
  observed_since_ = now_;
  EXPECT_FALSE(decide_next().record_last_good) << "ready for 10 s";
  now_ += 20'000;
  EXPECT_TRUE(decide_next().record_last_good);
}

TEST_F(RolloutFaults, ARestartDelaysItsOwnComponentOnly) {
  has_good_ = false;
  memory_ = {};
  decide_next();
  now_ += 290'000;
  PodView& pod = views_[kExporter].pods[0];
  views_[kExporter].pods.resize(1);
  views_[kExporter].stable.replicas = desired_parts_[kExporter].replicas = 1;
  make_ready(pod, now_);
  decide_next();
  now_ += 10'000;
  EXPECT_TRUE(decide_next().record_last_good);
  EXPECT_EQ(memory_.unproven, std::set<std::string>{"p-a"});
  has_good_ = true;
  EXPECT_EQ(decide_next().phase, Phase::kProving);
  now_ += 20'000;
  EXPECT_EQ(decide_next().phase, Phase::kComplete);
  EXPECT_TRUE(memory_.unproven.empty());
}

TEST_F(RolloutFaults, AComponentThatNeverCameUpKeepsNoOtherFromACanary) {
  has_good_ = false;
  memory_ = {};
  views_[kExporter].pods = {pod_of("p-a-0", "old", false, now_)};
  views_[kExporter].pods[0].reason = "Unschedulable";
  views_[kExporter].stable.settled = false;
  EXPECT_EQ(decide_next().reason, "Installing");
  now_ += 300'000;
  RolloutDecision decision = decide_next();
  EXPECT_TRUE(decision.record_last_good);
  EXPECT_EQ(memory_.unproven, std::set<std::string>{"p-a"});
  EXPECT_EQ(decision.phase, Phase::kInstalling) << "and the phase is not complete";
  EXPECT_EQ(decision.reason, "Unschedulable");
  has_good_ = true;
  good_parts_ = desired_parts_;
  EXPECT_FALSE(decide_next().record_last_good);
  // Another component is changed: a canary comes first, and is recorded in the end.
  roll_the_ingress();
  make_ready(canary(kIngress), now_);
  now_ += 30'000;
  ASSERT_EQ(decide_next().actions[kIngress].stable, Target::kDesired);
  views_[kIngress] = healthy_view(desired_parts_[kIngress], now_);
  decide_next();
  now_ += 30'000;
  EXPECT_TRUE(decide_next().record_last_good);
  EXPECT_EQ(memory_.unproven, std::set<std::string>{"p-a"});
  good_parts_ = desired_parts_;
  // It comes up at last.
  views_[kExporter] = healthy_view(desired_parts_[kExporter], now_);
  EXPECT_EQ(decide_next().phase, Phase::kProving);
  now_ += 30'000;
  EXPECT_EQ(decide_next().phase, Phase::kComplete);
  EXPECT_TRUE(memory_.unproven.empty());
}

TEST_F(RolloutFaults, AnUnprovenComponentIsChangedWithoutACanaryAndTakesNothingBack) {
  memory_.unproven = {"p-a"};
  views_[kExporter].pods[0].ready = false;
  desired_parts_[kExporter].revision = "mended";
  desired_parts_[kIngress].revision = "new";
  RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.actions[kExporter].stable, Target::kDesired);
  EXPECT_FALSE(decision.actions[kExporter].canary);
  EXPECT_TRUE(decision.actions[kIngress].canary);
  views_[kExporter].stable.revision = "mended";
  views_[kExporter].pods = {pod_of("p-a-0", "mended", false, now_)};
  views_[kExporter].pods[0].crash_looping = true;
  EXPECT_FALSE(decide_next().just_failed);
}

TEST_F(RolloutFaults, TheRecordOfTheLastGoodSpecIsCreatedAgain) {
  has_good_ = false;
  const RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.phase, Phase::kComplete);
  EXPECT_TRUE(decision.record_last_good);
  has_good_ = true;
  EXPECT_FALSE(decide_next().record_last_good);
}

// ---- A Secret is missing ------------------------------------------------------------------------

TEST_F(RolloutFaults, AMissingSecretHoldsItsComponentOnly) {
  desired_parts_[kExporter].revision = "new";
  desired_parts_[kIngress].revision = "new";
  blocked_ = {desired_parts_[kExporter].id};
  RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.actions[kExporter].stable, Target::kLastGood);
  EXPECT_FALSE(decision.actions[kExporter].canary);
  EXPECT_TRUE(decision.actions[kIngress].canary) << "the others continue";
  add_canary(kIngress, now_);
  make_ready(canary(kIngress), now_);
  now_ += 30'000;
  EXPECT_EQ(decide_next().actions[kIngress].stable, Target::kDesired);
  views_[kIngress] = healthy_view(desired_parts_[kIngress], now_);
  decide_next();
  now_ += 60'000;
  decision = decide_next();
  EXPECT_EQ(decision.reason, "SecretMissing");
  EXPECT_EQ(decision.actions[kExporter].stable, Target::kLastGood);
  blocked_.clear();
  EXPECT_TRUE(decide_next().actions[kExporter].canary);
}

TEST_F(RolloutFaults, AComponentWithoutItsSecretKeepsItsRecordAndTheOthersAreRecorded) {
  desired_parts_[kExporter].revision = "new";
  blocked_ = {desired_parts_[kExporter].id};
  promote_the_ingress();
  views_[kIngress] = healthy_view(desired_parts_[kIngress], now_);
  EXPECT_FALSE(decide_next().record_last_good);
  now_ += 30'000;
  RolloutDecision decision = decide_next();
  EXPECT_TRUE(decision.record_last_good);
  EXPECT_EQ(decision.keep_recorded, std::set<std::string>{"p-a"});
  EXPECT_EQ(decision.phase, Phase::kProving) << "the change is not through";
  good_parts_ = desired_parts_;
  good_parts_[kExporter].revision = "old";
  EXPECT_EQ(decision.memory.last_good_revision, rendering_of(good_parts_).revision);
  const RolloutMemory before = memory_;
  EXPECT_FALSE(decide_next().record_last_good) << "once";
  EXPECT_EQ(memory_, before);
  // The next change of the ingress fails: it goes back to what was recorded without the exporter.
  const std::vector<PartSpec> desired = desired_parts_;
  desired_parts_[kIngress].revision = "broken";
  ASSERT_TRUE(decide_next().actions[kIngress].canary);
  add_canary(kIngress, now_);
  canary(kIngress).crash_looping = true;
  decision = decide_next();
  EXPECT_EQ(decision.phase, Phase::kRolledBack);
  EXPECT_EQ(decision.actions[kIngress].stable, Target::kLastGood);
  EXPECT_EQ(good_.components[kIngress].revision, "new");
  views_[kIngress] = healthy_view(good_parts_[kIngress], now_);
  // The Secret is there: the exporter has its turn, and then all is recorded.
  desired_parts_ = desired;
  blocked_.clear();
  EXPECT_TRUE(decide_next().actions[kExporter].canary);
  add_canary(kExporter, now_);
  make_ready(canary(kExporter), now_);
  now_ += 30'000;
  ASSERT_EQ(decide_next().actions[kExporter].stable, Target::kDesired);
  views_[kExporter] = healthy_view(desired_parts_[kExporter], now_);
  decide_next();
  now_ += 30'000;
  decision = decide_next();
  EXPECT_TRUE(decision.record_last_good);
  EXPECT_TRUE(decision.keep_recorded.empty());
  EXPECT_EQ(decision.phase, Phase::kComplete);
}

TEST_F(RolloutFaults, TheFirstTimeAMissingSecretLeavesItsComponentOut) {
  has_good_ = false;
  memory_ = {};
  blocked_ = {desired_parts_[kIngress].id};
  views_[kIngress] = ComponentView();
  views_[kIngress].id = desired_parts_[kIngress].id;
  EXPECT_EQ(decide_next().actions[kIngress].stable, Target::kKeep);
  now_ += 30'000;
  EXPECT_TRUE(decide_next().record_last_good);
  EXPECT_EQ(memory_.unproven, std::set<std::string>{"p-ingress"});
  has_good_ = true;
  EXPECT_EQ(decide_next().reason, "SecretMissing");
}

// ---- The first time -----------------------------------------------------------------------------

TEST_F(RolloutFaults, TheFirstTimeALatePodIsReportedAndWaitedForWithoutEnd) {
  has_good_ = false;
  memory_ = {};
  views_[kBridge].pods = {pod_of("p-bridge-0", "old", false, now_)};
  views_[kBridge].stable.settled = false;
  EXPECT_EQ(decide_next().reason, "Installing");
  now_ += 300'000;
  RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.phase, Phase::kInstalling);
  EXPECT_EQ(decision.reason, "ProgressDeadlineExceeded");
  EXPECT_THAT(decision.message, HasSubstr("p-bridge: pod p-bridge-0: is not ready"));
  EXPECT_EQ(decision.requeue_after, Duration::zero()) << "the pod's own events will do";
  const RolloutMemory before = memory_;
  now_ += 86'400'000;
  EXPECT_EQ(decide_next().memory, before);
  views_[kBridge] = healthy_view(desired_parts_[kBridge], now_);
  EXPECT_EQ(decide_next().phase, Phase::kProving);
}

TEST_F(RolloutFaults, TheFirstTimePodsThatCrashedAndThenStayUpAreGoodInTheEnd) {
  has_good_ = false;
  memory_ = {};
  PodView& pod = views_[kBridge].pods[0];
  pod.restarts = 3;
  pod.last_restart = at_ms(now_);
  pod.last_restart_reason = "container bridge: Error, exit code 1";
  make_ready(pod, now_);
  const RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.reason, "CrashLoopBackOff");
  EXPECT_THAT(decision.message, HasSubstr("3 restarts, the last one: container bridge: Error"));
  ASSERT_EQ(decision.requeue_after, Duration(std::chrono::milliseconds(300'000)));
  now_ += 300'001;
  EXPECT_EQ(decide_next().phase, Phase::kProving);
  now_ += 30'000;
  EXPECT_TRUE(decide_next().record_last_good);
}

TEST_F(RolloutFaults, TheFirstTimeAnotherSpecIsTakenAtOnce) {
  has_good_ = false;
  memory_ = {};
  views_[kIngress].pods[0].ready = false;
  views_[kIngress].pods[0].crash_looping = true;
  views_[kIngress].stable.settled = false;
  EXPECT_EQ(decide_next().reason, "CrashLoopBackOff");
  now_ += 1000;
  desired_parts_[kIngress].revision = "mended";
  const RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.reason, "Installing");
  EXPECT_EQ(decision.actions[kIngress].stable, Target::kDesired);
  EXPECT_FALSE(decision.actions[kIngress].canary);
}

TEST_F(RolloutFaults, APodThatJustNeverGetsReadyIsReconciledInTime) {
  PodView pod = pod_of("p-bridge-9", "old", false, now_ - 20'000);
  views_[kBridge].pods.push_back(pod);
  views_[kBridge].stable.settled = false;
  const RolloutDecision decision = decide_next();
  EXPECT_EQ(decision.phase, Phase::kComplete);
  EXPECT_EQ(decision.requeue_after, Duration(std::chrono::seconds(100)));
  now_ += 100'000;
  EXPECT_EQ(decide_next().requeue_after, Duration::zero());
}

}  // namespace
}  // namespace spanway::decide
