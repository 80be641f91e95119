#include "services/query/traceql/field_evaluator.h"

#include <algorithm>
#include <utility>

#include "services/lib/base/hex.h"
#include "services/query/traceql/arithmetic.h"

namespace spanway::query::traceql {
namespace {

const Value kNil;
constexpr std::size_t kSpanIdBytes = 8;

// Without zeros in front, as Tempo writes ids of traces.
std::string trace_id_text(const std::string& id) {
  std::string text = to_hex(id);
  return text.erase(0, std::min(text.find_first_not_of('0'), text.size()));
}

std::string span_id_text(const std::string& id) {
  return id.empty() ? std::string(2 * kSpanIdBytes, '0') : to_hex(id);
}

const Value& found(const Value* value) { return value == nullptr ? kNil : *value; }

Value event_value(const Attribute& attribute, const Event& event) {
  if (attribute.intrinsic == Intrinsic::kEventName) return Value::of_string(event.name);
  if (attribute.intrinsic == Intrinsic::kEventTimeSinceStart)
    return Value::of_duration(event.since_start_ns);
  return found(find(event.attributes, attribute.name));
}

Value link_value(const Attribute& attribute, const Link& link) {
  if (attribute.intrinsic == Intrinsic::kLinkTraceId)
    return Value::of_string(trace_id_text(link.trace_id));
  if (attribute.intrinsic == Intrinsic::kLinkSpanId)
    return Value::of_string(span_id_text(link.span_id));
  return found(find(link.attributes, attribute.name));
}

bool is_of_events(const Attribute& attribute) {
  return attribute.scope == AttributeScope::kEvent ||
         attribute.intrinsic == Intrinsic::kEventName ||
         attribute.intrinsic == Intrinsic::kEventTimeSinceStart;
}

bool is_repeated(const Expr& expr) {
  return expr.kind == NodeKind::kAttribute && expr.attribute.is_repeated();
}

}  // namespace

Result<bool> FieldEvaluator::test(const Expr& expr, const Span& span) {
  Value scratch;
  const bool result = read(expr, span, scratch).is_true();
  if (!status_.ok()) return std::exchange(status_, {}).error();
  return result;
}

Result<Value> FieldEvaluator::value(const Expr& expr, const Span& span) {
  Value scratch;
  Value result = read(expr, span, scratch);
  if (!status_.ok()) return std::exchange(status_, {}).error();
  return result;
}

Value FieldEvaluator::value(const Attribute& attribute, const Span& span) const {
  Value scratch;
  return read(attribute, span, scratch);
}

void FieldEvaluator::for_each_value(const Attribute& attribute, const Span& span,
                                    const std::function<void(const Value&)>& visit) const {
  if (!attribute.is_repeated()) {
    Value scratch;
    if (const Value& one = read(attribute, span, scratch); !one.is_nil()) visit(one);
    return;
  }
  any_value(attribute, span, [&](const Value& one) {
    visit(one);
    return false;
  });
}

const Value& FieldEvaluator::read(const Expr& expr, const Span& span, Value& scratch) {
  switch (expr.kind) {
    case NodeKind::kConstant:
      return expr.value;
    case NodeKind::kAttribute:
      return read(expr.attribute, span, scratch);
    case NodeKind::kUnary:
      scratch = unary(expr, span);
      break;
    case NodeKind::kExists:
      scratch = Value::of_bool(exists(*expr.args[0], span));
      break;
    case NodeKind::kMissing:
      scratch = Value::of_bool(!exists(*expr.args[0], span));
      break;
    default:
      scratch =
          is_arithmetic(expr.op) ? calculation(expr, span) : Value::of_bool(binary(expr, span));
  }
  return scratch;
}

bool FieldEvaluator::exists(const Expr& operand, const Span& span) {
  if (is_repeated(operand))
    return any_value(operand.attribute, span, [](const Value&) { return true; });
  Value scratch;
  return !read(operand, span, scratch).is_nil();
}

Value FieldEvaluator::unary(const Expr& expr, const Span& span) {
  Value result;
  const Value& operand = read(*expr.args[0], span, result);
  if (expr.op == Token::kNot)
    return operand.type == Type::kBoolean ? Value::of_bool(operand.integer == 0) : kNil;
  if (!is_numeric(operand.type)) return kNil;
  Value negated = operand;
  negated.integer = static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(operand.integer));
  negated.number = -operand.number;
  return negated;
}

Value FieldEvaluator::calculation(const Expr& expr, const Span& span) {
  Value left_scratch, right_scratch;
  const Value& left = read(*expr.args[0], span, left_scratch);
  const Value& right = read(*expr.args[1], span, right_scratch);
  auto result = calculate(expr.op, left, right);
  if (result.ok()) return std::move(result).value();
  if (status_.ok()) status_ = std::move(result).error();
  return kNil;
}

