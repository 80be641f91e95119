// Types of operands, and what the engine does not evaluate.
#include <algorithm>
#include <utility>

#include "services/query/traceql/arithmetic.h"
#include "services/query/traceql/parse_state.h"

namespace spanway::query::traceql {

Type type_of(const Expr& expr) {
  switch (expr.kind) {
    case NodeKind::kConstant:
      return expr.value.type;
    case NodeKind::kAttribute:
      return type_of(expr.attribute);
    case NodeKind::kExists:
    case NodeKind::kMissing:
    case NodeKind::kScalarFilter:
      return Type::kBoolean;
    case NodeKind::kUnary:
      return type_of(*expr.args[0]);
    case NodeKind::kAggregate:
      return expr.args.empty() ? Type::kInt : type_of(*expr.args[0]);
    case NodeKind::kBinary:
    case NodeKind::kScalarBinary: {
      if (!is_arithmetic(expr.op)) return Type::kBoolean;
      const Type left = type_of(*expr.args[0]);
      return left != Type::kAttribute ? left : type_of(*expr.args[1]);
    }
    case NodeKind::kPipeline:
      return !expr.args.empty() && expr.args.back()->kind == NodeKind::kAggregate
                 ? type_of(*expr.args.back())
                 : Type::kSpanset;
    default:
      return Type::kSpanset;
  }
}

bool references_span(const Expr& expr) {
  return expr.kind == NodeKind::kAttribute ||
         std::any_of(expr.args.begin(), expr.args.end(),
                     [](const ExprPtr& arg) { return references_span(*arg); });
}

bool Parser::check(Query& query) {
  return query.metrics ? check(*query.metrics) : check(*query.pipeline);
}

bool Parser::check(Metrics& metrics) {
  const bool are_fine = metrics.pipeline ? check(*metrics.pipeline) && check_stage(metrics.first)
                                         : check(*metrics.left) && check(*metrics.right);
  if (!are_fine) return false;
  for (const SecondStage& stage : metrics.stages)
    if ((stage.kind == SecondStage::Kind::kTopk || stage.kind == SecondStage::Kind::kBottomk) &&
        stage.limit <= 0)
      return fail(stage.position, "limit must be greater than 0") != nullptr;
  const auto is_compare = [](const MetricsPtr& side) {
    return side && side->pipeline && side->first.function == MetricsFunction::kCompare;
  };
  const bool is_second = (metrics.pipeline && !metrics.stages.empty() &&
                          metrics.first.function == MetricsFunction::kCompare) ||
                         is_compare(metrics.left) || is_compare(metrics.right);
  if (is_second)
    return fail(metrics.position, "`compare()` cannot be used with second stage functions") !=
           nullptr;
  return true;
}

bool Parser::check_stage(FirstStage& stage) {
  constexpr std::int64_t kTopMax = 1000;
  for (const Attribute& by : stage.by)
    if (!check_attribute(by, stage.position)) return false;
  if (stage.attribute && !check_attribute(*stage.attribute, stage.position)) return false;
  // One place is the bucket's.
  const bool has_own_label = stage.function == MetricsFunction::kQuantileOverTime ||
                             stage.function == MetricsFunction::kHistogramOverTime ||
                             stage.function == MetricsFunction::kAvgOverTime;
  if (stage.by.size() + (has_own_label ? 1 : 0) > kGroupByMax)
    return unsupported(stage.position, "metrics group by " + std::to_string(stage.by.size()) +
                                           " values") != nullptr;
  for (const double quantile : stage.quantiles)
    if (quantile < 0 || quantile > 1)
      return fail(stage.position, "quantile must be between 0 and 1: " + print_float(quantile)) !=
             nullptr;
  if (stage.function != MetricsFunction::kCompare) return true;
  if (!check(*stage.selection)) return false;
  if (stage.top <= 0 || stage.top > kTopMax)
    return fail(stage.position, "compare() top number of values must be an integer between 1 and " +
                                    std::to_string(kTopMax)) != nullptr;
  if (stage.begin_nanos == 0 && stage.end_nanos == 0) return true;
  if (stage.begin_nanos <= 0 || stage.end_nanos <= 0)
    return fail(stage.position, "compare() timestamps must be positive integer unix nanoseconds") !=
           nullptr;
  if (stage.end_nanos <= stage.begin_nanos)
    return fail(stage.position, "compare() end timestamp must be greater than start timestamp") !=
           nullptr;
  return true;
}

bool Parser::check_attribute(const Attribute& attribute, Position position) {
  if (attribute.is_parent || attribute.intrinsic == Intrinsic::kParent)
    return unsupported(position, "parent") != nullptr;
  return true;
}

bool Parser::check(Expr& expr) {
  for (const ExprPtr& arg : expr.args)
    if (!check(*arg)) return false;
  switch (expr.kind) {
    case NodeKind::kAttribute:
      return check_attribute(expr.attribute, expr.position);
    case NodeKind::kUnary:
    case NodeKind::kMissing:
      return check_unary(expr);
    case NodeKind::kBinary:
      return check_binary(expr);
    case NodeKind::kScalarBinary:
      return check_operands(expr);
    case NodeKind::kScalarFilter:
      return check_operands(expr) && check_scalar_filter(expr);
    case NodeKind::kAggregate:
      return check_aggregate(expr);
    case NodeKind::kSelect:
      return std::all_of(expr.attributes.begin(), expr.attributes.end(),
                         [&](const Attribute& one) { return check_attribute(one, expr.position); });
    case NodeKind::kGroup:
      if (references_span(*expr.args[0])) return true;
      return fail(expr.position, "grouping field expressions must reference the span: " +
                                     to_string(expr)) != nullptr;
    case NodeKind::kFilter: {
      const Type type = type_of(*expr.args[0]);
      if (type == Type::kAttribute || type == Type::kBoolean) return true;
      return fail(expr.args[0]->position,
                  "span filter field expressions must resolve to a boolean: " + to_string(expr)) !=
             nullptr;
    }
    default:
      return true;
  }
}

bool Parser::check_unary(const Expr& expr) {
  const Expr& operand = *expr.args[0];
  if (expr.kind == NodeKind::kMissing) {
    if (operand.kind != NodeKind::kAttribute) return true;
    const bool is_service = operand.attribute.scope == AttributeScope::kResource &&
                            operand.attribute.name == "service.name";
    if (!operand.attribute.is_intrinsic() && !is_service) return true;
    const std::string name = to_string(operand.attribute);
    return fail(expr.position, name + "=nil is not valid because " +
                                   (is_service ? name : "intrinsics") + " cannot be nil") !=
           nullptr;
  }
  const Type type = type_of(operand);
  if (type == Type::kAttribute ||
      (expr.op == Token::kSub ? is_numeric(type) : type == Type::kBoolean))
    return true;
  return fail(expr.position, "illegal operation for the given type: " + to_string(expr)) != nullptr;
}

bool Parser::check_operands(const Expr& expr) {
  const Type left = type_of(*expr.args[0]), right = type_of(*expr.args[1]);
  if (!are_comparable(left, right))
    return fail(expr.position,
                "binary operations must operate on the same type: " + to_string(expr)) != nullptr;
  if (!is_operand(expr.op, left) || !is_operand(expr.op, right))
    return fail(expr.position, "illegal operation for the given types: " + to_string(expr)) !=
           nullptr;
  return true;
}

bool Parser::check_binary(Expr& expr) {
  if (!check_operands(expr)) return false;
  // Tempo's ids of traces have no zeros in front.
  for (int side = 0; side < 2; ++side) {
    Value& value = expr.args[1 - side]->value;
    const Expr& id = *expr.args[side];
    if (id.kind == NodeKind::kAttribute && id.attribute.intrinsic == Intrinsic::kTraceId &&
        value.type == Type::kString)
      value.text.erase(0, std::min(value.text.find_first_not_of('0'), value.text.size()));
  }
  return (expr.op != Token::kRegex && expr.op != Token::kNotRegex) || check_regex(expr);
}

bool Parser::check_regex(Expr& expr) {
  const Expr& pattern = *expr.args[1];
  if (pattern.kind != NodeKind::kConstant || pattern.value.type != Type::kString)
    return fail(pattern.position, "invalid type for =~ or !~: " + to_string(pattern)) != nullptr;
  auto regex = Regex::whole(pattern.value.text);
  if (!regex.ok()) return fail(pattern.position, "invalid regex: " + to_string(pattern)) != nullptr;
  expr.regex = std::move(regex).value();
  return true;
}

bool Parser::check_aggregate(const Expr& expr) {
  if (expr.args.empty()) return true;
  const Type type = type_of(*expr.args[0]);
  if (type != Type::kAttribute && !is_numeric(type))
    return fail(expr.position, "aggregate field expressions must resolve to a number type: " +
                                   to_string(expr)) != nullptr;
  if (!references_span(*expr.args[0]))
    return fail(expr.position, "aggregate field expressions must reference the span: " +
                                   to_string(expr)) != nullptr;
  return true;
}

bool Parser::check_scalar_filter(const Expr& expr) {
  if (expr.args[0]->kind != NodeKind::kAggregate)
    return unsupported(expr.args[0]->position,
                       "a comparison that begins with other than an "
                       "aggregate is") != nullptr;
  if (expr.args[1]->kind != NodeKind::kConstant)
    return unsupported(expr.args[1]->position,
                       "a comparison of an aggregate with other than a "
                       "number is") != nullptr;
  return true;
}

}  // namespace spanway::query::traceql
