// The operator dies, loses the API server or is replaced at any moment of a rollout.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "tests/fakes/client_link.h"
#include "tests/unit/operator_reconcile/controller_fixture.h"

namespace spanway::reconcile {
namespace {

using Fate = fakes::FakeKube::PodFate;
using std::chrono::seconds;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr Fate::Kind kNotReady = Fate::Kind::kNotReady;

// Ends the connection at one write: before it is carried out, or after it and before the answer.
class CutLink final : public kube::Client {
 public:
  enum class Cut { kBefore, kAfter };
  CutLink(kube::Client& behind, int write, Cut cut) : behind_(behind), left_(write), cut_(cut) {}
  bool is_cut() const { return is_cut_; }

  Result<Json> get(const kube::ResourceType& type, const kube::ObjectKey& key) override {
    if (is_cut_) return gone();
    return behind_.get(type, key);
  }
  Result<kube::ListResult> list(const kube::ResourceType& type,
                                const kube::ListOptions& options) override {
    if (is_cut_) return gone();
    return behind_.list(type, options);
  }
  Status watch(const kube::ResourceType&, const kube::WatchOptions&, const std::stop_token&,
               const std::function<bool(kube::WatchEvent)>&) override {
    return gone();
  }
  Result<Json> apply(const kube::ResourceType& type, const Json& object,
                     const kube::ApplyOptions& options, std::string_view subresource) override {
    return write([&] { return behind_.apply(type, object, options, subresource); });
  }
  Result<Json> create(const kube::ResourceType& type, const Json& object) override {
    return write([&] { return behind_.create(type, object); });
  }
  Result<Json> replace(const kube::ResourceType& type, const Json& object,
                       std::string_view subresource) override {
    return write([&] { return behind_.replace(type, object, subresource); });
  }
  Result<Json> merge_patch(const kube::ResourceType& type, const kube::ObjectKey& key,
                           const Json& patch, std::string_view subresource) override {
    return write([&] { return behind_.merge_patch(type, key, patch, subresource); });
  }
  Status remove(const kube::ResourceType& type, const kube::ObjectKey& key,
                const std::string& uid) override {
    const Result<Json> done = write([&]() -> Result<Json> {
      SPANWAY_TRY(behind_.remove(type, key, uid));
      return Json();
    });
    return done.ok() ? Status() : done.error();
  }
  Result<bool> serves(const kube::ResourceType& type) override { return behind_.serves(type); }

 private:
  static Error gone() { return unavailable("the connection is gone"); }
  Result<Json> write(const std::function<Result<Json>()>& pass_on) {
    if (is_cut_) return gone();
    if (left_-- > 0) return pass_on();
    is_cut_ = true;
    if (cut_ == Cut::kAfter) (void)pass_on();
    return gone();
  }

