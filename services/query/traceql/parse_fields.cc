// Expressions over one span: what is inside of braces.
#include <limits>
#include <utility>

#include "services/query/traceql/parse_state.h"

namespace spanway::query::traceql {
namespace {

bool is_nil(const Expr& expr) { return expr.kind == NodeKind::kConstant && expr.value.is_nil(); }

struct Word {
  std::string_view text;
  Value value;
};
const Word* find_word(std::string_view text) {
  static const Word kWords[] = {
      {"true", Value::of_bool(true)},
      {"false", Value::of_bool(false)},
      {"ok", Value::of_status(kStatusOk)},
      {"error", Value::of_status(kStatusError)},
      {"unset", Value::of_status(kStatusUnset)},
      {"unspecified", Value::of_kind(0)},
      {"internal", Value::of_kind(1)},
      {"server", Value::of_kind(2)},
      {"client", Value::of_kind(3)},
      {"producer", Value::of_kind(4)},
      {"consumer", Value::of_kind(5)},
      {"minInt", Value::of_int(std::numeric_limits<std::int64_t>::min())},
      {"maxInt", Value::of_int(std::numeric_limits<std::int64_t>::max())},
  };
  for (const Word& word : kWords)
    if (word.text == text) return &word;
  return nullptr;
}

}  // namespace

ExprPtr Parser::filter() {
  ExprPtr result = node(NodeKind::kFilter, take().position.begin);
  ExprPtr condition;
  if (peek().token == Token::kCloseBrace) {
    condition = node(NodeKind::kConstant, peek().position.begin);
    condition->value = Value::of_bool(true);
  } else {
    condition = field(kLoosest);
  }
  if (!condition || !expect(Token::kCloseBrace)) return nullptr;
  result->args.push_back(std::move(condition));
  return finish(std::move(result));
}

ExprPtr Parser::field(int min_precedence) {
  if (!enter()) return nullptr;
  ExprPtr left = field_operand();
  while (left) {
    const Item& next = peek();
    const bool is_operator = next.token == Token::kAnd || next.token == Token::kOr ||
                             is_comparison(next.token) || is_arithmetic(next.token);
    const int strength = is_operator ? precedence(next.token) : -1;
    if (strength < min_precedence) break;
    const Item op = take();
    ExprPtr right = field(op.token == Token::kPow ? strength : strength + 1);
    if (!right) return nullptr;
    left = field_binary(op, std::move(left), std::move(right));
  }
  if (left && is_nil(*left) && min_precedence == kLoosest)
    return fail(left->position,
                "syntax error: unexpected nil, it can only be compared by = and !=");
  --nesting_;
  return left;
}

ExprPtr Parser::field_binary(const Item& op, ExprPtr left, ExprPtr right) {
  const bool is_left_nil = is_nil(*left), is_right_nil = is_nil(*right);
  const std::size_t begin = left->position.begin;
  if (!is_left_nil && !is_right_nil) {
    ExprPtr binary = node(NodeKind::kBinary, begin);
    binary->op = op.token;
    binary->args.push_back(std::move(left));
    binary->args.push_back(std::move(right));
    return finish(std::move(binary));
  }
  if (op.token != Token::kEqual && op.token != Token::kNotEqual)
    return fail(op.position, "syntax error: unexpected " + describe(op) +
                                 ", nil can only be compared by = and !=");
  if (is_left_nil && is_right_nil) {
    left->value = Value::of_bool(false);
    return finish(std::move(left));
  }
  ExprPtr result = node(op.token == Token::kEqual ? NodeKind::kMissing : NodeKind::kExists, begin);
  result->args.push_back(std::move(is_left_nil ? right : left));
  return finish(std::move(result));
}

ExprPtr Parser::field_operand() {
  const Item& item = peek();
  const std::size_t begin = item.position.begin;
  if (item.token == Token::kOpenParen) {
    take();
    ExprPtr inner = field(kLoosest);
    if (!inner || !expect(Token::kCloseParen)) return nullptr;
    return inner;
  }
  if (item.token == Token::kSub || item.token == Token::kNot) {
    ExprPtr unary = node(NodeKind::kUnary, begin);
    unary->op = take().token;
    ExprPtr operand = field(kProduct);
    if (!operand) return nullptr;
    if (is_nil(*operand)) return fail(operand->position, "syntax error: unexpected nil");
    unary->args.push_back(std::move(operand));
    return finish(std::move(unary));
  }
  const bool is_attribute = item.token == Token::kAttribute ||
                            item.token == Token::kScopedIntrinsic ||
                            (item.token == Token::kIdentifier && find_intrinsic(item.text));
  ExprPtr result = node(is_attribute ? NodeKind::kAttribute : NodeKind::kConstant, begin);
  if (!is_attribute && accept_word("nil")) return finish(std::move(result));
  if (is_attribute ? !attribute(result->attribute) : !constant(result->value)) return nullptr;
  return finish(std::move(result));
}

bool Parser::attribute(Attribute& attribute) {
  const Item item = peek();
  if (item.token == Token::kAttribute) {
    std::string_view scope = item.scope;
    attribute.is_parent = scope.starts_with("parent");
    if (attribute.is_parent) scope.remove_prefix(std::min<std::size_t>(7, scope.size()));
    attribute.scope = find_scope(scope).value_or(AttributeScope::kNone);
    attribute.name = item.text;
    take();
    return true;
  }
  const auto intrinsic = item.token == Token::kIdentifier || item.token == Token::kScopedIntrinsic
                             ? find_intrinsic(item.text)
                             : std::nullopt;
  if (!intrinsic) return unexpected("an attribute or an intrinsic") != nullptr;
  attribute.intrinsic = *intrinsic;
  take();
  return true;
}

bool Parser::constant(Value& value) {
  const Item item = peek();
  switch (item.token) {
    case Token::kString:
      value = Value::of_string(item.text);
      break;
    case Token::kInteger:
      value = Value::of_int(item.integer);
      break;
    case Token::kFloat:
      value = Value::of_float(item.number);
      break;
    case Token::kDuration:
      value = Value::of_duration(item.integer);
      break;
    case Token::kIdentifier:
      if (const Word* word = find_word(item.text)) {
        value = word->value;
        break;
      }
      return fail(item.position, "unknown identifier: " + item.text) != nullptr;
    default:
      return unexpected() != nullptr;
  }
  take();
  return true;
}

}  // namespace spanway::query::traceql
