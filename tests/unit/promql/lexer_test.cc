#include "services/query/promql/lexer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace spanway::query::promql {
namespace {

std::vector<Token> tokens(std::string_view query) {
  std::vector<Token> result;
  for (const Item& item : lex(query)) result.push_back(item.token);
  return result;
}

TEST(Lexer, SplitsNumbersDurationsAndNames) {
  EXPECT_EQ(tokens("1 0x1F 1e3 .5 1_000 inf NaN"),
            (std::vector{Token::kNumber, Token::kNumber, Token::kNumber, Token::kNumber,
                         Token::kNumber, Token::kNumber, Token::kNumber, Token::kEof}));
  EXPECT_EQ(tokens("5m 1h30m 10ms"),
            (std::vector{Token::kDuration, Token::kDuration, Token::kDuration, Token::kEof}));
  EXPECT_EQ(tokens("a a:b SUM offset"), (std::vector{Token::kIdentifier, Token::kMetricIdentifier,
                                                     Token::kSum, Token::kOffset, Token::kEof}));
}

TEST(Lexer, AColonInBracketsDividesRangeAndStep) {
  EXPECT_EQ(tokens("a[5m:1m]"),
            (std::vector{Token::kIdentifier, Token::kLeftBracket, Token::kDuration, Token::kColon,
                         Token::kDuration, Token::kRightBracket, Token::kEof}));
}

TEST(Lexer, ACommentEndsWithItsLine) {
  EXPECT_EQ(tokens("a # b c\n+ d"),
            (std::vector{Token::kIdentifier, Token::kAdd, Token::kIdentifier, Token::kEof}));
}

TEST(Lexer, FillIsANameUnlessItsValueFollows) {
  EXPECT_EQ(tokens("fill + fill"),
            (std::vector{Token::kIdentifier, Token::kAdd, Token::kIdentifier, Token::kEof}));
  EXPECT_EQ(tokens("fill (0)")[0], Token::kFill);
}

TEST(Lexer, SaysWhatIsWrong) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"a{", "unexpected end of input inside braces"},
      {"(a", "unclosed left parenthesis"},
      {"a[5m", "unclosed left bracket"},
      {"a)", "unexpected right parenthesis ')'"},
      {"a]", "unexpected right bracket ']'"},
      {"a{b!c}", "unexpected character after '!' inside braces: 'c'"},
      {"\"a", "unterminated quoted string"},
      {"`a", "unterminated raw string"},
      {"1m1", "bad number or duration syntax: \"1m1\""},
      {"a $ b", "unexpected character: '$'"},
  };
  for (const auto& [query, what] : cases) {
    const auto items = lex(query);
    EXPECT_EQ(items.back().token, Token::kError) << query;
    EXPECT_EQ(items.back().text, what) << query;
  }
}

TEST(Lexer, UnquotesTheThreeQuotes) {
  EXPECT_EQ(unquote(R"("a\n\x41\101\u00e9")").value(), "a\nAA\xc3\xa9");
  EXPECT_EQ(unquote(R"('it\'s')").value(), "it's");
  EXPECT_EQ(unquote(R"(`a\n`)").value(), "a\\n");
  EXPECT_FALSE(unquote(R"("\q")").ok());
  EXPECT_FALSE(unquote(R"("\ud800")").ok());
}

TEST(Durations, HaveEachUnitOnceFromLargeToSmall) {
  EXPECT_EQ(parse_duration("1y2w3d4h5m6s7ms").value(),
            365LL * 86'400'000 + 17LL * 86'400'000 + 4 * 3'600'000 + 5 * 60'000 + 6007);
  EXPECT_EQ(parse_duration("0").value(), 0);
  for (const char* text : {"", "5", "m", "1s1h", "1m1m", "300y", "1x"})
    EXPECT_FALSE(parse_duration(text).ok()) << text;
}

TEST(Durations, PrintAsPrometheus) {
  EXPECT_EQ(print_duration(0), "0s");
  EXPECT_EQ(print_duration(5'400'000), "1h30m");
  EXPECT_EQ(print_duration(7LL * 86'400'000), "1w");
  EXPECT_EQ(print_duration(8LL * 86'400'000), "8d");
  EXPECT_EQ(print_duration(1), "1ms");
}

}  // namespace
}  // namespace spanway::query::promql