bool FieldEvaluator::binary(const Expr& expr, const Span& span) {
  const Expr &left_expr = *expr.args[0], &right_expr = *expr.args[1];
  Value left_scratch, right_scratch;
  if (is_repeated(left_expr))
    return any_value(left_expr.attribute, span, [&](const Value& left) {
      if (is_repeated(right_expr))
        return any_value(right_expr.attribute, span,
                         [&](const Value& right) { return compare(expr, left, right); });
      return compare(expr, left, read(right_expr, span, right_scratch));
    });
  const Value& left = read(left_expr, span, left_scratch);
  if (left.type == Type::kBoolean) {
    if (expr.op == Token::kAnd && left.integer == 0) return false;
    if (expr.op == Token::kOr && left.integer != 0) return true;
  }
  if (is_repeated(right_expr))
    return any_value(right_expr.attribute, span,
                     [&](const Value& right) { return compare(expr, left, right); });
  return compare(expr, left, read(right_expr, span, right_scratch));
}

bool FieldEvaluator::compare(const Expr& expr, const Value& left, const Value& right) const {
  const Token op = expr.op;
  if (left.is_nil() || right.is_nil() || (is_array(left.type) && is_array(right.type)))
    return false;
  const auto one = [&](const Value& l, const Value& r) {
    if (op == Token::kRegex || op == Token::kNotRegex)
      return l.type == Type::kString && expr.regex->matches(l.text) == (op == Token::kRegex);
    return holds(op, l, r);
  };
  if (!is_array(left.type) && !is_array(right.type)) return one(left, right);
  // Unequal to an array: to each of its elements. Everything else: to one of them.
  const bool is_for_all = op == Token::kNotEqual || op == Token::kNotRegex;
  const auto is_match = [&](const Value& element) {
    return is_array(left.type) ? one(element, right) : one(left, element);
  };
  const std::vector<Value>& elements = is_array(left.type) ? left.elements : right.elements;
  return is_for_all ? std::all_of(elements.begin(), elements.end(), is_match)
                    : std::any_of(elements.begin(), elements.end(), is_match);
}

bool FieldEvaluator::any_value(const Attribute& attribute, const Span& span,
                               const std::function<bool(const Value&)>& is_match) const {
  const auto is_found = [&](const Value& value) { return !value.is_nil() && is_match(value); };
  if (is_of_events(attribute))
    return std::any_of(span.events.begin(), span.events.end(),
                       [&](const Event& event) { return is_found(event_value(attribute, event)); });
  return std::any_of(span.links.begin(), span.links.end(),
                     [&](const Link& link) { return is_found(link_value(attribute, link)); });
}

const Value* FieldEvaluator::find_unscoped(const std::string& name, const Span& span) const {
  if (const Value* own = find(span.attributes, name)) return own;
  if (const Value* resource = find(trace_.resources[span.resource], name)) return resource;
  for (const Event& event : span.events)
    if (const Value* value = find(event.attributes, name)) return value;
  for (const Link& link : span.links)
    if (const Value* value = find(link.attributes, name)) return value;
  return find(trace_.instrumentations[span.instrumentation].attributes, name);
}

const Value& FieldEvaluator::read(const Attribute& attribute, const Span& span,
                                  Value& scratch) const {
  const Instrumentation& instrumentation = trace_.instrumentations[span.instrumentation];
  if (attribute.is_repeated()) {
    scratch = Value();
    any_value(attribute, span, [&](const Value& value) {
      scratch = value;
      return true;
    });
    return scratch;
  }
  switch (attribute.intrinsic) {
    case Intrinsic::kNone:
      break;
    case Intrinsic::kDuration:
      return scratch = Value::of_duration(span.duration_ns);
    case Intrinsic::kName:
      return scratch = Value::of_string(span.name);
    case Intrinsic::kStatus:
      return scratch = Value::of_status(span.status);
    case Intrinsic::kStatusMessage:
      return scratch = Value::of_string(span.status_message);
    case Intrinsic::kKind:
      return scratch = Value::of_kind(span.kind);
    case Intrinsic::kChildCount:
      return scratch = Value::of_int(span.child_count);
    case Intrinsic::kTraceRootService:
      return scratch = Value::of_string(trace_.root_service);
    case Intrinsic::kTraceRootName:
      return scratch = Value::of_string(trace_.root_name);
    case Intrinsic::kTraceDuration:
      return scratch = Value::of_duration(trace_.end_unix_nano - trace_.begin_unix_nano);
    case Intrinsic::kTraceId:
      return scratch = Value::of_string(trace_id_text(trace_.id));
    case Intrinsic::kSpanId:
      return scratch = Value::of_string(span_id_text(span.id));
    case Intrinsic::kParentId:
      return scratch = Value::of_string(span_id_text(span.parent_id));
    case Intrinsic::kNestedSetLeft:
      return scratch = Value::of_int(span.left);
    case Intrinsic::kNestedSetRight:
      return scratch = Value::of_int(span.right);
    case Intrinsic::kNestedSetParent:
      return scratch = Value::of_int(span.parent);
    case Intrinsic::kInstrumentationName:
      return scratch = Value::of_string(instrumentation.name);
    case Intrinsic::kInstrumentationVersion:
      return scratch = Value::of_string(instrumentation.version);
    default:
      return kNil;
  }
  switch (attribute.scope) {
    case AttributeScope::kSpan:
      return found(find(span.attributes, attribute.name));
    case AttributeScope::kResource:
      return found(find(trace_.resources[span.resource], attribute.name));
    case AttributeScope::kInstrumentation:
      return found(find(instrumentation.attributes, attribute.name));
    default:
      return found(find_unscoped(attribute.name, span));
  }
}

}  // namespace spanway::query::traceql
