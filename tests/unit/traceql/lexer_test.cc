// The words of a query, and the texts of durations and numbers.
#include "services/query/traceql/lexer.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "services/query/traceql/attribute.h"
#include "services/query/traceql/value.h"

namespace spanway::query::traceql {
namespace {

std::string words(std::string_view query) {
  std::string text;
  for (const Item& item : lex(query))
    if (item.token != Token::kEof) text += (text.empty() ? "" : " ") + describe(item);
  return text;
}

TEST(Lexer, TakesTheLongestSymbol) {
  EXPECT_EQ(words("{}!>>{}&<<{}!~{}&~{}~{}"), "{ } !>> { } &<< { } !~ { } &~ { } ~ { }");
  EXPECT_EQ(words("a>=b<=c=~d!=e"), "a >= b <= c =~ d != e");
}

TEST(Lexer, ReadsNamesOfAttributesUpToAnOperator) {
  const auto items = lex(R"({ .http.status-code+1=2 && span."a b".c = 1 && parent.span.x })");
  ASSERT_EQ(items[1].token, Token::kAttribute);
  EXPECT_EQ(items[1].text, "http.status-code+1");
  EXPECT_EQ(items[5].scope, "span");
  EXPECT_EQ(items[5].text, "a b.c");
  EXPECT_EQ(items[9].scope, "parent.span");
  EXPECT_EQ(items[9].text, "x");
}

TEST(Lexer, ReadsScopedIntrinsics) {
  EXPECT_EQ(words("span:duration trace: id"), "span:duration trace:id");
  EXPECT_EQ(lex("event:name")[0].token, Token::kScopedIntrinsic);
}

TEST(Lexer, SkipsComments) {
  EXPECT_EQ(words("{ // all\n } /* of\n them */ | rate()"), "{ } | rate ( )");
}

TEST(Lexer, ReadsStringsWithEscapes) {
  EXPECT_EQ(lex(R"("a\n\"\x41\u00e9\101")")[0].text,
            "a\n\"A\u00e9"
            "A");
  EXPECT_EQ(lex("`a\\n`")[0].text, "a\\n");
}

TEST(Lexer, RefusesWhatIsNoWord) {
  for (const auto& [query, what] : std::vector<std::pair<const char*, const char*>>{
           {"\"a", "string not terminated"},
           {"\"\\q\"", "unknown escape sequence in string"},
           {"\"\\ud800\"", "invalid escape sequence in string"},
           {"{ . }", "an attribute needs a name after \".\""},
           {"{ span. }", "an attribute needs a name after \".\""},
           {"{ .\"a }", "unexpected end of query, expecting \""},
           {"{ .\"\\a\" }", "invalid escape sequence"},
           {"99999999999999999999", "99999999999999999999 is out of range"},
           {"/* a", "comment not terminated"},
           {"#", "unexpected character '#'"}}) {
    const auto items = lex(query);
    ASSERT_EQ(items.back().token, Token::kError) << query;
    EXPECT_EQ(items.back().text, what) << query;
  }
}

TEST(Durations, AreReadInBothForms) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  const std::vector<std::pair<const char*, std::int64_t>> known = {{"1s", kSecond},
                                                                   {"1h30m", 5400 * kSecond},
                                                                   {"1d12h", 129600 * kSecond},
                                                                   {"1y", 31'536'000 * kSecond},
                                                                   {"1.5s", 3 * kSecond / 2},
                                                                   {"1m1m", 120 * kSecond},
                                                                   {"10us", 10'000},
                                                                   {"1.5\u00b5s", 1500},
                                                                   {"3ns", 3},
                                                                   {"0s", 0},
                                                                   {".5ms", 500'000}};
  for (const auto& [text, nanos] : known) EXPECT_EQ(parse_duration(text), nanos) << text;
  for (const char* text : {"", "1", "1.5d", "1x", "s", "1h30", ".s", "300y"})
    EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(Durations, ArePrintedAsGoDoes) {
  const std::vector<std::pair<std::int64_t, const char*>> known = {{0, "0s"},
                                                                   {1, "1ns"},
                                                                   {1500, "1.5\u00b5s"},
                                                                   {2'000'000, "2ms"},
                                                                   {1'500'000'000, "1.5s"},
                                                                   {90'000'000'000, "1m30s"},
                                                                   {3'600'000'000'000, "1h0m0s"},
                                                                   {-1'000'000'000, "-1s"}};
  for (const auto& [nanos, text] : known) EXPECT_EQ(print_duration(nanos), text);
}

TEST(Numbers, ArePrintedAsGoDoes) {
  const std::vector<std::pair<double, const char*>> known = {{1, "1.0"},      {0.25, "0.25"},
                                                             {1e6, "1e+06"},  {123456, "123456.0"},
                                                             {1e-5, "1e-05"}, {0, "0.0"}};
  for (const auto& [number, text] : known) EXPECT_EQ(print_float(number), text);
}

TEST(Attributes, ArePrintedSoThatTheyParse) {
  EXPECT_EQ(to_string(Attribute{.scope = AttributeScope::kSpan, .name = "http.url"}),
            "span.http.url");
  EXPECT_EQ(to_string(Attribute{.name = "a b\""}), R"(."a b\"")");
  EXPECT_EQ(to_string(Attribute{.intrinsic = Intrinsic::kTraceRootService}), "rootServiceName");
}

}  // namespace
}  // namespace spanway::query::traceql
