#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/operator_reconcile/controller_test_base.h"

namespace spanway::reconcile {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

class SecretsOfAPipeline : public ControllerTest {
 protected:
  void put_secret(const Json& data) {
    fixture_.kube.put(kube::kSecrets,
                      {{"metadata", {{"name", "keys"}, {"namespace", "team"}}}, {"data", data}});
    if (fixture_.secrets) fixture_.secrets->poll();
  }
  static Json with_token(const char* key) {
    Json object = ControllerFixture::pipeline();
    object["spec"]["ingress"]["auth"] = {
        {"mode", "Bearer"},
        {"tokens",
         Json::array({{{"name", "a"}, {"secretKeyRef", {{"name", "keys"}, {"key", key}}}}})}};
    return object;
  }
  // The password of Kafka and a header of the destination, in one Secret.
  static Json with_password_and_header() {
    Json object = ControllerFixture::pipeline();
    object["spec"]["kafka"]["authentication"] = {
        {"type", "ScramSha512"},
        {"username", "u"},
        {"passwordSecretKeyRef", {{"name", "keys"}, {"key", "password"}}}};
    object["spec"]["exporters"][0]["destination"]["headers"] =
        Json::array({{{"name", "x-key"}, {"secretKeyRef", {{"name", "keys"}, {"key", "header"}}}}});
    return object;
  }
};

// Without it the kubelet would hold the pod in ContainerCreating, and nothing would say why.
TEST_F(SecretsOfAPipeline, AMissingKeyIsNamedWithItsPlace) {
  put_secret({{"other", "YQ=="}});
  fixture_.install(with_token("token"));
  EXPECT_EQ(fixture_.condition("ConfigValid"), "False: SecretMissing");
  EXPECT_THAT(fixture_.message("ConfigValid"),
              AllOf(HasSubstr("spec.ingress.auth.tokens[a].secretKeyRef"),
                    HasSubstr("Secret \"keys\""), HasSubstr("no key \"token\"")));
  EXPECT_EQ(fixture_.condition("Ready"), "False: SecretMissing");
  EXPECT_THAT(fixture_.kube.names(kube::kDeployments), Not(Contains("p-ingress")));
  EXPECT_THAT(fixture_.kube.names(kube::kDeployments), Contains("p-bridge"));
  put_secret({{"other", "YQ=="}, {"token", "YQ=="}});
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_THAT(fixture_.condition("ConfigValid"), StartsWith("True"));
  EXPECT_THAT(fixture_.kube.names(kube::kDeployments), Contains("p-ingress"));
}

TEST_F(SecretsOfAPipeline, ACertificateNeedsBothOfItsKeys) {
  put_secret({{"tls.crt", "YQ=="}});
  Json object = ControllerFixture::pipeline();
  object["spec"]["ingress"]["tls"]["secretName"] = "keys";
  fixture_.install(object);
  EXPECT_THAT(fixture_.message("ConfigValid"),
              AllOf(HasSubstr("spec.ingress.tls.secretName"), HasSubstr("no key \"tls.key\"")));
}

TEST_F(SecretsOfAPipeline, AKeyThatIsDeletedStopsNothing) {
  put_secret({{"password", "YQ=="}, {"header", "YQ=="}});
  fixture_.install(with_password_and_header());
  const std::string exporter = fixture_.revision_of(kube::kDeployments, "p-tempo");
  const std::string bridge = fixture_.revision_of(kube::kDeployments, "p-bridge");
  put_secret({{"password", "YQ=="}});
  fixture_.pass(std::chrono::seconds(30));
  EXPECT_EQ(fixture_.condition("ConfigValid"), "False: SecretMissing");
  EXPECT_THAT(fixture_.condition("Ready"), StartsWith("True")) << "its pods run on";
  EXPECT_EQ(fixture_.revision_of(kube::kDeployments, "p-tempo"), exporter);
  EXPECT_EQ(fixture_.revision_of(kube::kDeployments, "p-bridge"), bridge);
}

TEST_F(SecretsOfAPipeline, AMissingKeyHoldsOnlyTheComponentThatMountsIt) {
  put_secret({{"password", "YQ=="}});
  fixture_.install(with_password_and_header());
  EXPECT_THAT(fixture_.kube.names(kube::kDeployments), Not(Contains("p-tempo")));
  EXPECT_THAT(fixture_.kube.names(kube::kDeployments), Contains("p-bridge"));
  EXPECT_THAT(fixture_.kube.names(kube::kJobs), Not(IsEmpty())) << "it needs the password only";
  fixture_.pass(std::chrono::seconds(120));
  const std::string bridge = fixture_.revision_of(kube::kDeployments, "p-bridge");
  put_secret({{"password", "Yg=="}});
  fixture_.pass(std::chrono::seconds(240));
  EXPECT_NE(fixture_.revision_of(kube::kDeployments, "p-bridge"), bridge)
      << "a password that changes counts although the header is missing";
}

// The ingress reads its tokens again, so they are no part of its revision.
TEST_F(SecretsOfAPipeline, ASecretThatIsCorrectedIsTriedAgainAfterARollback) {
  put_secret({{"token", "YQ=="}, {"empty", ""}});
  fixture_.install(with_token("token"));
  const std::string before = fixture_.revision_of(kube::kDeployments, "p-ingress");
  bool crashes = true;
  fixture_.kube.fate = [&](const Json& pod) {
    fakes::FakeKube::PodFate fate;
    if (crashes && kube::string_at(pod, "metadata/labels/spanway.dev~1component") == "ingress" &&
        kube::string_at(pod, "metadata/annotations/spanway.dev~1revision") != before)
      fate.kind = fakes::FakeKube::PodFate::Kind::kCrashes;
    return fate;
  };
  fixture_.change(with_token("empty")["spec"]);
  fixture_.pass(std::chrono::seconds(120));
  ASSERT_THAT(fixture_.condition("RolledBack"), StartsWith("True"));
  const std::string failed = decide::rollout_memory(fixture_.status()).failed_revision;

  crashes = false;
  fixture_.restart();
  fixture_.pass(std::chrono::seconds(120));
  EXPECT_EQ(decide::rollout_memory(fixture_.status()).failed_revision, failed)
      << "nothing has changed: not tried again";
  EXPECT_EQ(fixture_.revision_of(kube::kDeployments, "p-ingress"), before);

  put_secret({{"token", "YQ=="}, {"empty", "Yg=="}});
  fixture_.pass(std::chrono::seconds(240));
  EXPECT_THAT(fixture_.condition("RolledBack"), StartsWith("False"));
  EXPECT_NE(fixture_.revision_of(kube::kDeployments, "p-ingress"), before);
}

}  // namespace
}  // namespace spanway::reconcile
