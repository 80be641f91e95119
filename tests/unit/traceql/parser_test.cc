// Queries that are accepted: their tree as text, and that the text is the same query.
#include "services/query/traceql/parser.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace spanway::query::traceql {
namespace {

std::string printed(const std::string& query) {
  const auto parsed = parse(query);
  return parsed.ok() ? to_string(*parsed) : parsed.error().message;
}

class Accepts : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(Accepts, AndPrintsTheTree) {
  const auto& [query, tree] = GetParam();
  EXPECT_EQ(printed(query), tree);
  EXPECT_EQ(printed(tree), tree) << "of " << query;
}

INSTANTIATE_TEST_SUITE_P(
    Fields, Accepts,
    testing::ValuesIn(std::vector<std::pair<const char*, const char*>>{
        {"{}", "{ true }"},
        {"{ .a = 1 && .b = 2 || .c = 3 }", "{ ((.a = 1) && (.b = 2)) || (.c = 3) }"},
        // "&&" and "||" bind alike, from the left.
        {"{ .a = 1 || .b = 2 && .c = 3 }", "{ ((.a = 1) || (.b = 2)) && (.c = 3) }"},
        {"{ 1 + 2 * 3 ^ 2 ^ 1 = 5 }", "{ (1 + (2 * (3 ^ (2 ^ 1)))) = 5 }"},
        {"{ -.a * 2 + 1 > 3 }", "{ ((-(.a * 2)) + 1) > 3 }"},
        {"{ !.a && .b }", "{ (!.a) && .b }"},
        {"{ span:duration > 1h30m }", "{ duration > 1h30m0s }"},
        {"{ trace:rootService = `a` }", "{ rootServiceName = `a` }"},
        {"{ event:name =~ \"a.*\" }", "{ event:name =~ `a.*` }"},
        {"{ .a != nil && nil = span.b }", "{ (.a != nil) && (span.b = nil) }"},
        {"{ nil = nil }", "{ false }"},
        {"{ resource.\"a b\" = \"`\" }", "{ resource.\"a b\" = \"`\" }"},
        {"{ kind = server && status != unset }", "{ (kind = server) && (status != unset) }"},
        {"{ .a = minInt }", "{ .a = minInt }"},
        {"{ instrumentation.x = 1.0 }", "{ instrumentation.x = 1.0 }"}}));

INSTANTIATE_TEST_SUITE_P(
    Pipelines, Accepts,
    testing::ValuesIn(std::vector<std::pair<const char*, const char*>>{
        {"{ .a } > { .b } >> { .c }", "(({ .a }) > ({ .b })) >> ({ .c })"},
        {"{ .a } && { .b } !~ { .c }", "({ .a }) && (({ .b }) !~ ({ .c }))"},
        {"({ .a } | count() > 1) && ({ .b })", "({ .a } | count() > 1) && ({ .b })"},
        {"{ .a } | by(.b + 1) | count() > 2 | coalesce() | select(.c, span:id)",
         "{ .a } | by(.b + 1) | count() > 2 | coalesce() | select(.c, span:id)"},
        {"max(.a) >= 2 * 3 - 1", "max(.a) >= 5"},
        {"min(.a) < -1.5", "min(.a) < -1.5"},
        {"{ } with(most_recent=true, sample=0.5)",
         "{ true } with(most_recent=true, sample=0.5)"}}));

INSTANTIATE_TEST_SUITE_P(
    Series, Accepts,
    testing::ValuesIn(std::vector<std::pair<const char*, const char*>>{
        {"{ } | rate()", "({ true } | rate())"},
        {"{ } | quantile_over_time(duration, .5, 1) by (name) | topk(2) > 0.5",
         "({ true } | quantile_over_time(duration, 0.5, 1) by (name)) | topk(2) > 0.5"},
        {"({} | rate()) * 100 > 5", "(({ true } | rate())) * 100 > 5"},
        {"1 + 2 + ({} | rate())", "3 + (({ true } | rate()))"},
        {"({} | max_over_time(duration)) > 10s", "({ true } | max_over_time(duration)) > 10"},
        {"({} | rate()) / ({} | count_over_time() by (.a)) | bottomk(3)",
         "(({ true } | rate())) / (({ true } | count_over_time() by (.a))) | bottomk(3)"},
        {"{} | compare({ status = error }, 5, 1, 2)",
         "({ true } | compare({ status = error }, 5, 1, 2))"}}));

}  // namespace
}  // namespace spanway::query::traceql
