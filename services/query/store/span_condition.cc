#include "services/query/store/span_condition.h"

#include <charconv>
#include <utility>

#include "services/query/labels/regex.h"

namespace spanway::query {
namespace {

constexpr std::size_t kSpanIdBytes = 8, kTraceIdBytes = 16;

enum class FieldType : unsigned char { kAttribute, kText, kInteger, kId };

FieldType type_of(Field field) {
  switch (field) {
    case Field::kAttribute:
      return FieldType::kAttribute;
    case Field::kKind:
    case Field::kStatus:
    case Field::kDuration:
      return FieldType::kInteger;
    case Field::kParentSpanId:
    case Field::kSpanId:
    case Field::kTraceId:
    case Field::kLinkTraceId:
    case Field::kLinkSpanId:
      return FieldType::kId;
    default:
      return FieldType::kText;
  }
}

bool is_order(Op op) { return op <= Op::kGreaterEqual; }
bool is_regex(Op op) { return op == Op::kRegex || op == Op::kNotRegex; }

bool is_id_of(Field field, const std::string& id) {
  if (field == Field::kParentSpanId && id.empty()) return true;
  const bool of_trace = field == Field::kTraceId || field == Field::kLinkTraceId;
  return id.size() == (of_trace ? kTraceIdBytes : kSpanIdBytes);
}

bool fits(const Comparison& comparison) {
  const auto* text = std::get_if<std::string>(&comparison.value);
  const Op op = comparison.op;
  switch (type_of(comparison.subject.field)) {
    case FieldType::kAttribute:
      return text != nullptr || !(is_regex(op) || op == Op::kEqualText);
    case FieldType::kText:
      return text != nullptr && (is_order(op) || is_regex(op));
    case FieldType::kInteger:
      return std::holds_alternative<std::int64_t>(comparison.value) && is_order(op);
    case FieldType::kId:
      return text != nullptr && (op == Op::kEqual || op == Op::kNotEqual) &&
             is_id_of(comparison.subject.field, *text);
  }
  return false;
}

Status check(const SpanCondition& condition, std::size_t depth, std::size_t& comparisons) {
  if (depth > kConditionDepthMax || comparisons > kComparisonsMax)
    return invalid_argument("a search has at most " + std::to_string(kComparisonsMax) +
                            " conditions, nested " + std::to_string(kConditionDepthMax) +
                            " levels deep")
        .with_reason("too_many_conditions");
  if (condition.kind == SpanCondition::Kind::kComparison) {
    ++comparisons;
    const Comparison& comparison = condition.comparison;
    if (!fits(comparison))
      return invalid_argument("an operator or a value does not fit what it is compared with")
          .with_reason("bad_condition");
    if (is_regex(comparison.op)) SPANWAY_TRY(Regex::whole(std::get<std::string>(comparison.value)));
  }
  for (const SpanCondition& child : condition.children)
    SPANWAY_TRY(check(child, depth + 1, comparisons));
  return {};
}

void collect(const SpanCondition& condition, std::vector<const Comparison*>& out) {
  if (condition.kind == SpanCondition::Kind::kComparison) out.push_back(&condition.comparison);
  for (const SpanCondition& child : condition.children) collect(child, out);
}

}  // namespace

std::vector<const Comparison*> comparisons_of(const SpanCondition& condition) {
  std::vector<const Comparison*> comparisons;
  collect(condition, comparisons);
  return comparisons;
}

std::string_view to_string(Scope scope) noexcept {
  constexpr std::string_view kNames[] = {"span",  "resource", "instrumentation",
                                         "event", "link",     "any"};
  return kNames[static_cast<std::size_t>(scope)];
}

SpanCondition all_of(std::vector<SpanCondition> children) {
  return {.kind = SpanCondition::Kind::kAll, .children = std::move(children)};
}

SpanCondition any_of(std::vector<SpanCondition> children) {
  return {.kind = SpanCondition::Kind::kAny, .children = std::move(children)};
}

SpanCondition compare(Subject subject, Op op, Value value) {
  return {.kind = SpanCondition::Kind::kComparison,
          .children = {},
          .comparison = {.subject = std::move(subject), .op = op, .value = std::move(value)}};
}

SpanCondition compare(Field field, Op op, Value value) {
  return compare(Subject{.field = field}, op, std::move(value));
}

SpanCondition both(SpanCondition condition, SpanCondition more) {
  if (condition.is_always()) return more;
  if (more.is_always()) return condition;
  if (condition.kind != SpanCondition::Kind::kAll) {
    std::vector<SpanCondition> children;
    children.push_back(std::move(condition));
    condition = all_of(std::move(children));
  }
  if (more.kind != SpanCondition::Kind::kAll) {
    condition.children.push_back(std::move(more));
    return condition;
  }
  for (SpanCondition& child : more.children) condition.children.push_back(std::move(child));
  return condition;
}

std::vector<Value> denoted_values(const std::string& text) {
  std::vector<Value> values{text};
  const char* const end = text.data() + text.size();
  std::int64_t integer = 0;
  if (const auto parsed = std::from_chars(text.data(), end, integer);
      parsed.ec == std::errc() && parsed.ptr == end && std::to_string(integer) == text)
    values.emplace_back(integer);
  double real = 0;
  if (const auto parsed = std::from_chars(text.data(), end, real);
      parsed.ec == std::errc() && parsed.ptr == end)
    values.emplace_back(real);
  if (text == "true") values.emplace_back(true);
  if (text == "false") values.emplace_back(false);
  return values;
}

Status check(const SpanCondition& condition) {
  std::size_t comparisons = 0;
  SPANWAY_TRY(check(condition, 0, comparisons));
  if (comparisons > kComparisonsMax)
    return invalid_argument("a search has at most " + std::to_string(kComparisonsMax) +
                            " conditions")
        .with_reason("too_many_conditions");
  return {};
}

}  // namespace spanway::query
