#include "services/query/traceql/push_down.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "services/lib/base/hex.h"

namespace spanway::query::traceql {
namespace {

using StoreValue = query::Value;

constexpr std::size_t kTraceIdBytes = 16, kSpanIdBytes = 8;

std::optional<Op> store_op(Token op) {
  switch (op) {
    case Token::kEqual:
      return Op::kEqual;
    case Token::kNotEqual:
      return Op::kNotEqual;
    case Token::kLess:
      return Op::kLess;
    case Token::kLessEqual:
      return Op::kLessEqual;
    case Token::kGreater:
      return Op::kGreater;
    case Token::kGreaterEqual:
      return Op::kGreaterEqual;
    case Token::kRegex:
      return Op::kRegex;
    case Token::kNotRegex:
      return Op::kNotRegex;
    default:
      return std::nullopt;
  }
}

// The operator with its operands exchanged.
Token flipped(Token op) {
  switch (op) {
    case Token::kLess:
      return Token::kGreater;
    case Token::kLessEqual:
      return Token::kGreaterEqual;
    case Token::kGreater:
      return Token::kLess;
    case Token::kGreaterEqual:
      return Token::kLessEqual;
    default:
      return op;
  }
}

Scope store_scope(AttributeScope scope) {
  switch (scope) {
    case AttributeScope::kResource:
      return Scope::kResource;
    case AttributeScope::kSpan:
      return Scope::kSpan;
    case AttributeScope::kEvent:
      return Scope::kEvent;
    case AttributeScope::kLink:
      return Scope::kLink;
    case AttributeScope::kInstrumentation:
      return Scope::kInstrumentation;
    case AttributeScope::kNone:
      break;
  }
  return Scope::kAny;
}

bool is_order(Token op) { return op >= Token::kLess && op <= Token::kGreaterEqual; }

// A comparison of integers with a number; always when it is beyond their range.
SpanCondition integer_condition(const Subject& subject, Token op, double number) {
  constexpr double kLimit = 9e18;
  if (std::isnan(number) || std::abs(number) > kLimit) return {};
  const bool is_integral = std::floor(number) == number;
  if (!is_integral && op == Token::kEqual) return any_of({});
  if (!is_integral && op == Token::kNotEqual)
    return compare(subject, Op::kGreaterEqual, std::numeric_limits<std::int64_t>::min());
  const double bound =
      op == Token::kLess || op == Token::kGreaterEqual ? std::ceil(number) : std::floor(number);
  return compare(subject, *store_op(op), static_cast<std::int64_t>(bound));
}

// Bytes of an id in hexadecimal digits, padded with zeros in front; nothing for another text.
std::optional<std::string> id_bytes(std::string text, std::size_t bytes) {
  if (text.size() > 2 * bytes) return std::nullopt;
  text.insert(0, 2 * bytes - text.size(), '0');
  std::string id;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    // The engine compares with lower-case digits.
    if (hex_value(text[i]) < 0 || hex_value(text[i + 1]) < 0 ||
        std::any_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'F'; }))
      return std::nullopt;
    id += static_cast<char>(hex_value(text[i]) << 4 | hex_value(text[i + 1]));
  }
  return id;
}

SpanCondition id_condition(Field field, Token op, const Value& value, std::size_t bytes) {
  if (value.type != Type::kString || op != Token::kEqual) return {};
  const auto id = id_bytes(value.text, bytes);
  if (!id) return any_of({});
  const bool is_none = id->find_first_not_of('\0') == std::string::npos;
  if (field == Field::kParentSpanId && is_none) return compare(field, Op::kEqual, std::string());
  return compare(field, Op::kEqual, *id);
}

class PushDown {
 public:
  explicit PushDown(const MayBeList& may_be_list) : may_be_list_(may_be_list) {}

