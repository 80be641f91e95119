#include "services/query/store/filter/span_matcher.h"

#include <algorithm>
#include <compare>
#include <utility>

namespace spanway::query {
namespace {

bool holds(Op op, std::partial_ordering order) {
  switch (op) {
    case Op::kEqual:
    case Op::kEqualText:
      return order == 0;
    case Op::kNotEqual:
      return order != 0;
    case Op::kLess:
      return order < 0;
    case Op::kLessEqual:
      return order <= 0;
    case Op::kGreater:
      return order > 0;
    case Op::kGreaterEqual:
      return order >= 0;
    default:
      return false;
  }
}

bool compares_to(Op op, const Value& want, const otlp::ValueView& have) {
  if (const auto* text = std::get_if<std::string>(&want))
    return have.kind == otlp::ValueKind::kString &&
           holds(op, have.text <=> std::string_view(*text));
  if (const auto* integer = std::get_if<std::int64_t>(&want))
    return have.kind == otlp::ValueKind::kInt && holds(op, have.integer <=> *integer);
  if (const auto* real = std::get_if<double>(&want))
    return have.kind == otlp::ValueKind::kDouble && holds(op, have.number <=> *real);
  return have.kind == otlp::ValueKind::kBool && holds(op, have.boolean <=> std::get<bool>(want));
}

bool compares_integer(const Comparison& comparison, std::int64_t have) {
  return holds(comparison.op, have <=> std::get<std::int64_t>(comparison.value));
}

// The attributes in each place of a scope; ends early when `visit` returns true.
template <typename Visit>
bool any_place(Scope scope, const otlp_blocks::StoredSpan& stored,
               const otlp::ResourceView* resource, const Visit& visit) {
  const auto in = [scope](Scope one) { return scope == one || scope == Scope::kAny; };
  if (in(Scope::kSpan) && visit(stored.span.attributes)) return true;
  if (in(Scope::kResource) && resource != nullptr && visit(resource->attributes)) return true;
  if (in(Scope::kInstrumentation) && visit(stored.scope.attributes)) return true;
  if (in(Scope::kEvent))
    for (const otlp::EventView& event : stored.span.events)
      if (visit(event.attributes)) return true;
  if (in(Scope::kLink))
    for (const otlp::LinkView& link : stored.span.links)
      if (visit(link.attributes)) return true;
  return false;
}

}  // namespace

bool reads(const SpanCondition& condition, Scope scope) {
  const auto all = comparisons_of(condition);
  return std::any_of(all.begin(), all.end(), [scope](const Comparison* comparison) {
    const Subject& subject = comparison->subject;
    return subject.field == Field::kAttribute &&
           (subject.scope == scope || subject.scope == Scope::kAny);
  });
}

bool reads(const SpanCondition& condition, Field field) {
  const auto all = comparisons_of(condition);
  return std::any_of(all.begin(), all.end(), [field](const Comparison* comparison) {
    return comparison->subject.field == field;
  });
}

Result<SpanMatcher> SpanMatcher::create(const SpanCondition& condition) {
  SPANWAY_TRY(check(condition));
  SPANWAY_ASSIGN(Node root, compile(condition));
  return SpanMatcher(std::move(root));
}

Result<SpanMatcher::Node> SpanMatcher::compile(const SpanCondition& condition) {
  Node node;
  node.kind = condition.kind;
  for (const SpanCondition& child : condition.children) {
    SPANWAY_ASSIGN(Node compiled, compile(child));
    node.children.push_back(std::move(compiled));
  }
  if (condition.kind != SpanCondition::Kind::kComparison) return node;
  node.comparison = condition.comparison;
  node.values = {condition.comparison.value};
  const auto* text = std::get_if<std::string>(&condition.comparison.value);
  if (condition.comparison.op == Op::kEqualText) node.values = denoted_values(*text);
  if (condition.comparison.op == Op::kRegex || condition.comparison.op == Op::kNotRegex) {
    SPANWAY_ASSIGN(node.regex, Regex::whole(*text));
  }
  return node;
}

bool SpanMatcher::matches(const otlp_blocks::StoredSpan& stored,
                          const otlp::ResourceView* resource) const {
  return holds(root_, stored, resource);
}

bool SpanMatcher::holds(const Node& node, const otlp_blocks::StoredSpan& stored,
                        const otlp::ResourceView* resource) {
  const auto child_holds = [&](const Node& child) { return holds(child, stored, resource); };
  switch (node.kind) {
    case SpanCondition::Kind::kAll:
      return std::all_of(node.children.begin(), node.children.end(), child_holds);
    case SpanCondition::Kind::kAny:
      return std::any_of(node.children.begin(), node.children.end(), child_holds);
    case SpanCondition::Kind::kComparison:
      break;
  }
  return compares(node, stored, resource);
}

bool SpanMatcher::compares(const Node& node, const otlp_blocks::StoredSpan& stored,
                           const otlp::ResourceView* resource) {
  const otlp::SpanView& span = stored.span;
  const auto any_event = [&](auto text_of) {
    return std::any_of(span.events.begin(), span.events.end(),
                       [&](const otlp::EventView& e) { return compares_text(node, text_of(e)); });
  };
  const auto any_link = [&](auto text_of) {
    return std::any_of(span.links.begin(), span.links.end(),
                       [&](const otlp::LinkView& l) { return compares_text(node, text_of(l)); });
  };
  switch (node.comparison.subject.field) {
    case Field::kAttribute:
      return compares_attribute(node, stored, resource);
    case Field::kService:
      return compares_text(node, stored.service_name);
    case Field::kName:
      return compares_text(node, span.name);
    case Field::kKind:
      return compares_integer(node.comparison, static_cast<std::int64_t>(span.kind));
    case Field::kStatus:
      return compares_integer(node.comparison, static_cast<std::int64_t>(span.status_code));
    case Field::kStatusMessage:
      return compares_text(node, span.status_message);
    case Field::kDuration:
      return compares_integer(
          node.comparison,
          static_cast<std::int64_t>(span.end_time_unix_nano - span.start_time_unix_nano));
    case Field::kParentSpanId:
      return compares_text(node, span.parent_span_id);
    case Field::kSpanId:
      return compares_text(node, span.span_id);
    case Field::kTraceId:
      return compares_text(node, span.trace_id);
    case Field::kScopeName:
      return compares_text(node, stored.scope.name);
    case Field::kScopeVersion:
      return compares_text(node, stored.scope.version);
    case Field::kEventName:
      return any_event([](const otlp::EventView& event) { return event.name; });
    case Field::kLinkTraceId:
      return any_link([](const otlp::LinkView& link) { return link.trace_id; });
    case Field::kLinkSpanId:
      return any_link([](const otlp::LinkView& link) { return link.span_id; });
  }
  return false;
}

bool SpanMatcher::compares_attribute(const Node& node, const otlp_blocks::StoredSpan& stored,
                                     const otlp::ResourceView* resource) {
  const Subject& subject = node.comparison.subject;
  const auto exists = [&](otlp::Attributes attributes) {
    return otlp::find_attribute(attributes, subject.key) != nullptr;
  };
  if (node.comparison.op == Op::kExists) return any_place(subject.scope, stored, resource, exists);
  if (node.comparison.op == Op::kMissing)
    return !any_place(subject.scope, stored, resource, exists);
  return any_place(subject.scope, stored, resource, [&](otlp::Attributes attributes) {
    const otlp::AttributeView* attribute = otlp::find_attribute(attributes, subject.key);
    return attribute != nullptr && compares_value(node, attribute->value);
  });
}

bool SpanMatcher::compares_value(const Node& node, const otlp::ValueView& value) {
  if (node.regex) return value.kind == otlp::ValueKind::kString && compares_text(node, value.text);
  return std::any_of(node.values.begin(), node.values.end(), [&](const Value& want) {
    return compares_to(node.comparison.op, want, value);
  });
}

bool SpanMatcher::compares_text(const Node& node, std::string_view text) {
  if (node.regex) return node.regex->matches(text) == (node.comparison.op == Op::kRegex);
  return query::holds(node.comparison.op,
                      text <=> std::string_view(std::get<std::string>(node.comparison.value)));
}

}  // namespace spanway::query
