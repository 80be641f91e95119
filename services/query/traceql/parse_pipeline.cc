// Pipelines: what is outside of braces.
#include <utility>

#include "services/query/traceql/arithmetic.h"
#include "services/query/traceql/parse_state.h"

namespace spanway::query::traceql {
namespace {

constexpr std::pair<std::string_view, Aggregate> kAggregates[] = {{"count", Aggregate::kCount},
                                                                  {"max", Aggregate::kMax},
                                                                  {"min", Aggregate::kMin},
                                                                  {"sum", Aggregate::kSum},
                                                                  {"avg", Aggregate::kAvg}};

Part part_of(PartKind kind, ExprPtr expr) {
  Part result;
  result.kind = expr == nullptr ? PartKind::kNone : kind;
  if (expr != nullptr) result.position = expr->position;
  result.expr = std::move(expr);
  return result;
}

bool is_pipeline_element(PartKind kind) {
  return kind == PartKind::kSpanset || kind == PartKind::kElement;
}

}  // namespace

Part Parser::part(int min_precedence) {
  if (!enter()) return {};
  Part left = operand();
  while (left.kind != PartKind::kNone) {
    const int strength = precedence(peek().token);
    if (strength < min_precedence) break;
    const Item op = take();
    Part right = part(op.token == Token::kPow ? strength : strength + 1);
    if (right.kind == PartKind::kNone) return {};
    left = combine(op, std::move(left), std::move(right));
  }
  --nesting_;
  return left;
}

Part Parser::operand() {
  switch (peek().token) {
    case Token::kOpenBrace:
      return part_of(PartKind::kSpanset, filter());
    case Token::kOpenParen:
      return wrapped();
    case Token::kInteger:
    case Token::kFloat:
    case Token::kDuration:
    case Token::kSub:
      return number();
    case Token::kIdentifier:
      break;
    default:
      unexpected();
      return {};
  }
  for (const std::string_view word : {"by", "coalesce", "select"})
    if (is_call(word)) return part_of(PartKind::kElement, element_call());
  return part_of(PartKind::kScalar, aggregate());
}

Part Parser::number() {
  Part result;
  result.position = peek().position;
  const Item item = take();
  if (item.token == Token::kSub) {
    result.number = Value::of_int(0);
    Part positive;
    if (!enter()) return {};
    if (peek().token == Token::kOpenParen)
      positive = wrapped();
    else if (peek().token >= Token::kInteger && peek().token <= Token::kDuration)
      positive = number();
    else if (peek().token == Token::kSub)
      positive = number();
    else
      unexpected("a number");
    --nesting_;
    if (positive.kind == PartKind::kNone) return {};
    if (positive.kind != PartKind::kNumber) {
      fail(item.position, "syntax error: unexpected -, only a number can be negated here");
      return {};
    }
    result.number = positive.number;
    result.number.integer = -result.number.integer;
    result.number.number = -result.number.number;
  } else {
    result.number = item.token == Token::kInteger    ? Value::of_int(item.integer)
                    : item.token == Token::kDuration ? Value::of_duration(item.integer)
                                                     : Value::of_float(item.number);
  }
  result.kind = PartKind::kNumber;
  result.position.end = last_end_;
  return result;
}

Part Parser::wrapped() {
  const std::size_t begin = take().position.begin;
  if (!enter()) return {};
  Part inner = pipeline(true);
  if (inner.kind == PartKind::kNone || !expect(Token::kCloseParen)) return {};
  --nesting_;
  inner.is_wrapped = true;
  inner.position = {begin, last_end_};
  return inner;
}

Part Parser::combine(const Item& op, Part left, Part right) {
  const PartKind l = left.kind, r = right.kind;
  if (l == PartKind::kMetrics || r == PartKind::kMetrics)
    return combine_metrics(op, std::move(left), std::move(right));
  if (l == PartKind::kNumber && r == PartKind::kNumber) return combine_numbers(op, left, right);
  if (l == PartKind::kSpanset || l == PartKind::kWrappedPipeline)
    return combine_spansets(op, std::move(left), std::move(right));
  return combine_scalars(op, std::move(left), std::move(right));
}

Part Parser::combine_spansets(const Item& op, Part left, Part right) {
  const bool is_simple = left.kind == PartKind::kSpanset && right.kind == PartKind::kSpanset;
  // As in Tempo, a filter in parentheses is a pipeline on the right only.
  const bool are_pipelines = left.kind == PartKind::kWrappedPipeline &&
                             (right.kind == PartKind::kWrappedPipeline ||
                              (right.kind == PartKind::kSpanset && right.is_wrapped));
  if (!is_spanset_operator(op.token) || (!is_simple && !are_pipelines)) {
    fail(op.position, "syntax error: unexpected " + describe(op));
    return {};
  }
  ExprPtr binary = node(NodeKind::kSpansetBinary, left.position.begin);
  binary->op = op.token;
  binary->args.push_back(std::move(left.expr));
  binary->args.push_back(std::move(right.expr));
  return part_of(is_simple ? PartKind::kSpanset : PartKind::kWrappedPipeline,
                 finish(std::move(binary)));
}

Part Parser::combine_numbers(const Item& op, const Part& left, const Part& right) {
  const bool is_known = op.token >= Token::kAdd && op.token <= Token::kDiv;
  if (!is_known) {
    fail(op.position, "syntax error: unexpected " + describe(op));
    return {};
  }
  if (left.number.type == Type::kDuration || right.number.type == Type::kDuration) {
    fail(op.position, "duration cannot be used in scalar arithmetic");
    return {};
  }
  Part result;
  auto value = calculate(op.token, left.number, right.number);
  if (!value.ok()) {
    fail(op.position, value.error().message);
    return {};
  }
  result.kind = PartKind::kNumber;
  result.number = std::move(value).value();
  result.position = {left.position.begin, right.position.end};
  return result;
}

Part Parser::combine_scalars(const Item& op, Part left, Part right) {
  const auto is = [](const Part& part, PartKind kind) {
    return part.kind == kind || part.kind == PartKind::kNumber;
  };
  const bool are_scalars = is(left, PartKind::kScalar) && is(right, PartKind::kScalar);
  const bool are_wrapped =
      left.kind == PartKind::kWrappedScalar && right.kind == PartKind::kWrappedScalar;
  const bool is_calculation = is_arithmetic(op.token) && (are_scalars || are_wrapped);
  const bool is_filter =
      is_comparison(op.token) && op.token != Token::kRegex && op.token != Token::kNotRegex &&
      (are_scalars || are_wrapped ||
       (left.kind == PartKind::kWrappedScalar && right.kind == PartKind::kNumber));
  if (!is_calculation && !is_filter) {
    fail(op.position, "syntax error: unexpected " + describe(op));
    return {};
  }
  ExprPtr binary =
      node(is_filter ? NodeKind::kScalarFilter : NodeKind::kScalarBinary, left.position.begin);
  binary->op = op.token;
  for (Part* side : {&left, &right}) {
    if (side->kind == PartKind::kNumber) {
      side->expr = node(NodeKind::kConstant, side->position.begin);
      side->expr->position = side->position;
      side->expr->value = side->number;
    }
    binary->args.push_back(std::move(side->expr));
  }
  const bool is_wrapped = left.kind == PartKind::kWrappedScalar;
  const PartKind kind = is_filter ? (is_wrapped ? PartKind::kWrappedFilter : PartKind::kElement)
                                  : (is_wrapped ? PartKind::kWrappedScalar : PartKind::kScalar);
  return part_of(kind, finish(std::move(binary)));
}

bool Parser::add_element(Expr& pipeline, Part element, bool is_first) {
  if (element.kind == PartKind::kNone) return false;
  const bool is_coalesce = element.expr && element.expr->kind == NodeKind::kCoalesce;
  if (!is_pipeline_element(element.kind) || (is_first && is_coalesce)) {
    fail(element.position,
         is_coalesce
             ? "syntax error: unexpected coalesce, a pipeline begins with spans"
             : "syntax error: this is no element of a pipeline: " +
                   std::string(query_.substr(element.position.begin,
                                             element.position.end - element.position.begin)));
    return false;
  }
  pipeline.args.push_back(std::move(element.expr));
  return true;
}

Part Parser::pipeline(bool is_inner) {
  Part first = part(kLoosest);
  if (first.kind == PartKind::kMetrics) {
    if (!second_stages(*first.metrics)) return {};
    return first;
  }
  const bool is_alone = peek().token != Token::kPipe;
  if (is_alone && is_inner && first.kind != PartKind::kElement &&
      first.kind != PartKind::kWrappedFilter)
    return first;
  ExprPtr all = node(NodeKind::kPipeline, first.position.begin);
  if (is_alone && !is_inner &&
      (first.kind == PartKind::kWrappedPipeline || first.kind == PartKind::kWrappedFilter)) {
    all->args.push_back(std::move(first.expr));
    return part_of(PartKind::kWrappedPipeline, finish(std::move(all)));
  }
  if (!add_element(*all, std::move(first), true)) return {};
  while (accept(Token::kPipe)) {
    if (is_first_stage()) {
      Part result;
      result.kind = PartKind::kMetrics;
      result.metrics = std::make_unique<Metrics>();
      result.metrics->position = all->position;
      result.metrics->pipeline = finish(std::move(all));
      if (!result.metrics->pipeline || !first_stage(result.metrics->first) ||
          !second_stages(*result.metrics))
        return {};
      result.metrics->position.end = last_end_;
      result.position = result.metrics->position;
      return result;
    }
    Part element = part(kLoosest);
    if (is_inner && element.kind == PartKind::kScalar && !element.is_wrapped &&
        element.expr->kind == NodeKind::kAggregate && peek().token == Token::kCloseParen) {
      all->args.push_back(std::move(element.expr));
      return part_of(PartKind::kWrappedScalar, finish(std::move(all)));
    }
    if (!add_element(*all, std::move(element), false)) return {};
  }
  return part_of(PartKind::kWrappedPipeline, finish(std::move(all)));
}

ExprPtr Parser::element_call() {
  const Item name = take();
  take();  // The parenthesis.
  const NodeKind kind = name.text == "by"         ? NodeKind::kGroup
                        : name.text == "coalesce" ? NodeKind::kCoalesce
                                                  : NodeKind::kSelect;
  ExprPtr result = node(kind, name.position.begin);
  if (kind == NodeKind::kGroup) {
    ExprPtr key = field(kLoosest);
    if (!key) return nullptr;
    result->args.push_back(std::move(key));
  } else if (kind == NodeKind::kSelect) {
    if (!attribute_list(result->attributes)) return nullptr;
  }
  if (!expect(Token::kCloseParen)) return nullptr;
  return finish(std::move(result));
}

bool Parser::attribute_list(std::vector<Attribute>& attributes) {
  do {
    if (!attribute(attributes.emplace_back())) return false;
  } while (accept(Token::kComma));
  return true;
}

ExprPtr Parser::aggregate() {
  for (const auto& [word, function] : kAggregates) {
    if (!is_call(word)) continue;
    ExprPtr result = node(NodeKind::kAggregate, take().position.begin);
    take();  // The parenthesis.
    result->function = function;
    if (function != Aggregate::kCount) {
      ExprPtr argument = field(kLoosest);
      if (!argument) return nullptr;
      result->args.push_back(std::move(argument));
    }
    if (!expect(Token::kCloseParen)) return nullptr;
    return finish(std::move(result));
  }
  return unexpected();
}

bool Parser::hints(Query& query) {
  while (is_call("with")) {
    take();
    take();
    query.hints.clear();
    do {
      const Item name = take();
      if (name.token != Token::kIdentifier) {
        fail(name.position, "syntax error: unexpected " + describe(name) + ", expecting a hint");
        return false;
      }
      Value value;
      if (!expect(Token::kEqual) || !constant(value)) return false;
      query.hints.emplace_back(name.text, std::move(value));
    } while (accept(Token::kComma));
    if (!expect(Token::kCloseParen)) return false;
  }
  return true;
}

}  // namespace spanway::query::traceql
