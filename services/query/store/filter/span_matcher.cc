#include "services/query/store/filter/span_matcher.h"

#include <compare>

namespace spanway::query {
namespace {

bool holds(Op op, std::partial_ordering order) {
  switch (op) {
    case Op::kEqual:
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
    case Op::kExists:
      return true;
  }
  return false;
}

bool fulfils(const Predicate& predicate, const otlp::ValueView& value) {
  if (predicate.op == Op::kExists) return true;
  if (const auto* text = std::get_if<std::string>(&predicate.value))
    return value.kind == otlp::ValueKind::kString &&
           holds(predicate.op, value.text <=> std::string_view(*text));
  if (const auto* integer = std::get_if<std::int64_t>(&predicate.value))
    return value.kind == otlp::ValueKind::kInt && holds(predicate.op, value.integer <=> *integer);
  if (const auto* real = std::get_if<double>(&predicate.value))
    return value.kind == otlp::ValueKind::kDouble && holds(predicate.op, value.number <=> *real);
  return value.kind == otlp::ValueKind::kBool &&
         holds(predicate.op, value.boolean <=> std::get<bool>(predicate.value));
}

bool fulfils(const Predicate& predicate, otlp::Attributes attributes) {
  const otlp::AttributeView* attribute = otlp::find_attribute(attributes, predicate.key);
  return attribute != nullptr && fulfils(predicate, attribute->value);
}

}  // namespace

bool matches(const SpanQuery& query, const otlp_blocks::StoredSpan& stored,
             const otlp::ResourceView* resource) {
  const otlp::SpanView& span = stored.span;
  const std::uint64_t duration = span.end_time_unix_nano - span.start_time_unix_nano;
  if (!query.range.contains(static_cast<std::int64_t>(span.start_time_unix_nano))) return false;
  if (query.service && *query.service != stored.service_name) return false;
  if (query.name && *query.name != span.name) return false;
  if (query.kind && *query.kind != static_cast<int>(span.kind)) return false;
  if (query.status && *query.status != static_cast<int>(span.status_code)) return false;
  if (duration < query.duration_min_ns || duration > query.duration_max_ns) return false;
  for (const Predicate& predicate : query.all_of) {
    const otlp::Attributes attributes = predicate.scope == Scope::kSpan ? span.attributes
                                        : resource == nullptr           ? otlp::Attributes()
                                                                        : resource->attributes;
    if (!fulfils(predicate, attributes)) return false;
  }
  return true;
}

}  // namespace spanway::query
