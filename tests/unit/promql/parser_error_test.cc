// Queries that the grammar or the types refuse: position and words.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "services/query/promql/parser.h"

namespace spanway::query::promql {
namespace {

class Refuses : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(Refuses, WithPositionAndWord) {
  const auto& [query, message] = GetParam();
  const auto expr = parse(query, {.experimental = true});
  ASSERT_FALSE(expr.ok()) << query;
  EXPECT_EQ(expr.error().message, message);
  EXPECT_EQ(expr.error().code, Code::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(
    Grammar, Refuses,
    testing::ValuesIn(std::vector<std::pair<const char*, const char*>>{
        {"", "unknown position: parse error: no expression found in input"},
        {"1 +", "1:4: parse error: unexpected end of input"},
        {"a b", "1:3: parse error: unexpected identifier \"b\""},
        {"a\n  ) ", "2:4: parse error: unexpected right parenthesis ')'"},
        {"a{b='c' d}",
         "1:9: parse error: unexpected identifier \"d\" in label matching, expected \",\" or "
         "\"}\""},
        {"a{b}",
         "1:4: parse error: unexpected \"}\" in label matching, expected label matching operator"},
        {"a{b=c}",
         "1:5: parse error: unexpected identifier \"c\" in label matching, expected string"},
        {"a{=}",
         "1:3: parse error: unexpected \"=\" in label matching, expected identifier or \"}\""},
        {"a[0m]", "1:3: parse error: duration must be greater than 0"},
        {"a[1/0]", "1:4: parse error: division by zero"},
        {"a offset b",
         "1:10: parse error: unexpected identifier \"b\" in offset, expected number, duration, "
         "step(), or range()"},
        {"a @ b", "1:5: parse error: unexpected identifier \"b\" in @, expected timestamp"},
        {"a offset 1m offset 1m", "1:1: parse error: offset may not be set multiple times"},
        {"a @ 1 @ 2", "1:1: parse error: @ <timestamp> may not be set multiple times"},
        {"1 offset 1m",
         "1:1: parse error: offset modifier must be preceded by an instant vector selector or "
         "range vector selector or a subquery"},
        {"(a + b)[5m]", "1:8: parse error: ranges only allowed for vector selectors"},
        {"a offset 1m[5m]", "1:12: parse error: no offset modifiers allowed before range"},
        {"sum by b (a)",
         "1:8: parse error: unexpected identifier \"b\" in grouping opts, expected \"(\""},
        {"nope(a)", "1:1: parse error: unknown function with name \"nope\""},
        {"rate(a[5m],)", "1:11: parse error: trailing commas not allowed in function call args"}}));

INSTANTIATE_TEST_SUITE_P(
    Types, Refuses,
    testing::ValuesIn(std::vector<std::pair<const char*, const char*>>{
        {"rate(a)",
         "1:6: parse error: expected type range vector in call to function \"rate\", got instant "
         "vector"},
        {"sum(1)",
         "1:5: parse error: expected type instant vector in aggregation expression, got scalar"},
        {"topk(a)",
         "1:1: parse error: wrong number of arguments for aggregate expression provided, expected "
         "2, got 1"},
        {"1 == 1", "1:3: parse error: comparisons between scalars must use BOOL modifier"},
        {"a + bool b", "1:3: parse error: bool modifier can only be used on comparison operators"},
        {"1 and a",
         "1:1: parse error: set operator \"and\" not allowed in binary scalar expression"},
        {"a and on(x) group_left b", "1:1: parse error: no grouping allowed for \"and\" operation"},
        {"a + on(x) 1", "1:1: parse error: vector matching only allowed between instant vectors"},
        {"a[5m] + 1",
         "1:1: parse error: binary expression must contain only scalar and instant vector types"},
        {"{}", "1:1: parse error: vector selector must contain at least one non-empty matcher"},
        {"a{__name__='b'}", "1:1: parse error: metric name must not be set twice: \"a\" or \"b\""},
        {"time(1)", "1:1: parse error: expected 0 argument(s) in call to \"time\", got 1"},
        {"round()",
         "1:1: parse error: expected at least 1 argument(s) in call to \"round\", got 0"},
        {"1[5m:]",
         "1:1: parse error: subquery is only allowed on instant vector, got scalar instead"},
        {"-'a'",
         "1:1: parse error: unary expression only allowed on expressions of type scalar or instant "
         "vector, got \"string\""},
        {"a / on(x) group_left(x) b",
         "1:3: parse error: label \"x\" must not occur in ON and GROUP clause at once"}}));

TEST(Bounds, OfNestingOfTheTreeAndOfBytes) {
  EXPECT_TRUE(parse(std::string(100, '(') + "1" + std::string(100, ')'), {}).ok());
  EXPECT_FALSE(parse(std::string(200, '(') + "1" + std::string(200, ')'), {}).ok());
  std::string chain = "1";
  for (int i = 0; i < 900; ++i) chain += "+1";
  EXPECT_TRUE(parse(chain, {}).ok());
  for (int i = 0; i < 200; ++i) chain += "+1";
  EXPECT_FALSE(parse(chain, {}).ok());
  EXPECT_FALSE(parse(std::string(kQueryBytesMax, ' ') + "1", {}).ok());
}

TEST(Experimental, IsRefusedUnlessItIsOn) {
  for (const char* query :
       {"a[1m+1m]", "a smoothed", "a + fill(0) b", "limitk(1, a)", "mad_over_time(a[5m])"})
    EXPECT_FALSE(parse(query, {}).ok()) << query;
}

}  // namespace
}  // namespace spanway::query::promql
