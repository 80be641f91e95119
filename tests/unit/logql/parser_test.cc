// Queries that the grammar accepts, by the form in which Loki 3.7 prints them.
#include "services/query/logql/parser.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace spanway::query::logql {
namespace {

using Cases = std::vector<std::pair<const char*, const char*>>;

std::string printed(std::string_view query) {
  const auto expr = parse(query);
  return expr.ok() ? to_string(**expr) : expr.error().message;
}

class Prints : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(Prints, AsLokiDoesAndParsesAgain) {
  const auto& [query, expected] = GetParam();
  EXPECT_EQ(printed(query), expected) << query;
  EXPECT_EQ(printed(expected), expected);
}

INSTANTIATE_TEST_SUITE_P(Selectors, Prints,
                         testing::ValuesIn(Cases{
                             {"{a=\"b\"}", "{a=\"b\"}"},
                             {"({a=`b\\c`})", "{a=\"b\\\\c\"}"},
                             {"{a=\"b\",c!=\"d\", e=~\"f.*\",g!~\"h\"} # end",
                              "{a=\"b\", c!=\"d\", e=~\"f.*\", g!~\"h\"}"},
                             {"{rate=\"a\", sum=\"b\"}", "{rate=\"a\", sum=\"b\"}"}}));

INSTANTIATE_TEST_SUITE_P(
    LineFilters, Prints,
    testing::ValuesIn(Cases{
        {"{a=\"b\"}|=\"x\"!=\"y\"|~\"z\"!~\"w\"", "{a=\"b\"} |= \"x\" != \"y\" |~ \"z\" !~ \"w\""},
        {"{a=\"b\"} |= \"x\" or \"y\" or `z`", "{a=\"b\"} |= \"x\" or \"y\" or \"z\""},
        {"{a=\"b\"} != \"x\" or \"y\"", "{a=\"b\"} != \"x\" != \"y\""},
        {"{a=\"b\"} |> \"<_> x\" !> \"y <_>\"", "{a=\"b\"} |> \"<_> x\" !> \"y <_>\""},
        {"{a=\"b\"} |= ip(\"10.0.0.0/8\") != ip(\"::1\")",
         "{a=\"b\"} |= ip(\"10.0.0.0/8\") != ip(\"::1\")"}}));

INSTANTIATE_TEST_SUITE_P(
    Stages, Prints,
    testing::ValuesIn(Cases{
        {"{a=\"b\"}|json|logfmt --strict --keep-empty|unpack|decolorize",
         "{a=\"b\"} | json | logfmt --strict --keep-empty | unpack | decolorize"},
        {"{a=\"b\"} | json x, y=\"z[0].w\"", "{a=\"b\"} | json x=\"x\",y=\"z[0].w\""},
        {"{a=\"b\"} | logfmt --strict x, y=\"z\"", "{a=\"b\"} | logfmt --strict x=\"x\",y=\"z\""},
        {"{a=\"b\"} | regexp `(?P<x>\\d+)`", "{a=\"b\"} | regexp \"(?P<x>\\\\d+)\""},
        {"{a=\"b\"} | pattern \"<x> - <_>\"", "{a=\"b\"} | pattern \"<x> - <_>\""},
        {"{a=\"b\"} | line_format `{{.x}}`", "{a=\"b\"} | line_format \"{{.x}}\""},
        {"{a=\"b\"} | label_format x=y,z=`{{.w}}`", "{a=\"b\"} | label_format x=y,z=\"{{.w}}\""},
        {"{a=\"b\"} | drop x, y=\"z\" | keep w", "{a=\"b\"} | drop x,y=\"z\" | keep w"}}));

INSTANTIATE_TEST_SUITE_P(
    LabelFilters, Prints,
    testing::ValuesIn(Cases{
        {"{a=\"b\"} | x=\"y\" or z>5 and w<=-1.5", "{a=\"b\"} | ( x=\"y\" or ( z>5 , w<=-1.5 ) )"},
        {"{a=\"b\"} | (x=\"y\" or z>5) and w!=1", "{a=\"b\"} | ( ( x=\"y\" or z>5 ) , w!=1 )"},
        {"{a=\"b\"} | x=1, y=2 or z=3", "{a=\"b\"} | ( x==1 , ( y==2 or z==3 ) )"},
        {"{a=\"b\"} | x=1 y=2", "{a=\"b\"} | ( x==1 , y==2 )"},
        {"{a=\"b\"} | x>10ms | y>=1h30m | z<-5m", "{a=\"b\"} | x>10ms | y>=1h30m0s | z<-5m0s"},
        {"{a=\"b\"} | x>10KB | y==1.5MiB", "{a=\"b\"} | x>10kB | y==1.6MB"},
        {"{a=\"b\"} | x=ip(\"1.2.3.4\") | y!=ip(\"::1\")",
         "{a=\"b\"} | x=ip(\"1.2.3.4\") | y!=ip(\"::1\")"},
        {"{a=\"b\"} | __error__=\"\"", "{a=\"b\"} | __error__=\"\""}}));

INSTANTIATE_TEST_SUITE_P(
    RangeAggregations, Prints,
    testing::ValuesIn(Cases{
        {"rate({a=\"b\"}[5m])", "rate({a=\"b\"}[5m])"},
        {"count_over_time({a=\"b\"}[1h30m] offset 5m)",
         "count_over_time({a=\"b\"}[1h30m] offset 5m0s)"},
        {"count_over_time({a=\"b\"}[5m] |= \"x\" | json)",
         "count_over_time({a=\"b\"} |= \"x\" | json[5m])"},
        {"rate(({a=\"b\"} |= \"x\")[5m] offset 1h)", "rate({a=\"b\"} |= \"x\"[5m] offset 1h0m0s)"},
        {"rate((({a=\"b\"}[5m])))", "rate({a=\"b\"}[5m])"},
        {"sum_over_time({a=\"b\"} | unwrap x [5m])", "sum_over_time({a=\"b\"} | unwrap x[5m])"},
        {"sum_over_time({a=\"b\"}[5m] | unwrap duration(x) | __error__=\"\")",
         "sum_over_time({a=\"b\"} | unwrap duration(x) | __error__=\"\"[5m])"},
        {"quantile_over_time(0.95,{a=\"b\"} | unwrap x [1w]) by (c,d)",
         "quantile_over_time(0.95,{a=\"b\"} | unwrap x[1w]) by (c,d)"},
        {"absent_over_time({a=\"b\"}[1d])", "absent_over_time({a=\"b\"}[1d])"}}));

INSTANTIATE_TEST_SUITE_P(
    VectorAggregationsAndOperators, Prints,
    testing::ValuesIn(Cases{
        {"sum(rate({a=\"b\"}[1m]))", "sum(rate({a=\"b\"}[1m]))"},
        {"SUM by (x) (rate({a=\"b\"}[1m]))", "sum by (x)(rate({a=\"b\"}[1m]))"},
        {"avg(rate({a=\"b\"}[1m])) without (x,y)", "avg without (x,y)(rate({a=\"b\"}[1m]))"},
        {"topk(5, rate({a=\"b\"}[1m])) by (x)", "topk by (x)(5,rate({a=\"b\"}[1m]))"},
        {"sort_desc(rate({a=\"b\"}[1m]))", "sort_desc(rate({a=\"b\"}[1m]))"},
        {"1 + 2 * 2 ^ 3 ^ 0", "5"},
        {"2 > bool 1", "1"},
        {"vector(1.5)", "vector(1.500000)"},
        {"rate({a=\"b\"}[1m]) / 2 + 1", "((rate({a=\"b\"}[1m]) / 2) + 1)"},
        {"rate({a=\"b\"}[1m]) > bool 2", "(rate({a=\"b\"}[1m]) > bool 2)"},
        {"rate({a=\"b\"}[1m]) / on (x) group_left (y) rate({c=\"d\"}[1m])",
         "(rate({a=\"b\"}[1m]) / on (x) group_left (y) rate({c=\"d\"}[1m]))"},
        {"rate({a=\"b\"}[1m]) and ignoring (x) rate({c=\"d\"}[1m])",
         "(rate({a=\"b\"}[1m]) and ignoring (x)  rate({c=\"d\"}[1m]))"},
        {"label_replace(rate({a=\"b\"}[1m]),\"x\",\"$1\",\"a\",\"(.*)\")",
         "label_replace(rate({a=\"b\"}[1m]),\"x\",\"$1\",\"a\",\"(.*)\")"}}));

TEST(Parser, DivisionByZeroIsNoNumber) { EXPECT_EQ(printed("1 / 0"), "NaN"); }

TEST(Parser, TakesNestingUpToItsBound) {
  const auto nested = [](std::size_t levels) {
    return std::string(levels, '(') + "1" + std::string(levels, ')');
  };
  EXPECT_EQ(printed(nested(kNestingMax - 1)), "1");
  EXPECT_NE(printed(nested(kNestingMax)).find("nested deeper"), std::string::npos);
  std::string chain = "rate({a=\"b\"}[1m])";
  for (std::size_t i = 0; i < kTreeDepthMax + 1; ++i) chain += "+1";
  EXPECT_NE(printed(chain).find("nested operations"), std::string::npos);
  std::string filter = "{a=\"b\"} | x=1";
  for (std::size_t i = 0; i < kNestingMax; ++i) filter += " or x=1";
  EXPECT_NE(printed(filter).find("joins more than"), std::string::npos);
  EXPECT_NE(printed(std::string(kQueryBytesMax, ' ')).find("input size too long"),
            std::string::npos);
}

TEST(Parser, MatchersAloneMayMatchEveryStream) {
  ASSERT_TRUE(parse_matchers("{}").ok());
  EXPECT_TRUE(parse_matchers("{}")->empty());
  EXPECT_EQ(parse_matchers("{a=~\".*\"}")->size(), 1u);
  EXPECT_EQ(parse_matchers("{a=\"b\"} | json").error().message,
            "only label matchers are supported");
}

}  // namespace
}  // namespace spanway::query::logql
