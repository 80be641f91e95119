// A parsed query.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/query/labels/label_matcher.h"
#include "services/query/promql/token.h"

namespace spanway::query::promql {

enum class ValueType : unsigned char { kNone, kScalar, kString, kVector, kMatrix };
// "scalar", "string", "instant vector", "range vector".
std::string_view to_string(ValueType type);

struct Signature;  // A function: functions.h.

enum class NodeKind : unsigned char {
  kNumber,
  kString,
  kSelector,  // An instant vector.
  kMatrix,    // args[0] is the selector, which has the modifiers.
  kSubquery,  // args[0] is the expression.
  kCall,
  kAggregate,  // args: the expression, then the parameter.
  kBinary,
  kUnary,
  kParen,
  kDuration,  // Arithmetic with durations: no argument, one or two.
};

enum class Cardinality : unsigned char { kOneToOne, kManyToOne, kOneToMany, kManyToMany };

struct Matching {
  Cardinality card = Cardinality::kOneToOne;
  bool is_on = false;
  std::vector<std::string> labels;
  std::vector<std::string> include;
  std::optional<double> fill_left;
  std::optional<double> fill_right;
};

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

// Modifiers of a selector or a subquery.
struct Modifiers {
  std::optional<std::int64_t> at_ms;
  Token at_word = Token::kEof;  // kStart or kEnd.
  std::int64_t offset_ms = 0;
  ExprPtr offset;  // When it is not a literal.
  bool anchored = false;
  bool smoothed = false;
};

struct Expr {
  NodeKind kind = NodeKind::kNumber;
  Position position;
  std::size_t depth = 1;  // Levels of the tree below and with this one.
  std::vector<ExprPtr> args;

  double number = 0;         // kNumber.
  bool is_duration = false;  // kNumber, written as a duration.
  std::string text;          // kString; the name of kSelector and kCall.

  std::vector<LabelMatcher> matchers;  // kSelector, with the one of its name last.
  Modifiers modifiers;                 // kSelector, kSubquery.
  std::int64_t range_ms = 0;           // kMatrix, kSubquery.
  std::int64_t step_ms = 0;            // kSubquery; 0 = the default.
  ExprPtr range;                       // When they are not literals.
  ExprPtr step;

  Token op = Token::kEof;  // kAggregate, kBinary, kUnary, kDuration.
  bool return_bool = false;
  Matching matching;                  // kBinary.
  std::vector<std::string> grouping;  // kAggregate.
  bool without = false;
  bool is_wrapped = false;               // kDuration in parentheses.
  const Signature* signature = nullptr;  // kCall.
};

ValueType type_of(const Expr& expr);
// Without the parentheses around it.
const Expr& unwrapped(const Expr& expr);
// In one line, as Prometheus prints it; parse() of it is the same query.
std::string to_string(const Expr& expr);
// As Prometheus formats it: in several lines where one has more than 100 bytes.
std::string pretty(const Expr& expr, int level = 0);

}  // namespace spanway::query::promql
