#include "services/lib/auth/authenticator.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace spanway::auth {
namespace {

constexpr KeyedHash::Key kKey = {1, 2, 3, 4};

class AuthenticatorTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Authenticator>> create(AuthConfig config) {
    return Authenticator::create(
        std::move(config),
        [this](const std::string& path) -> std::optional<std::string> {
          const auto found = files_.find(path);
          if (found == files_.end()) return std::nullopt;
          return found->second;
        },
        kKey);
  }
  static AuthConfig bearer() {
    AuthConfig config;
    config.mode = AuthMode::kBearer;
    config.tokens.push_back({Secret("alpha"), "", "acme"});
    config.tokens.push_back({Secret(), "/run/token", "umbrella"});
    return config;
  }
  static http::RequestHead with(std::string authorization) {
    http::RequestHead head;
    head.headers.add("authorization", std::move(authorization));
    return head;
  }
  static std::string reason_of(const Result<Identity>& result) {
    if (result.ok()) return "ok";
    EXPECT_EQ(result.error().code, Code::kUnauthenticated);
    EXPECT_EQ(result.error().refusal, Refusal::kConfiguration);
    return result.error().reason;
  }

  std::map<std::string, std::string> files_ = {{"/run/token", " beta\n"}};
};

TEST_F(AuthenticatorTest, AdmitsAllClientsOnlyWithModeNone) {
  const auto authenticator = create({});
  ASSERT_TRUE(authenticator.ok());
  EXPECT_TRUE(authenticator.value()->authenticate({}).ok());
  EXPECT_EQ(authenticator.value()->challenge(), "");
}

TEST_F(AuthenticatorTest, KnowsTokensFromConfigurationAndFiles) {
  const auto authenticator = create(bearer());
  ASSERT_TRUE(authenticator.ok());
  const auto first = authenticator.value()->authenticate(with("Bearer alpha"));
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->tenant, "acme");
  const auto second = authenticator.value()->authenticate(with("bEARER   beta"));
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->tenant, "umbrella");
}

TEST_F(AuthenticatorTest, FailsClosedForEveryOtherHeader) {
  const auto created = create(bearer());
  ASSERT_TRUE(created.ok());
  const Authenticator& authenticator = *created.value();
  EXPECT_EQ(reason_of(authenticator.authenticate({})), "auth_missing");
  http::RequestHead twice = with("Bearer alpha");
  twice.headers.add("authorization", "Bearer alpha");
  EXPECT_EQ(reason_of(authenticator.authenticate(twice)), "auth_duplicate_header");
  for (const char* header :
       {"", "alpha", "Bearer", "Bearer ", "Basic alpha", "Beareralpha", "Bearer\talpha"})
    EXPECT_EQ(reason_of(authenticator.authenticate(with(header))), "auth_scheme") << header;
  for (const std::string& token :
       {std::string("alph"), std::string("alpha "), std::string("alphaa"), std::string("Alpha"),
        std::string("alpha\0", 6), std::string(1'000'000, 'x')})
    EXPECT_EQ(reason_of(authenticator.authenticate(with("Bearer " + token))),
              "auth_unknown_credential");
}

TEST_F(AuthenticatorTest, NeverReportsACredential) {
  const auto created = create(bearer());
  ASSERT_TRUE(created.ok());
  const auto refused = created.value()->authenticate(with("Bearer guess"));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message.find("guess"), std::string::npos);
  EXPECT_EQ(refused.error().message.find("alpha"), std::string::npos);
}

TEST_F(AuthenticatorTest, ChecksUserAndPasswordTogether) {
  AuthConfig config;
  config.mode = AuthMode::kBasic;
  config.users.push_back({"shop", Secret("pass:word"), "", "acme"});
  const auto created = create(config);
  ASSERT_TRUE(created.ok());
  // base64 of "shop:pass:word", "shop:password" and "shop:pass:word" without padding.
  const auto good = created.value()->authenticate(with("Basic c2hvcDpwYXNzOndvcmQ="));
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(good->tenant, "acme");
  EXPECT_EQ(reason_of(created.value()->authenticate(with("Basic c2hvcDpwYXNzd29yZA=="))),
            "auth_unknown_credential");
  EXPECT_EQ(reason_of(created.value()->authenticate(with("Basic c2hvcDpwYXNzOndvcmQ"))),
            "auth_unknown_credential");
  // The same bytes spelt with other unused bits: one credential has one spelling.
  EXPECT_EQ(reason_of(created.value()->authenticate(with("Basic c2hvcDpwYXNzOndvcmR="))),
            "auth_unknown_credential");
  EXPECT_TRUE(created.value()->challenge().starts_with("Basic "));
}

TEST_F(AuthenticatorTest, RefusesToStartWithoutUsableCredentials) {
  AuthConfig empty;
  empty.mode = AuthMode::kBearer;
  EXPECT_FALSE(create(empty).ok());
  files_["/run/token"] = "\n";
  EXPECT_FALSE(create(bearer()).ok());
  files_.erase("/run/token");
  const auto unreadable = create(bearer());
  ASSERT_FALSE(unreadable.ok());
  EXPECT_NE(unreadable.error().message.find("/run/token"), std::string::npos);
  files_["/run/token"] = "alpha";
  const auto twice = create(bearer());
  ASSERT_FALSE(twice.ok());
  EXPECT_EQ(twice.error().code, Code::kAlreadyExists);
}

TEST_F(AuthenticatorTest, TakesAChangedFileAndKeepsTheOldTokenWhenItIsBroken) {
  const auto created = create(bearer());
  ASSERT_TRUE(created.ok());
  Authenticator& authenticator = *created.value();
  EXPECT_FALSE(authenticator.reload().value());
  files_["/run/token"] = "gamma\n";
  EXPECT_TRUE(authenticator.reload().value());
  EXPECT_EQ(reason_of(authenticator.authenticate(with("Bearer gamma"))), "ok");
  EXPECT_EQ(reason_of(authenticator.authenticate(with("Bearer beta"))), "auth_unknown_credential");
  files_["/run/token"] = "";
  EXPECT_FALSE(authenticator.reload().ok());
  EXPECT_EQ(reason_of(authenticator.authenticate(with("Bearer gamma"))), "ok");
}

TEST_F(AuthenticatorTest, ReadsAnInlineFileReferenceAgainAsItDoesATokenFile) {
  files_["/run/token"] = "beta\n";
  AuthConfig config;
  config.mode = AuthMode::kBearer;
  config.tokens.push_back({Secret("x-beta", "x-${file:/run/token}"), "", "acme"});
  const auto created = create(config);
  ASSERT_TRUE(created.ok());
  EXPECT_EQ(reason_of(created.value()->authenticate(with("Bearer x-beta"))), "ok");
  files_["/run/token"] = "gamma\n";
  EXPECT_TRUE(created.value()->reload().value());
  EXPECT_EQ(reason_of(created.value()->authenticate(with("Bearer x-gamma"))), "ok");
  files_["/run/token"] = "\n";
  const auto empty = created.value()->reload();
  ASSERT_FALSE(empty.ok());
  EXPECT_TRUE(empty.error().message.starts_with("auth.tokens[0].token: the file '/run/token'"))
      << empty.error().message;
}

TEST(ReadSmallFile, SaysNothingForWhatIsMissing) {
  EXPECT_EQ(read_small_file("/nonexistent/token"), std::nullopt);
}

}  // namespace
}  // namespace spanway::auth
