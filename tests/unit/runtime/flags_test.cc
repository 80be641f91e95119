#include "services/lib/runtime/flags.h"

#include <gtest/gtest.h>

#include <vector>

namespace spanway::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class FlagSetTest : public testing::Test {
 protected:
  FlagSetTest() {
    set_.add("name", name_, "a name");
    set_.add("rate", rate_, "a rate");
    set_.add("count", count_, "a count");
    set_.add("port", port_, "a port");
    set_.add("wait", wait_, "a wait");
    set_.add("tls", tls_, "a switch");
    set_.add("header", headers_, "headers");
  }
  Status parse(std::vector<std::string_view> arguments) { return set_.parse(arguments); }

  std::string name_ = "n";
  double rate_ = 2.5;
  std::uint64_t count_ = 3;
  std::optional<std::uint16_t> port_;
  Duration wait_ = seconds(4);
  bool tls_ = false;
  std::vector<std::string> headers_;
  FlagSet set_{"test [flags]", "A test."};
};

TEST_F(FlagSetTest, TakesOneDashAndTwoWithAndWithoutEquals) {
  ASSERT_TRUE(parse({"-rate", "10", "--count=7", "-wait=300ms", "--port", "0", "--tls", "--header",
                     "a=b", "-header=c=d", "--name", "-x"})
                  .ok());
  EXPECT_EQ(rate_, 10);
  EXPECT_EQ(count_, 7u);
  EXPECT_EQ(wait_, milliseconds(300));
  EXPECT_EQ(port_, std::uint16_t{0});
  EXPECT_TRUE(tls_);
  EXPECT_EQ(headers_, (std::vector<std::string>{"a=b", "c=d"}));
  EXPECT_EQ(name_, "-x");
  EXPECT_TRUE(set_.given("rate"));
}

TEST_F(FlagSetTest, KeepsDefaults) {
  ASSERT_TRUE(parse({}).ok());
  EXPECT_EQ(name_, "n");
  EXPECT_EQ(port_, std::nullopt);
  EXPECT_FALSE(set_.given("rate"));
}

TEST_F(FlagSetTest, ReportsEveryMistakeAtOnce) {
  const Status status = parse({"--rate", "-5", "--count", "1.5", "--port=70000", "--wait", "5",
                               "--tls=maybe", "--nope", "word", "--name"});
  ASSERT_FALSE(status.ok());
  for (const char* part : {"--rate -5", "--count 1.5", "--port 70000", "--wait 5", "--tls maybe",
                           "--nope", "'word'", "--name needs"}) {
    EXPECT_NE(status.error().message.find(part), std::string::npos) << part;
  }
}

TEST_F(FlagSetTest, HelpListsEveryFlagWithItsDefault) {
  ASSERT_TRUE(parse({"--help"}).ok());
  EXPECT_TRUE(set_.help_requested());
  const std::string help = set_.help();
  EXPECT_NE(help.find("usage: test [flags]"), std::string::npos);
  EXPECT_NE(help.find("a rate (default 2.5)"), std::string::npos);
  EXPECT_NE(help.find("a wait (default 4s)"), std::string::npos);
}

TEST(FlagSetWords, FromTheFirstWordOnUnknownFlagsAreWordsToo) {
  std::string config;
  std::vector<std::string> words;
  FlagSet set("", "");
  set.add("config", config, "");
  set.add_words(words);
  ASSERT_TRUE(set.parse({"topics", "--dry-run", "--config", "f", "-"}).ok());
  EXPECT_EQ(config, "f");
  EXPECT_EQ(words, (std::vector<std::string>{"topics", "--dry-run", "-"}));
}

TEST(FlagSetWords, WithoutThemAWordIsAMistakeAndSoIsAnUnknownFlagInFront) {
  FlagSet set("", "");
  EXPECT_FALSE(set.parse({"word"}).ok());
  std::vector<std::string> words;
  set.add_words(words);
  EXPECT_EQ(set.parse({"--hepl", "word"}).error().message,
            "unknown argument '--hepl' (did you mean '--help'?); see --help");
}

TEST(FlagSetCustom, TakesAliasesAndSettersWithTheirExpectation) {
  std::string file;
  std::string place;
  FlagSet set("", "");
  set.add("file", file, "");
  set.add_alias("f", "file");
  set.add(
      "endpoint",
      [&place](std::string_view text) {
        place = text;
        return text.find(':') != std::string_view::npos;
      },
      "host:port", "where to");
  ASSERT_TRUE(set.parse({"-f", "x", "--endpoint", "a:1"}).ok());
  EXPECT_EQ(file, "x");
  EXPECT_EQ(place, "a:1");
  EXPECT_EQ(set.parse({"--endpoint=a"}).error().message, "--endpoint a: expected host:port");
  EXPECT_NE(set.flags_help().find("-f, --file"), std::string::npos);
}

}  // namespace
}  // namespace spanway::runtime
