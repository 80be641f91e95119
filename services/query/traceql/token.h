// The words of TraceQL. Source: the query language of Grafana Tempo 3.0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace spanway::query::traceql {

// Bytes of the query, [begin, end).
struct Position {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool operator==(const Position&) const = default;
};

enum class Token : unsigned char {
  kEof,
  kError,
  kIdentifier,       // A word: keywords, functions, intrinsics.
  kAttribute,        // ".name", "span.name": `text` is the name, `scope` the word before it.
  kScopedIntrinsic,  // "span:name": `text` is "span:name".
  kString,           // `text` is the value.
  kInteger,          // `integer`.
  kFloat,            // `number`.
  kDuration,         // `integer`, nanoseconds.
  kOpenBrace,
  kCloseBrace,
  kOpenParen,
  kCloseParen,
  kComma,
  kPipe,
  // Operators.
  kAnd,
  kOr,
  kEqual,
  kNotEqual,
  kRegex,
  kNotRegex,  // Between spansets: not a sibling.
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
  kNot,
  kDescendant,
  kAncestor,
  kSibling,
  kNotChild,
  kNotParent,
  kNotDescendant,
  kNotAncestor,
  kUnionChild,
  kUnionParent,
  kUnionDescendant,
  kUnionAncestor,
  kUnionSibling,
};

struct Item {
  Token token = Token::kEof;
  Position position;
  std::string text;   // As written, but for kString and kAttribute; of kError: what is wrong.
  std::string scope;  // kAttribute: "", "span", "parent", "parent.span", ..
  std::int64_t integer = 0;
  double number = 0;
};

constexpr bool is_comparison(Token t) { return t >= Token::kEqual && t <= Token::kGreaterEqual; }
constexpr bool is_arithmetic(Token t) { return t >= Token::kAdd && t <= Token::kPow; }
// Operators of sets of spans; some are comparisons of values, too.
constexpr bool is_spanset_operator(Token t) {
  return t == Token::kAnd || t == Token::kOr || t == Token::kLess || t == Token::kGreater ||
         t == Token::kNotRegex || t >= Token::kDescendant;
}

// As it is written in a query: "{", "&&".
std::string_view to_string(Token token);
// For messages: the word as written, or "end of query".
std::string describe(const Item& item);

}  // namespace spanway::query::traceql
