// The rules of types, in Prometheus's words.
#include <algorithm>

#include "services/query/promql/functions.h"
#include "services/query/promql/parse_state.h"
#include "services/query/store/metric_query.h"

namespace spanway::query::promql {

std::string_view to_string(ValueType type) {
  switch (type) {
    case ValueType::kScalar:
      return "scalar";
    case ValueType::kString:
      return "string";
    case ValueType::kVector:
      return "instant vector";
    case ValueType::kMatrix:
      return "range vector";
    case ValueType::kNone:
      break;
  }
  return "none";
}

namespace {

// The word of Prometheus's API.
std::string_view short_name(ValueType type) {
  return type == ValueType::kMatrix ? "matrix" : to_string(type);
}

}  // namespace

ValueType type_of(const Expr& expr) {
  switch (expr.kind) {
    case NodeKind::kNumber:
    case NodeKind::kDuration:
      return ValueType::kScalar;
    case NodeKind::kString:
      return ValueType::kString;
    case NodeKind::kSelector:
    case NodeKind::kAggregate:
      return ValueType::kVector;
    case NodeKind::kMatrix:
    case NodeKind::kSubquery:
      return ValueType::kMatrix;
    case NodeKind::kCall:
      return expr.signature->result;
    case NodeKind::kUnary:
    case NodeKind::kParen:
      return type_of(*expr.args[0]);
    case NodeKind::kBinary:
      return type_of(*expr.args[0]) == ValueType::kScalar &&
                     type_of(*expr.args[1]) == ValueType::kScalar
                 ? ValueType::kScalar
                 : ValueType::kVector;
  }
  return ValueType::kNone;
}

const Expr& unwrapped(const Expr& expr) {
  return expr.kind == NodeKind::kParen ? unwrapped(*expr.args[0]) : expr;
}

bool Parser::check_type(const Expr& expr, ValueType want, std::string_view context) {
  const ValueType type = type_of(expr);
  if (type == want) return true;
  return fail(expr.position, "expected type " + std::string(to_string(want)) + " in " +
                                 std::string(context) + ", got " + std::string(to_string(type))) !=
         nullptr;
}

bool Parser::check(const Expr& expr) {
  switch (expr.kind) {
    case NodeKind::kAggregate:
      return check_aggregate(expr);
    case NodeKind::kBinary:
      return check_binary(expr);
    case NodeKind::kCall:
      return check_call(expr);
    case NodeKind::kSelector:
      return check_selector(expr);
    default:
      break;
  }
  for (const ExprPtr& arg : expr.args)
    if (!check(*arg)) return false;
  if (expr.kind == NodeKind::kUnary) {
    const ValueType type = type_of(*expr.args[0]);
    if (type != ValueType::kScalar && type != ValueType::kVector)
      return fail(expr.position,
                  "unary expression only allowed on expressions of type scalar or instant "
                  "vector, got " +
                      quoted(to_string(type))) != nullptr;
  }
  if (expr.kind == NodeKind::kSubquery && type_of(*expr.args[0]) != ValueType::kVector)
    return fail(expr.position, "subquery is only allowed on instant vector, got " +
                                   std::string(short_name(type_of(*expr.args[0]))) + " instead") !=
           nullptr;
  return true;
}

bool Parser::check_aggregate(const Expr& expr) {
  for (const ExprPtr& arg : expr.args)
    if (!check(*arg)) return false;
  if (!check_type(*expr.args[0], ValueType::kVector, "aggregation expression")) return false;
  if (!has_parameter(expr.op)) return true;
  return check_type(*expr.args[1],
                    expr.op == Token::kCountValues ? ValueType::kString : ValueType::kScalar,
                    "aggregation parameter");
}

bool Parser::check_binary(const Expr& expr) {
  for (const ExprPtr& arg : expr.args)
    if (!check(*arg)) return false;
  const Expr& left = *expr.args[0];
  const Expr& right = *expr.args[1];
  const ValueType lt = type_of(left);
  const ValueType rt = type_of(right);
  const Matching& matching = expr.matching;
  Position between{left.position.end, right.position.begin};
  while (between.begin < between.end && query_[between.begin] <= ' ') ++between.begin;
  const auto is_operand = [](ValueType type) {
    return type == ValueType::kScalar || type == ValueType::kVector;
  };
  constexpr const char* kOperands =
      "binary expression must contain only scalar and instant vector types";
  if (expr.return_bool && !is_comparison(expr.op))
    return fail(between, "bool modifier can only be used on comparison operators") != nullptr;
  if (is_comparison(expr.op) && !expr.return_bool && lt == ValueType::kScalar &&
      rt == ValueType::kScalar)
    return fail(between, "comparisons between scalars must use BOOL modifier") != nullptr;
  if (matching.is_on)
    for (const std::string& label : matching.labels)
      if (std::find(matching.include.begin(), matching.include.end(), label) !=
          matching.include.end())
        return fail(between, "label " + quoted(label) +
                                 " must not occur in ON and GROUP clause at once") != nullptr;
  if (!is_operand(lt)) return fail(left.position, kOperands) != nullptr;
  if (!is_operand(rt)) return fail(right.position, kOperands) != nullptr;
  const bool has_fill = matching.fill_left || matching.fill_right;
  if (lt != ValueType::kVector || rt != ValueType::kVector) {
    if (!matching.labels.empty())
      return fail(expr.position, "vector matching only allowed between instant vectors") != nullptr;
    if (has_fill)
      return fail(expr.position,
                  "filling in missing series only allowed between instant "
                  "vectors") != nullptr;
    if (is_set_operator(expr.op))
      return fail(expr.position, "set operator " + quoted(to_string(expr.op)) +
                                     " not allowed in binary scalar expression") != nullptr;
  } else if (is_set_operator(expr.op)) {
    if (matching.card == Cardinality::kOneToMany || matching.card == Cardinality::kManyToOne)
      return fail(expr.position, "no grouping allowed for " + quoted(to_string(expr.op)) +
                                     " operation") != nullptr;
    if (has_fill)
      return fail(expr.position, "filling in missing series not allowed for set operators") !=
             nullptr;
  }
  return true;
}

bool Parser::check_call(const Expr& expr) {
  const Signature& signature = *expr.signature;
  const std::string in_call = "call to function " + quoted(signature.name);
  const int least = static_cast<int>(signature.args.size()) - (signature.variadic != 0 ? 1 : 0);
  const int count = static_cast<int>(expr.args.size());
  const auto wrong = [&](std::string_view bound, int expected) {
    return fail(expr.position, "expected " + std::string(bound) + std::to_string(expected) +
                                   " argument(s) in call to " + quoted(signature.name) + ", got " +
                                   std::to_string(count)) != nullptr;
  };
  if (signature.variadic == 0 && count != least) return wrong("", least);
  if (count < least) return wrong("at least ", least);
  if (signature.variadic > 0 && count > least + signature.variadic)
    return wrong("at most ", least + signature.variadic);
  for (std::size_t i = 0; i < expr.args.size(); ++i) {
    const Expr& arg = *expr.args[i];
    if (signature.name == "info" && i == 1) {
      if (arg.kind != NodeKind::kSelector)
        return fail(arg.position, "expected label selectors only") != nullptr;
      if (!arg.text.empty())
        return fail(arg.position, "expected label selectors only, got vector selector instead") !=
               nullptr;
      continue;
    }
    if (!check(arg)) return false;
    if (signature.args.empty()) continue;
    if (!check_type(arg, signature.args[std::min(i, signature.args.size() - 1)], in_call))
      return false;
  }
  return true;
}

bool Parser::check_selector(const Expr& expr) {
  if (!expr.text.empty()) {
    for (std::size_t i = 0; i + 1 < expr.matchers.size(); ++i)
      if (expr.matchers[i].label == kMetricName)
        return fail(expr.position, "metric name must not be set twice: " + quoted(expr.text) +
                                       " or " + quoted(expr.matchers[i].value)) != nullptr;
    return true;
  }
  const bool is_selective =
      std::any_of(expr.matchers.begin(), expr.matchers.end(), [](const LabelMatcher& matcher) {
        const std::vector<LabelMatcher> one{matcher};
        const auto compiled = LabelMatchers::create(one);
        return compiled.ok() && !compiled->matches({});
      });
  if (is_selective) return true;
  return fail(expr.position, "vector selector must contain at least one non-empty matcher") !=
         nullptr;
}

}  // namespace spanway::query::promql
