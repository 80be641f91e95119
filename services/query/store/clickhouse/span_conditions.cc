#include "services/query/store/clickhouse/span_conditions.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <vector>

#include "services/lib/base/hex.h"
#include "services/lib/schema/promoted.h"

namespace spanway::query {
namespace {

using clickhouse::Sql;
using clickhouse::SqlText;

// The placeholders of one comparison, and the names of their parameters.
struct Slot {
  SqlText key, json_key, text, pattern, integer, real, flag, id, column, token;
  const char *key_name, *json_key_name, *text_name, *integer_name, *real_name, *flag_name,
      *column_name, *token_name;
};
// A pattern matches the whole text, and '.' any character, as span_condition.h says.
#define SPANWAY_SLOT(n)                                                                          \
  {                                                                                              \
    "{k" #n ":String}", "{j" #n ":String}", "{v" #n ":String}",                                  \
        "concat('^(?s:', {v" #n ":String}, ')$')", "{i" #n ":Int64}", "{d" #n ":Float64}",       \
        "{b" #n ":Bool}", "unhex({v" #n ":String})", "{c" #n ":Identifier}", "{t" #n ":String}", \
        "k" #n, "j" #n, "v" #n, "i" #n, "d" #n, "b" #n, "c" #n, "t" #n                           \
  }
constexpr std::array<Slot, kComparisonsMax> kSlots = {
    {SPANWAY_SLOT(0),  SPANWAY_SLOT(1),  SPANWAY_SLOT(2),  SPANWAY_SLOT(3),  SPANWAY_SLOT(4),
     SPANWAY_SLOT(5),  SPANWAY_SLOT(6),  SPANWAY_SLOT(7),  SPANWAY_SLOT(8),  SPANWAY_SLOT(9),
     SPANWAY_SLOT(10), SPANWAY_SLOT(11), SPANWAY_SLOT(12), SPANWAY_SLOT(13), SPANWAY_SLOT(14),
     SPANWAY_SLOT(15), SPANWAY_SLOT(16), SPANWAY_SLOT(17), SPANWAY_SLOT(18), SPANWAY_SLOT(19),
     SPANWAY_SLOT(20), SPANWAY_SLOT(21), SPANWAY_SLOT(22), SPANWAY_SLOT(23), SPANWAY_SLOT(24),
     SPANWAY_SLOT(25), SPANWAY_SLOT(26), SPANWAY_SLOT(27), SPANWAY_SLOT(28), SPANWAY_SLOT(29),
     SPANWAY_SLOT(30), SPANWAY_SLOT(31)}};
#undef SPANWAY_SLOT

// As otlp_blocks keeps longer texts apart, as JSON.
constexpr std::size_t kSearchableTextBytesMax = 1024;
constexpr std::string_view kNoParent("\0\0\0\0\0\0\0\0", 8);

SqlText text_of(Op op) {
  switch (op) {
    case Op::kNotEqual:
      return "!=";
    case Op::kLess:
      return "<";
    case Op::kLessEqual:
      return "<=";
    case Op::kGreater:
      return ">";
    case Op::kGreaterEqual:
      return ">=";
    default:
      return "=";
  }
}

std::string real_text(double number) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof(text), number).ptr};
}

const schema::PromotedAttribute* promoted_of(std::string_view key) {
  const int index = schema::find_promoted(key);
  return index < 0 ? nullptr : &schema::promoted_attributes()[static_cast<std::size_t>(index)];
}

AttributeType type_of(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value))
    return text->size() > kSearchableTextBytesMax ? AttributeType::kOther : AttributeType::kText;
  if (std::holds_alternative<std::int64_t>(value)) return AttributeType::kInteger;
  return std::holds_alternative<double>(value) ? AttributeType::kDouble : AttributeType::kBoolean;
}

std::vector<Value> requested_values(const Comparison& comparison) {
  if (comparison.op == Op::kEqualText)
    return denoted_values(std::get<std::string>(comparison.value));
  return {comparison.value};
}

