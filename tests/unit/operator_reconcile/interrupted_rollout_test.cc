// The operator dies, loses the API server or is replaced at any moment of a rollout.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "operator/k8s/status_error.h"
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

// A Pipeline that is installed, and whose ingress is about to be changed.
class InstalledPipeline : public ControllerFixture {
 public:
  explicit InstalledPipeline(const char* version = nullptr) {
    if (version != nullptr) {
      operator_version = version;
      restart();
    }
    install();
    pods_ = kube.names(kube::kPods).size();
    installed_revision_ = ingress_revision();
  }

  void change_body_limit() {
    change({{"ingress", {{"config", {{"limits", {{"body_bytes_max", "8MiB"}}}}}}}});
  }
  bool runs_the_change() const { return ingress_revision() != installed_revision_; }
  // From now on the operator's process has this connection.
  void connect(kube::Client& to) {
    client = &to;
    restart();
  }
  // The pods of the changed ingress, as long as `is_failing`.
  void fail_new_ingress(Fate fate, std::shared_ptr<const bool> is_failing = nullptr) {
    kube.fate = [this, fate = std::move(fate),
                 is_failing = std::move(is_failing)](const Json& pod) {
      const bool is_new =
          kube::string_at(pod, "metadata/labels/spanway.dev~1component") == "ingress" &&
          kube::string_at(pod, "metadata/annotations/spanway.dev~1revision") != installed_revision_;
      return is_new && (!is_failing || *is_failing) ? fate : Fate{};
    };
  }
  // Everything that must hold once nothing changes: no intermediate object is left.
  void expect_settled(bool is_rolled_back) {
    EXPECT_THAT(condition("Ready"), StartsWith("True")) << message("Ready");
    EXPECT_THAT(condition("RolledBack"), StartsWith(is_rolled_back ? "True" : "False"));
    EXPECT_THAT(condition("Progressing"), StartsWith("False"));
    EXPECT_THAT(kube.names(kube::kDeployments), Not(Contains("p-ingress-canary")));
    EXPECT_EQ(kube.names(kube::kPods).size(), pods_);
    EXPECT_THAT(kube.names(kube::kConfigMaps), Contains("p-last-good"));
    expect_no_write(seconds(120));
  }
  void expect_no_write(Duration in) {
    kube.forget_writes();
    pass(in, seconds(30));
    EXPECT_THAT(kube.writes(), IsEmpty());
  }
  void second_passes() {
    clock.advance(seconds(1));
    monitor->poll();
    settle_once();
  }

 private:
  std::string ingress_revision() const { return revision_of(kube::kDeployments, "p-ingress"); }

  std::size_t pods_ = 0;
  std::string installed_revision_;
};

Fate not_ready() { return {.kind = Fate::Kind::kNotReady, .exit_code = 0, .message = ""}; }
Fate crashes() { return {.kind = Fate::Kind::kCrashes, .exit_code = 1, .message = "no"}; }

// Changes the ingress with an operator whose connection is cut at `write`; another one takes over.
// True when it was cut.
bool roll_with_cut(int write, CutLink::Cut cut, bool is_bad) {
  InstalledPipeline pipeline;
  if (is_bad) pipeline.fail_new_ingress(crashes());
  CutLink link(pipeline.kube, write, cut);
  pipeline.connect(link);
  pipeline.change_body_limit();
  // Second by second: with pods that crash, a cut connection never settles.
  for (int i = 0; i < 300 && !link.is_cut(); ++i) pipeline.second_passes();
  // Its retries fail.
  for (int i = 0; i < 5 && link.is_cut(); ++i) pipeline.second_passes();
  pipeline.connect(pipeline.kube);
  pipeline.pass(seconds(300));
  EXPECT_EQ(pipeline.runs_the_change(), !is_bad);
  pipeline.expect_settled(is_bad);
  return link.is_cut();
}

TEST(InterruptedRollout, EndsWellWhateverWriteTheOperatorDiesAt) {
  for (const auto cut : {CutLink::Cut::kBefore, CutLink::Cut::kAfter}) {
    int write = 0;
    while (roll_with_cut(write, cut, false)) {
      ASSERT_FALSE(HasFailure()) << "write " << write;
      ++write;
    }
    EXPECT_GE(write, 5);
  }
}

TEST(InterruptedRollout, IsRolledBackWhateverWriteTheOperatorDiesAt) {
  for (const auto cut : {CutLink::Cut::kBefore, CutLink::Cut::kAfter}) {
    int write = 0;
    while (roll_with_cut(write, cut, true)) {
      ASSERT_FALSE(HasFailure()) << "write " << write;
      ++write;
    }
    EXPECT_GE(write, 3);
  }
}

