#include "services/lib/objectstore/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <future>
#include <map>
#include <string>

#include "tests/fakes/fake_http_backend.h"
#include "tests/fakes/manual_clock.h"

namespace spanway::objectstore {
namespace {

using fakes::SeenRequest;
using testing::HasSubstr;
using testing::Not;
using CredentialsResult = Result<std::shared_ptr<const Credentials>>;

class CredentialsTest : public testing::Test {
 protected:
  CredentialsProvider& provider(CredentialsOptions options = {}) {
    options.region = "eu-central-1";
    options.environment = [this](const char* name) -> std::optional<std::string> {
      const auto found = environment_.find(name);
      return found == environment_.end() ? std::nullopt : std::optional(found->second);
    };
    provider_ = CredentialsProvider::create(std::move(options), io_, clock_);
    return *provider_;
  }
  CredentialsResult get() {
    std::promise<CredentialsResult> answer;
    provider_->get(Deadline::after(system_clock(), std::chrono::seconds(20)),
                   [&](CredentialsResult result) { answer.set_value(std::move(result)); });
    return answer.get_future().get();
  }
  std::string key() {
    const auto credentials = get();
    return credentials.ok() ? (*credentials)->access_key_id : credentials.error().message;
  }
  std::string write(const std::string& name, const std::string& content) {
    const std::string path = testing::TempDir() + "credentials_test_" + name;
    std::ofstream(path) << content;
    return path;
  }
  // STS on the fake, with credentials that expire an hour after the start of the manual clock.
  void use_sts() {
    environment_ = {{"AWS_ROLE_ARN", "arn:aws:iam::1:role/r"},
                    {"AWS_WEB_IDENTITY_TOKEN_FILE", write("token", "jwt\n")},
                    {"AWS_ENDPOINT_URL_STS", sts_.url()}};
    sts_.answer_with([](const SeenRequest&) {
      return fakes::http_answer(
          200,
          "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
          "<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIA1</AccessKeyId>"
          "<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
          "<Expiration>2026-01-01T01:00:00Z</Expiration></Credentials>"
          "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
          "text/xml");
    });
  }