bool is_known(const KeyPlaces& places, const std::string& key, Scope scope) {
  const auto known = places.find(key);
  return known == places.end() ||
         std::any_of(known->second.begin(), known->second.end(),
                     [scope](const auto& place) { return place.first == scope; });
}

bool is_known(const KeyPlaces& places, const std::string& key, Scope scope, AttributeType type) {
  const auto known = places.find(key);
  return known == places.end() || known->second.contains({scope, type});
}

// True when the text index has a token of every span that fulfils the comparison, but for those
// that have the attribute in its promoted column, which has a filter of its own: of texts and
// integers.
bool has_token(const Comparison& comparison, const KeyPlaces& places) {
  const Subject& subject = comparison.subject;
  if (subject.field != Field::kAttribute) return false;
  if (comparison.op != Op::kEqual && comparison.op != Op::kEqualText) return false;
  if (subject.scope == Scope::kAny) {
    for (const Scope scope :
         {Scope::kResource, Scope::kInstrumentation, Scope::kEvent, Scope::kLink})
      if (is_known(places, subject.key, scope)) return false;
  } else if (subject.scope != Scope::kSpan) {
    return false;
  }
  for (const Value& value : requested_values(comparison)) {
    const AttributeType type = type_of(value);
    const bool is_indexed = type == AttributeType::kText || type == AttributeType::kInteger;
    if (!is_indexed && is_known(places, subject.key, Scope::kSpan, type)) return false;
  }
  return true;
}

std::string token_of(const Comparison& comparison) {
  const auto* text = std::get_if<std::string>(&comparison.value);
  return comparison.subject.key + "=" +
         (text != nullptr ? *text : std::to_string(std::get<std::int64_t>(comparison.value)));
}

// One comparison of an attribute or a field.
class ComparisonWriter {
 public:
  ComparisonWriter(const Comparison& comparison, const Slot& slot, const KeyPlaces& places,
                   clickhouse::Select& out)
      : comparison_(comparison),
        slot_(slot),
        places_(places),
        sql_(out.sql),
        parameters_(out.parameters) {}

  void append() {
    if (comparison_.subject.field != Field::kAttribute) return field();
    parameters_.add(slot_.key_name, comparison_.subject.key);
    const std::string& key = comparison_.subject.key;
    parameters_.add(slot_.json_key_name, key.starts_with('$') ? "$" + key : key);
    values_ = requested_values(comparison_);
    add_values();
    const bool is_missing = comparison_.op == Op::kMissing;
    sql_.add(is_missing ? SqlText("NOT (0") : SqlText("(0"));
    for (const Scope scope :
         {Scope::kSpan, Scope::kResource, Scope::kInstrumentation, Scope::kEvent, Scope::kLink})
      if (comparison_.subject.scope == scope ||
          (comparison_.subject.scope == Scope::kAny && is_known(places_, key, scope)))
        in_place(scope);
    sql_.add(")");
  }

 private:
  bool is_existence() const {
    return comparison_.op == Op::kExists || comparison_.op == Op::kMissing;
  }
  // The parameters of all values that can be compared.
  void add_values() {
    if (is_existence()) return;
    for (const Value& value : values_) {
      if (const auto* text = std::get_if<std::string>(&value))
        parameters_.add(slot_.text_name, std::string_view(*text));
      if (const auto* integer = std::get_if<std::int64_t>(&value))
        parameters_.add(slot_.integer_name, *integer);
      if (const auto* real = std::get_if<double>(&value))
        parameters_.add(slot_.real_name, std::string_view(real_text(*real)));
      if (const auto* flag = std::get_if<bool>(&value))
        parameters_.add(slot_.flag_name, std::string_view(*flag ? "true" : "false"));
    }
  }