  kube::Client& behind_;
  int left_;
  const Cut cut_;
  bool is_cut_ = false;
};

class InterruptedRollout : public testing::Test {
 protected:
  static void change_body_limit(ControllerFixture& fixture) {
    fixture.change({{"ingress", {{"config", {{"limits", {{"body_bytes_max", "8MiB"}}}}}}}});
  }
  static std::string ingress(const ControllerFixture& fixture) {
    return fixture.revision_of(kube::kDeployments, "p-ingress");
  }
  // From now on the operator's process has this connection.
  static void connect(ControllerFixture& fixture, kube::Client& client) {
    fixture.client = &client;
    fixture.restart();
  }
  // Everything that must hold once it rests: nothing is left of the way.
  static void expect_rest(ControllerFixture& fixture, bool is_rolled_back) {
    EXPECT_THAT(fixture.condition("Ready"), StartsWith("True")) << fixture.message("Ready");
    EXPECT_THAT(fixture.condition("RolledBack"), StartsWith(is_rolled_back ? "True" : "False"));
    EXPECT_THAT(fixture.condition("Progressing"), StartsWith("False"));
    EXPECT_THAT(fixture.kube.names(kube::kDeployments), Not(Contains("p-ingress-canary")));
    EXPECT_EQ(fixture.kube.names(kube::kPods).size(), pods_);
    EXPECT_THAT(fixture.kube.names(kube::kConfigMaps), Contains("p-last-good"));
    fixture.kube.forget_writes();
    fixture.pass(seconds(120), seconds(30));
    EXPECT_THAT(fixture.kube.writes(), IsEmpty());
  }
  // Installs and changes the ingress with an operator whose connection is cut at `write`; another
  // one takes over. True when it was cut.
  bool roll_with_cut(int write, CutLink::Cut cut, bool is_bad) {
    ControllerFixture fixture;
    fixture.install();
    pods_ = fixture.kube.names(kube::kPods).size();
    const std::string before = ingress(fixture);
    if (is_bad)
      fixture.kube.fate = [before](const Json& pod) {
        const bool is_new =
            kube::string_at(pod, "metadata/labels/spanway.dev~1component") == "ingress" &&
            kube::string_at(pod, "metadata/annotations/spanway.dev~1revision") != before;
        return is_new ? Fate{.kind = Fate::Kind::kCrashes, .exit_code = 1, .message = "no"}
                      : Fate{};
      };
    CutLink link(fixture.kube, write, cut);
    connect(fixture, link);
    change_body_limit(fixture);
    // Step by step: pods that crash come to no rest once it is cut.
    const auto step = [&fixture] {
      fixture.clock.advance(seconds(1));
      fixture.monitor->poll();
      fixture.settle_once();
    };
    for (int i = 0; i < 300 && !link.is_cut(); ++i) step();
    // It tries again in vain.
    for (int i = 0; i < 5 && link.is_cut(); ++i) step();
    connect(fixture, fixture.kube);
    fixture.pass(seconds(300));
    EXPECT_EQ(ingress(fixture) == before, is_bad);
    expect_rest(fixture, is_bad);
    return link.is_cut();
  }

