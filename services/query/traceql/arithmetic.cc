#include "services/query/traceql/arithmetic.h"

#include <cmath>
#include <cstdint>
#include <limits>

namespace spanway::query::traceql {
namespace {

// Integers wrap around, as in Go.
std::int64_t wrapped(std::uint64_t value) { return static_cast<std::int64_t>(value); }

std::int64_t integer_power(std::int64_t base, std::int64_t exponent) {
  const double power = std::pow(static_cast<double>(base), static_cast<double>(exponent));
  constexpr double kLimit = 9.2233720368547758e18;
  if (power >= kLimit || std::isnan(power)) return std::numeric_limits<std::int64_t>::max();
  if (power <= -kLimit) return std::numeric_limits<std::int64_t>::min();
  return static_cast<std::int64_t>(power);
}

Result<Value> of_integers(Token op, std::int64_t left, std::int64_t right) {
  const auto l = static_cast<std::uint64_t>(left), r = static_cast<std::uint64_t>(right);
  switch (op) {
    case Token::kAdd:
      return Value::of_int(wrapped(l + r));
    case Token::kSub:
      return Value::of_int(wrapped(l - r));
    case Token::kMul:
      return Value::of_int(wrapped(l * r));
    case Token::kPow:
      return Value::of_int(integer_power(left, right));
    default:
      break;
  }
  if (right == 0)
    return invalid_argument(op == Token::kDiv ? "division by zero" : "modulo by zero")
        .with_reason("bad_query");
  if (right == -1) return Value::of_int(op == Token::kDiv ? wrapped(0 - l) : 0);
  return Value::of_int(op == Token::kDiv ? left / right : left % right);
}

double of_floats(Token op, double left, double right) {
  switch (op) {
    case Token::kAdd:
      return left + right;
    case Token::kSub:
      return left - right;
    case Token::kMul:
      return left * right;
    case Token::kDiv:
      return left / right;
    case Token::kMod:
      return std::fmod(left, right);
    default:
      return std::pow(left, right);
  }
}

template <typename T>
bool holds_order(Token op, const T& left, const T& right) {
  switch (op) {
    case Token::kLess:
      return left < right;
    case Token::kLessEqual:
      return left <= right;
    case Token::kGreater:
      return left > right;
    default:
      return left >= right;
  }
}

}  // namespace

Result<Value> calculate(Token op, const Value& left, const Value& right) {
  if (!is_numeric(left.type) || !is_numeric(right.type)) return Value();
  if (left.type == Type::kInt && right.type == Type::kInt)
    return of_integers(op, left.integer, right.integer);
  return Value::of_float(of_floats(op, left.as_number(), right.as_number()));
}

bool is_operand(Token op, Type type) {
  switch (type) {
    case Type::kAttribute:
      return true;
    case Type::kBoolean:
    case Type::kBooleanArray:
      return op == Token::kAnd || op == Token::kOr || op == Token::kEqual || op == Token::kNotEqual;
    case Type::kInt:
    case Type::kIntArray:
    case Type::kFloat:
    case Type::kFloatArray:
    case Type::kDuration:
      return is_arithmetic(op) ||
             (is_comparison(op) && op != Token::kRegex && op != Token::kNotRegex);
    case Type::kString:
    case Type::kStringArray:
      return is_comparison(op);
    default:
      return op == Token::kEqual || op == Token::kNotEqual;
  }
}

bool holds(Token op, const Value& left, const Value& right) {
  if (left.is_nil() || right.is_nil()) return false;
  if (!are_comparable(left.type, right.type) || !is_operand(op, left.type) ||
      !is_operand(op, right.type))
    return false;
  switch (op) {
    case Token::kEqual:
      return equals(left, right);
    case Token::kNotEqual:
      return !equals(left, right);
    case Token::kAnd:
      return left.integer != 0 && right.integer != 0;
    case Token::kOr:
      return left.integer != 0 || right.integer != 0;
    default:
      break;
  }
  if (left.type == Type::kString) return holds_order(op, left.text, right.text);
  if (left.type == Type::kInt && right.type == Type::kInt)
    return holds_order(op, left.integer, right.integer);
  return holds_order(op, left.as_number(), right.as_number());
}

}  // namespace spanway::query::traceql
