#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/unit/operator_reconcile/controller_test_base.h"

namespace spanway::reconcile {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::StartsWith;

const kube::ObjectKey kRecord{"team", "p-last-good"};
const kube::ObjectKey kBridge{"team", "p-bridge"};

class RecordOfTheLastGoodSpec : public ControllerTest {
 protected:
  // Installed, then changed to a revision that was rolled back.
  void roll_back() {
    fixture_.install();
    fixture_.pass(std::chrono::seconds(60));
    ingress_ = fixture_.revision_of(kube::kDeployments, "p-ingress");
    bridge_ = fixture_.revision_of(kube::kDeployments, "p-bridge");
    record_ = record();
    fixture_.kube.fate = [this](const Json& pod) {
      fakes::FakeKube::PodFate fate;
      if (kube::string_at(pod, "metadata/labels/spanway.dev~1component") == "ingress" &&
          kube::string_at(pod, "metadata/annotations/spanway.dev~1revision") != ingress_)
        fate.kind = fakes::FakeKube::PodFate::Kind::kCrashes;
      return fate;
    };
    fixture_.change({{"ingress", {{"config", {{"limits", {{"body_bytes_max", "8MiB"}}}}}}}});
    fixture_.pass(std::chrono::seconds(120));
    ASSERT_THAT(fixture_.condition("RolledBack"), StartsWith("True"));
  }
  Json record() const { return fixture_.kube.at(kube::kConfigMaps, kRecord)["data"]; }

  std::string ingress_, bridge_;
  Json record_;
};

TEST_F(RecordOfTheLastGoodSpec, IsWrittenAgainWhenItIsDeletedAfterARollback) {
  roll_back();
  fixture_.kube.erase(kube::kConfigMaps, kRecord);
  fixture_.pass(std::chrono::seconds(10));
  EXPECT_EQ(record(), record_);
  fixture_.restart();
  fixture_.kube.erase(kube::kDeployments, kBridge);
  fixture_.kube.edit(kube::kDeployments, {"team", "p-ingress"}, {{"spec", {{"paused", true}}}},
                     "x");
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_EQ(fixture_.revision_of(kube::kDeployments, "p-bridge"), bridge_) << "repaired";
  EXPECT_FALSE(kube::bool_at(deployment("p-ingress"), "spec/paused"));
  EXPECT_EQ(fixture_.revision_of(kube::kDeployments, "p-ingress"), ingress_);
}

TEST_F(RecordOfTheLastGoodSpec, IsWrittenAgainWhenItIsDeletedWhileTheSpecIsRefused) {
  fixture_.install();
  fixture_.pass(std::chrono::seconds(60));
  record_ = record();
  fixture_.change({{"ingress", {{"config", {{"no_such_key", 1}}}}}});
  fixture_.pass(std::chrono::seconds(30));
  fixture_.kube.erase(kube::kConfigMaps, kRecord);
  fixture_.pass(std::chrono::seconds(10));
  EXPECT_EQ(record(), record_);
  fixture_.kube.erase(kube::kDeployments, kBridge);
  fixture_.pass(std::chrono::seconds(30));
  EXPECT_THAT(fixture_.kube.names(kube::kDeployments), Contains("p-bridge"));
}

// Deleted while no operator runs, it is lost.
TEST_F(RecordOfTheLastGoodSpec, WhenItIsLostWhatIsMissingIsMadeFromTheSpec) {
  roll_back();
  fixture_.kube.erase(kube::kConfigMaps, kRecord);
  fixture_.kube.erase(kube::kDeployments, kBridge);
  fixture_.restart();
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_THAT(fixture_.kube.names(kube::kDeployments), Contains("p-bridge"));
  EXPECT_EQ(fixture_.revision_of(kube::kDeployments, "p-ingress"), ingress_) << "runs on";
  EXPECT_THAT(fixture_.condition("Ready"), StartsWith("True"));
  EXPECT_THAT(fixture_.message("Stalled"), HasSubstr("p-last-good"));
}

TEST_F(ControllerTest, AFirstRefusalIsTriedAgainAndOneThatRepeatsStalls) {
  fixture_.kube.fail("apply", "deployments",
                     configuration_error(Code::kInvalidArgument, "HTTP 422 Invalid: cpu: -1"),
                     10'000);
  fixture_.kube.put(kube::kPipelines, ControllerFixture::pipeline());
  fixture_.pass(std::chrono::seconds(10));
  EXPECT_EQ(fixture_.condition("Degraded"), "True: ApplyFailed");
  EXPECT_EQ(fixture_.condition("Reconciling"), "True: ApplyFailed");
  EXPECT_EQ(fixture_.condition("Stalled"), "False: Reconciling");
  fixture_.pass(std::chrono::seconds(25));
  EXPECT_EQ(fixture_.condition("Degraded"), "True: ApplyFailed");
  EXPECT_EQ(fixture_.condition("Reconciling"), "False: ApplyFailed");
  EXPECT_EQ(fixture_.condition("Stalled"), "True: ApplyFailed");
  fixture_.kube.heal();
  fixture_.pass(std::chrono::seconds(120));
  EXPECT_THAT(fixture_.condition("Stalled"), StartsWith("False"));
  EXPECT_EQ(fixture_.condition("Reconciling"), "False: Complete");
}

// Its conditions were written at each try, with a new lastTransitionTime.
TEST_F(ControllerTest, AnObjectThatIsRefusedIsReportedOnce) {
  fixture_.kube.fail("apply", "deployments",
                     configuration_error(Code::kInvalidArgument, "HTTP 422 Invalid: cpu: -1"),
                     10'000);
  fixture_.kube.put(kube::kPipelines, ControllerFixture::pipeline());
  fixture_.pass(std::chrono::seconds(30));
  ASSERT_EQ(fixture_.condition("Stalled"), "True: ApplyFailed");
  ASSERT_EQ(fixture_.condition("Reconciling"), "False: ApplyFailed");
  const Json before = fixture_.status();
  fixture_.kube.forget_writes();
  for (int i = 0; i < 6; ++i) {
    fixture_.resync();
    fixture_.pass(std::chrono::seconds(10));
  }
  EXPECT_EQ(fixture_.status()["conditions"], before["conditions"]);
  const auto writes = fixture_.kube.writes();
  EXPECT_EQ(std::count_if(writes.begin(), writes.end(),
                          [](const std::string& write) {
                            return write.starts_with("patch pipelines/status");
                          }),
            0);
  fixture_.kube.heal();
  fixture_.pass(std::chrono::seconds(120));
  EXPECT_THAT(fixture_.condition("Stalled"), StartsWith("False"));
}

}  // namespace
}  // namespace spanway::reconcile