  void in_place(Scope scope) {
    switch (scope) {
      case Scope::kSpan:
        return in_span();
      case Scope::kResource:
        sql_.add(
            "OR res_id IN (SELECT res_id FROM resources WHERE tenant = {tenant:String} AND (0");
        in_maps(Scope::kResource);
        sql_.add("))");
        return;
      case Scope::kInstrumentation:
        return in_json("scope_attrs");
      case Scope::kEvent:
        sql_.add("OR arrayExists(a -> (0");
        in_json("a");
        sql_.add("), events.attrs)");
        return;
      case Scope::kLink:
        sql_.add("OR arrayExists(a -> (0");
        in_json("a");
        sql_.add("), links.attrs)");
        return;
      case Scope::kAny:
        return;
    }
  }

  // The server combines the filter of a promoted column with the text index of the maps.
  void in_span() {
    if (const auto* promoted = promoted_of(comparison_.subject.key)) in_column(*promoted);
    const bool has_tokens = has_token(comparison_, places_);
    if (has_tokens) {
      parameters_.add(slot_.token_name, token_of(comparison_));
      sql_.add("OR (has(tokens,").add(slot_.token).add(") AND (0");
    }
    in_maps(Scope::kSpan);
    if (has_tokens) sql_.add("))");
  }

  void in_column(const schema::PromotedAttribute& promoted) {
    parameters_.add(slot_.column_name, promoted.column);
    if (is_existence()) {
      sql_.add("OR isNotNull(").add(slot_.column).add(")");
      return;
    }
    for (const Value& value : values_) {
      const bool is_text = std::holds_alternative<std::string>(value);
      if (promoted.kind == schema::PromotedKind::kText
              ? !is_text
              : !std::holds_alternative<std::int64_t>(value))
        continue;
      sql_.add("OR ifNull(");
      compare(value, slot_.column);
      sql_.add(", 0)");
    }
  }

  // The maps of spans or of resources.
  void in_maps(Scope scope) {
    if (is_existence()) {
      sql_.add("OR mapContains(attr_str,").add(slot_.key).add(")");
      sql_.add("OR mapContains(attr_int,").add(slot_.key).add(")");
      sql_.add("OR mapContains(attr_dbl,").add(slot_.key).add(")");
      sql_.add("OR mapContains(attr_bool,").add(slot_.key).add(")");
      sql_.add("OR mapContains(attr_other,").add(slot_.key).add(")");
      return;
    }
    for (const Value& value : values_) {
      const AttributeType type = type_of(value);
      // A short text may be compared with long ones, but for equality.
      const bool is_long = type == AttributeType::kOther;
      const bool reads_long =
          std::holds_alternative<std::string>(value) &&
          (is_long || (comparison_.op != Op::kEqual && comparison_.op != Op::kEqualText));
      if (!is_long && is_known(places_, comparison_.subject.key, scope, type)) in_map(value, type);
      if (is_long && comparison_.op != Op::kEqual && comparison_.op != Op::kEqualText)
        in_map(value, AttributeType::kText);
      if (!reads_long) continue;
      sql_.add("OR (startsWith(attr_other[").add(slot_.key).add("], '\"') AND (");
      json_text(value);
      sql_.add("))");
    }
  }
  void json_text(const Value& value) {
    const bool is_regex = comparison_.op == Op::kRegex || comparison_.op == Op::kNotRegex;
    if (comparison_.op == Op::kNotRegex) sql_.add("NOT");
    if (is_regex) sql_.add("match(");
    sql_.add("JSONExtractString(attr_other[").add(slot_.key).add("])");
    if (is_regex)
      sql_.add(",").add(slot_.pattern).add(")");
    else
      sql_.add(text_of(comparison_.op)).add(operand(value));
  }

