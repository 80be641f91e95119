#include "services/query/store/clickhouse/span_conditions.h"

#include <array>
#include <charconv>
#include <string>

#include "services/lib/schema/promoted.h"

namespace spanway::query {
namespace {

using clickhouse::Sql;
using clickhouse::SqlText;

// The placeholders of one predicate, and the names of their parameters.
struct Slot {
  SqlText key, text, integer, real, flag, column, token;
  const char *key_name, *value_name, *column_name, *token_name;
};
#define SPANWAY_SLOT(n)                                                                       \
  {                                                                                           \
    "{k" #n ":String}", "{v" #n ":String}", "{v" #n ":Int64}", "{v" #n ":Float64}",           \
        "{v" #n ":Bool}", "{c" #n ":Identifier}", "{t" #n ":String}", "k" #n, "v" #n, "c" #n, \
        "t" #n                                                                                \
  }
constexpr std::array<Slot, kPredicatesMax> kSlots = {
    {SPANWAY_SLOT(0), SPANWAY_SLOT(1), SPANWAY_SLOT(2), SPANWAY_SLOT(3), SPANWAY_SLOT(4),
     SPANWAY_SLOT(5), SPANWAY_SLOT(6), SPANWAY_SLOT(7)}};
#undef SPANWAY_SLOT

// As otlp_blocks keeps longer texts apart, as JSON.
constexpr std::size_t kSearchableTextBytesMax = 1024;

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

// One predicate over the columns of one table.
class Condition {
 public:
  Condition(const Predicate& predicate, const Slot& slot, bool has_promoted,
            clickhouse::Select& out)
      : predicate_(predicate), slot_(slot), sql_(out.sql), parameters_(out.parameters) {
    const int index = has_promoted ? schema::find_promoted(predicate.key) : -1;
    if (index >= 0) promoted_ = &schema::promoted_attributes()[static_cast<std::size_t>(index)];
  }

  void append() {
    parameters_.add(slot_.key_name, predicate_.key);
    if (promoted_ != nullptr) parameters_.add(slot_.column_name, promoted_->column);
    if (predicate_.op == Op::kExists) return exists();
    if (const auto* text = std::get_if<std::string>(&predicate_.value)) return compare(*text);
    if (const auto* integer = std::get_if<std::int64_t>(&predicate_.value))
      return compare(*integer);
    if (const auto* real = std::get_if<double>(&predicate_.value)) {
      parameters_.add(slot_.value_name, std::string_view(real_text(*real)));
      return in_map("mapContains(attr_dbl,", "AND attr_dbl[", slot_.real);
    }
    parameters_.add(slot_.value_name,
                    std::string_view(std::get<bool>(predicate_.value) ? "true" : "false"));
    in_map("mapContains(attr_bool,", "AND attr_bool[", slot_.flag);
  }

