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
    const std::string old = bench_.revision_of(kube::kDeployments, "p-ingress");
    bench_.kube.fate = [old, fate, only_stable](const Json& pod) {
      const bool is_ingress =
          kube::string_at(pod, "metadata/labels/spanway.dev~1component") == "ingress";
      const bool is_canary = kube::string_at(pod, "metadata/labels/spanway.dev~1track") == "canary";
      const bool is_new = kube::string_at(pod, "metadata/annotations/spanway.dev~1revision") != old;
      return is_ingress && is_new && !(only_stable && is_canary) ? fate : Fate{};
    };
  }
  void force_check(const Json& value) {
    bench_.kube.edit(kube::kPipelines, {"team", "p"},
                     {{"metadata", {{"annotations", {{api::kForceCheckAnnotation, value}}}}}},
                     "kubectl");
  }
  // Installed, then changed to what crashes and is rolled back.
  void fail_a_change() {
    bench_.install();
    fate_of_new({.kind = Fate::Kind::kCrashes, .exit_code = 1, .message = "no"});
    change_body_limit("8MiB");
    bench_.pass(std::chrono::seconds(120));
    ASSERT_THAT(bench_.condition("RolledBack"), StartsWith("True"));
  }
  std::size_t rollouts_begun() const {
    return static_cast<std::size_t>(
        std::count_if(bench_.events_seen.begin(), bench_.events_seen.end(),
                      [](const Announcement& one) { return one.reason == "RolloutStarted"; }));
  }
  void change_body_limit(const char* size) {
    bench_.change({{"ingress", {{"config", {{"limits", {{"body_bytes_max", size}}}}}}}});
  }
  std::string ingress() const { return bench_.revision_of(kube::kDeployments, "p-ingress"); }
  Bench bench_;
};

TEST_F(RolloutFlow, ACanaryGoesFirstAndIsPromoted) {
  bench_.install();
  const std::string before = ingress();
  bench_.kube.forget_writes();
  change_body_limit("8MiB");
  bench_.settle();
  EXPECT_THAT(bench_.kube.names(kube::kDeployments), Contains("p-ingress-canary"));
  EXPECT_EQ(ingress(), before);
  EXPECT_THAT(bench_.condition("Progressing"), StartsWith("True"));
  bench_.pass(std::chrono::seconds(180));
  EXPECT_NE(ingress(), before);
  EXPECT_THAT(bench_.kube.names(kube::kDeployments), Not(Contains("p-ingress-canary")));
  EXPECT_THAT(bench_.condition("Ready"), StartsWith("True"));
  EXPECT_TRUE(rollout_memory(bench_.status()).rolling_revision.empty());
  // Nothing but the ingress and what is kept of the Pipeline was written.
  for (const std::string& write : bench_.kube.writes()) {
    if (write.starts_with("patch pipelines/status")) continue;
    EXPECT_TRUE(write.find("p-ingress") != std::string::npos ||
                write.find("p-last-good") != std::string::npos)
        << write;
  }
}

TEST_F(RolloutFlow, TheStatusSpeaksBeforeTheFirstPodIsTouched) {
  bench_.install();
  bench_.kube.forget_writes();
  change_body_limit("8MiB");
  bench_.settle();
  ASSERT_FALSE(bench_.kube.writes().empty());
  EXPECT_EQ(bench_.kube.writes().front(), "patch pipelines/status team/p");
}

TEST_F(RolloutFlow, ACanaryThatCrashesIsTakenBackAndTheRestNeverTouched) {
  bench_.install();
  const Json before = bench_.kube.at(kube::kDeployments, {"team", "p-ingress"});
  const auto pods = bench_.kube.names(kube::kPods);
  fate_of_new({.kind = Fate::Kind::kCrashes, .exit_code = 1, .message = "cannot listen on 4317"});
  change_body_limit("8MiB");
  bench_.pass(std::chrono::seconds(120));
  EXPECT_EQ(bench_.kube.at(kube::kDeployments, {"team", "p-ingress"})["spec"], before["spec"]);
  for (const std::string& pod : pods) EXPECT_THAT(bench_.kube.names(kube::kPods), Contains(pod));
  EXPECT_THAT(bench_.kube.names(kube::kDeployments), Not(Contains("p-ingress-canary")));
  EXPECT_THAT(bench_.condition("RolledBack"), StartsWith("True"));
  EXPECT_THAT(bench_.message("RolledBack"), HasSubstr("cannot listen on 4317"));
  EXPECT_THAT(bench_.condition("Ready"), StartsWith("True"));
  // At rest: not tried again and again.
  bench_.kube.forget_writes();
  bench_.pass(std::chrono::seconds(600), std::chrono::seconds(30));
  EXPECT_THAT(bench_.kube.writes(), IsEmpty());
}

