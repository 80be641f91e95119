// What goes wrong while a revision is rolled out, and what users do meanwhile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/operator_decide/rollout_fixture.h"

namespace spanway::reconcile {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class RolloutFaults : public RolloutTest {
 protected:
  void take_pods(std::size_t part) {
    views_[part].stable.replicas = views_[part].stable.ready = views_[part].stable.updated = 0;
    views_[part].stable.settled = true;
    views_[part].pods.clear();
  }
  void fail_the_ingress() {
    roll_the_ingress();
    canary(kIngress).crash_looping = true;
    canary(kIngress).problem = "pod canary: container ingress exited with 1 (Error): no";
    ASSERT_TRUE(look().just_failed);
  }
  // Answers of all pods: those of bridges and consumers reach Kafka or do not.
  void let_them_speak(bool kafka_reachable) {
    asks_ = true;
    reports_.clear();
    for (const ComponentView& view : views_) {
      for (const PodView& pod : view.pods) {
        StatuszReport& report = reports_[pod.name];
        report.answered = true;
        report.ready = pod.ready;
        report.kafka_reachable = kafka_reachable;
        if (!kafka_reachable) report.last_error = "all brokers are down";
      }
    }
  }
};

// ---- Scaled to nothing --------------------------------------------------------------------------

TEST_F(RolloutFaults, APausedConsumerIsSettledWithoutPodsAndHasNoCanary) {
  wanted_parts_[kConsumer].replicas = good_parts_[kConsumer].replicas = 0;
  take_pods(kConsumer);
  wanted_parts_[kConsumer].revision = "new";
  RolloutDecision decision = look();
  EXPECT_FALSE(decision.actions[kConsumer].canary);
  EXPECT_EQ(decision.actions[kConsumer].stable, Target::kWanted);
  views_[kConsumer].stable.revision = "new";
  EXPECT_EQ(look().phase, Phase::kProving);
  now_ += 30'000;
  EXPECT_TRUE(look().record_last_good);
}

TEST_F(RolloutFaults, PausingWhileItsCanaryIsAwaitedEndsTheWait) {
  wanted_parts_[kConsumer].revision = "new";
  wanted_parts_[kIngress].revision = "new";
  ASSERT_TRUE(look().actions[kConsumer].canary);
  // The canary is scaled to 0 with the rest: no pod will ever be ready.
  views_[kConsumer].canary = {.exists = true, .revision = "new", .settled = true};
  wanted_parts_[kConsumer].replicas = 0;
  take_pods(kConsumer);
  RolloutDecision decision = look();
  EXPECT_EQ(decision.reason, "Promoting");
  EXPECT_FALSE(decision.actions[kConsumer].canary);
  EXPECT_EQ(decision.actions[kConsumer].stable, Target::kWanted);
  views_[kConsumer].stable.revision = "new";
  views_[kConsumer].canary = {};
  decision = look();
  EXPECT_TRUE(decision.actions[kIngress].canary) << "and the next one has its turn";
  now_ += 86'400'000;
  EXPECT_EQ(look().phase, Phase::kRolling);
}

TEST_F(RolloutFaults, EverythingScaledToNothingIsInstalledAndGood) {
  has_good_ = false;
  memory_ = {};
  for (std::size_t i = 0; i < views_.size(); ++i) {
    wanted_parts_[i].replicas = 0;
    take_pods(i);
  }
  EXPECT_EQ(look().phase, Phase::kProving);
  now_ += 30'000;
  EXPECT_TRUE(look().record_last_good);
}

TEST_F(RolloutFaults, WakingAPausedConsumerStartsNoRollout) {
  wanted_parts_[kConsumer].replicas = good_parts_[kConsumer].replicas = 0;
  take_pods(kConsumer);
  EXPECT_EQ(look().phase, Phase::kComplete);
  wanted_parts_[kConsumer].replicas = 2;
  views_[kConsumer].stable.replicas = 2;
  views_[kConsumer].stable.settled = false;
  EXPECT_EQ(look().phase, Phase::kComplete);
}

// ---- Few and many pods --------------------------------------------------------------------------

TEST_F(RolloutFaults, OneReplicaHasACanaryToo) {
  wanted_parts_ = good_parts_ = four_parts("old", 1);
  for (std::size_t i = 0; i < views_.size(); ++i) {
    views_[i] = healthy_view(good_parts_[i], kNow - 3'600'000);
  }
  roll_the_ingress();
  EXPECT_EQ(look().actions[kIngress].stable, Target::kLastGood) << "the one that serves stays";
  make_ready(canary(kIngress), now_);
  now_ += 30'000;
  const RolloutDecision decision = look();
  EXPECT_EQ(decision.actions[kIngress].stable, Target::kWanted);
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
    EXPECT_EQ(look().phase, Phase::kRolling) << added;
  }
}