  struct Map {
    SqlText contains, element;
  };
  static Map map_of(AttributeType type) {
    switch (type) {
      case AttributeType::kInteger:
        return {"mapContains(attr_int,", "attr_int["};
      case AttributeType::kDouble:
        return {"mapContains(attr_dbl,", "attr_dbl["};
      case AttributeType::kBoolean:
        return {"mapContains(attr_bool,", "attr_bool["};
      default:
        return {"mapContains(attr_str,", "attr_str["};
    }
  }
  void in_map(const Value& value, AttributeType type) {
    const Map map = map_of(type);
    sql_.add("OR (").add(map.contains).add(slot_.key).add(") AND");
    const bool is_regex = comparison_.op == Op::kRegex || comparison_.op == Op::kNotRegex;
    if (comparison_.op == Op::kNotRegex) sql_.add("NOT");
    if (is_regex) sql_.add("match(");
    sql_.add(map.element).add(slot_.key).add("]");
    if (is_regex)
      sql_.add(",").add(slot_.pattern).add("))");
    else
      sql_.add(text_of(comparison_.op)).add(operand(value)).add(")");
  }

  // An object of attributes as otlp/value_json.h writes it.
  void in_json(SqlText object) {
    if (is_existence()) {
      sql_.add("OR JSONHas(").add(object).add(",").add(slot_.json_key).add(")");
      return;
    }
    for (const Value& value : values_) {
      sql_.add("OR (JSONType(").add(object).add(",").add(slot_.json_key).add(")");
      const bool is_regex = comparison_.op == Op::kRegex || comparison_.op == Op::kNotRegex;
      SqlText extract = "JSONExtractString(";
      if (std::holds_alternative<std::string>(value)) {
        sql_.add("= 'String' AND");
      } else if (std::holds_alternative<std::int64_t>(value)) {
        sql_.add("IN ('Int64', 'UInt64') AND");
        extract = "JSONExtractInt(";
      } else if (std::holds_alternative<double>(value)) {
        sql_.add("= 'Double' AND");
        extract = "JSONExtractFloat(";
      } else {
        sql_.add("= 'Bool' AND");
        extract = "JSONExtractBool(";
      }
      if (comparison_.op == Op::kNotRegex) sql_.add("NOT");
      if (is_regex) sql_.add("match(");
      sql_.add(extract).add(object).add(",").add(slot_.json_key).add(")");
      if (is_regex)
        sql_.add(",").add(slot_.pattern).add("))");
      else
        sql_.add(text_of(comparison_.op)).add(operand(value)).add(")");
    }
  }

  SqlText operand(const Value& value) const {
    if (std::holds_alternative<std::string>(value)) return slot_.text;
    if (std::holds_alternative<std::int64_t>(value)) return slot_.integer;
    return std::holds_alternative<double>(value) ? slot_.real : slot_.flag;
  }
  // "subject op value", of a column.
  void compare(const Value& value, SqlText subject) {
    switch (comparison_.op) {
      case Op::kRegex:
        sql_.add("match(").add(subject).add(",").add(slot_.pattern).add(")");
        return;
      case Op::kNotRegex:
        sql_.add("NOT match(").add(subject).add(",").add(slot_.pattern).add(")");
        return;
      default:
        sql_.add(subject).add(text_of(comparison_.op)).add(operand(value));
    }
  }

