// Values of an attribute, for completion.
#include <optional>
#include <set>
#include <utility>

#include "services/query/traceql/engine.h"
#include "services/query/traceql/field_evaluator.h"
#include "services/query/traceql/query_progress.h"
#include "services/query/traceql/trace_reading.h"

namespace spanway::query::traceql {
namespace {

struct StoreValues {
  Subject subject;
  bool is_of_root = false;
};

// The subject that a store lists; nothing for the others.
std::optional<StoreValues> store_values(const Attribute& attribute) {
  switch (attribute.intrinsic) {
    case Intrinsic::kNone:
      break;
    case Intrinsic::kName:
      return StoreValues{{.field = Field::kName}};
    case Intrinsic::kStatusMessage:
      return StoreValues{{.field = Field::kStatusMessage}};
    case Intrinsic::kInstrumentationName:
      return StoreValues{{.field = Field::kScopeName}};
    case Intrinsic::kInstrumentationVersion:
      return StoreValues{{.field = Field::kScopeVersion}};
    case Intrinsic::kTraceRootName:
      return StoreValues{{.field = Field::kName}, true};
    case Intrinsic::kTraceRootService:
      return StoreValues{{.field = Field::kService}, true};
    default:
      return std::nullopt;
  }
  switch (attribute.scope) {
    case AttributeScope::kSpan:
      return StoreValues{{Field::kAttribute, Scope::kSpan, attribute.name}};
    case AttributeScope::kResource:
      return StoreValues{{Field::kAttribute, Scope::kResource, attribute.name}};
    case AttributeScope::kInstrumentation:
      return StoreValues{{Field::kAttribute, Scope::kInstrumentation, attribute.name}};
    default:
      return std::nullopt;
  }
}

Value value_of(const query::Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return Value::of_string(*text);
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return Value::of_int(*integer);
  if (const auto* real = std::get_if<double>(&value)) return Value::of_float(*real);
  return Value::of_bool(std::get<bool>(value));
}

}  // namespace

Result<std::vector<Value>> Engine::values(const Attribute& attribute, const SpanQuery& spans,
                                          QueryContext& context) const {
  std::vector<Value> result;
  if (const auto listed = store_values(attribute)) {
    SpanQuery query = spans;
    if (listed->is_of_root)
      query.where = both(std::move(query.where),
                         query::compare(Field::kParentSpanId, Op::kEqual, std::string()));
    SPANWAY_ASSIGN(const auto values, store_.values(listed->subject, query, context));
    for (const query::Value& value : values) result.push_back(value_of(value));
    return result;
  }
  SpanQuery newest = spans;
  newest.limit = kValueSpansMax;
  SPANWAY_ASSIGN(auto stream, store_.newest(newest, SpanColumns::kAll, context));
  SpanRows rows(store_, std::move(stream), context);
  std::set<Value, KeyLess> seen;
  Trace one;
  while (result.size() < spans.limit) {
    SPANWAY_TRY(check_running(context, clock_));
    SPANWAY_ASSIGN(const bool has_row, rows.next());
    if (!has_row) break;
    one.id = rows.stored().span.trace_id;
    one.spans.clear();
    one.instrumentations.clear();
    rows.append_to(one);
    FieldEvaluator(one).for_each_value(attribute, one.spans[0], [&](const Value& value) {
      if (seen.insert(value).second && result.size() < spans.limit) result.push_back(value);
    });
  }
  return result;
}

}  // namespace spanway::query::traceql