TEST_F(RolloutFaults, PodsThatAnAutoscalerWantsAndNoNodeHasRoomForAreNotItsFault) {
  promote_the_ingress();
  views_[kIngress] = healthy_view(wanted_parts_[kIngress], now_);
  views_[kIngress].stable.replicas = 9;
  views_[kIngress].stable.settled = false;
  PodView pod = pod_of("no-room", "new", false, now_);
  pod.reason = "Unschedulable";
  pod.problem = "pod no-room: cannot be scheduled: 0/3 nodes are available";
  views_[kIngress].pods.push_back(pod);
  now_ += 3'600'000;
  EXPECT_EQ(look().phase, Phase::kProving);
  now_ += 30'000;
  EXPECT_TRUE(look().record_last_good) << "what has room is good";
}

// ---- What is good is recorded component by component --------------------------------------------

TEST_F(RolloutFaults, PodsThatAreReplacedAllTheTimeAreGoodWhileTheirComponentIsAvailable) {
  promote_the_ingress();
  views_[kIngress] = healthy_view(wanted_parts_[kIngress], now_);
  EXPECT_EQ(look().phase, Phase::kProving);
  for (int moment = 0; moment < 3; ++moment) {
    now_ += 10'000;
    // One pod is always younger than healthy_after, and one is just being made.
    views_[kIngress].pods[0] = pod_of("young-" + std::to_string(moment), "new", false, now_);
    make_ready(views_[kIngress].pods[0], now_);
    views_[kIngress].pods[1] = pod_of("made-" + std::to_string(moment), "new", false, now_);
    views_[kIngress].stable.settled = false;
    if (moment == 2) break;
    EXPECT_FALSE(look().record_last_good);
  }
  EXPECT_TRUE(look().record_last_good);
}

TEST_F(RolloutFaults, APodThatRestartsDelaysTheRecordOfItsComponent) {
  promote_the_ingress();
  wanted_parts_[kIngress].replicas = 1;
  views_[kIngress] = healthy_view(wanted_parts_[kIngress], now_);
  EXPECT_EQ(look().phase, Phase::kProving);
  now_ += 20'000;
  // Its only pod restarts, and is ready again a second later.
  PodView& pod = views_[kIngress].pods[0];
  pod.ready = false;
  views_[kIngress].stable.settled = false;
  look();
  now_ += 1'000;
  pod.restarts = 1;
  make_ready(pod, now_);
  views_[kIngress].stable.settled = true;
  look();
  now_ += 29'000;
  EXPECT_FALSE(look().record_last_good) << "available for 29 s only";
  now_ += 1'000;
  EXPECT_TRUE(look().record_last_good);
}