  void field() {
    switch (comparison_.subject.field) {
      case Field::kService:
        return text_field("service_name");
      case Field::kName:
        return text_field("name");
      case Field::kStatusMessage:
        return text_field("status_message");
      case Field::kScopeName:
        return text_field("scope_name");
      case Field::kScopeVersion:
        return text_field("scope_version");
      case Field::kKind:
        return integer_field("toInt8(kind)");
      case Field::kStatus:
        return integer_field("toInt8(status)");
      case Field::kDuration:
        return integer_field("duration_ns");
      case Field::kParentSpanId:
        return id_field("parent_span_id");
      case Field::kSpanId:
        return id_field("span_id");
      case Field::kTraceId:
        return id_field("trace_id");
      case Field::kEventName:
        sql_.add("arrayExists(a ->");
        text_field("a");
        sql_.add(", events.name)");
        return;
      case Field::kLinkTraceId:
        sql_.add("arrayExists(a ->");
        id_field("a");
        sql_.add(", links.trace_id)");
        return;
      case Field::kLinkSpanId:
        sql_.add("arrayExists(a ->");
        id_field("a");
        sql_.add(", links.span_id)");
        return;
      case Field::kAttribute:
        return;
    }
  }
  void text_field(SqlText column) {
    parameters_.add(slot_.text_name, std::string_view(std::get<std::string>(comparison_.value)));
    sql_.add("(");
    compare(comparison_.value, column);
    sql_.add(")");
  }
  void integer_field(SqlText column) {
    parameters_.add(slot_.integer_name, std::get<std::int64_t>(comparison_.value));
    sql_.add("(");
    compare(comparison_.value, column);
    sql_.add(")");
  }
  void id_field(SqlText column) {
    std::string_view id = std::get<std::string>(comparison_.value);
    if (id.empty()) id = kNoParent;
    parameters_.add(slot_.text_name, std::string_view(to_hex(id)));
    sql_.add("(").add(column).add(text_of(comparison_.op)).add(slot_.id).add(")");
  }

  const Comparison& comparison_;
  const Slot& slot_;
  const KeyPlaces& places_;
  Sql& sql_;
  clickhouse::Parameters& parameters_;
  std::vector<Value> values_;
};

// `next` is the slot of the next comparison.
void append_condition(const SpanCondition& condition, const KeyPlaces& places, std::size_t& next,
                      clickhouse::Select& out) {
  if (condition.kind == SpanCondition::Kind::kComparison)
    return ComparisonWriter(condition.comparison, kSlots[next++], places, out).append();
  const bool is_all = condition.kind == SpanCondition::Kind::kAll;
  if (condition.children.empty()) {
    out.sql.add(is_all ? SqlText("1") : SqlText("0"));
    return;
  }
  out.sql.add("(");
  bool is_first = true;
  for (const SpanCondition& child : condition.children) {
    if (!is_first) out.sql.add(is_all ? SqlText("AND") : SqlText("OR"));
    is_first = false;
    append_condition(child, places, next, out);
  }
  out.sql.add(")");
}

}  // namespace

std::set<std::string> keys_to_look_up(const SpanCondition& condition) {
  std::set<std::string> keys;
  for (const Comparison* comparison : comparisons_of(condition))
    if (comparison->subject.field == Field::kAttribute &&
        (comparison->op == Op::kEqualText || comparison->subject.scope == Scope::kAny))
      keys.insert(comparison->subject.key);
  return keys;
}

bool is_led_by_index(const SpanCondition& condition, const KeyPlaces& places) {
  switch (condition.kind) {
    case SpanCondition::Kind::kComparison:
      // Values of promoted attributes are shared by many spans: the newest are found by their time.
      return promoted_of(condition.comparison.subject.key) == nullptr &&
             has_token(condition.comparison, places);
    case SpanCondition::Kind::kAll:
      return std::any_of(condition.children.begin(), condition.children.end(),
                         [&](const auto& child) { return is_led_by_index(child, places); });
    case SpanCondition::Kind::kAny:
      return !condition.children.empty() &&
             std::all_of(condition.children.begin(), condition.children.end(),
                         [&](const auto& child) { return is_led_by_index(child, places); });
  }
  return false;
}

void append_where(const SpanQuery& query, const KeyPlaces& places, const std::string& tenant,
                  clickhouse::Select& out) {
  out.parameters.add("tenant", tenant).add("begin", query.range.begin).add("end", query.range.end);
  out.sql.add(
      "WHERE tenant = {tenant:String} AND ts >= fromUnixTimestamp64Nano({begin:Int64}) AND ts < "
      "fromUnixTimestamp64Nano({end:Int64})");
  if (query.where.is_always()) return;
  out.sql.add("AND");
  std::size_t next = 0;
  append_condition(query.where, places, next, out);
}

}  // namespace spanway::query
