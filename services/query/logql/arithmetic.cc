#include "services/query/logql/arithmetic.h"

#include <cmath>
#include <limits>

namespace spanway::query::logql {

double compute(Token op, double left, double right) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  switch (op) {
    case Token::kAdd:
      return left + right;
    case Token::kSub:
      return left - right;
    case Token::kMul:
      return left * right;
    case Token::kDiv:
      return right == 0 ? kNaN : left / right;
    case Token::kMod:
      return right == 0 ? kNaN : std::fmod(left, right);
    case Token::kPow:
      return std::pow(left, right);
    default:
      return kNaN;
  }
}

bool compare(Token op, double left, double right) {
  switch (op) {
    case Token::kEqual:
      return left == right;
    case Token::kNotEqual:
      return left != right;
    case Token::kLess:
      return left < right;
    case Token::kLessEqual:
      return left <= right;
    case Token::kGreater:
      return left > right;
    case Token::kGreaterEqual:
      return left >= right;
    default:
      return false;
  }
}

}  // namespace spanway::query::logql
