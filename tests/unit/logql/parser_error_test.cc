// Queries that the grammar refuses, with the position and the words of Loki 3.7.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "services/query/logql/parser.h"

namespace spanway::query::logql {
namespace {

class Refuses : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(Refuses, InTheWordsOfLoki) {
  const auto& [query, expected] = GetParam();
  const auto expr = parse(query);
  ASSERT_FALSE(expr.ok()) << query << " is " << to_string(**expr);
  EXPECT_EQ(expr.error().message, expected) << query;
  EXPECT_EQ(expr.error().code, Code::kInvalidArgument);
  EXPECT_EQ(expr.error().refusal, Refusal::kData);
}

constexpr const char* kOpen =
    "parse error : queries require at least one regexp or equality matcher that does not have an "
    "empty-compatible value. For instance, app=~\".*\" does not meet this requirement, but "
    "app=~\".+\" will";

INSTANTIATE_TEST_SUITE_P(
    Grammar, Refuses,
    testing::ValuesIn(std::vector<std::pair<const char*, const char*>>{
        {"", "parse error : syntax error: unexpected $end"},
        {"{a=\"b", "parse error at line 1, col 4: literal not terminated"},
        {"{a=\"b\"",
         "parse error at line 1, col 7: syntax error: unexpected $end, expecting } or ,"},
        {"{a=b}",
         "parse error at line 1, col 4: syntax error: unexpected IDENTIFIER, expecting STRING"},
        {"{a=}", "parse error at line 1, col 4: syntax error: unexpected }, expecting STRING"},
        {"{a>\"b\"}",
         "parse error at line 1, col 3: syntax error: unexpected >, expecting = or =~ or !~ or !="},
        {"{=\"b\"}",
         "parse error at line 1, col 2: syntax error: unexpected =, expecting IDENTIFIER or }"},
        {"{a=\"b\"} |~",
         "parse error at line 1, col 11: syntax error: unexpected $end, expecting STRING or ip"},
        {"{a=\"b\"} \"x\"", "parse error at line 1, col 9: syntax error: unexpected STRING"},
        {"{a=\"b\"} | unwrap x", "parse error at line 1, col 11: syntax error: unexpected unwrap"},
        {"\n\n{a=\"b\"} foo", "parse error at line 3, col 9: syntax error: unexpected IDENTIFIER"},
        {"{a=\"b\"} | x >= ip(\"1.2.3.4\")",
         "parse error at line 1, col 16: syntax error: unexpected ip"},
        {"rate({a=\"b\"}[5minutes])",
         "parse error at line 0, col 13: unknown unit \"minutes\" in duration \"5minutes\""},
        {"rate({a=\"b\"}[5)", "parse error at line 0, col 13: missing closing ']' in duration"},
        {"min({a=\"b\"}[5m])", "parse error at line 0, col 12: syntax error: unexpected RANGE"},
        {"unk({a=\"b\"}[5m])", "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER"},
        {"vector(a)",
         "parse error at line 1, col 8: syntax error: unexpected IDENTIFIER, expecting NUMBER"},
        {"quantile_over_time(a,{a=\"b\"}[5m])",
         "parse error at line 1, col 20: syntax error: unexpected IDENTIFIER, expecting NUMBER or "
         "{ or ("},
        {"count without (rate({a=\"b\"}[5m]))",
         "parse error at line 1, col 16: syntax error: unexpected RATE, expecting IDENTIFIER or )"},
        {"variants(rate({a=\"b\"}[1h])) of ({a=\"b\"}[1h])",
         "parse error at line 1, col 1: variants are not supported"},
        {"{a=\"\xff\"}", "parse error at line 1, col 4: invalid UTF-8 encoding"}}));

INSTANTIATE_TEST_SUITE_P(
    Meaning, Refuses,
    testing::ValuesIn(std::vector<std::pair<const char*, const char*>>{
        {"{}", kOpen},
        {"{a=~\".*\"}", kOpen},
        {"1 + rate({a!=\"b\"}[1m])", kOpen},
        {"sum_over_time({a=\"b\"}[5m])",
         "parse error : invalid aggregation sum_over_time without unwrap"},
        {"count_over_time({a=\"b\"} | unwrap x [5m])",
         "parse error : invalid aggregation count_over_time with unwrap"},
        {"rate({a=\"b\"}[5m]) by (x)", "parse error : grouping not allowed for rate aggregation"},
        {"quantile_over_time({a=\"b\"} | unwrap x [5m])",
         "parse error : parameter required for operation quantile_over_time"},
        {"topk(rate({a=\"b\"}[5m]))", "parse error : parameter required for operation topk"},
        {"topk(1.5,rate({a=\"b\"}[5m]))", "parse error : invalid parameter topk(1.5,"},
        {"sum(1,rate({a=\"b\"}[5m]))", "parse error : unsupported parameter for operation sum(1,"},
        {"{a=\"b\"} + {a=\"b\"}",
         "parse error : unexpected type for left leg of binary operation (+): "
         "*syntax.MatchersExpr"},
        {"rate({a=\"b\"}[5m]) or 1",
         "parse error : unexpected literal for right leg of logical/set binary operation (or): "
         "1.000000"},
        {"sort(rate({a=\"b\"}[5m])) by (x)",
         "parse error : sort and sort_desc doesn't allow grouping by "},
        {"{a=\"b\"} | regexp \"x\"",
         "parse error : invalid regexp parser: at least one named capture must be supplied"},
        {"{a=\"b\"} | pattern \"<a><b>\"",
         "parse error : invalid pattern parser: found consecutive capture '<a><b>': invalid "
         "expression"}}));

}  // namespace
}  // namespace spanway::query::logql
