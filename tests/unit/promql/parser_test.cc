// Queries that the grammar accepts, by its printed form.
#include "services/query/promql/parser.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace spanway::query::promql {
namespace {

std::string printed(std::string_view query) {
  const auto expr = parse(query, {.experimental = true});
  return expr.ok() ? to_string(**expr) : expr.error().message;
}

class Prints : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(Prints, AndParsesAgain) {
  const auto& [query, expected] = GetParam();
  EXPECT_EQ(printed(query), expected);
  EXPECT_EQ(printed(expected), expected);
}

INSTANTIATE_TEST_SUITE_P(Literals, Prints,
                         testing::ValuesIn(std::vector<std::pair<const char*, const char*>>{
                             {"1", "1"},
                             {"0x10", "16"},
                             {"010", "8"},
                             {"1e3", "1000"},
                             {"-1", "-1"},
                             {"+1", "1"},
                             {"inf", "+Inf"},
                             {"-Inf", "-Inf"},
                             {"nan", "NaN"},
                             {"5m", "5m"},
                             {"1_000", "1000"},
                             {"'a\"b'", "\"a\\\"b\""},
                             {"`a\\b`", "\"a\\\\b\""}}));

INSTANTIATE_TEST_SUITE_P(Selectors, Prints,
                         testing::ValuesIn(std::vector<std::pair<const char*, const char*>>{
                             {"a", "a"},
                             {"a:b", "a:b"},
                             {"a{}", "a"},
                             {"sum", "sum"},
                             {"sum{a='b'}", "sum{a=\"b\"}"},
                             {"a{b!='c',d=~'e.*',f!~\"g\",}", "a{b!=\"c\",d=~\"e.*\",f!~\"g\"}"},
                             {"{\"metric.name\", \"label.name\"='x'}",
                              "{\"label.name\"=\"x\",__name__=\"metric.name\"}"},
                             {"a[5m]", "a[5m]"},
                             {"a[1h30m]", "a[1h30m]"},
                             {"a[300]", "a[5m]"},
                             {"a offset 5m", "a offset 5m"},
                             {"a offset -5m", "a offset -5m"},
                             {"a[5m] offset 1h", "a[5m] offset 1h"},
                             {"a @ 10", "a @ 10.000"},
                             {"a @ start()", "a @ start()"},
                             {"a[1m] @ end()", "a[1m] @ end()"},
                             {"a offset 1m @ 5", "a @ 5.000 offset 1m"},
                             {"a anchored", "a anchored"},
                             {"a[5m] smoothed", "a[5m] smoothed"},
                             {"a[5m:]", "a[5m:]"},
                             {"a[5m:1m]", "a[5m:1m]"},
                             {"rate(a[5m])[1h:1m] @ 3 offset 1d",
                              "rate(a[5m])[1h:1m] @ 3.000 offset 1d"}}));

INSTANTIATE_TEST_SUITE_P(Durations, Prints,
                         testing::ValuesIn(std::vector<std::pair<const char*, const char*>>{
                             {"a[1m+2m]", "a[1m + 2m]"},
                             {"a[2*3m]", "a[2 * 3m]"},
                             {"a[(1m)*2]", "a[(1m) * 2]"},
                             {"a[(1m+2m)*2]", "a[(1m + 2m) * 2]"},
                             {"a[step()]", "a[step()]"},
                             {"a[max_of(step(),5m)]", "a[max_of(step(), 5m)]"},
                             {"a offset -step()", "a offset -step()"},
                             {"a[1h:step()]", "a[1h:step()]"},
                             {"a offset (1m*2)", "a offset (1m * 2)"}}));

INSTANTIATE_TEST_SUITE_P(Operators, Prints,
                         testing::ValuesIn(std::vector<std::pair<const char*, const char*>>{
                             {"a+b*c", "a + b * c"},
                             {"(a+b)*c", "(a + b) * c"},
                             {"a^b^c", "a ^ b ^ c"},
                             {"-a^b", "-a ^ b"},
                             {"a == bool b", "a == bool b"},
                             {"a and on(x) b", "a and on (x) b"},
                             {"a or b unless c", "a or b unless c"},
                             {"a atan2 b", "a atan2 b"},
                             {"a / on(x,y) group_left(z) b", "a / on (x, y) group_left (z) b"},
                             {"a / ignoring(x) group_right b", "a / ignoring (x) group_right () b"},
                             {"a + on() b", "a + on () b"},
                             {"a </ 5", "a </ 5"},
                             {"a >/ 5", "a >/ 5"},
                             {"a + fill(0) b", "a + fill (0) b"},
                             {"a + fill_left(-1) fill_right(2) b",
                              "a + fill_left (-1) fill_right (2) b"}}));

INSTANTIATE_TEST_SUITE_P(CallsAndAggregations, Prints,
                         testing::ValuesIn(std::vector<std::pair<const char*, const char*>>{
                             {"rate(a[5m])", "rate(a[5m])"},
                             {"time()", "time()"},
                             {"round(a,5)", "round(a, 5)"},
                             {"sum(a)", "sum(a)"},
                             {"sum by(x,y)(a)", "sum by (x, y) (a)"},
                             {"sum(a) without(x)", "sum without (x) (a)"},
                             {"sum by()(a)", "sum(a)"},
                             {"topk(5,a)", "topk(5, a)"},
                             {"SUM BY (\"a.b\") (c)", "sum by (\"a.b\") (c)"},
                             {"count_values('v',a)", "count_values(\"v\", a)"},
                             {"sum by (sum, on) (a)", "sum by (sum, on) (a)"},
                             {"quantile(0.5,a)", "quantile(0.5, a)"}}));

TEST(Precedence, OfASignIsBelowPower) {
  const auto expr = parse("-a^2 * b", {});
  ASSERT_TRUE(expr.ok());
  EXPECT_EQ((*expr)->op, Token::kMul);
  EXPECT_EQ((*expr)->args[0]->kind, NodeKind::kUnary);
  EXPECT_EQ((*expr)->args[0]->args[0]->op, Token::kPow);
}

TEST(Precedence, OfPowerIsFromTheRightAndOfMinusFromTheLeft) {
  EXPECT_EQ((*parse("a^b^c", {}))->args[1]->kind, NodeKind::kBinary);
  EXPECT_EQ((*parse("a-b-c", {}))->args[0]->kind, NodeKind::kBinary);
}

}  // namespace
}  // namespace spanway::query::promql
