#include "operator/reconcile/secrets_poller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/operator_reconcile/controller_fixture.h"

namespace spanway::reconcile {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const kube::ObjectKey kP{"team", "p"};
const kube::ObjectKey kQ{"team", "q"};

class SecretsPollerTest : public testing::Test {
 protected:
  void put(const std::string& name, const char* value) {
    fixture_.kube.put(kube::kSecrets, {{"apiVersion", "v1"},
                                       {"kind", "Secret"},
                                       {"metadata", {{"name", name}, {"namespace", "team"}}},
                                       {"data", {{"k", value}}}});
  }
  ControllerFixture fixture_;
  std::vector<kube::ObjectKey> changed_;
  SecretsPoller poller_{fixture_.kube, fixture_.events,
                        [this](const kube::ObjectKey& key) { changed_.push_back(key); }};
};

TEST_F(SecretsPollerTest, ReportsIdentityAndWhatIsMissing) {
  put("a", "MQ==");
  const auto found = poller_.resolve(kP, {"a", "b"});
  ASSERT_TRUE(found.ok());
  EXPECT_THAT(found->missing, ElementsAre("b"));
  EXPECT_EQ(found->identities.at("a").find("uid="), 0u);
}

TEST_F(SecretsPollerTest, OnlyTheDataMakesTheIdentity) {
  put("a", "MQ==");
  const std::string before = poller_.resolve(kP, {"a"})->identities.at("a");
  EXPECT_EQ(before.find("MQ=="), std::string::npos);
  fixture_.kube.edit(kube::kSecrets, {"team", "a"}, {{"metadata", {{"labels", {{"x", "y"}}}}}},
                     "kubectl-label");
  poller_.poll();
  EXPECT_TRUE(changed_.empty());
  EXPECT_EQ(poller_.resolve(kP, {"a"})->identities.at("a"), before);
  put("a", "Mg==");
  poller_.poll();
  EXPECT_NE(poller_.resolve(kP, {"a"})->identities.at("a"), before);
}

TEST_F(SecretsPollerTest, RequestsOnceUntilItPolls) {
  put("a", "MQ==");
  (void)poller_.resolve(kP, {"a"});
  const auto reads = fixture_.kube.read_count();
  (void)poller_.resolve(kP, {"a"});
  (void)poller_.resolve(kQ, {"a"});
  EXPECT_EQ(fixture_.kube.read_count(), reads);
  EXPECT_EQ(poller_.size(), 1u);
}

TEST_F(SecretsPollerTest, ReportsEveryPipelineOfAChange) {
  put("a", "MQ==");
  const std::string before = poller_.resolve(kP, {"a"})->identities.at("a");
  (void)poller_.resolve(kQ, {"a"});
  poller_.poll();
  EXPECT_THAT(changed_, IsEmpty());
  put("a", "Mg==");
  poller_.poll();
  EXPECT_THAT(changed_, ElementsAre(kP, kQ));
  EXPECT_NE(poller_.resolve(kP, {"a"})->identities.at("a"), before);
}

TEST_F(SecretsPollerTest, AMissingOneThatAppearsIsAChange) {
  (void)poller_.resolve(kP, {"a"});
  put("a", "MQ==");
  poller_.poll();
  EXPECT_THAT(changed_, ElementsAre(kP));
}

TEST_F(SecretsPollerTest, ASilentServerChangesNothing) {
  put("a", "MQ==");
  (void)poller_.resolve(kP, {"a"});
  fixture_.kube.fail("get", "secrets", unavailable("no connection"));
  poller_.poll();
  EXPECT_THAT(changed_, IsEmpty());
  EXPECT_EQ(poller_.resolve(kP, {"a"})->identities.size(), 1u);
}

TEST_F(SecretsPollerTest, AnUnknownOneAndASilentServerIsAnError) {
  fixture_.kube.fail("get", "secrets", unavailable("no connection"));
  EXPECT_FALSE(poller_.resolve(kP, {"a"}).ok());
}

TEST_F(SecretsPollerTest, ARefusalIsDistinguishedFromMissing) {
  fixture_.kube.fail("get", "secrets",
                     configuration_error(Code::kPermissionDenied, "secrets is forbidden"));
  const auto found = poller_.resolve(kP, {"a"});
  ASSERT_TRUE(found.ok());
  EXPECT_THAT(found->missing, IsEmpty());
  EXPECT_EQ(found->refused.at("a"), "secrets is forbidden");
}

TEST_F(SecretsPollerTest, ForgetsWhatNoneRefersTo) {
  put("a", "MQ==");
  put("b", "MQ==");
  (void)poller_.resolve(kP, {"a", "b"});
  (void)poller_.resolve(kQ, {"b"});
  (void)poller_.resolve(kP, {});
  EXPECT_EQ(poller_.size(), 1u);
  poller_.forget(kQ);
  EXPECT_EQ(poller_.size(), 0u);
}

}  // namespace
}  // namespace spanway::reconcile
