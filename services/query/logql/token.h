// The words of LogQL. Source: the grammar of Loki 3.7.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace spanway::query::logql {

// Where a word begins: line and column from 1, columns in characters. As in Loki, words that its
// scanner joins from several pieces ("|=", "[5m]", "10ms") have line 0.
struct Position {
  int line = 0;
  int column = 0;
  bool operator==(const Position&) const = default;
};

enum class Token : unsigned char {
  kEof,
  kError,
  kBytes,
  kIdentifier,
  kString,
  kNumber,
  kFlag,
  kDuration,
  kRange,
  kLeftBrace,
  kRightBrace,
  kLeftParen,
  kRightParen,
  kRightBracket,
  kComma,
  kDot,
  // Operators of selectors, lines and labels.
  kAssign,
  kRegexMatch,
  kRegexNotMatch,
  kNotPattern,
  kPipe,
  kPipeExact,
  kPipeRegex,
  kPipePattern,
  // Operators of metrics.
  kOr,
  kAnd,
  kUnless,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMod,
  kPow,
  // Words that are functions when '(' or a grouping follows.
  kRangeFunction,
  kVectorFunction,
  kConversion,
  kVector,
  kLabelReplace,
  kIp,
  // Keywords.
  kBy,
  kWithout,
  kBool,
  kOffset,
  kOn,
  kIgnoring,
  kGroupLeft,
  kGroupRight,
  kUnwrap,
  kJson,
  kRegexp,
  kLogfmt,
  kUnpack,
  kPattern,
  kLabelFormat,
  kLineFormat,
  kDecolorize,
  kDrop,
  kKeep,
  kVariants,
  kOf,
};

struct Item {
  Token token = Token::kEof;
  Position position;
  std::string text;              // A string's value; the function's name; of kError: what is wrong.
  std::int64_t duration_ns = 0;  // kDuration, kRange.
  std::uint64_t bytes = 0;       // kBytes.
};

// As in Loki's messages: "IDENTIFIER", "|=", "COUNT_OVER_TIME", "$end".
std::string name_of(const Item& item);
// As it is written in a query, for operators and keywords.
std::string_view to_string(Token token);

constexpr bool is_comparison(Token t) { return t >= Token::kEqual && t <= Token::kGreaterEqual; }
constexpr bool is_set_operator(Token t) { return t >= Token::kOr && t <= Token::kUnless; }
constexpr bool is_binary_operator(Token t) { return t >= Token::kOr && t <= Token::kPow; }

}  // namespace spanway::query::logql
