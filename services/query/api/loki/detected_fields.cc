#include "services/query/api/loki/detected_fields.h"

#include <map>
#include <set>
#include <string>
#include <utility>

#include "services/lib/base/json_writer.h"
#include "services/query/api/loki/loki_parameters.h"
#include "services/query/log_source/store_entry_source.h"
#include "services/query/logql/go_text.h"
#include "services/query/logql/parser.h"

namespace spanway::query::loki {
namespace {

constexpr std::size_t kFieldsDefault = 1000;
constexpr std::size_t kValuesMax = 1000;  // For one field.

struct Field {
  std::set<std::string> values;
  std::set<std::string> parsers;
};
using Fields = std::map<std::string, Field>;

std::string_view type_of(std::string_view value) {
  if (value == "true" || value == "false") return "boolean";
  if (const auto number = logql::parse_float(value); number.ok())
    return value.find_first_of(".eEnN") == value.npos ? "int" : "float";
  if (logql::parse_go_duration(value).ok()) return "duration";
  if (logql::parse_size(value).ok()) return "bytes";
  return "string";
}

void add(const Labels& labels, std::string_view parser, Fields& fields) {
  for (const auto& [name, value] : labels) {
    if (name.starts_with("__error")) continue;
    Field& field = fields[name];
    if (field.values.size() < kValuesMax) field.values.insert(value);
    if (!parser.empty()) field.parsers.emplace(parser);
  }
}

// Reads the newest lines of the query without a parser, with json and with logfmt.
Result<Fields> fields_of(const ApiRequest& request, const QueryParts& parts,
                         QueryContext& context) {
  SPANWAY_ASSIGN(const TimeRange range, parse_range(request.parameters, now_of(parts.clock)));
  SPANWAY_ASSIGN(const std::size_t lines,
                 parse_count(request.parameters, "line_limit", kEntriesDefault));
  SPANWAY_ASSIGN(const auto expr, logql::parse(request.parameters.get("query")));
  if (!logql::is_log(*expr))
    return invalid_argument("only log selector is supported").with_reason("bad_query");
  const std::string query = logql::to_string(*expr);
  const logql::RangeQuery newest{.start = range.begin,
                                 .end = range.end,
                                 .step = 0,
                                 .interval = 0,
                                 .limit = lines,
                                 .is_newest_first = true};
  Fields fields;
  for (const std::string_view parser : {"", "json", "logfmt"}) {
    StoreEntrySource source(parts.logs, context, parts.clock);
    const std::string own =
        parser.empty() ? query : query + " | " + std::string(parser) + " | __error__=\"\"";
    SPANWAY_ASSIGN(const auto result, parts.engine.range(own, newest, source));
    for (const logql::ResultEntry& entry : result.entries) {
      if (parser.empty()) add(entry.labels.metadata, "", fields);
      // A line of JSON is no logfmt, whatever a lenient parser finds in it.
      if (parser == "logfmt" && entry.line.starts_with('{')) continue;
      add(entry.labels.parsed, parser, fields);
    }
  }
  return fields;
}

}  // namespace

Status answer_detected_fields(const ApiRequest& request, const QueryParts& parts,
                              QueryContext& context, AnswerWriter& writer) {
  const bool has_limit = request.parameters.find("limit").has_value();
  SPANWAY_ASSIGN(
      const std::size_t limit,
      parse_count(request.parameters, has_limit ? "limit" : "field_limit", kFieldsDefault));
  SPANWAY_ASSIGN(const Fields fields, fields_of(request, parts, context));
  std::string text;
  JsonWriter json(text);
  json.begin_object().begin_array("fields");
  std::size_t count = 0;
  for (const auto& [name, field] : fields) {
    if (count++ == limit) break;
    json.begin_object().member("label", name).member("type", type_of(*field.values.begin()));
    json.member("cardinality", static_cast<std::uint64_t>(field.values.size()));
    json.key("parsers");
    if (field.parsers.empty()) {
      json.null();
    } else {
      json.begin_array();
      for (const std::string& parser : field.parsers) json.value(parser);
      json.end_array();
    }
    json.end_object();
  }
  json.end_array().member("limit", static_cast<std::uint64_t>(limit)).end_object();
  return writer.write(text + "\n");
}

Status answer_detected_field_values(const ApiRequest& request, const QueryParts& parts,
                                    QueryContext& context, AnswerWriter& writer) {
  SPANWAY_ASSIGN(const std::size_t limit, parse_count(request.parameters, "limit", kFieldsDefault));
  SPANWAY_ASSIGN(const Fields fields, fields_of(request, parts, context));
  std::string text;
  JsonWriter json(text);
  json.begin_object().begin_array("values");
  const auto found = fields.find(std::string(request.arguments.get("name")));
  std::size_t count = 0;
  if (found != fields.end())
    for (const std::string& value : found->second.values)
      if (count++ < limit) json.value(value);
  json.end_array().member("limit", static_cast<std::uint64_t>(limit)).end_object();
  return writer.write(text + "\n");
}

}  // namespace spanway::query::loki
