// Queries that the grammar or the types refuse: position and words.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "services/query/traceql/parser.h"

namespace spanway::query::traceql {
namespace {

struct Refused {
  const char* query;
  int column;
  const char* what;
};

class Refuses : public testing::TestWithParam<Refused> {};

TEST_P(Refuses, WithPositionAndWord) {
  const auto& [query, column, what] = GetParam();
  const auto parsed = parse(query);
  ASSERT_FALSE(parsed.ok()) << query;
  EXPECT_EQ(parsed.error().message,
            "parse error at line 1, col " + std::to_string(column) + ": " + what);
  EXPECT_EQ(parsed.error().code, Code::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(
    Grammar, Refuses,
    testing::ValuesIn(std::vector<Refused>{
        {"", 1, "syntax error: unexpected end of query"},
        {"{ .a = }", 8, "syntax error: unexpected }"},
        {"{ .a == 1 }", 7, "syntax error: unexpected ="},
        {"{ .a = 1", 9, "syntax error: unexpected end of query, expecting }"},
        {"{ attribute = 4 }", 3, "unknown identifier: attribute"},
        {"{ trace:status = error }", 3,
         "syntax error: unexpected trace:status, expecting an attribute or an intrinsic"},
        {"{ true } + { true }", 10, "syntax error: unexpected +"},
        {"{ true } | count()", 12, "syntax error: this is no element of a pipeline: count()"},
        {"coalesce() | { true }", 1,
         "syntax error: unexpected coalesce, a pipeline begins with spans"},
        {"2 * 3", 1, "syntax error: this is no element of a pipeline: 2 * 3"},
        {"{} | rate() + 5", 13, "syntax error: unexpected +"},
        {"{} | topk(10)", 6, "syntax error: unexpected topk"},
        {"{} | rate() | topk(-1)", 20, "syntax error: unexpected -, expecting an integer"},
        {"({} | rate()) * 10s", 17,
         "duration cannot be used as a scalar operand in metric arithmetic"},
        {"avg(duration) > 1s * 1", 20, "duration cannot be used in scalar arithmetic"},
        {"({} | rate()) % 10", 15, "syntax error: unexpected %"},
        {"{ nil }", 3, "syntax error: unexpected nil, it can only be compared by = and !="},
        {"{ .a + nil = 1 }", 6, "syntax error: unexpected +, nil can only be compared by = and !="},
        {"{ .a } extra", 8, "syntax error: unexpected extra"},
        {"select()", 8, "syntax error: unexpected ), expecting an attribute or an intrinsic"}}),
    [](const auto& test) { return "N" + std::to_string(test.index); });

INSTANTIATE_TEST_SUITE_P(
    Types, Refuses,
    testing::ValuesIn(std::vector<Refused>{
        {"{ status }", 3, "span filter field expressions must resolve to a boolean: { status }"},
        {"{ 1 = \"foo\" }", 3, "binary operations must operate on the same type: 1 = `foo`"},
        {"{ status > ok }", 3, "illegal operation for the given types: status > ok"},
        {"{ -name = \"a\" }", 3, "illegal operation for the given type: -name"},
        {"{ .a =~ \"[\" }", 9, "invalid regex: `[`"},
        {"{ name = nil }", 3, "name=nil is not valid because intrinsics cannot be nil"},
        {"sum(3) = 2", 1, "aggregate field expressions must reference the span: sum(3)"},
        {"max(name) = 1", 1,
         "aggregate field expressions must resolve to a number type: max(name)"},
        {"{} | by(1)", 6, "grouping field expressions must reference the span: by(1)"},
        {"{} | rate() | topk(0)", 15, "limit must be greater than 0"},
        {"{} | quantile_over_time(duration, 2)", 6, "quantile must be between 0 and 1: 2.0"},
        {"{} | compare({ status = error }) | topk(1)", 1,
         "`compare()` cannot be used with second stage functions"}}),
    [](const auto& test) { return "N" + std::to_string(test.index); });

TEST(Parser, RefusesWhatIsNotSupportedByPositionAndWord) {
  for (const auto& [query, message] : std::vector<std::pair<const char*, const char*>>{
           {"{ parent.a = 1 }", "parse error at line 1, col 3: parent not yet supported"},
           {"{ .a }\n| count() + count() = 1",
            "parse error at line 2, col 3: a comparison that begins with other than an aggregate "
            "is not yet supported"},
           {"min(.a) < max(.b)",
            "parse error at line 1, col 11: a comparison of an aggregate with other than a number "
            "is not yet supported"},
           {"{} | rate() by (.a, .b, .c, .d, .e, .f)",
            "parse error at line 1, col 6: metrics group by 6 values not yet supported"}}) {
    const auto parsed = parse(query);
    ASSERT_FALSE(parsed.ok()) << query;
    EXPECT_EQ(parsed.error().message, message);
    EXPECT_EQ(parsed.error().code, Code::kUnimplemented);
  }
}

TEST(Parser, BoundsNestingAndLength) {
  const std::size_t deep = kNestingMax + 1;
  EXPECT_FALSE(parse("{ " + std::string(deep, '(') + "1" + std::string(deep, ')') + " = 1 }").ok());
  EXPECT_FALSE(parse("{ " + std::string(deep, '!') + "true }").ok());
  EXPECT_FALSE(parse(std::string(deep, '(') + "{}" + std::string(deep, ')')).ok());
  std::string chain = "{ 1";
  for (std::size_t i = 0; i < kTreeDepthMax; ++i) chain += "+1";
  EXPECT_FALSE(parse(chain + " = 1 }").ok());
  EXPECT_FALSE(parse(std::string(kQueryBytesMax + 1, ' ')).ok());
}

}  // namespace
}  // namespace spanway::query::traceql