TEST_F(RolloutFlow, StablePodsThatCrashAfterTheCanaryAreRolledBack) {
  bench_.install();
  const std::string before = ingress();
  fate_of_new({.kind = Fate::Kind::kCrashes, .exit_code = 139, .message = "segfault"}, true);
  change_body_limit("8MiB");
  bench_.pass(std::chrono::seconds(300));
  EXPECT_EQ(ingress(), before);
  EXPECT_THAT(bench_.condition("RolledBack"), StartsWith("True"));
  EXPECT_THAT(bench_.condition("Ready"), StartsWith("True"));
}

TEST_F(RolloutFlow, PodsThatNeverGetReadyAreRolledBackAtTheDeadline) {
  bench_.install();
  const std::string before = ingress();
  fate_of_new({.kind = Fate::Kind::kNotReady, .exit_code = 0, .message = ""});
  change_body_limit("8MiB");
  bench_.pass(std::chrono::seconds(120));
  EXPECT_THAT(bench_.condition("RolledBack"), Not(StartsWith("True")));
  bench_.pass(std::chrono::seconds(300));
  EXPECT_THAT(bench_.condition("RolledBack"), StartsWith("True"));
  EXPECT_EQ(ingress(), before);
}

TEST_F(RolloutFlow, ANewSpecIsTriedAfterAFailedOne) {
  bench_.install();
  fate_of_new({.kind = Fate::Kind::kCrashes, .exit_code = 1, .message = "no"});
  change_body_limit("8MiB");
  bench_.pass(std::chrono::seconds(120));
  ASSERT_THAT(bench_.condition("RolledBack"), StartsWith("True"));
  const std::string before = ingress();
  bench_.kube.fate = [](const Json&) { return Fate{}; };
  change_body_limit("16MiB");
  bench_.pass(std::chrono::seconds(240));
  EXPECT_NE(ingress(), before);
  EXPECT_THAT(bench_.condition("RolledBack"), Not(StartsWith("True")));
}

TEST_F(RolloutFlow, TheForceAnnotationTriesAFailedOneAgain) {
  fail_a_change();
  const std::string before = ingress();
  bench_.kube.fate = [](const Json&) { return Fate{}; };
  force_check("1");
  bench_.pass(std::chrono::seconds(240));
  EXPECT_NE(ingress(), before);
}

TEST_F(RolloutFlow, TheForceAnnotationIsObeyedOnceAlsoWhenTheOperatorIsAwayMeanwhile) {
  fail_a_change();
  const std::size_t begun = rollouts_begun();
  force_check("1");
  bench_.restart();
  bench_.pass(std::chrono::seconds(120));
  EXPECT_EQ(rollouts_begun(), begun + 1) << "a change that nobody saw happen";
  EXPECT_THAT(bench_.condition("RolledBack"), StartsWith("True"));
  EXPECT_EQ(rollout_memory(bench_.status()).force_check, "1");

  // An old value is none, whoever looks and however often.
  bench_.kube.forget_writes();
  bench_.restart();
  bench_.pass(std::chrono::seconds(60));
  EXPECT_THAT(bench_.kube.writes(), IsEmpty());
  force_check(nullptr);
  bench_.pass(std::chrono::seconds(30));
  bench_.restart();
  force_check("1");
  bench_.pass(std::chrono::seconds(60));
  EXPECT_EQ(rollouts_begun(), begun + 1);

  force_check("2");
  bench_.pass(std::chrono::seconds(60));
  EXPECT_EQ(rollouts_begun(), begun + 2);
}