TEST(InterruptedRollout, OfADeletedPipelineLeavesNothingAtAnyMoment) {
  // Each moment of the rollout: every five seconds.
  for (int moment = 0; moment < 20; ++moment) {
    InstalledPipeline pipeline;
    pipeline.change_body_limit();
    pipeline.pass(seconds(5 * moment));
    pipeline.kube.erase(kube::kPipelines, {"team", "p"});
    pipeline.pass(seconds(30));
    for (const kube::ResourceType& type : Stores::owned_kinds({}))
      EXPECT_THAT(pipeline.kube.names(type), IsEmpty()) << type.plural << " at " << moment;
    EXPECT_EQ(pipeline.controller->pipelines(), 0u);
    pipeline.expect_no_write(seconds(60));
    // Another one of the same name has nothing of it.
    pipeline.install();
    EXPECT_THAT(pipeline.condition("Ready"), StartsWith("True"));
    EXPECT_EQ(pipeline.condition("RolledBack"), "False: NotRolledBack")
        << pipeline.condition("RolledBack");
  }
}

TEST(InterruptedRollout, GetsTimeAfterTheApiServerWasAway) {
  InstalledPipeline pipeline;
  // The new pod comes up as soon as the API server is back, not earlier.
  const auto is_away = std::make_shared<bool>(true);
  pipeline.fail_new_ingress(not_ready(), is_away);
  pipeline.change_body_limit();
  pipeline.pass(seconds(10));
  ASSERT_THAT(pipeline.kube.names(kube::kDeployments), Contains("p-ingress-canary"));
  // Twenty minutes: four times the progress deadline. The process ends without its Lease.
  pipeline.clock.advance(std::chrono::minutes(20));
  pipeline.restart();
  pipeline.settle();
  EXPECT_THAT(pipeline.condition("RolledBack"), StartsWith("False"))
      << pipeline.message("RolledBack");
  *is_away = false;
  pipeline.pass(seconds(240));
  EXPECT_TRUE(pipeline.runs_the_change());
  EXPECT_THAT(pipeline.condition("RolledBack"), StartsWith("False"));
}

TEST(InterruptedRollout, ThatNeverSucceedsIsRolledBackThoughTheOperatorRestartsAllTheTime) {
  InstalledPipeline pipeline;
  pipeline.fail_new_ingress(not_ready());
  pipeline.change_body_limit();
  // Each process lives for a minute.
  for (int i = 0; i < 10; ++i) {
    pipeline.pass(seconds(60));
    pipeline.restart();
  }
  EXPECT_FALSE(pipeline.runs_the_change());
  EXPECT_THAT(pipeline.condition("RolledBack"), StartsWith("True"));
}

TEST(InterruptedRollout, IsNeitherLateNorStuckWhenTheClockJumps) {
  for (const seconds jump : {seconds(3600), seconds(-3600)}) {
    InstalledPipeline pipeline;
    const auto is_slow = std::make_shared<bool>(true);
    pipeline.fail_new_ingress(not_ready(), is_slow);
    pipeline.change_body_limit();
    pipeline.pass(seconds(60));
    pipeline.clock.jump_system(jump);
    // The progress deadline is five minutes.
    pipeline.pass(seconds(120));
    EXPECT_THAT(pipeline.condition("RolledBack"), StartsWith("False")) << jump.count();
    *is_slow = false;
    pipeline.pass(seconds(300));
    EXPECT_TRUE(pipeline.runs_the_change()) << jump.count();
    pipeline.expect_settled(false);
  }
}

TEST(InterruptedRollout, IsProvenInFullThoughTheClockIsSetForward) {
  InstalledPipeline pipeline;
  pipeline.change_body_limit();
  for (int i = 0; i < 60; ++i) {
    if (pipeline.condition("Progressing") == "True: CanaryProving") break;
    pipeline.pass(seconds(1));
  }
  ASSERT_EQ(pipeline.condition("Progressing"), "True: CanaryProving");
  pipeline.clock.jump_system(seconds(3600));
  // healthyAfter is 30 s.
  pipeline.pass(seconds(20));
  EXPECT_FALSE(pipeline.runs_the_change());
  pipeline.pass(seconds(300));
  EXPECT_TRUE(pipeline.runs_the_change());
  pipeline.expect_settled(false);
}