  static inline std::size_t pods_ = 0;
};

TEST_F(InterruptedRollout, EndsWellWhateverWriteTheOperatorDiesAt) {
  for (const auto cut : {CutLink::Cut::kBefore, CutLink::Cut::kAfter}) {
    int write = 0;
    while (roll_with_cut(write, cut, false)) {
      ASSERT_FALSE(HasFailure()) << "write " << write;
      ++write;
    }
    EXPECT_GE(write, 5);
  }
}

TEST_F(InterruptedRollout, IsRolledBackWhateverWriteTheOperatorDiesAt) {
  for (const auto cut : {CutLink::Cut::kBefore, CutLink::Cut::kAfter}) {
    int write = 0;
    while (roll_with_cut(write, cut, true)) {
      ASSERT_FALSE(HasFailure()) << "write " << write;
      ++write;
    }
    EXPECT_GE(write, 3);
  }
}

TEST_F(InterruptedRollout, OfADeletedPipelineLeavesNothingAtAnyMoment) {
  // Each moment of the rollout: every five seconds.
  for (int moment = 0; moment < 20; ++moment) {
    ControllerFixture fixture;
    fixture.install();
    change_body_limit(fixture);
    fixture.pass(seconds(5 * moment));
    fixture.kube.erase(kube::kPipelines, {"team", "p"});
    fixture.pass(seconds(30));
    for (const kube::ResourceType& type : Stores::owned_kinds(false, false))
      EXPECT_THAT(fixture.kube.names(type), IsEmpty()) << type.plural << " at " << moment;
    EXPECT_EQ(fixture.controller->pipelines(), 0u);
    fixture.kube.forget_writes();
    fixture.pass(seconds(60));
    EXPECT_THAT(fixture.kube.writes(), IsEmpty());
    // Another one of the same name has nothing of it.
    fixture.install();
    EXPECT_THAT(fixture.condition("Ready"), StartsWith("True"));
    EXPECT_EQ(fixture.condition("RolledBack"), "False: NotRolledBack")
        << fixture.condition("RolledBack");
  }
}

TEST_F(InterruptedRollout, GetsTimeAfterTheApiServerWasAway) {
  ControllerFixture fixture;
  fixture.install();
  const std::string before = ingress(fixture);
  // The new pod comes up as soon as the API server is back, not earlier.
  bool is_away = false;
  fixture.kube.fate = [&is_away, before](const Json& pod) {
    const bool is_new =
        kube::string_at(pod, "metadata/labels/spanway.dev~1component") == "ingress" &&
        kube::string_at(pod, "metadata/annotations/spanway.dev~1revision") != before;
    return is_new && is_away ? Fate{.kind = kNotReady, .exit_code = 0, .message = ""} : Fate{};
  };
  is_away = true;
  change_body_limit(fixture);
  fixture.pass(seconds(10));
  ASSERT_THAT(fixture.kube.names(kube::kDeployments), Contains("p-ingress-canary"));
  // Twenty minutes: four times the progress deadline. The process ends without its Lease.
  fixture.clock.advance(std::chrono::minutes(20));
  fixture.restart();
  fixture.settle();
  EXPECT_THAT(fixture.condition("RolledBack"), StartsWith("False"))
      << fixture.message("RolledBack");
  is_away = false;
  fixture.pass(seconds(240));
  EXPECT_NE(ingress(fixture), before);
  EXPECT_THAT(fixture.condition("RolledBack"), StartsWith("False"));
}

TEST_F(InterruptedRollout, ThatNeverSucceedsIsRolledBackThoughTheOperatorRestartsAllTheTime) {
  ControllerFixture fixture;
  fixture.install();
  const std::string before = ingress(fixture);
  fixture.kube.fate = [before](const Json& pod) {
    const bool is_new =
        kube::string_at(pod, "metadata/labels/spanway.dev~1component") == "ingress" &&
        kube::string_at(pod, "metadata/annotations/spanway.dev~1revision") != before;
    return is_new ? Fate{.kind = kNotReady, .exit_code = 0, .message = ""} : Fate{};
  };
  change_body_limit(fixture);
  // Each process lives for a minute.
  for (int i = 0; i < 10; ++i) {
    fixture.pass(seconds(60));
    fixture.restart();
  }
  EXPECT_EQ(ingress(fixture), before);
  EXPECT_THAT(fixture.condition("RolledBack"), StartsWith("True"));
}

TEST_F(InterruptedRollout, IsNeitherLateNorStuckWhenTheClockJumps) {
  for (const seconds jump : {seconds(3600), seconds(-3600)}) {
    ControllerFixture fixture;
    fixture.install();
    pods_ = fixture.kube.names(kube::kPods).size();
    const std::string before = ingress(fixture);
    bool is_slow = true;
    fixture.kube.fate = [&is_slow, before](const Json& pod) {
      const bool is_new =
          kube::string_at(pod, "metadata/labels/spanway.dev~1component") == "ingress" &&
          kube::string_at(pod, "metadata/annotations/spanway.dev~1revision") != before;
      return is_new && is_slow ? Fate{.kind = kNotReady, .exit_code = 0, .message = ""} : Fate{};
    };
    change_body_limit(fixture);
    fixture.pass(seconds(60));
    fixture.clock.jump_system(jump);
    // The progress deadline is five minutes.
    fixture.pass(seconds(120));
    EXPECT_THAT(fixture.condition("RolledBack"), StartsWith("False")) << jump.count();
    is_slow = false;
    fixture.pass(seconds(300));
    EXPECT_NE(ingress(fixture), before) << jump.count();
    expect_rest(fixture, false);
  }
}

TEST_F(InterruptedRollout, FailsInTimeThoughTheClockIsSetBack) {
  ControllerFixture fixture;
  fixture.install();
  const std::string before = ingress(fixture);
  fixture.kube.fate = [before](const Json& pod) {
    const bool is_new =
        kube::string_at(pod, "metadata/labels/spanway.dev~1component") == "ingress" &&
        kube::string_at(pod, "metadata/annotations/spanway.dev~1revision") != before;
    return is_new ? Fate{.kind = kNotReady, .exit_code = 0, .message = ""} : Fate{};
  };
  change_body_limit(fixture);
  fixture.pass(seconds(60));
  fixture.clock.jump_system(seconds(-7200));
  fixture.pass(seconds(420));
  EXPECT_THAT(fixture.condition("RolledBack"), StartsWith("True"));
  EXPECT_EQ(ingress(fixture), before);
}

TEST_F(InterruptedRollout, EndsAtTheLastVersionThoughTwoVersionsTakeTurns) {
  ControllerFixture fixture;
  fixture.operator_version = "1.0.0";
  fixture.restart();
  fixture.install();
  pods_ = fixture.kube.names(kube::kPods).size();
  // A helm upgrade whose new pods come and go: the Lease moves to and fro.
  for (int i = 0; i < 12; ++i) {
    fixture.operator_version = i % 2 == 0 ? "2.0.0" : "1.0.0";
    fixture.restart();
    fixture.pass(seconds(5 + 7 * i));
  }
  for (const char* last : {"2.0.0", "1.0.0"}) {
    fixture.operator_version = last;
    fixture.restart();
    fixture.pass(std::chrono::minutes(15));
    EXPECT_THAT(kube::string_at(fixture.kube.at(kube::kDeployments, {"team", "p-ingress"}),
                                "spec/template/spec/containers/0/image"),
                HasSubstr(last));
    EXPECT_EQ(kube::string_at(fixture.status(), "version"), last);
    expect_rest(fixture, false);
  }
}

TEST_F(InterruptedRollout, InANamespaceThatIsBeingDeletedEndsWithoutAStorm) {
  ControllerFixture fixture;
  fixture.install();
  change_body_limit(fixture);
  fixture.pass(seconds(10));
  const Error refusal = configuration_error(
      Code::kPermissionDenied,
      "POST: HTTP 403 Forbidden: unable to create new content in namespace team because it is "
      "being terminated");
  fixture.kube.fail("apply", "", refusal, 1'000'000);
  fixture.kube.forget_writes();
  // The namespace's controller deletes kind after kind.
  for (const kube::ResourceType& type :
       {kube::kConfigMaps, kube::kDeployments, kube::kServices, kube::kPods})
    for (const std::string& name : fixture.kube.names(type)) {
      fixture.kube.erase(type, {"team", name});
      fixture.settle();
    }
  fixture.pass(seconds(30));
  EXPECT_THAT(fixture.message("Degraded"), HasSubstr("being terminated"));
  fixture.kube.erase(kube::kPipelines, {"team", "p"});
  fixture.pass(seconds(30));
  EXPECT_EQ(fixture.controller->pipelines(), 0u);
  fixture.kube.forget_writes();
  fixture.pass(seconds(60));
  EXPECT_THAT(fixture.kube.writes(), IsEmpty());
}

TEST_F(InterruptedRollout, AManagerThatWritesAFieldOfOursAgainAndAgainIsNotFoughtWithoutEnd) {
  ControllerFixture fixture;
  fixture.install();
  fixture.kube.forget_writes();
  const auto contest = [&] {
    fixture.kube.edit(kube::kDeployments, {"team", "p-ingress"},
                      {{"spec", {{"template", {{"spec", {{"nodeSelector", {{"a", "b"}}}}}}}}}},
                      "other-operator");
  };
  // It reverts what we revert, at once: a minute of it.
  for (int second = 0; second < 60; ++second) {
    for (int turn = 0; turn < 5; ++turn) {
      contest();
      fixture.settle();
    }
    fixture.clock.advance(seconds(1));
  }
  std::size_t writes = 0;
  for (const std::string& write : fixture.kube.writes())
    writes += write.find("deployments team/p-ingress") != std::string::npos ? 1 : 0;
  EXPECT_LE(writes, 60u);
  EXPECT_TRUE(fixture.has_event("DriftReverted"));
  EXPECT_THAT(fixture.event("DriftReverted"), HasSubstr("other-operator"));
  // And once it has stopped, ours is in force.
  fixture.pass(seconds(120));
  EXPECT_EQ(kube::string_at(fixture.kube.at(kube::kDeployments, {"team", "p-ingress"}),
                            "spec/template/spec/nodeSelector/a"),
            "");
}

}  // namespace
}  // namespace spanway::reconcile