TEST_F(RolloutFaults, ARestartBetweenTwoReconciliationsCountsToo) {
  promote_the_ingress();
  wanted_parts_[kIngress].replicas = 1;
  views_[kIngress] = healthy_view(wanted_parts_[kIngress], now_);
  look();
  now_ += 20'000;
  make_ready(views_[kIngress].pods[0], now_ - 5'000);
  now_ += 10'000;
  EXPECT_FALSE(look().record_last_good) << "ready for 15 s";
  now_ += 15'000;
  EXPECT_TRUE(look().record_last_good);
}

TEST_F(RolloutFaults, OfTheTimeBeforeTheOperatorStartedOnlyThePodsOfTodayAreWitnesses) {
  promote_the_ingress();
  wanted_parts_[kIngress].replicas = 1;
  views_[kIngress] = healthy_view(wanted_parts_[kIngress], now_);
  look();
  // The operator is away; another pod takes the place of the only one.
  now_ += 60'000;
  views_[kIngress].pods = {pod_of("another", "new", false, now_ - 10'000)};
  make_ready(views_[kIngress].pods[0], now_ - 10'000);
  observed_since_ = now_;
  EXPECT_FALSE(look().record_last_good) << "ready for 10 s";
  now_ += 20'000;
  EXPECT_TRUE(look().record_last_good);
}

TEST_F(RolloutFaults, ARestartDelaysItsOwnComponentOnly) {
  has_good_ = false;
  memory_ = {};
  look();
  now_ += 290'000;
  PodView& pod = views_[kExporter].pods[0];
  views_[kExporter].pods.resize(1);
  views_[kExporter].stable.replicas = wanted_parts_[kExporter].replicas = 1;
  make_ready(pod, now_);
  look();
  now_ += 10'000;
  EXPECT_TRUE(look().record_last_good);
  EXPECT_EQ(memory_.unproven, std::set<std::string>{"p-a"});
  has_good_ = true;
  EXPECT_EQ(look().phase, Phase::kProving);
  now_ += 20'000;
  EXPECT_EQ(look().phase, Phase::kComplete);
  EXPECT_TRUE(memory_.unproven.empty());
}

TEST_F(RolloutFaults, AComponentThatNeverCameUpKeepsNoOtherFromACanary) {
  has_good_ = false;
  memory_ = {};
  views_[kExporter].pods = {pod_of("p-a-0", "old", false, now_)};
  views_[kExporter].pods[0].reason = "Unschedulable";
  views_[kExporter].stable.settled = false;
  EXPECT_EQ(look().reason, "Installing");
  now_ += 300'000;
  RolloutDecision decision = look();
  EXPECT_TRUE(decision.record_last_good);
  EXPECT_EQ(memory_.unproven, std::set<std::string>{"p-a"});
  EXPECT_EQ(decision.phase, Phase::kInstalling) << "and it is not said to be through";
  EXPECT_EQ(decision.reason, "Unschedulable");
  has_good_ = true;
  good_parts_ = wanted_parts_;
  EXPECT_FALSE(look().record_last_good);
  // Another component is changed: a canary comes first, and is recorded in the end.
  roll_the_ingress();
  make_ready(canary(kIngress), now_);
  now_ += 30'000;
  ASSERT_EQ(look().actions[kIngress].stable, Target::kWanted);
  views_[kIngress] = healthy_view(wanted_parts_[kIngress], now_);
  look();
  now_ += 30'000;
  EXPECT_TRUE(look().record_last_good);
  EXPECT_EQ(memory_.unproven, std::set<std::string>{"p-a"});
  good_parts_ = wanted_parts_;
  // It comes up at last.
  views_[kExporter] = healthy_view(wanted_parts_[kExporter], now_);
  EXPECT_EQ(look().phase, Phase::kProving);
  now_ += 30'000;
  EXPECT_EQ(look().phase, Phase::kComplete);
  EXPECT_TRUE(memory_.unproven.empty());
}

TEST_F(RolloutFaults, AnUnprovenComponentIsChangedWithoutACanaryAndTakesNothingBack) {
  memory_.unproven = {"p-a"};
  views_[kExporter].pods[0].ready = false;
  wanted_parts_[kExporter].revision = "mended";
  wanted_parts_[kIngress].revision = "new";
  RolloutDecision decision = look();
  EXPECT_EQ(decision.actions[kExporter].stable, Target::kWanted);
  EXPECT_FALSE(decision.actions[kExporter].canary);
  EXPECT_TRUE(decision.actions[kIngress].canary);
  views_[kExporter].stable.revision = "mended";
  views_[kExporter].pods = {pod_of("p-a-0", "mended", false, now_)};
  views_[kExporter].pods[0].crash_looping = true;
  EXPECT_FALSE(look().just_failed);
}

TEST_F(RolloutFaults, TheRecordOfTheLastGoodSpecIsMadeAgain) {
  has_good_ = false;
  const RolloutDecision decision = look();
  EXPECT_EQ(decision.phase, Phase::kComplete);
  EXPECT_TRUE(decision.record_last_good);
  has_good_ = true;
  EXPECT_FALSE(look().record_last_good);
}

// ---- A Secret is missing ------------------------------------------------------------------------

TEST_F(RolloutFaults, AMissingSecretHoldsItsComponentOnly) {
  wanted_parts_[kExporter].revision = "new";
  wanted_parts_[kIngress].revision = "new";
  blocked_ = {wanted_parts_[kExporter].id};
  RolloutDecision decision = look();
  EXPECT_EQ(decision.actions[kExporter].stable, Target::kLastGood);
  EXPECT_FALSE(decision.actions[kExporter].canary);
  EXPECT_TRUE(decision.actions[kIngress].canary) << "the others go on";
  add_canary(kIngress, now_);
  make_ready(canary(kIngress), now_);
  now_ += 30'000;
  EXPECT_EQ(look().actions[kIngress].stable, Target::kWanted);
  views_[kIngress] = healthy_view(wanted_parts_[kIngress], now_);
  look();
  now_ += 60'000;
  decision = look();
  EXPECT_EQ(decision.reason, "SecretMissing");
  EXPECT_EQ(decision.actions[kExporter].stable, Target::kLastGood);
  blocked_.clear();
  EXPECT_TRUE(look().actions[kExporter].canary);
}

TEST_F(RolloutFaults, AComponentWithoutItsSecretKeepsItsRecordAndTheOthersAreRecorded) {
  wanted_parts_[kExporter].revision = "new";
  blocked_ = {wanted_parts_[kExporter].id};
  promote_the_ingress();
  views_[kIngress] = healthy_view(wanted_parts_[kIngress], now_);
  EXPECT_FALSE(look().record_last_good);
  now_ += 30'000;
  RolloutDecision decision = look();
  EXPECT_TRUE(decision.record_last_good);
  EXPECT_EQ(decision.keep_recorded, std::set<std::string>{"p-a"});
  EXPECT_EQ(decision.phase, Phase::kProving) << "the change is not through";
  good_parts_ = wanted_parts_;
  good_parts_[kExporter].revision = "old";
  EXPECT_EQ(decision.memory.last_good_revision, rendering_of(good_parts_).revision);
  const RolloutMemory before = memory_;
  EXPECT_FALSE(look().record_last_good) << "once";
  EXPECT_EQ(memory_, before);
  // The next change of the ingress fails: it goes back to what was recorded without the exporter.
  const std::vector<PartSpec> wanted = wanted_parts_;
  wanted_parts_[kIngress].revision = "broken";
  ASSERT_TRUE(look().actions[kIngress].canary);
  add_canary(kIngress, now_);
  canary(kIngress).crash_looping = true;
  decision = look();
  EXPECT_EQ(decision.phase, Phase::kRolledBack);
  EXPECT_EQ(decision.actions[kIngress].stable, Target::kLastGood);
  EXPECT_EQ(good_.components[kIngress].revision, "new");
  views_[kIngress] = healthy_view(good_parts_[kIngress], now_);
  // The Secret is there: the exporter has its turn, and then all is recorded.
  wanted_parts_ = wanted;
  blocked_.clear();
  EXPECT_TRUE(look().actions[kExporter].canary);
  add_canary(kExporter, now_);
  make_ready(canary(kExporter), now_);
  now_ += 30'000;
  ASSERT_EQ(look().actions[kExporter].stable, Target::kWanted);
  views_[kExporter] = healthy_view(wanted_parts_[kExporter], now_);
  look();
  now_ += 30'000;
  decision = look();
  EXPECT_TRUE(decision.record_last_good);
  EXPECT_TRUE(decision.keep_recorded.empty());
  EXPECT_EQ(decision.phase, Phase::kComplete);
}

TEST_F(RolloutFaults, TheFirstTimeAMissingSecretLeavesItsComponentOut) {
  has_good_ = false;
  memory_ = {};
  blocked_ = {wanted_parts_[kIngress].id};
  views_[kIngress] = ComponentView();
  views_[kIngress].id = wanted_parts_[kIngress].id;
  EXPECT_EQ(look().actions[kIngress].stable, Target::kKeep);
  now_ += 30'000;
  EXPECT_TRUE(look().record_last_good);
  EXPECT_EQ(memory_.unproven, std::set<std::string>{"p-ingress"});
  has_good_ = true;
  EXPECT_EQ(look().reason, "SecretMissing");
}

// ---- A destination ------------------------------------------------------------------------------

TEST_F(RolloutFaults, AnExporterThatLosesItsDestinationFailsAsACanary) {
  asks_ = true;
  for (const PodView& pod : views_[kExporter].pods)
    reports_[pod.name] = {.answered = true,
                          .has_destination = true,
                          .destination_reachable = true,
                          .destination_known = true};
  wanted_parts_[kExporter].revision = "new";
  look();
  add_canary(kExporter, now_);
  make_ready(canary(kExporter), now_);
  StatuszReport& told = reports_["canary"];
  told = {.answered = true,
          .has_destination = true,
          .destination_reachable = false,
          .destination_known = true,
          .destination_error = "no such host",
          .destination_endpoint = "tempoo:4317"};
  now_ += 60'000;
  const RolloutDecision waiting = look();
  EXPECT_EQ(waiting.actions[kExporter].stable, Target::kLastGood) << "not promoted";
  EXPECT_THAT(waiting.message, HasSubstr("tempoo:4317 cannot be reached: no such host"));
  now_ += 270'000;
  const RolloutDecision failed = look();
  EXPECT_TRUE(failed.just_failed);
  EXPECT_EQ(failed.reason, "CanaryUnhealthy");
}

TEST_F(RolloutFaults, ADestinationThatNoRevisionReachesFailsNothing) {
  asks_ = true;
  const StatuszReport dead = {.answered = true, .has_destination = true, .destination_known = true};
  for (const PodView& pod : views_[kExporter].pods) reports_[pod.name] = dead;
  wanted_parts_[kExporter].revision = "new";
  look();
  add_canary(kExporter, now_);
  make_ready(canary(kExporter), now_);
  reports_["canary"] = dead;
  now_ += 30'000;
  EXPECT_EQ(look().actions[kExporter].stable, Target::kWanted);
}

TEST_F(RolloutFaults, AnExporterCanaryThatHasNotAnsweredYetIsWaitedFor) {
  asks_ = true;
  StatuszReport reached = {.answered = true,
                           .has_destination = true,
                           .destination_reachable = true,
                           .destination_known = true};
  for (const PodView& pod : views_[kExporter].pods) reports_[pod.name] = reached;
  wanted_parts_[kExporter].revision = "new";
  look();
  add_canary(kExporter, now_);
  make_ready(canary(kExporter), now_);
  reached.destination_known = false;
  reports_["canary"] = reached;
  now_ += 30'000;
  EXPECT_EQ(look().actions[kExporter].stable, Target::kLastGood);
  now_ += 270'000;
  EXPECT_EQ(look().actions[kExporter].stable, Target::kWanted) << "it never sends: no fault of it";
}

// ---- By hand ------------------------------------------------------------------------------------

TEST_F(RolloutFaults, ADeploymentThatIsPausedByHandIsNamed) {
  promote_the_ingress();
  views_[kIngress].stable.paused = true;
  now_ += 300'000;
  const RolloutDecision decision = look();
  EXPECT_EQ(decision.reason, "DeploymentPaused");
  EXPECT_THAT(decision.message, HasSubstr("kubectl rollout resume"));
}

TEST_F(RolloutFaults, APodThatItsNodeTookAwayIsNotItsFault) {
  promote_the_ingress();
  views_[kIngress] = healthy_view(wanted_parts_[kIngress], now_);
  views_[kIngress].stable.settled = false;
  PodView pod = pod_of("lost", "new", false, now_);
  pod.reason = "NodeLost";
  pod.problem = "pod lost: its node node2 does not answer";
  views_[kIngress].pods.push_back(pod);
  now_ += 3'600'000;
  EXPECT_EQ(look().phase, Phase::kProving);
}

TEST_F(RolloutFaults, NoRoomWhileOldPodsRemainIsItsFault) {
  promote_the_ingress();
  PodView pod = pod_of("no-room", "new", false, now_);
  pod.reason = "Unschedulable";
  views_[kIngress].pods.push_back(pod);
  views_[kIngress].pods[0].revision = "new";
  now_ += 300'000;
  EXPECT_EQ(look().reason, "Unschedulable");
  EXPECT_EQ(look().phase, Phase::kRolledBack);
}

TEST_F(RolloutFaults, ACanaryThatAQuotaRefusesSaysSo) {
  roll_the_ingress();
  views_[kIngress].pods.pop_back();
  views_[kIngress].canary.problem = "pods cannot be made: exceeded quota";
  EXPECT_THAT(look().message, HasSubstr("p-ingress: pods cannot be made: exceeded quota"));
  now_ += 300'000;
  const RolloutDecision decision = look();
  EXPECT_EQ(decision.phase, Phase::kRolledBack);
  EXPECT_EQ(decision.reason, "PodsRefused");
  EXPECT_THAT(decision.message, HasSubstr("p-ingress: pods cannot be made: exceeded quota"));
}

TEST_F(RolloutFaults, ACanaryThatTheApiServerRefusesIsWaitedForAndSeldomWrittenOf) {
  wanted_parts_[kIngress].revision = "new";
  look();
  int writes = 0;
  for (int minute = 0; minute < 60; ++minute) {
    const RolloutMemory before = memory_;
    now_ += 60'000;
    EXPECT_EQ(look().phase, Phase::kRolling);
    writes += memory_ == before ? 0 : 1;
  }
  EXPECT_LE(writes, 60 / 3);
  add_canary(kIngress, now_);
  now_ += 149'000;
  EXPECT_EQ(look().phase, Phase::kRolling);
}

// ---- What the pods say --------------------------------------------------------------------------

TEST_F(RolloutFaults, ACanaryThatCannotReachKafkaWhileOthersDoIsNotPromoted) {
  wanted_parts_[kBridge].revision = "new";
  ASSERT_TRUE(look().actions[kBridge].canary);
  add_canary(kBridge, now_);
  make_ready(canary(kBridge), now_);
  let_them_speak(true);
  reports_["canary"].kafka_reachable = false;
  reports_["canary"].last_error = "SASL authentication failed";
  now_ += 300'000;
  RolloutDecision decision = look();
  EXPECT_EQ(decision.reason, "CanaryProving");
  EXPECT_EQ(decision.actions[kBridge].stable, Target::kLastGood);
  EXPECT_THAT(decision.message, HasSubstr("SASL authentication failed"));
  EXPECT_EQ(decision.look_again, Duration(std::chrono::seconds(30)));
  now_ += 30'000;
  decision = look();
  EXPECT_EQ(decision.phase, Phase::kRolledBack);
  EXPECT_EQ(decision.reason, "CanaryUnhealthy");
  EXPECT_THAT(decision.message, StartsWith("p-bridge: pod canary: SASL authentication failed"));
}

TEST_F(RolloutFaults, ACanaryThatMayNotUseATopicIsNotPromoted) {
  wanted_parts_[kConsumer].revision = "new";
  ASSERT_TRUE(look().actions[kConsumer].canary);
  add_canary(kConsumer, now_);
  make_ready(canary(kConsumer), now_);
  let_them_speak(true);
  reports_["canary"].topics = {{.name = "other.traces", .error = "authorization failed"}};
  now_ += 330'000;
  EXPECT_THAT(look().message, HasSubstr("topic other.traces: authorization failed"));
  // The same complaint of those that run is nobody's fault.
  forced_ = true;
  look();
  forced_ = false;
  views_[kConsumer].pods.pop_back();
  views_[kConsumer].canary = {};
  ASSERT_TRUE(look().actions[kConsumer].canary);
  add_canary(kConsumer, now_);
  make_ready(canary(kConsumer), now_);
  for (auto& [name, report] : reports_) {
    report.topics = {{.name = "otel.traces", .error = "no leader"}};
  }
  now_ += 30'000;
  EXPECT_EQ(look().actions[kConsumer].stable, Target::kWanted);
}

TEST_F(RolloutFaults, AnExporterWhoseDestinationIsDeadIsRolledOut) {
  wanted_parts_[kExporter].revision = "new";
  ASSERT_TRUE(look().actions[kExporter].canary);
  add_canary(kExporter, now_);
  make_ready(canary(kExporter), now_);
  let_them_speak(true);
  for (auto& [name, report] : reports_) {
    report.has_destination = true;
    report.destination_reachable = name != "canary";
  }
  now_ += 30'000;
  EXPECT_EQ(look().actions[kExporter].stable, Target::kWanted);
  views_[kExporter] = healthy_view(wanted_parts_[kExporter], now_);
  let_them_speak(true);
  for (auto& [name, report] : reports_) report.has_destination = true;
  EXPECT_EQ(look().phase, Phase::kProving);
  now_ += 30'000;
  const RolloutDecision decision = look();
  EXPECT_TRUE(decision.record_last_good);
  EXPECT_FALSE(decision.just_failed);
}

TEST_F(RolloutFaults, WhileNobodyReachesKafkaACanaryIsWaitedFor) {
  wanted_parts_[kBridge].revision = "new";
  ASSERT_TRUE(look().actions[kBridge].canary);
  add_canary(kBridge, now_);
  let_them_speak(false);
  for (int deadline = 0; deadline < 10; ++deadline) {
    now_ += 300'000;
    const RolloutDecision decision = look();
    ASSERT_EQ(decision.phase, Phase::kRolling);
    EXPECT_EQ(decision.reason, "KafkaUnreachable");
    EXPECT_TRUE(decision.actions[kBridge].canary);
    EXPECT_EQ(decision.actions[kBridge].stable, Target::kLastGood);
  }
  let_them_speak(true);
  reports_["canary"].reason = "no metadata yet: unknown host";
  EXPECT_EQ(look().phase, Phase::kRolling) << "its time begins when Kafka is back";
  now_ += 300'000;
  const RolloutDecision decision = look();
  EXPECT_EQ(decision.phase, Phase::kRolledBack);
  EXPECT_THAT(decision.message, HasSubstr("no metadata yet: unknown host"));
}

TEST_F(RolloutFaults, ACrashIsACrashAlsoWithoutKafka) {
  wanted_parts_[kBridge].revision = "new";
  ASSERT_TRUE(look().actions[kBridge].canary);
  add_canary(kBridge, now_);
  let_them_speak(false);
  canary(kBridge).crash_looping = true;
  canary(kBridge).reason = "CrashLoopBackOff";
  EXPECT_EQ(look().phase, Phase::kRolledBack);
}

TEST_F(RolloutFaults, StablePodsAreWaitedForWhileNobodyReachesKafka) {
  wanted_parts_[kBridge].revision = "new";
  look();
  add_canary(kBridge, now_);
  make_ready(canary(kBridge), now_);
  now_ += 30'000;
  ASSERT_EQ(look().actions[kBridge].stable, Target::kWanted);
  views_[kBridge].stable.revision = "new";
  views_[kBridge].stable.settled = false;
  views_[kBridge].pods.push_back(pod_of("slow", "new", false, now_));
  let_them_speak(false);
  now_ += 300'000;
  RolloutDecision decision = look();
  EXPECT_EQ(decision.phase, Phase::kRolling);
  EXPECT_EQ(decision.reason, "KafkaUnreachable");
  EXPECT_EQ(decision.actions[kBridge].stable, Target::kWanted);
  EXPECT_EQ(decision.look_again, Duration(std::chrono::seconds(300)));
  let_them_speak(true);
  now_ += 300'000;
  EXPECT_EQ(look().phase, Phase::kRolledBack);
}

TEST_F(RolloutFaults, AnOperatorThatHasJustStartedAsksBeforeItJudges) {
  wanted_parts_[kBridge].revision = "new";
  look();
  add_canary(kBridge, now_);
  now_ += 600'000;
  asks_ = true;
  EXPECT_EQ(look().phase, Phase::kRolling);
  // All have been asked, and none answers: what is told is all there is.
  for (const ComponentView& view : views_) {
    for (const PodView& pod : view.pods) reports_[pod.name].error = "timed out";
  }
  now_ += 300'000;
  EXPECT_EQ(look().phase, Phase::kRolledBack);
}

// ---- What users do meanwhile --------------------------------------------------------------------

TEST_F(RolloutFaults, AnotherSpecInTheMiddleBeginsAnewAndKeepsWhatIsHealthy) {
  wanted_parts_ = four_parts("new");
  // The exporter has had its step; the consumer has just been promoted.
  views_[kExporter] = healthy_view(wanted_parts_[kExporter], now_);
  ASSERT_TRUE(look().actions[kConsumer].canary);
  add_canary(kConsumer, now_);
  make_ready(canary(kConsumer), now_);
  now_ += 30'000;
  ASSERT_EQ(look().actions[kConsumer].stable, Target::kWanted);
  views_[kConsumer].stable.revision = "new";
  views_[kConsumer].stable.settled = false;

  wanted_parts_ = four_parts("newer");
  const RolloutDecision decision = look();
  EXPECT_EQ(decision.memory.rolling_component, "p-a");
  EXPECT_TRUE(decision.actions[kExporter].canary);
  EXPECT_EQ(decision.actions[kExporter].stable, Target::kKeep) << "healthy, if not the last good";
  EXPECT_EQ(decision.actions[kConsumer].stable, Target::kLastGood) << "half of an unproven one";
  EXPECT_FALSE(decision.actions[kConsumer].canary);
  EXPECT_EQ(decision.actions[kIngress].stable, Target::kLastGood);
}

TEST_F(RolloutFaults, RevertingAFailedSpecEndsTheFailure) {
  fail_the_ingress();
  wanted_parts_ = good_parts_;
  views_[kIngress] = healthy_view(good_parts_[kIngress], kNow);
  const RolloutDecision decision = look();
  EXPECT_EQ(decision.phase, Phase::kComplete);
  EXPECT_EQ(decision.memory.failed_revision, "");
  EXPECT_EQ(decision.memory.failed_reason, "");
  EXPECT_FALSE(decision.record_last_good);
}

TEST_F(RolloutFaults, RevertingDuringACanaryTakesItAway) {
  roll_the_ingress();
  wanted_parts_ = good_parts_;
  const RolloutDecision decision = look();
  EXPECT_EQ(decision.phase, Phase::kComplete);
  EXPECT_FALSE(decision.actions[kIngress].canary);
  EXPECT_EQ(decision.memory.rolling_revision, "");
}

TEST_F(RolloutFaults, ForceWithoutAFailureChangesNothing) {
  EXPECT_EQ(look().phase, Phase::kComplete);
  forced_ = true;
  EXPECT_EQ(look().phase, Phase::kComplete);
  forced_ = false;
  roll_the_ingress(10'000);
  const RolloutMemory before = memory_;
  forced_ = true;
  EXPECT_EQ(look().memory, before);
}

TEST_F(RolloutFaults, AForcedRevisionThatFailsAgainIsSaidAgain) {
  fail_the_ingress();
  views_[kIngress] = healthy_view(good_parts_[kIngress], kNow);
  forced_ = true;
  ASSERT_TRUE(look().actions[kIngress].canary);
  forced_ = false;
  add_canary(kIngress, now_);
  canary(kIngress).reason = "CreateContainerConfigError";
  const RolloutDecision decision = look();
  EXPECT_TRUE(decision.just_failed);
  EXPECT_THAT(decision.memory.failed_reason, StartsWith("CreateContainerConfigError: p-ingress"));
}

// Whoever changes a Secret gets a revision with the new identity; the recorded spec renders with
// the old one, exactly as what runs.
TEST_F(RolloutFaults, ASecretThatBreaksPodsRestartsNoneThatRun) {
  for (const std::size_t part : {kConsumer, kBridge}) wanted_parts_[part].revision = "old+secret2";
  ASSERT_TRUE(look().actions[kConsumer].canary);
  add_canary(kConsumer, now_);
  now_ += 300'000;
  const RolloutDecision decision = look();
  EXPECT_EQ(decision.reason, "CanaryNotReady");
  for (const std::size_t part : {kConsumer, kBridge}) {
    EXPECT_EQ(decision.actions[part].stable, Target::kLastGood);
    EXPECT_EQ(good_.components[part].revision, views_[part].stable.revision);
  }
  // The Secret is put right: another revision again, and it is tried.
  wanted_parts_[kConsumer].revision = wanted_parts_[kBridge].revision = "old+secret3";
  EXPECT_EQ(look().phase, Phase::kRolling);
}

// ---- The first time -----------------------------------------------------------------------------

TEST_F(RolloutFaults, TheFirstTimeALatePodIsSaidAndWaitedForWithoutEnd) {
  has_good_ = false;
  memory_ = {};
  views_[kBridge].pods = {pod_of("p-bridge-0", "old", false, now_)};
  views_[kBridge].stable.settled = false;
  EXPECT_EQ(look().reason, "Installing");
  now_ += 300'000;
  RolloutDecision decision = look();
  EXPECT_EQ(decision.phase, Phase::kInstalling);
  EXPECT_EQ(decision.reason, "ProgressDeadlineExceeded");
  EXPECT_THAT(decision.message, HasSubstr("p-bridge: pod p-bridge-0: is not ready"));
  EXPECT_EQ(decision.look_again, Duration::zero()) << "the pod's own events will do";
  const RolloutMemory before = memory_;
  now_ += 86'400'000;
  EXPECT_EQ(look().memory, before);
  views_[kBridge] = healthy_view(wanted_parts_[kBridge], now_);
  EXPECT_EQ(look().phase, Phase::kProving);
}

TEST_F(RolloutFaults, TheFirstTimePodsThatCrashedAndThenStayUpAreGoodInTheEnd) {
  has_good_ = false;
  memory_ = {};
  PodView& pod = views_[kBridge].pods[0];
  pod.restarts = 3;
  pod.last_restart = at_ms(now_);
  pod.last_restart_reason = "container bridge: Error, exit code 1";
  make_ready(pod, now_);
  const RolloutDecision decision = look();
  EXPECT_EQ(decision.reason, "CrashLoopBackOff");
  EXPECT_THAT(decision.message, HasSubstr("3 restarts, the last one: container bridge: Error"));
  ASSERT_EQ(decision.look_again, Duration(std::chrono::milliseconds(300'000)));
  now_ += 300'001;
  EXPECT_EQ(look().phase, Phase::kProving);
  now_ += 30'000;
  EXPECT_TRUE(look().record_last_good);
}

TEST_F(RolloutFaults, TheFirstTimeAnotherSpecIsTakenAtOnce) {
  has_good_ = false;
  memory_ = {};
  views_[kIngress].pods[0].ready = false;
  views_[kIngress].pods[0].crash_looping = true;
  views_[kIngress].stable.settled = false;
  EXPECT_EQ(look().reason, "CrashLoopBackOff");
  now_ += 1000;
  wanted_parts_[kIngress].revision = "mended";
  const RolloutDecision decision = look();
  EXPECT_EQ(decision.reason, "Installing");
  EXPECT_EQ(decision.actions[kIngress].stable, Target::kWanted);
  EXPECT_FALSE(decision.actions[kIngress].canary);
}

TEST_F(RolloutFaults, APodThatJustNeverGetsReadyIsLookedAtInTime) {
  PodView pod = pod_of("p-bridge-9", "old", false, now_ - 20'000);
  views_[kBridge].pods.push_back(pod);
  views_[kBridge].stable.settled = false;
  const RolloutDecision decision = look();
  EXPECT_EQ(decision.phase, Phase::kComplete);
  EXPECT_EQ(decision.look_again, Duration(std::chrono::seconds(100)));
  now_ += 100'000;
  EXPECT_EQ(look().look_again, Duration::zero());
}

}  // namespace
}  // namespace spanway::reconcile
