#include "services/query/store/clickhouse/attribute_values.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <string>
#include <utility>

#include "services/lib/schema/promoted.h"
#include "services/query/store/clickhouse/attribute_names.h"
#include "services/query/store/clickhouse/clickhouse_reading.h"
#include "services/query/store/clickhouse/span_conditions.h"

namespace spanway::query {
namespace {

using clickhouse::Select;
using clickhouse::SqlText;
using Counts = std::vector<std::pair<Value, std::uint64_t>>;

// The value of one type, as text, and whether it is there: in the maps of spans and resources, and
// in the JSON of an instrumentation scope.
struct TypeSql {
  SqlText value, is_there;
  SqlText json_value, json_is_there;
};

TypeSql sql_of(AttributeType type) {
  switch (type) {
    case AttributeType::kInteger:
      return {"toString(attr_int[{key:String}])", "mapContains(attr_int, {key:String})",
              "toString(JSONExtractInt(scope_attrs, {json_key:String}))",
              "JSONType(scope_attrs, {json_key:String}) IN ('Int64', 'UInt64')"};
    case AttributeType::kDouble:
      return {"toString(attr_dbl[{key:String}])", "mapContains(attr_dbl, {key:String})",
              "toString(JSONExtractFloat(scope_attrs, {json_key:String}))",
              "JSONType(scope_attrs, {json_key:String}) = 'Double'"};
    case AttributeType::kBoolean:
      return {"if(attr_bool[{key:String}], 'true', 'false')",
              "mapContains(attr_bool, {key:String})",
              "if(JSONExtractBool(scope_attrs, {json_key:String}), 'true', 'false')",
              "JSONType(scope_attrs, {json_key:String}) = 'Bool'"};
    default:
      return {"toString(attr_str[{key:String}])", "mapContains(attr_str, {key:String})",
              "JSONExtractString(scope_attrs, {json_key:String})",
              "JSONType(scope_attrs, {json_key:String}) = 'String' AND "
              "length(JSONExtractString(scope_attrs, {json_key:String})) <= 1024"};
  }
}

Value value_of(AttributeType type, std::string_view text) {
  const char* const end = text.data() + text.size();
  if (type == AttributeType::kInteger) {
    std::int64_t integer = 0;
    std::from_chars(text.data(), end, integer);
    return integer;
  }
  if (type == AttributeType::kDouble) {
    double real = 0;
    std::from_chars(text.data(), end, real);
    return real;
  }
  if (type == AttributeType::kBoolean) return text == "true" || text == "1";
  return std::string(text);
}

class ValuesReader {
 public:
  ValuesReader(clickhouse::Client& client, const Subject& subject, const SpanQuery& query,
               const KeyPlaces& places, QueryContext& context)
      : client_(client), subject_(subject), query_(query), places_(places), context_(context) {}

