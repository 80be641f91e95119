// Whole rollouts, from the change of a spec to their end, through the controller.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/operator_reconcile/controller_fixture.h"

namespace spanway::reconcile {
namespace {

using Fate = fakes::FakeKube::PodFate;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

class RolloutFlow : public testing::Test {
 protected:
  // Pods of the ingress whose revision is not the one that ran at first meet this fate.
  void fate_of_new(Fate fate, bool only_stable = false) {
    const std::string old = fixture_.revision_of(kube::kDeployments, "p-ingress");
    fixture_.kube.fate = [old, fate, only_stable](const Json& pod) {
      const bool is_ingress =
          kube::string_at(pod, "metadata/labels/spanway.dev~1component") == "ingress";
      const bool is_canary = kube::string_at(pod, "metadata/labels/spanway.dev~1track") == "canary";
      const bool is_new = kube::string_at(pod, "metadata/annotations/spanway.dev~1revision") != old;
      return is_ingress && is_new && !(only_stable && is_canary) ? fate : Fate{};
    };
  }
  void force_check(const Json& value) {
    fixture_.kube.edit(kube::kPipelines, {"team", "p"},
                       {{"metadata", {{"annotations", {{api::kForceCheckAnnotation, value}}}}}},
                       "kubectl");
  }
  // Installed, then changed to what crashes and is rolled back.
  void fail_a_change() {
    fixture_.install();
    fate_of_new({.kind = Fate::Kind::kCrashes, .exit_code = 1, .message = "no"});
    change_body_limit("8MiB");
    fixture_.pass(std::chrono::seconds(120));
    ASSERT_THAT(fixture_.condition("RolledBack"), StartsWith("True"));
  }
  std::size_t rollouts_begun() const {
    return static_cast<std::size_t>(
        std::count_if(fixture_.events_seen.begin(), fixture_.events_seen.end(),
                      [](const Announcement& one) { return one.reason == "RolloutStarted"; }));
  }
  void change_body_limit(const char* size) {
    fixture_.change({{"ingress", {{"config", {{"limits", {{"body_bytes_max", size}}}}}}}});
  }
  std::string ingress() const { return fixture_.revision_of(kube::kDeployments, "p-ingress"); }
  ControllerFixture fixture_;
};

TEST_F(RolloutFlow, ACanaryGoesFirstAndIsPromoted) {
  fixture_.install();
  const std::string before = ingress();
  fixture_.kube.forget_writes();
  change_body_limit("8MiB");
  fixture_.settle();
  EXPECT_THAT(fixture_.kube.names(kube::kDeployments), Contains("p-ingress-canary"));
  EXPECT_EQ(ingress(), before);
  EXPECT_THAT(fixture_.condition("Progressing"), StartsWith("True"));
  fixture_.pass(std::chrono::seconds(180));
  EXPECT_NE(ingress(), before);
  EXPECT_THAT(fixture_.kube.names(kube::kDeployments), Not(Contains("p-ingress-canary")));
  EXPECT_THAT(fixture_.condition("Ready"), StartsWith("True"));
  EXPECT_TRUE(decide::rollout_memory(fixture_.status()).rolling_revision.empty());
  // Nothing but the ingress and what is kept of the Pipeline was written.
  for (const std::string& write : fixture_.kube.writes()) {
    if (write.starts_with("patch pipelines/status")) continue;
    EXPECT_TRUE(write.find("p-ingress") != std::string::npos ||
                write.find("p-last-good") != std::string::npos)
        << write;
  }
}

TEST_F(RolloutFlow, TheStatusSpeaksBeforeTheFirstPodIsTouched) {
  fixture_.install();
  fixture_.kube.forget_writes();
  change_body_limit("8MiB");
  fixture_.settle();
  ASSERT_FALSE(fixture_.kube.writes().empty());
  EXPECT_EQ(fixture_.kube.writes().front(), "patch pipelines/status team/p");
}

TEST_F(RolloutFlow, ACanaryThatCrashesIsTakenBackAndTheRestNeverTouched) {
  fixture_.install();
  const Json before = fixture_.kube.at(kube::kDeployments, {"team", "p-ingress"});
  const auto pods = fixture_.kube.names(kube::kPods);
  fate_of_new({.kind = Fate::Kind::kCrashes, .exit_code = 1, .message = "cannot listen on 4317"});
  change_body_limit("8MiB");
  fixture_.pass(std::chrono::seconds(120));
  EXPECT_EQ(fixture_.kube.at(kube::kDeployments, {"team", "p-ingress"})["spec"], before["spec"]);
  for (const std::string& pod : pods) EXPECT_THAT(fixture_.kube.names(kube::kPods), Contains(pod));
  EXPECT_THAT(fixture_.kube.names(kube::kDeployments), Not(Contains("p-ingress-canary")));
  EXPECT_THAT(fixture_.condition("RolledBack"), StartsWith("True"));
  EXPECT_THAT(fixture_.message("RolledBack"), HasSubstr("cannot listen on 4317"));
  EXPECT_THAT(fixture_.condition("Ready"), StartsWith("True"));
  // At rest: not tried again and again.
  fixture_.kube.forget_writes();
  fixture_.pass(std::chrono::seconds(600), std::chrono::seconds(30));
  EXPECT_THAT(fixture_.kube.writes(), IsEmpty());
}

TEST_F(RolloutFlow, StablePodsThatCrashAfterTheCanaryAreRolledBack) {
  fixture_.install();
  const std::string before = ingress();
  fate_of_new({.kind = Fate::Kind::kCrashes, .exit_code = 139, .message = "segfault"}, true);
  change_body_limit("8MiB");
  fixture_.pass(std::chrono::seconds(300));
  EXPECT_EQ(ingress(), before);
  EXPECT_THAT(fixture_.condition("RolledBack"), StartsWith("True"));
  EXPECT_THAT(fixture_.condition("Ready"), StartsWith("True"));
}

TEST_F(RolloutFlow, PodsThatNeverGetReadyAreRolledBackAtTheDeadline) {
  fixture_.install();
  const std::string before = ingress();
  fate_of_new({.kind = Fate::Kind::kNotReady, .exit_code = 0, .message = ""});
  change_body_limit("8MiB");
  fixture_.pass(std::chrono::seconds(120));
  EXPECT_THAT(fixture_.condition("RolledBack"), Not(StartsWith("True")));
  fixture_.pass(std::chrono::seconds(300));
  EXPECT_THAT(fixture_.condition("RolledBack"), StartsWith("True"));
  EXPECT_EQ(ingress(), before);
}

TEST_F(RolloutFlow, ANewSpecIsTriedAfterAFailedOne) {
  fixture_.install();
  fate_of_new({.kind = Fate::Kind::kCrashes, .exit_code = 1, .message = "no"});
  change_body_limit("8MiB");
  fixture_.pass(std::chrono::seconds(120));
  ASSERT_THAT(fixture_.condition("RolledBack"), StartsWith("True"));
  const std::string before = ingress();
  fixture_.kube.fate = [](const Json&) { return Fate{}; };
  change_body_limit("16MiB");
  fixture_.pass(std::chrono::seconds(240));
  EXPECT_NE(ingress(), before);
  EXPECT_THAT(fixture_.condition("RolledBack"), Not(StartsWith("True")));
}

TEST_F(RolloutFlow, TheForceAnnotationTriesAFailedOneAgain) {
  fail_a_change();
  const std::string before = ingress();
  fixture_.kube.fate = [](const Json&) { return Fate{}; };
  force_check("1");
  fixture_.pass(std::chrono::seconds(240));
  EXPECT_NE(ingress(), before);
}

TEST_F(RolloutFlow, TheForceAnnotationIsConsumedOnceAlsoWhenTheOperatorIsAwayMeanwhile) {
  fail_a_change();
  const std::size_t begun = rollouts_begun();
  force_check("1");
  fixture_.restart();
  fixture_.pass(std::chrono::seconds(120));
  EXPECT_EQ(rollouts_begun(), begun + 1) << "a change while the operator was away";
  EXPECT_THAT(fixture_.condition("RolledBack"), StartsWith("True"));
  EXPECT_EQ(decide::rollout_memory(fixture_.status()).force_check, "1");

  // An old value is never consumed again.
  fixture_.kube.forget_writes();
  fixture_.restart();
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_THAT(fixture_.kube.writes(), IsEmpty());
  force_check(nullptr);
  fixture_.pass(std::chrono::seconds(30));
  fixture_.restart();
  force_check("1");
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_EQ(rollouts_begun(), begun + 1);

  force_check("2");
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_EQ(rollouts_begun(), begun + 2);
}

TEST_F(RolloutFlow, AForceAnnotationOfAPausedPipelineIsConsumedWhenItResumes) {
  fail_a_change();
  const std::size_t begun = rollouts_begun();
  fixture_.change({{"paused", true}});
  fixture_.settle();
  force_check("1");
  fixture_.restart();
  fixture_.pass(std::chrono::seconds(30));
  EXPECT_EQ(rollouts_begun(), begun);
  fixture_.change({{"paused", false}});
  fixture_.pass(std::chrono::seconds(30));
  EXPECT_EQ(rollouts_begun(), begun + 1);
}

TEST_F(RolloutFlow, WhatCouldNotBeWrittenDownIsNotConsumedYet) {
  fail_a_change();
  const std::size_t begun = rollouts_begun();
  fixture_.kube.fail("patch", "pipelines", unavailable("not now"));
  force_check("1");
  fixture_.settle();
  EXPECT_EQ(rollouts_begun(), begun);
  fixture_.restart();
  fixture_.pass(std::chrono::seconds(30));
  EXPECT_EQ(rollouts_begun(), begun + 1);
}

TEST_F(RolloutFlow, AnOperatorThatRestartsInTheMiddleResumes) {
  fixture_.install();
  const std::string before = ingress();
  change_body_limit("8MiB");
  fixture_.settle();
  ASSERT_THAT(fixture_.kube.names(kube::kDeployments), Contains("p-ingress-canary"));
  const decide::RolloutMemory memory = decide::rollout_memory(fixture_.status());
  fixture_.restart();
  fixture_.settle();
  EXPECT_EQ(decide::rollout_memory(fixture_.status()).rolling_since_ms, memory.rolling_since_ms);
  for (int i = 0; i < 20; ++i) {
    fixture_.restart();
    fixture_.pass(std::chrono::seconds(10));
  }
  EXPECT_NE(ingress(), before);
  EXPECT_THAT(fixture_.kube.names(kube::kDeployments), Not(Contains("p-ingress-canary")));
  EXPECT_TRUE(decide::rollout_memory(fixture_.status()).rolling_revision.empty());
}

TEST_F(RolloutFlow, AnOperatorThatRestartsAfterARollbackStaysThere) {
  fixture_.install();
  const std::string before = ingress();
  fate_of_new({.kind = Fate::Kind::kCrashes, .exit_code = 1, .message = "no"});
  change_body_limit("8MiB");
  fixture_.pass(std::chrono::seconds(120));
  fixture_.restart();
  fixture_.kube.forget_writes();
  fixture_.pass(std::chrono::seconds(120));
  EXPECT_EQ(ingress(), before);
  EXPECT_THAT(fixture_.kube.writes(), IsEmpty());
}

TEST_F(RolloutFlow, ASecretThatChangesRollsOnlyWhoUsesIt) {
  const auto put_secret = [&](const char* value) {
    fixture_.kube.put(kube::kSecrets,
                      {{"metadata", {{"name", "kafka-user"}, {"namespace", "team"}}},
                       {"data", {{"password", value}}}});
  };
  put_secret("YQ==");
  Json object = ControllerFixture::pipeline();
  object["spec"]["kafka"]["authentication"] = {
      {"type", "ScramSha512"},
      {"username", "u"},
      {"passwordSecretKeyRef", {{"name", "kafka-user"}, {"key", "password"}}}};
  fixture_.install(object);
  ASSERT_THAT(fixture_.condition("ConfigValid"), StartsWith("True"))
      << fixture_.message("ConfigValid");
  const std::string bridge = fixture_.revision_of(kube::kDeployments, "p-bridge");
  const std::string before = ingress();
  put_secret("Yg==");
  fixture_.secrets->poll();
  fixture_.pass(std::chrono::seconds(400));
  EXPECT_NE(fixture_.revision_of(kube::kDeployments, "p-bridge"), bridge);
  EXPECT_EQ(ingress(), before);
  for (const Announcement& one : fixture_.events_seen)
    EXPECT_THAT(one.note, Not(HasSubstr("Yg==")));
}

TEST_F(RolloutFlow, OldConfigurationsStayWhilePodsUseThem) {
  fixture_.install();
  const auto maps = fixture_.kube.names(kube::kConfigMaps);
  change_body_limit("8MiB");
  fixture_.settle();
  for (const std::string& map : maps)
    EXPECT_THAT(fixture_.kube.names(kube::kConfigMaps), Contains(map));
  fixture_.pass(std::chrono::seconds(240));
  EXPECT_EQ(fixture_.kube.names(kube::kConfigMaps).size(), maps.size());
}

}  // namespace
}  // namespace spanway::reconcile