  std::map<std::string, std::string> environment_;
  fakes::ManualClock clock_;
  fakes::FakeHttpBackend sts_;
  http::IoPool io_{"credentials", 1};
  std::shared_ptr<CredentialsProvider> provider_;
};

TEST_F(CredentialsTest, ComeFromTheEnvironment) {
  environment_ = {
      {"AWS_ACCESS_KEY_ID", "AKIA1"}, {"AWS_SECRET_ACCESS_KEY", "s"}, {"AWS_SESSION_TOKEN", "t"}};
  provider();
  const auto credentials = get();
  ASSERT_TRUE(credentials.ok());
  EXPECT_EQ((*credentials)->access_key_id, "AKIA1");
  EXPECT_EQ((*credentials)->session_token.reveal(), "t");
}

TEST_F(CredentialsTest, AKeyWithoutItsSecretIsAConfigurationError) {
  environment_ = {{"AWS_ACCESS_KEY_ID", "AKIA1"}};
  provider();
  const auto credentials = get();
  ASSERT_FALSE(credentials.ok());
  EXPECT_EQ(credentials.error().refusal, Refusal::kConfiguration);
  EXPECT_STREQ(credentials.error().reason, "s3_no_credentials");
}

TEST_F(CredentialsTest, ComeFromAProfileOfAFile) {
  const std::string path = write("file",
                                 "# keys\n[default]\naws_access_key_id = AKIA1\n"
                                 "aws_secret_access_key = s=1\n[other]\r\n"
                                 "aws_access_key_id=AKIA2\r\naws_secret_access_key=s2\r\n");
  provider({.source = CredentialsSource::kFile, .file = path});
  const auto credentials = get();
  ASSERT_TRUE(credentials.ok()) << credentials.error().message;
  EXPECT_EQ((*credentials)->access_key_id, "AKIA1");
  EXPECT_EQ((*credentials)->secret_access_key.reveal(), "s=1");
  environment_["AWS_PROFILE"] = "other";
  provider({.source = CredentialsSource::kFile, .file = path});
  EXPECT_EQ(key(), "AKIA2");
}

TEST_F(CredentialsTest, AMissingFileOrProfileIsNamedAndItsContentIsNot) {
  provider({.source = CredentialsSource::kFile, .file = "/nowhere/credentials"});
  EXPECT_THAT(key(), HasSubstr("/nowhere/credentials"));
  const std::string path = write("one", "[one]\naws_access_key_id=AKIASECRET\n");
  provider({.source = CredentialsSource::kFile, .file = path, .profile = "two"});
  EXPECT_THAT(key(), testing::AllOf(HasSubstr("profile two"), Not(HasSubstr("AKIASECRET"))));
  provider({.source = CredentialsSource::kFile, .file = testing::TempDir()});
  EXPECT_THAT(key(), HasSubstr(testing::TempDir()));
}

TEST_F(CredentialsTest, ARotatedFileIsReadAfterAMinuteOrARefusal) {
  const std::string path =
      write("rotated", "[default]\naws_access_key_id=OLD\naws_secret_access_key=s\n");
  provider({.source = CredentialsSource::kFile, .file = path});
  EXPECT_EQ(key(), "OLD");
  write("rotated", "[default]\naws_access_key_id=NEW\naws_secret_access_key=s\n");
  EXPECT_EQ(key(), "OLD");
  clock_.advance(std::chrono::seconds(61));
  EXPECT_EQ(key(), "NEW");
  write("rotated", "[default]\naws_access_key_id=NEWER\naws_secret_access_key=s\n");
  provider_->forget();
  EXPECT_EQ(key(), "NEWER");
}

TEST_F(CredentialsTest, AWebIdentityTokenIsExchangedAndRenewedBeforeItExpires) {
  use_sts();
  provider();
  EXPECT_EQ(key(), "ASIA1");
  const auto requests = sts_.requests();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_THAT(requests[0].body, HasSubstr("Action=AssumeRoleWithWebIdentity"));
  EXPECT_THAT(requests[0].body, HasSubstr("WebIdentityToken=jwt"));
  EXPECT_THAT(requests[0].body, Not(HasSubstr("%0A")));
  EXPECT_THAT(requests[0].body, HasSubstr("RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr"));
  clock_.advance(std::chrono::minutes(54));
  EXPECT_EQ(key(), "ASIA1");
  EXPECT_EQ(sts_.requests().size(), 1u);
  clock_.advance(std::chrono::minutes(2));
  EXPECT_EQ(key(), "ASIA1");
  EXPECT_EQ(sts_.requests().size(), 2u);
}

TEST_F(CredentialsTest, ManyCallersWaitForOneExchange) {
  use_sts();
  sts_.answer_with([](const SeenRequest&) -> fakes::Answer { return std::nullopt; });
  provider();
  std::vector<std::promise<CredentialsResult>> answers(3);
  for (auto& answer : answers)
    provider_->get(Deadline::after(system_clock(), std::chrono::seconds(20)),
                   [&](CredentialsResult result) { answer.set_value(std::move(result)); });
  ASSERT_TRUE(sts_.wait_for_requests(1));
  sts_.release([] { return fakes::http_answer(503, "busy"); });
  for (auto& answer : answers) {
    const auto result = answer.get_future().get();
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().refusal, Refusal::kTransient);
  }
  EXPECT_EQ(sts_.requests().size(), 1u);
}

TEST_F(CredentialsTest, ARefusedTokenIsAConfigurationErrorThatNamesSts) {
  use_sts();
  sts_.answer_with([](const SeenRequest&) {
    return fakes::http_answer(400,
                              "<ErrorResponse><Error><Code>ExpiredTokenException</Code>"
                              "<Message>Token expired</Message></Error></ErrorResponse>",
                              "text/xml");
  });
  provider();
  const auto credentials = get();
  ASSERT_FALSE(credentials.ok());
  EXPECT_EQ(credentials.error().refusal, Refusal::kConfiguration);
  EXPECT_STREQ(credentials.error().reason, "s3_expired_credentials");
  EXPECT_THAT(credentials.error().message, HasSubstr("STS"));
}

}  // namespace
}  // namespace spanway::objectstore
