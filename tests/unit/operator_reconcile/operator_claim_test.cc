#include "operator/reconcile/operator_claim.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/operator_reconcile/controller_test_base.h"

namespace spanway::reconcile {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kOurs[] = "spanway-system/spanway-operator";
constexpr char kOther[] = "sys2/other-spanway-operator";

class OperatorClaimTest : public ControllerTest {
 protected:
  OperatorClaimTest() {
    fixture_.release = kOurs;
    fixture_.restart();
    fixture_.install();
  }
  std::string status_text(const char* field) const {
    return kube::string_at(fixture_.status(), field);
  }
  void write_status(const Json& patch) {
    ASSERT_TRUE(
        fixture_.kube.merge_patch(kube::kPipelines, {"team", "p"}, {{"status", patch}}, "status")
            .ok());
  }
  // As another release that worked on the Pipeline before.
  void give_to_other() {
    write_status({{"operator", kOther}});
    fixture_.restart();
    fixture_.kube.forget_writes();
  }
};

TEST_F(OperatorClaimTest, TheFirstOneClaimsAndWritesNothingMore) {
  EXPECT_EQ(status_text("operator"), kOurs);
  EXPECT_EQ(status_text("contender"), "");
  fixture_.kube.forget_writes();
  fixture_.pass(std::chrono::minutes(30), std::chrono::seconds(30));
  EXPECT_THAT(fixture_.kube.writes(), IsEmpty());
  fixture_.restart();
  fixture_.pass(std::chrono::seconds(30));
  EXPECT_THAT(fixture_.kube.writes(), IsEmpty()) << "its own claim, after a restart";
}

TEST_F(OperatorClaimTest, AnotherOneIsRefusedAndNamed) {
  write_status({{"contender", kOther}});
  fixture_.pass(std::chrono::seconds(5));
  EXPECT_EQ(status_text("operator"), kOurs);
  EXPECT_EQ(status_text("contender"), "") << "the answer";
  EXPECT_EQ(fixture_.condition("Degraded"), "True: OtherOperator");
  EXPECT_THAT(fixture_.message("Degraded"), HasSubstr(kOther));
  fixture_.pass(std::chrono::minutes(16), std::chrono::seconds(10));
  EXPECT_EQ(fixture_.condition("Degraded"), "False: AsExpected") << "it is gone";
}

TEST_F(OperatorClaimTest, WritesNothingButItsNameWhileAnotherOneAnswers) {
  give_to_other();
  fixture_.kube.edit(kube::kDeployments, {"team", "p-ingress"}, {{"spec", {{"paused", true}}}},
                     "kubectl");
  fixture_.pass(std::chrono::seconds(5));
  EXPECT_EQ(status_text("contender"), kOurs);
  EXPECT_THAT(fixture_.kube.writes(), SizeIs(1));
  EXPECT_THAT(fixture_.event("OtherOperator"), AllOf(HasSubstr(kOther), HasSubstr(kOurs)));
  write_status({{"contender", nullptr}});
  fixture_.kube.forget_writes();
  fixture_.pass(std::chrono::minutes(9), std::chrono::seconds(10));
  EXPECT_THAT(fixture_.kube.writes(), IsEmpty()) << "it is not written again and again";
  fixture_.pass(std::chrono::minutes(2), std::chrono::seconds(10));
  EXPECT_EQ(status_text("contender"), kOurs);
  EXPECT_THAT(fixture_.kube.writes(), SizeIs(1));
  EXPECT_EQ(status_text("operator"), kOther);
}

TEST_F(OperatorClaimTest, TakesThePlaceOfOneThatDoesNotAnswer) {
  give_to_other();
  fixture_.kube.edit(kube::kDeployments, {"team", "p-ingress"}, {{"spec", {{"paused", true}}}},
                     "kubectl");
  fixture_.pass(std::chrono::seconds(110));
  EXPECT_EQ(status_text("operator"), kOther);
  EXPECT_TRUE(kube::bool_at(deployment("p-ingress"), "spec/paused"));
  fixture_.pass(std::chrono::seconds(20));
  EXPECT_EQ(status_text("operator"), kOurs);
  EXPECT_EQ(status_text("contender"), "");
  EXPECT_FALSE(kube::bool_at(deployment("p-ingress"), "spec/paused"));
  EXPECT_TRUE(fixture_.has_event("OperatorChanged"));
}

}  // namespace
}  // namespace spanway::reconcile
