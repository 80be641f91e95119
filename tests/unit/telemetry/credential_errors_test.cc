#include "services/lib/telemetry/credential_errors.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace spanway::telemetry {
namespace {

using Texts = std::vector<std::string>;

Status problem(const std::string& text) {
  return configuration_error(Code::kFailedPrecondition, text);
}

TEST(CredentialErrors, AnErrorStaysUntilTheCredentialCanBeUsed) {
  const CredentialErrors errors;
  const CredentialReporter reporter(errors);
  reporter.report("auth", problem("auth.tokens[0].token_file: is empty"));
  reporter.report("tls", problem("no certificate in it"));
  EXPECT_EQ(errors.list(),
            (Texts{"auth.tokens[0].token_file: is empty", "tls: no certificate in it"}));
  reporter.report("auth", problem("auth.tokens[0].token_file: cannot be read"));
  EXPECT_EQ(errors.list(),
            (Texts{"auth.tokens[0].token_file: cannot be read", "tls: no certificate in it"}));
  reporter.report("auth", ok_status());
  reporter.report("tls", ok_status());
  EXPECT_EQ(errors.list(), Texts{});
}

TEST(CredentialErrors, ComponentsDoNotChangeTheEntriesOfOthers) {
  const CredentialErrors errors;
  std::optional<CredentialReporter> one(std::in_place, errors);
  const CredentialReporter other(errors);
  one->report("tls", problem("one"));
  other.report("tls", problem("other"));
  EXPECT_EQ(errors.list(), (Texts{"tls: one", "tls: other"}));
  other.report("tls", ok_status());
  EXPECT_EQ(errors.list(), Texts{"tls: one"});
  std::optional<CredentialReporter> copy(*one);
  one.reset();
  EXPECT_EQ(errors.list(), Texts{"tls: one"}) << "a copy has it";
  copy.reset();
  EXPECT_EQ(errors.list(), Texts{}) << "its component is gone";
}

TEST(CredentialErrors, EqualTextsAreListedOnce) {
  const CredentialErrors errors;
  const CredentialReporter producer(errors);
  const CredentialReporter consumer(errors);
  producer.report("kafka", problem("kafka.sasl.password_file: is empty"));
  consumer.report("kafka", problem("kafka.sasl.password_file: is empty"));
  EXPECT_EQ(errors.list(), Texts{"kafka.sasl.password_file: is empty"});
}

TEST(CredentialErrors, AreReadAgainBeforeEachList) {
  const CredentialErrors errors;
  const CredentialReporter reporter(errors);
  Status read = problem("the file is empty");
  int calls = 0;
  std::optional<CredentialRefresher> refresher(std::in_place, errors, [&] {
    ++calls;
    reporter.report("headers.authorization", read);
  });
  EXPECT_EQ(errors.list(), Texts{"headers.authorization: the file is empty"});
  read = ok_status();
  EXPECT_EQ(errors.list(), Texts{});
  refresher.reset();
  EXPECT_EQ(errors.list(), Texts{});
  EXPECT_EQ(calls, 2);
}

TEST(CredentialErrors, AreBounded) {
  const CredentialErrors errors;
  const CredentialReporter reporter(errors);
  for (int i = 0; i < 1000; ++i) reporter.report("headers." + std::to_string(i), problem("empty"));
  EXPECT_EQ(errors.list().size(), CredentialErrors::kListedMax);
  for (std::size_t i = 0; i < CredentialReporter::kKeysMax; ++i)
    reporter.report("headers." + std::to_string(i), ok_status());
  EXPECT_EQ(errors.list(), Texts{});
}

}  // namespace
}  // namespace spanway::telemetry
