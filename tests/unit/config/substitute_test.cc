#include "services/lib/config/substitute.h"

#include <gtest/gtest.h>

namespace spanway::config {
namespace {

Sources test_sources() {
  Sources sources;
  sources.environment = {{"NAME", "value"}, {"EMPTY", ""}, {"NESTED", "${env:NAME}"}};
  sources.read_file = [](const std::string& path) -> std::optional<std::string> {
    if (path == "/token") return "secret\n\r\n";
    if (path == "/two-lines") return "a\nb\n";
    return std::nullopt;
  };
  return sources;
}

std::string substituted(std::string_view text) {
  auto result = substitute(text, test_sources());
  return result.ok() ? result->text : "error: " + result.error().message;
}

TEST(Substitute, PutsInVariablesDefaultsAndFiles) {
  EXPECT_EQ(substituted("a-${env:NAME}-b"), "a-value-b");
  EXPECT_EQ(substituted("${env:NAME}${env:NAME}"), "valuevalue");
  EXPECT_EQ(substituted("${env:MISSING:-fallback}"), "fallback");
  EXPECT_EQ(substituted("${env:MISSING:-}"), "");
  EXPECT_EQ(substituted("${env:EMPTY:-fallback}"), "fallback");
  EXPECT_EQ(substituted("${env:EMPTY}"), "");
  EXPECT_EQ(substituted("${env:MISSING:-a:-b}"), "a:-b");
  EXPECT_EQ(substituted("${file:/token}"), "secret");
  EXPECT_EQ(substituted("${file:/two-lines}"), "a\nb");
}

TEST(Substitute, TakesTwoDollarsForOne) {
  EXPECT_EQ(substituted("$$"), "$");
  EXPECT_EQ(substituted("$${env:NAME}"), "${env:NAME}");
  EXPECT_EQ(substituted("$$$${env:NAME}"), "$${env:NAME}");
  EXPECT_EQ(substituted("$$${env:NAME}"), "$value");
  EXPECT_EQ(substituted("a$b$"), "a$b$");
}

TEST(Substitute, SubstitutesOnlyOnce) { EXPECT_EQ(substituted("${env:NESTED}"), "${env:NAME}"); }

TEST(Substitute, RefusesBadForms) {
  for (const char* text : {"${", "${}", "${NAME}", "${env:}", "${env:a-b}", "${env:1a}", "${file:}",
                           "${file:/missing}", "${env:MISSING}", "${Env:NAME}", "x${env:NAME"})
    EXPECT_TRUE(substituted(text).starts_with("error: ")) << text << " -> " << substituted(text);
}

TEST(Substitute, ChecksOnlyTheFormWhenNothingIsResolved) {
  Sources sources = test_sources();
  sources.resolve_nothing = true;
  const auto complete = substitute("a-${env:MISSING}-$$", sources);
  ASSERT_TRUE(complete.ok());
  EXPECT_TRUE(complete->unresolved);
  EXPECT_EQ(complete->text, "a-${env:MISSING}-$$");
  EXPECT_FALSE(substitute("${env:a-b}", sources).ok());
  EXPECT_FALSE(substitute("${", sources).ok());
  const auto plain = substitute("a$$b", sources);
  ASSERT_TRUE(plain.ok());
  EXPECT_FALSE(plain->unresolved);
  EXPECT_EQ(plain->text, "a$b");
}

TEST(EscapeDollars, IsUndoneBySubstitute) {
  for (const char* text : {"", "$", "$$", "${env:NAME}", "a$b{c}", "$$$"})
    EXPECT_EQ(substituted(escape_dollars(text)), text);
}

}  // namespace
}  // namespace spanway::config