  // Holds for the spans that an element returns.
  SpanCondition of_element(const Expr& expr) const {
    switch (expr.kind) {
      case NodeKind::kFilter:
        return of_field(*expr.args[0]);
      case NodeKind::kPipeline: {
        SpanCondition result;
        for (const ExprPtr& one : expr.args) result = both(std::move(result), of_element(*one));
        return result;
      }
      case NodeKind::kSpansetBinary:
        break;
      default:
        return {};
    }
    const bool has_left =
        expr.op == Token::kAnd || expr.op == Token::kOr || expr.op >= Token::kUnionChild;
    SpanCondition right = of_element(*expr.args[1]);
    return has_left ? one_of(of_element(*expr.args[0]), std::move(right)) : right;
  }

 private:
  static SpanCondition one_of(SpanCondition left, SpanCondition right) {
    if (left.is_always() || right.is_always()) return {};
    return any_of({std::move(left), std::move(right)});
  }

  SpanCondition of_field(const Expr& expr) const {
    switch (expr.kind) {
      case NodeKind::kAttribute:
        return of_comparison(expr.attribute, Token::kEqual, Value::of_bool(true));
      case NodeKind::kExists:
      case NodeKind::kMissing:
        return of_presence(expr);
      case NodeKind::kBinary:
        break;
      default:
        return {};
    }
    const Expr &left = *expr.args[0], &right = *expr.args[1];
    if (expr.op == Token::kAnd) return both(of_field(left), of_field(right));
    if (expr.op == Token::kOr) return one_of(of_field(left), of_field(right));
    if (left.kind == NodeKind::kAttribute && right.kind == NodeKind::kConstant)
      return of_comparison(left.attribute, expr.op, right.value);
    const bool is_pattern = expr.op == Token::kRegex || expr.op == Token::kNotRegex;
    if (left.kind == NodeKind::kConstant && right.kind == NodeKind::kAttribute && !is_pattern)
      return of_comparison(right.attribute, flipped(expr.op), left.value);
    return {};
  }

  SpanCondition of_presence(const Expr& expr) const {
    const Expr& operand = *expr.args[0];
    if (operand.kind != NodeKind::kAttribute || operand.attribute.is_intrinsic()) return {};
    const Subject subject{Field::kAttribute, store_scope(operand.attribute.scope),
                          operand.attribute.name};
    // A list of several types is stored but is nothing for the language.
    const bool is_missing = expr.kind == NodeKind::kMissing;
    if (is_missing && may_be_list_(subject.scope, subject.key)) return {};
    return query::compare(subject, is_missing ? Op::kMissing : Op::kExists);
  }

  SpanCondition of_comparison(const Attribute& attribute, Token op, const Value& value) const {
    if (attribute.is_intrinsic()) return of_intrinsic(attribute.intrinsic, op, value);
    const Subject subject{Field::kAttribute, store_scope(attribute.scope), attribute.name};
    if (may_be_list_(subject.scope, subject.key)) return query::compare(subject, Op::kExists);
    const auto op_of_store = store_op(op);
    if (!op_of_store) return {};
    switch (value.type) {
      case Type::kString:
        if (subject.scope == Scope::kResource && subject.key == "service.name")
          return query::compare(Field::kService, *op_of_store, value.text);
        return query::compare(subject, *op_of_store, value.text);
      case Type::kBoolean:
        return query::compare(subject, *op_of_store, value.integer != 0);
      case Type::kInt:
      case Type::kDuration:
      case Type::kFloat: {
        SpanCondition integers = value.type == Type::kFloat
                                     ? integer_condition(subject, op, value.number)
                                     : query::compare(subject, *op_of_store, value.integer);
        return one_of(std::move(integers),
                      query::compare(subject, *op_of_store, value.as_number()));
      }
      default:
        return {};
    }
  }

  static SpanCondition of_text(Field field, Token op, const Value& value) {
    const auto op_of_store = store_op(op);
    if (value.type != Type::kString || !op_of_store) return {};
    return query::compare(field, *op_of_store, value.text);
  }