  Status read() {
    switch (subject_.field) {
      case Field::kService:
        return of_spans("toString(service_name)", AttributeType::kText);
      case Field::kName:
        return of_spans("toString(name)", AttributeType::kText);
      case Field::kKind:
        return of_spans("toString(toInt8(kind))", AttributeType::kInteger);
      case Field::kStatus:
        return of_spans("toString(toInt8(status))", AttributeType::kInteger);
      case Field::kStatusMessage:
        return of_spans("status_message", AttributeType::kText);
      case Field::kScopeName:
        return of_spans("toString(scope_name)", AttributeType::kText);
      case Field::kScopeVersion:
        return of_spans("toString(scope_version)", AttributeType::kText);
      default:
        return attribute();
    }
  }
  // The most frequent first.
  std::vector<Value> take() {
    std::stable_sort(counts_.begin(), counts_.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    std::vector<Value> values;
    for (auto& [value, count] : counts_)
      if (values.size() < query_.limit) values.push_back(std::move(value));
    return values;
  }

 private:
  Status attribute() {
    const auto known = places_.find(subject_.key);
    if (known == places_.end()) return {};
    for (const auto& [scope, type] : known->second) {
      if (scope != subject_.scope || type == AttributeType::kOther) continue;
      const TypeSql sql = sql_of(type);
      if (scope == Scope::kResource) {
        SPANWAY_TRY(of_resources(sql, type));
      } else if (scope == Scope::kInstrumentation) {
        SPANWAY_TRY(of_spans(sql.json_value, type, sql.json_is_there));
      } else {
        SPANWAY_TRY(of_spans(sql.value, type, sql.is_there));
        SPANWAY_TRY(of_column(type));
      }
    }
    return {};
  }
  // The promoted column of the attribute, which holds the values of its type.
  Status of_column(AttributeType type) {
    const int index = schema::find_promoted(subject_.key);
    if (index < 0) return {};
    const auto& promoted = schema::promoted_attributes()[static_cast<std::size_t>(index)];
    const bool is_text = promoted.kind == schema::PromotedKind::kText;
    if (type != (is_text ? AttributeType::kText : AttributeType::kInteger)) return {};
    column_ = promoted.column;
    return of_spans("toString({column:Identifier})", type, "isNotNull({column:Identifier})");
  }

  Status of_spans(SqlText value, AttributeType type, SqlText is_there = "1") {
    Select select{.sql = {"SELECT value, count() AS found FROM (SELECT"}};
    select.sql.add(value).add("AS value FROM spans");
    append_where(query_, places_, context_.tenant, select);
    select.sql.add("AND").add(is_there).add(")");
    return finish(std::move(select), type);
  }
  Status of_resources(const TypeSql& sql, AttributeType type) {
    Select select{
        .sql = {"SELECT value, sum(spans_of_resource) AS found FROM (SELECT res_id, count() AS "
                "spans_of_resource FROM spans"}};
    append_where(query_, places_, context_.tenant, select);
    select.sql.add("GROUP BY res_id) AS s INNER JOIN (SELECT DISTINCT res_id,");
    select.sql.add(sql.value).add("AS value FROM resources WHERE tenant = {tenant:String} AND");
    select.sql.add(sql.is_there).add(") AS r ON s.res_id = r.res_id");
    return finish(std::move(select), type);
  }
  Status finish(Select select, AttributeType type) {
    const std::string& key = subject_.key;
    select.parameters.add("key", key)
        .add("json_key", key.starts_with('$') ? "$" + key : key)
        .add("column", column_)
        .add("limit", static_cast<std::int64_t>(query_.limit));
    select.sql.add("GROUP BY value ORDER BY found DESC, value LIMIT {limit:UInt64}");
    SPANWAY_ASSIGN(const auto blocks, read_all(client_, std::move(select), context_));
    for (const block::Block& block : blocks)
      for (std::size_t row = 0; row < block.rows(); ++row)
        counts_.emplace_back(value_of(type, text_in(block, "value", row)),
                             numbers<std::uint64_t>(block, "found")[row]);
    return {};
  }

  clickhouse::Client& client_;
  const Subject& subject_;
  const SpanQuery& query_;
  const KeyPlaces& places_;
  QueryContext& context_;
  std::string_view column_;
  Counts counts_;
};

}  // namespace

Result<std::vector<Value>> read_values(clickhouse::Client& client, const Subject& subject,
                                       const SpanQuery& requested, QueryContext& context) {
  SPANWAY_TRY(check_values_of(subject));
  SPANWAY_TRY(check(requested.where));
  context.coverage = {
      .requested = requested.range, .searched = requested.range, .complete = true, .why = ""};
  SpanQuery query = requested;
  query.range = clamped(requested.range);
  std::set<std::string> keys = keys_to_look_up(query.where);
  if (subject.field == Field::kAttribute) keys.insert(subject.key);
  SPANWAY_ASSIGN(const KeyPlaces places, read_key_places(client, keys, query.range, context));
  ValuesReader reader(client, subject, query, places, context);
  SPANWAY_TRY(reader.read());
  return reader.take();
}

}  // namespace spanway::query
