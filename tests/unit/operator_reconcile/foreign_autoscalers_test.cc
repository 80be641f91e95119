#include "operator/reconcile/foreign_autoscalers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/operator_reconcile/controller_fixture.h"

namespace spanway::reconcile {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

Json autoscaler(const std::string& name, const std::string& kind, const std::string& target) {
  return {{"metadata", {{"name", name}, {"namespace", "team"}}},
          {"spec", {{"scaleTargetRef", {{"kind", kind}, {"name", target}}}, {"maxReplicas", 10}}}};
}

TEST(ForeignAutoscalers, AreThoseOfOthersThatNameAWorkloadOfOurs) {
  Json own = autoscaler("p-ingress", "Deployment", "p-ingress");
  own["metadata"]["labels"] = {{"app.kubernetes.io/managed-by", "spanway-operator"}};
  const auto found = foreign_autoscalers(
      {own, autoscaler("theirs", "Deployment", "p-bridge"),
       autoscaler("other", "Deployment", "nginx"), autoscaler("kind", "StatefulSet", "p-bridge")},
      {"Deployment/p-ingress", "Deployment/p-bridge"});
  EXPECT_EQ(found, (std::map<std::string, std::string>{{"Deployment/p-bridge", "theirs"}}));
}

class ForeignAutoscalerTest : public testing::Test {
 protected:
  // As the autoscaler's controller does.
  void scale_bridge(int replicas) {
    fixture_.kube.edit(kube::kDeployments, {"team", "p-bridge"},
                       {{"spec", {{"replicas", replicas}}}}, "kube-controller-manager");
  }
  ControllerFixture fixture_;
};

TEST_F(ForeignAutoscalerTest, IsNamedInAConditionOnceItScalesAndUntilItIsGone) {
  fixture_.install();
  fixture_.kube.put(kube::kHorizontalPodAutoscalers,
                    autoscaler("team-hpa", "Deployment", "p-bridge"));
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_EQ(fixture_.condition("ScalingLimited"), "False: NotLimited") << "it does nothing yet";
  for (int i = 0; i < 3; ++i) {
    scale_bridge(5);
    fixture_.pass(std::chrono::seconds(15));
  }
  EXPECT_EQ(fixture_.condition("ScalingLimited"), "True: ForeignAutoscaler");
  EXPECT_THAT(fixture_.message("ScalingLimited"), HasSubstr("HorizontalPodAutoscaler team-hpa"));
  EXPECT_EQ(fixture_.condition("Degraded"), "True: ForeignAutoscaler");
  EXPECT_TRUE(fixture_.has_event("ForeignAutoscaler"));
  fixture_.kube.forget_writes();
  fixture_.pass(std::chrono::seconds(120));
  EXPECT_THAT(fixture_.kube.writes(), IsEmpty()) << "nothing moves, nothing is written";
  fixture_.kube.erase(kube::kHorizontalPodAutoscalers, {"team", "team-hpa"});
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_EQ(fixture_.condition("ScalingLimited"), "False: NotLimited");
  EXPECT_THAT(fixture_.condition("Degraded"), StartsWith("False"));
}

}  // namespace
}  // namespace spanway::reconcile
