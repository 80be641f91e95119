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
    bench_.kube.edit(kube::kDeployments, {"team", "p-bridge"}, {{"spec", {{"replicas", replicas}}}},
                     "kube-controller-manager");
  }
  Bench bench_;
};

TEST_F(ForeignAutoscalerTest, IsNamedInAConditionOnceItScalesAndUntilItIsGone) {
  bench_.install();
  bench_.kube.put(kube::kHorizontalPodAutoscalers,
                  autoscaler("team-hpa", "Deployment", "p-bridge"));
  bench_.pass(std::chrono::seconds(60));
  EXPECT_EQ(bench_.condition("ScalingLimited"), "False: NotLimited") << "it does nothing yet";
  for (int i = 0; i < 3; ++i) {
    scale_bridge(5);
    bench_.pass(std::chrono::seconds(15));
  }
  EXPECT_EQ(bench_.condition("ScalingLimited"), "True: ForeignAutoscaler");
  EXPECT_THAT(bench_.message("ScalingLimited"), HasSubstr("HorizontalPodAutoscaler team-hpa"));
  EXPECT_EQ(bench_.condition("Degraded"), "True: ForeignAutoscaler");
  EXPECT_TRUE(bench_.has_event("ScalingLimited") || bench_.has_event("ForeignAutoscaler"));
  bench_.kube.forget_writes();
  bench_.pass(std::chrono::seconds(120));
  EXPECT_THAT(bench_.kube.writes(), IsEmpty()) << "nothing moves, nothing is written";
  bench_.kube.erase(kube::kHorizontalPodAutoscalers, {"team", "team-hpa"});
  bench_.pass(std::chrono::seconds(60));
  EXPECT_EQ(bench_.condition("ScalingLimited"), "False: NotLimited");
  EXPECT_THAT(bench_.condition("Degraded"), StartsWith("False"));
}

}  // namespace
}  // namespace spanway::reconcile