TEST(InterruptedRollout, FailsInTimeThoughTheClockIsSetBack) {
  InstalledPipeline pipeline;
  pipeline.fail_new_ingress(not_ready());
  pipeline.change_body_limit();
  pipeline.pass(seconds(60));
  pipeline.clock.jump_system(seconds(-7200));
  pipeline.pass(seconds(420));
  EXPECT_THAT(pipeline.condition("RolledBack"), StartsWith("True"));
  EXPECT_FALSE(pipeline.runs_the_change());
}

TEST(InterruptedRollout, EndsAtTheLastVersionThoughTwoVersionsTakeTurns) {
  InstalledPipeline pipeline("1.0.0");
  // A helm upgrade whose new pods come and go: the Lease moves to and fro.
  for (int i = 0; i < 12; ++i) {
    pipeline.operator_version = i % 2 == 0 ? "2.0.0" : "1.0.0";
    pipeline.restart();
    pipeline.pass(seconds(5 + 7 * i));
  }
  for (const char* last : {"2.0.0", "1.0.0"}) {
    pipeline.operator_version = last;
    pipeline.restart();
    pipeline.pass(std::chrono::minutes(15));
    EXPECT_THAT(kube::string_at(pipeline.kube.at(kube::kDeployments, {"team", "p-ingress"}),
                                "spec/template/spec/containers/0/image"),
                HasSubstr(last));
    EXPECT_EQ(kube::string_at(pipeline.status(), "version"), last);
    pipeline.expect_settled(false);
  }
}

TEST(InterruptedRollout, InANamespaceThatIsBeingDeletedEndsWithoutAStorm) {
  InstalledPipeline pipeline;
  pipeline.change_body_limit();
  pipeline.pass(seconds(10));
  const Error refusal =
      configuration_error(
          Code::kPermissionDenied,
          "POST: HTTP 403 Forbidden: unable to create new content in namespace team because it is "
          "being terminated")
          .with_reason(kube::kReasonNamespaceEnds);
  pipeline.kube.fail("apply", "", refusal, 1'000'000);
  pipeline.kube.forget_writes();
  const auto refused = [&] {
    const std::vector<std::string> writes = pipeline.kube.writes();
    return std::count_if(writes.begin(), writes.end(),
                         [](const std::string& write) { return write.starts_with("apply "); });
  };
  // The namespace's controller deletes kind after kind.
  for (const kube::ResourceType& type :
       {kube::kConfigMaps, kube::kDeployments, kube::kServices, kube::kPods})
    for (const std::string& name : pipeline.kube.names(type)) {
      pipeline.kube.erase(type, {"team", name});
      pipeline.settle();
    }
  EXPECT_EQ(refused(), 1) << "all of it takes the namespace's controller less than 5 s here";
  pipeline.pass(seconds(30));
  EXPECT_LE(refused(), 7) << "one each 5 s";
  EXPECT_THAT(pipeline.message("Degraded"), HasSubstr("being terminated"));
  pipeline.kube.erase(kube::kPipelines, {"team", "p"});
  pipeline.pass(seconds(30));
  EXPECT_EQ(pipeline.controller->pipelines(), 0u);
  pipeline.expect_no_write(seconds(60));
}

TEST(InterruptedRollout, AManagerThatWritesAFieldOfOursAgainAndAgainIsNotFoughtWithoutEnd) {
  InstalledPipeline pipeline;
  pipeline.kube.forget_writes();
  const auto contest = [&] {
    pipeline.kube.edit(kube::kDeployments, {"team", "p-ingress"},
                       {{"spec", {{"template", {{"spec", {{"nodeSelector", {{"a", "b"}}}}}}}}}},
                       "other-operator");
  };
  // It reverts what we revert, at once: a minute of it.
  for (int second = 0; second < 60; ++second) {
    for (int turn = 0; turn < 5; ++turn) {
      contest();
      pipeline.settle();
    }
    pipeline.clock.advance(seconds(1));
  }
  std::size_t writes = 0;
  for (const std::string& write : pipeline.kube.writes())
    writes += write.find("deployments team/p-ingress") != std::string::npos ? 1 : 0;
  EXPECT_LE(writes, 60u);
  EXPECT_TRUE(pipeline.has_event("DriftReverted"));
  EXPECT_THAT(pipeline.event("DriftReverted"), HasSubstr("other-operator"));
  // And once it has stopped, ours is in force.
  pipeline.pass(seconds(120));
  EXPECT_EQ(kube::string_at(pipeline.kube.at(kube::kDeployments, {"team", "p-ingress"}),
                            "spec/template/spec/nodeSelector/a"),
            "");
}

}  // namespace
}  // namespace spanway::reconcile