 private:
  void exists() {
    sql_.add("(0");
    if (promoted_ != nullptr) sql_.add("OR isNotNull(").add(slot_.column).add(")");
    sql_.add("OR mapContains(attr_str,").add(slot_.key).add(")");
    sql_.add("OR mapContains(attr_int,").add(slot_.key).add(")");
    sql_.add("OR mapContains(attr_dbl,").add(slot_.key).add(")");
    sql_.add("OR mapContains(attr_bool,").add(slot_.key).add(")");
    sql_.add("OR mapContains(attr_other,").add(slot_.key).add("))");
  }
  void in_map(SqlText contains, SqlText access, SqlText value) {
    sql_.add("(").add(contains).add(slot_.key).add(")").add(access).add(slot_.key).add("]");
    sql_.add(text_of(predicate_.op)).add(value).add(")");
  }
  void in_column(SqlText value) {
    sql_.add("ifNull(").add(slot_.column).add(text_of(predicate_.op)).add(value).add(", 0) OR");
  }
  // The text index has the tokens of the maps alone; a promoted column has a filter of its own, and
  // the server combines both. It serves spans alone.
  void token(std::string_view value, bool table_has_tokens) {
    if (predicate_.op != Op::kEqual || !table_has_tokens) return;
    sql_.add("has(tokens,").add(slot_.token).add(") AND");
    parameters_.add(slot_.token_name, predicate_.key + "=" + std::string(value));
  }
  void compare(const std::string& text) {
    parameters_.add(slot_.value_name, std::string_view(text));
    const bool is_long = text.size() > kSearchableTextBytesMax;
    sql_.add("(");
    if (promoted_ != nullptr && promoted_->kind == schema::PromotedKind::kText)
      in_column(slot_.text);
    token(text, !is_long && predicate_.scope == Scope::kSpan);
    sql_.add("(");
    in_map("mapContains(attr_str,", "AND attr_str[", slot_.text);
    if (is_long || predicate_.op != Op::kEqual) {
      sql_.add("OR (startsWith(attr_other[").add(slot_.key).add("], '\"')");
      sql_.add("AND JSONExtractString(attr_other[").add(slot_.key).add("])");
      sql_.add(text_of(predicate_.op)).add(slot_.text).add(")");
    }
    sql_.add("))");
  }
  void compare(std::int64_t integer) {
    parameters_.add(slot_.value_name, integer);
    sql_.add("(");
    if (promoted_ != nullptr && promoted_->kind == schema::PromotedKind::kInteger)
      in_column(slot_.integer);
    token(std::to_string(integer), predicate_.scope == Scope::kSpan);
    sql_.add("(");
    in_map("mapContains(attr_int,", "AND attr_int[", slot_.integer);
    sql_.add("))");
  }

  const Predicate& predicate_;
  const Slot& slot_;
  Sql& sql_;
  clickhouse::Parameters& parameters_;
  const schema::PromotedAttribute* promoted_ = nullptr;
};

}  // namespace

Status append_where(const SpanQuery& query, const std::string& tenant, clickhouse::Select& out) {
  if (query.all_of.size() > kPredicatesMax)
    return invalid_argument("a search takes at most " + std::to_string(kPredicatesMax) +
                            " conditions on attributes")
        .with_reason("too_many_conditions");
  Sql& sql = out.sql;
  clickhouse::Parameters& parameters = out.parameters;
  parameters.add("tenant", tenant).add("begin", query.range.begin).add("end", query.range.end);
  sql.add(
      "WHERE tenant = {tenant:String} AND ts >= fromUnixTimestamp64Nano({begin:Int64}) AND ts < "
      "fromUnixTimestamp64Nano({end:Int64})");
  if (query.service) {
    sql.add("AND service_name = {service:String}");
    parameters.add("service", *query.service);
  }
  if (query.name) {
    sql.add("AND name = {name:String}");
    parameters.add("name", *query.name);
  }
  if (query.kind) {
    sql.add("AND toInt8(kind) = {kind:Int8}");
    parameters.add("kind", std::int64_t{*query.kind});
  }
  if (query.status) {
    sql.add("AND toInt8(status) = {status:Int8}");
    parameters.add("status", std::int64_t{*query.status});
  }
  if (query.duration_min_ns > 0) {
    sql.add("AND duration_ns >= {duration_min:UInt64}");
    parameters.add("duration_min", std::string_view(std::to_string(query.duration_min_ns)));
  }
  if (query.duration_max_ns < std::numeric_limits<std::uint64_t>::max()) {
    sql.add("AND duration_ns <= {duration_max:UInt64}");
    parameters.add("duration_max", std::string_view(std::to_string(query.duration_max_ns)));
  }
  for (std::size_t i = 0; i < query.all_of.size(); ++i) {
    const Predicate& predicate = query.all_of[i];
    if (predicate.scope == Scope::kSpan) {
      sql.add("AND");
      Condition(predicate, kSlots[i], /*has_promoted=*/true, out).append();
    } else {
      sql.add("AND res_id IN (SELECT res_id FROM resources WHERE tenant = {tenant:String} AND");
      Condition(predicate, kSlots[i], /*has_promoted=*/false, out).append();
      sql.add(")");
    }
  }
  return {};
}

}  // namespace spanway::query
