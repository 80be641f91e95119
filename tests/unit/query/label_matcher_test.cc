#include "services/query/labels/label_matcher.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace spanway::query {
namespace {

bool matches(const LabelMatcher& matcher, const Labels& labels) {
  const auto compiled = LabelMatchers::create(std::vector{matcher});
  EXPECT_TRUE(compiled.ok());
  return compiled->matches(labels);
}

TEST(LabelMatchers, AMissingLabelHasAnEmptyValue) {
  const Labels labels = {{"a", "1"}};
  EXPECT_TRUE(matches({"b", MatchOp::kEqual, ""}, labels));
  EXPECT_TRUE(matches({"b", MatchOp::kNotEqual, "1"}, labels));
  EXPECT_TRUE(matches({"b", MatchOp::kRegex, ".*"}, labels));
  EXPECT_FALSE(matches({"b", MatchOp::kRegex, ".+"}, labels));
  EXPECT_TRUE(matches({"b", MatchOp::kNotRegex, ".+"}, labels));
}

TEST(LabelMatchers, ARegexMatchesTheValueFromItsBeginToItsEnd) {
  const Labels labels = {{"a", "one\ntwo"}};
  EXPECT_FALSE(matches({"a", MatchOp::kRegex, "one"}, labels));
  EXPECT_TRUE(matches({"a", MatchOp::kRegex, "one.*"}, labels)) << "'.' is a line feed, too";
  EXPECT_TRUE(matches({"a", MatchOp::kRegex, "x|one.two"}, labels));
}

TEST(Regex, FindsAnywhereInALine) {
  const auto regex = Regex::within("b.d");
  ASSERT_TRUE(regex.ok());
  EXPECT_TRUE(regex->matches("abcde"));
  EXPECT_FALSE(regex->matches("ab\nde"));
}

TEST(Regex, ABadOrTooLongPatternIsAnErrorOfTheClient) {
  for (const std::string& pattern : {std::string("a("), std::string(5000, 'a')}) {
    const auto regex = Regex::whole(pattern);
    ASSERT_FALSE(regex.ok());
    EXPECT_EQ(regex.error().code, Code::kInvalidArgument);
    EXPECT_EQ(regex.error().refusal, Refusal::kData);
  }
  // Exponential for engines that backtrack.
  const auto bomb = Regex::whole("(a+)+b");
  ASSERT_TRUE(bomb.ok());
  EXPECT_FALSE(bomb->matches(std::string(5000, 'a')));
}

}  // namespace
}  // namespace spanway::query
