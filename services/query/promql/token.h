// The words of PromQL. Source: the expression language of Prometheus 3.x.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace spanway::query::promql {

// Bytes of the query, [begin, end).
struct Position {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool operator==(const Position&) const = default;
};

enum class Token : unsigned char {
  kEof,
  kError,
  kIdentifier,
  kMetricIdentifier,
  kNumber,
  kDuration,
  kString,
  kLeftParen,
  kRightParen,
  kLeftBrace,
  kRightBrace,
  kLeftBracket,
  kRightBracket,
  kComma,
  kColon,
  kAssign,
  // Operators.
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMod,
  kPow,
  kAtan2,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kTrimUpper,
  kTrimLower,
  kRegexMatch,
  kRegexNotMatch,
  kAnd,
  kOr,
  kUnless,
  kAt,
  // Aggregations.
  kAvg,
  kBottomk,
  kCount,
  kCountValues,
  kGroup,
  kMax,
  kMin,
  kQuantile,
  kStddev,
  kStdvar,
  kSum,
  kTopk,
  kLimitk,
  kLimitRatio,
  // Keywords.
  kBool,
  kBy,
  kGroupLeft,
  kGroupRight,
  kFill,
  kFillLeft,
  kFillRight,
  kIgnoring,
  kOffset,
  kSmoothed,
  kAnchored,
  kOn,
  kWithout,
  // Words that are functions too.
  kStart,
  kEnd,
  kStep,
  kRange,
  kMaxOf,
  kMinOf,
};

struct Item {
  Token token = Token::kEof;
  Position position;
  std::string text;  // As written; of kError: what is wrong.
};

// The token of a word in any case.
std::optional<Token> keyword(std::string_view word);
// As it is written in a query.
std::string_view to_string(Token token);
// As in Prometheus's messages: `identifier "a"`, `<op:+>`, `end of input`.
std::string describe(const Item& item);

constexpr bool is_aggregation(Token t) { return t >= Token::kAvg && t <= Token::kLimitRatio; }
constexpr bool has_parameter(Token t) {
  return t == Token::kTopk || t == Token::kBottomk || t == Token::kCountValues ||
         t == Token::kQuantile || t == Token::kLimitk || t == Token::kLimitRatio;
}
constexpr bool is_comparison(Token t) { return t >= Token::kEqual && t <= Token::kGreaterEqual; }
constexpr bool is_set_operator(Token t) { return t >= Token::kAnd && t <= Token::kUnless; }
constexpr bool is_operator(Token t) { return t >= Token::kAdd && t <= Token::kAt; }
constexpr bool is_keyword(Token t) { return t >= Token::kBool && t <= Token::kWithout; }
constexpr bool is_word(Token t) {
  return t == Token::kIdentifier || t == Token::kMetricIdentifier || t == Token::kAtan2 ||
         is_set_operator(t) || t >= Token::kAvg;
}

// A Go string literal: in double quotes, with escapes.
std::string quoted(std::string_view text);

}  // namespace spanway::query::promql
