// Numbers, and arithmetic with durations.
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "services/query/promql/lexer.h"
#include "services/query/promql/parse_state.h"

namespace spanway::query::promql {
namespace {

constexpr double kSecondsMax = 9223372036.0;

int duration_precedence(Token token) {
  switch (token) {
    case Token::kAdd:
    case Token::kSub:
      return 1;
    case Token::kMul:
    case Token::kDiv:
    case Token::kMod:
      return 2;
    case Token::kPow:
      return 3;
    default:
      return -1;
  }
}
constexpr int kPower = 3;
constexpr std::string_view kNotEnabled = "experimental duration expression is not enabled";

// As Go's ParseInt with base 0, else ParseFloat; a leading zero is octal.
bool parse_number(std::string text, double& value) {
  std::erase(text, '_');
  char* end = nullptr;
  const bool is_hex = text.size() > 1 && (text[1] == 'x' || text[1] == 'X');
  const bool is_octal =
      text.size() > 1 && text[0] == '0' && text.find_first_not_of("01234567") == std::string::npos;
  if (is_hex || is_octal) {
    value = static_cast<double>(std::strtoull(text.c_str(), &end, is_hex ? 16 : 8));
  } else {
    value = std::strtod(text.c_str(), &end);
  }
  return end == text.c_str() + text.size();
}

}  // namespace

bool Parser::number_of(const Item& item, double& value) {
  if (item.token == Token::kDuration) {
    const auto ms = parse_duration(item.text);
    if (!ms.ok()) return fail(item.position, ms.error().message) != nullptr;
    value = static_cast<double>(*ms) / 1000;
    return true;
  }
  const bool is_word = std::isdigit(static_cast<unsigned char>(item.text[0])) == 0;  // inf, nan
  if (parse_number(item.text, value)) {
    if (std::isfinite(value) || (is_word && item.text[0] != '.')) return true;
    return fail(item.position, "error parsing number: strconv.ParseFloat: parsing " +
                                   quoted(item.text) + ": value out of range") != nullptr;
  }
  return fail(item.position, "error parsing number: " + item.text) != nullptr;
}

ExprPtr Parser::duration(int min_precedence) {
  if (++nesting_ > kNestingMax)
    return fail(peek().position,
                "the query is nested more than " + std::to_string(kNestingMax) + " levels deep");
  ExprPtr left = duration_operand();
  while (left) {
    const int power = duration_precedence(peek().token);
    if (power < min_precedence) break;
    const Item op = take();
    if (!experimental(left->position, kNotEnabled)) return nullptr;
    ExprPtr right = duration(op.token == Token::kPow ? power : power + 1);
    if (!right) return nullptr;
    if (right->kind == NodeKind::kNumber && right->number == 0) {
      if (op.token == Token::kDiv) return fail(op.position, "division by zero");
      if (op.token == Token::kMod) return fail(op.position, "modulo by zero");
    }
    ExprPtr both = node(NodeKind::kDuration, left->position.begin);
    both->op = op.token;
    both->args.push_back(std::move(left));
    both->args.push_back(std::move(right));
    left = finish(std::move(both));
  }
  --nesting_;
  return left;
}

ExprPtr Parser::with_sign(ExprPtr operand, const Item& sign, bool keeps_plus) {
  if (operand->kind == NodeKind::kNumber) {
    if (sign.token == Token::kSub) operand->number = -operand->number;
    operand->position.begin = sign.position.begin;
    return operand;
  }
  if (!experimental(sign.position, kNotEnabled)) return nullptr;
  if (sign.token == Token::kAdd && !keeps_plus) return operand;
  ExprPtr result = node(NodeKind::kDuration, sign.position.begin);
  result->op = sign.token;
  result->args.push_back(std::move(operand));
  return finish(std::move(result));
}

ExprPtr Parser::duration_operand() {
  const Item item = peek();
  switch (item.token) {
    case Token::kNumber:
    case Token::kDuration: {
      ExprPtr number = node(NodeKind::kNumber, take().position.begin);
      number->is_duration = item.token == Token::kDuration;
      if (!number_of(item, number->number)) return nullptr;
      if (!(std::fabs(number->number) < kSecondsMax))
        return fail(item.position, "duration out of range");
      return finish(std::move(number));
    }
    case Token::kAdd:
    case Token::kSub: {
      take();
      ExprPtr operand = duration(kPower);
      return operand ? with_sign(std::move(operand), item, false) : nullptr;
    }
    case Token::kLeftParen: {
      take();
      ExprPtr inner = duration(1);
      if (!inner || !expect(Token::kRightParen, "", "") ||
          !experimental(inner->position, kNotEnabled))
        return nullptr;
      if (inner->kind == NodeKind::kNumber) {
        ExprPtr sum = node(NodeKind::kDuration, item.position.begin);
        sum->op = Token::kAdd;
        sum->args.push_back(std::move(inner));
        inner = finish(std::move(sum));
      }
      inner->is_wrapped = true;
      return inner;
    }
    case Token::kStep:
    case Token::kRange:
    case Token::kMaxOf:
    case Token::kMinOf: {
      ExprPtr word = node(NodeKind::kDuration, take().position.begin);
      word->op = item.token;
      if (!expect(Token::kLeftParen, "subquery or range selector",
                  "number, duration, step(), or range()"))
        return nullptr;
      if (item.token == Token::kMaxOf || item.token == Token::kMinOf) {
        for (int i = 0; i < 2; ++i) {
          if (i == 1 && !expect(Token::kComma, "", "")) return nullptr;
          ExprPtr arg = duration(1);
          if (!arg) return nullptr;
          word->args.push_back(std::move(arg));
        }
      }
      if (!expect(Token::kRightParen, "", "") || !experimental(item.position, kNotEnabled))
        return nullptr;
      return finish(std::move(word));
    }
    default:
      return unexpected("subquery or range selector", "number, duration, step(), or range()");
  }
}

// Without operators, unless they are in parentheses: `a offset -2 ^ 2` is `(a offset -2) ^ 2`.
ExprPtr Parser::offset_duration() {
  const Item first = peek();
  const bool has_sign = first.token == Token::kAdd || first.token == Token::kSub;
  switch (peek(has_sign ? 1 : 0).token) {
    case Token::kNumber:
    case Token::kDuration:
    case Token::kLeftParen:
    case Token::kStep:
    case Token::kRange:
    case Token::kMaxOf:
    case Token::kMinOf:
      break;
    default:
      if (has_sign) take();
      return unexpected("offset", "number, duration, step(), or range()");
  }
  if (has_sign) take();
  ExprPtr operand = duration_operand();
  if (!operand || !has_sign) return operand;
  const bool keeps_plus = !operand->is_wrapped;
  return with_sign(std::move(operand), first, keeps_plus);
}

ExprPtr Parser::positive_duration() {
  ExprPtr value = duration(1);
  if (value && value->kind == NodeKind::kNumber && value->number <= 0)
    return fail(value->position, "duration must be greater than 0");
  return value;
}

}  // namespace spanway::query::promql