  static SpanCondition of_intrinsic(Intrinsic intrinsic, Token op, const Value& value) {
    switch (intrinsic) {
      case Intrinsic::kDuration:
        if (!is_order(op) && op != Token::kEqual && op != Token::kNotEqual) return {};
        if (value.type == Type::kFloat)
          return integer_condition({.field = Field::kDuration}, op, value.number);
        return query::compare(Field::kDuration, *store_op(op), value.integer);
      case Intrinsic::kName:
        return of_text(Field::kName, op, value);
      case Intrinsic::kStatusMessage:
        return of_text(Field::kStatusMessage, op, value);
      case Intrinsic::kInstrumentationName:
        return of_text(Field::kScopeName, op, value);
      case Intrinsic::kInstrumentationVersion:
        return of_text(Field::kScopeVersion, op, value);
      case Intrinsic::kEventName:
        return of_text(Field::kEventName, op, value);
      case Intrinsic::kStatus:
      case Intrinsic::kKind: {
        const bool is_status = intrinsic == Intrinsic::kStatus;
        if (value.type != (is_status ? Type::kStatus : Type::kKind)) return {};
        return query::compare(is_status ? Field::kStatus : Field::kKind, *store_op(op),
                              value.integer);
      }
      case Intrinsic::kTraceId:
        return id_condition(Field::kTraceId, op, value, kTraceIdBytes);
      case Intrinsic::kSpanId:
        return id_condition(Field::kSpanId, op, value, kSpanIdBytes);
      case Intrinsic::kParentId:
        return id_condition(Field::kParentSpanId, op, value, kSpanIdBytes);
      case Intrinsic::kLinkTraceId:
        return id_condition(Field::kLinkTraceId, op, value, kTraceIdBytes);
      case Intrinsic::kLinkSpanId:
        return id_condition(Field::kLinkSpanId, op, value, kSpanIdBytes);
      default:
        return {};  // The trace's or its tree's.
    }
  }

  const MayBeList& may_be_list_;
};

void collect(const Expr& expr, std::set<Attribute>& attributes) {
  if (expr.kind == NodeKind::kAttribute) attributes.insert(expr.attribute);
  attributes.insert(expr.attributes.begin(), expr.attributes.end());
  for (const ExprPtr& arg : expr.args) collect(*arg, attributes);
}

void collect(const Metrics& metrics, std::set<Attribute>& attributes) {
  if (!metrics.pipeline) {
    collect(*metrics.left, attributes);
    collect(*metrics.right, attributes);
    return;
  }
  collect(*metrics.pipeline, attributes);
  const FirstStage& stage = metrics.first;
  if (stage.attribute) attributes.insert(*stage.attribute);
  attributes.insert(stage.by.begin(), stage.by.end());
  if (stage.selection) collect(*stage.selection, attributes);
}

bool is_of_span(const Attribute& attribute) {
  switch (attribute.intrinsic) {
    case Intrinsic::kChildCount:
    case Intrinsic::kTraceRootService:
    case Intrinsic::kTraceRootName:
    case Intrinsic::kTraceDuration:
    case Intrinsic::kNestedSetLeft:
    case Intrinsic::kNestedSetRight:
    case Intrinsic::kNestedSetParent:
      return false;
    default:
      return true;
  }
}

}  // namespace

SpanCondition condition_of(const Expr& pipeline, const MayBeList& may_be_list) {
  SpanCondition condition = PushDown(may_be_list).of_element(pipeline);
  return check(condition).ok() ? condition : SpanCondition();
}

std::set<Attribute> attributes_of(const Query& query) {
  std::set<Attribute> attributes;
  if (query.metrics)
    collect(*query.metrics, attributes);
  else
    collect(*query.pipeline, attributes);
  return attributes;
}

bool is_span_by_span(const Expr& pipeline, const FirstStage& stage) {
  // compare() counts the root's name of each span.
  if (stage.function == MetricsFunction::kCompare) return false;
  std::set<Attribute> attributes;
  collect(pipeline, attributes);
  if (stage.attribute) attributes.insert(*stage.attribute);
  attributes.insert(stage.by.begin(), stage.by.end());
  const bool has_filters_only =
      std::all_of(pipeline.args.begin(), pipeline.args.end(), [](const ExprPtr& element) {
        return element->kind == NodeKind::kFilter || element->kind == NodeKind::kSelect;
      });
  return has_filters_only && std::all_of(attributes.begin(), attributes.end(), is_of_span);
}

}  // namespace spanway::query::traceql