TEST_F(RolloutFlow, AForceAnnotationOfAPausedPipelineIsObeyedWhenItGoesOn) {
  fail_a_change();
  const std::size_t begun = rollouts_begun();
  bench_.change({{"paused", true}});
  bench_.settle();
  force_check("1");
  bench_.restart();
  bench_.pass(std::chrono::seconds(30));
  EXPECT_EQ(rollouts_begun(), begun);
  bench_.change({{"paused", false}});
  bench_.pass(std::chrono::seconds(30));
  EXPECT_EQ(rollouts_begun(), begun + 1);
}

TEST_F(RolloutFlow, WhatCouldNotBeWrittenDownIsNotObeyedYet) {
  fail_a_change();
  const std::size_t begun = rollouts_begun();
  bench_.kube.fail("patch", "pipelines", unavailable("not now"));
  force_check("1");
  bench_.settle();
  EXPECT_EQ(rollouts_begun(), begun);
  bench_.restart();
  bench_.pass(std::chrono::seconds(30));
  EXPECT_EQ(rollouts_begun(), begun + 1);
}

TEST_F(RolloutFlow, AnOperatorThatRestartsInTheMiddleGoesOn) {
  bench_.install();
  const std::string before = ingress();
  change_body_limit("8MiB");
  bench_.settle();
  ASSERT_THAT(bench_.kube.names(kube::kDeployments), Contains("p-ingress-canary"));
  const RolloutMemory memory = rollout_memory(bench_.status());
  bench_.restart();
  bench_.settle();
  EXPECT_EQ(rollout_memory(bench_.status()).rolling_since_ms, memory.rolling_since_ms);
  for (int i = 0; i < 20; ++i) {
    bench_.restart();
    bench_.pass(std::chrono::seconds(10));
  }
  EXPECT_NE(ingress(), before);
  EXPECT_THAT(bench_.kube.names(kube::kDeployments), Not(Contains("p-ingress-canary")));
  EXPECT_TRUE(rollout_memory(bench_.status()).rolling_revision.empty());
}

TEST_F(RolloutFlow, AnOperatorThatRestartsAfterARollbackStaysThere) {
  bench_.install();
  const std::string before = ingress();
  fate_of_new({.kind = Fate::Kind::kCrashes, .exit_code = 1, .message = "no"});
  change_body_limit("8MiB");
  bench_.pass(std::chrono::seconds(120));
  bench_.restart();
  bench_.kube.forget_writes();
  bench_.pass(std::chrono::seconds(120));
  EXPECT_EQ(ingress(), before);
  EXPECT_THAT(bench_.kube.writes(), IsEmpty());
}

TEST_F(RolloutFlow, ASecretThatChangesRollsOnlyWhoUsesIt) {
  const auto put_secret = [&](const char* value) {
    bench_.kube.put(kube::kSecrets, {{"metadata", {{"name", "kafka-user"}, {"namespace", "team"}}},
                                     {"data", {{"password", value}}}});
  };
  put_secret("YQ==");
  Json object = Bench::pipeline();
  object["spec"]["kafka"]["authentication"] = {
      {"type", "ScramSha512"},
      {"username", "u"},
      {"passwordSecretKeyRef", {{"name", "kafka-user"}, {"key", "password"}}}};
  bench_.install(object);
  ASSERT_THAT(bench_.condition("ConfigValid"), StartsWith("True")) << bench_.message("ConfigValid");
  const std::string bridge = bench_.revision_of(kube::kDeployments, "p-bridge");
  const std::string before = ingress();
  put_secret("Yg==");
  bench_.secrets->poll();
  bench_.pass(std::chrono::seconds(400));
  EXPECT_NE(bench_.revision_of(kube::kDeployments, "p-bridge"), bridge);
  EXPECT_EQ(ingress(), before);
  for (const Announcement& one : bench_.events_seen) EXPECT_THAT(one.note, Not(HasSubstr("Yg==")));
}

TEST_F(RolloutFlow, OldConfigurationsStayWhilePodsUseThem) {
  bench_.install();
  const auto maps = bench_.kube.names(kube::kConfigMaps);
  change_body_limit("8MiB");
  bench_.settle();
  for (const std::string& map : maps)
    EXPECT_THAT(bench_.kube.names(kube::kConfigMaps), Contains(map));
  bench_.pass(std::chrono::seconds(240));
  EXPECT_EQ(bench_.kube.names(kube::kConfigMaps).size(), maps.size());
}

}  // namespace
}  // namespace spanway::reconcile
