#include "services/query/api/loki/stream_questions.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "services/query/api/loki/log_result_json.h"
#include "services/query/api/loki/loki_parameters.h"
#include "services/query/logql/parser.h"

namespace spanway::query::loki {
namespace {

// {"status":"success","data":[..]}; as in Loki without "data" when there is none.
Status write_names(const std::set<std::string>& names, AnswerWriter& writer) {
  std::string text;
  JsonWriter json(text);
  json.begin_object().member("status", "success");
  if (!names.empty()) {
    json.begin_array("data");
    for (const std::string& name : names) json.value(name);
    json.end_array();
  }
  json.end_object();
  return writer.write(text + "\n");
}

Result<std::vector<StreamVolume>> requested_streams(const ApiRequest& request,
                                                    const QueryParts& parts,
                                                    QueryContext& context) {
  SPANWAY_ASSIGN(const TimeRange range, parse_range(request.parameters, now_of(parts.clock)));
  SPANWAY_ASSIGN(const auto matchers, parse_selector(request));
  return streams_with_records(matchers, range, parts.logs, context);
}

// A text of digits, or of hexadecimal digits with dashes, as ids are.
bool is_id(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdefABCDEF-") == text.npos &&
         text.find_first_of("0123456789") != text.npos;
}

}  // namespace

Result<std::vector<LabelMatcher>> parse_selector(const ApiRequest& request) {
  const std::string_view query = request.parameters.get("query");
  if (query.empty()) return std::vector<LabelMatcher>();
  return logql::parse_matchers(query);
}

Result<std::vector<StreamVolume>> streams_with_records(const std::vector<LabelMatcher>& matchers,
                                                       TimeRange range, LogStore& logs,
                                                       QueryContext& context) {
  std::vector<StreamVolume> result;
  if (range.begin >= range.end) return result;
  SPANWAY_ASSIGN(auto streams, logs.streams(matchers, range, context));
  SPANWAY_ASSIGN(const auto volumes, logs.volume(matchers, range, context));
  std::map<std::uint64_t, LogVolume> by_id;
  for (const LogVolume& volume : volumes) by_id[volume.stream_id] = volume;
  for (LogStream& stream : streams)
    if (const auto found = by_id.find(stream.id); found != by_id.end())
      result.push_back({std::move(stream), found->second});
  return result;
}

Status answer_labels(const ApiRequest& request, const QueryParts& parts, QueryContext& context,
                     AnswerWriter& writer) {
  SPANWAY_ASSIGN(const auto streams, requested_streams(request, parts, context));
  std::set<std::string> names;
  for (const StreamVolume& one : streams)
    for (const auto& [name, value] : one.stream.labels) names.insert(name);
  return write_names(names, writer);
}

Status answer_label_values(const ApiRequest& request, const QueryParts& parts,
                           QueryContext& context, AnswerWriter& writer) {
  SPANWAY_ASSIGN(const auto streams, requested_streams(request, parts, context));
  std::set<std::string> values;
  for (const StreamVolume& one : streams)
    if (const std::string_view value = value_of(one.stream.labels, request.arguments.get("name"));
        !value.empty())
      values.emplace(value);
  return write_names(values, writer);
}

Status answer_series(const ApiRequest& request, const QueryParts& parts, QueryContext& context,
                     AnswerWriter& writer) {
  SPANWAY_ASSIGN(const TimeRange range, parse_range(request.parameters, now_of(parts.clock)));
  std::vector<std::vector<LabelMatcher>> selectors;
  for (const std::string_view name : {"match", "match[]"})
    for (const std::string_view text : request.parameters.all(name)) {
      SPANWAY_ASSIGN(selectors.emplace_back(), logql::parse_matchers(text));
    }
  if (selectors.empty()) selectors.emplace_back();
  std::set<Labels> found;
  for (const auto& matchers : selectors) {
    SPANWAY_ASSIGN(auto streams, streams_with_records(matchers, range, parts.logs, context));
    for (StreamVolume& one : streams) found.insert(std::move(one.stream.labels));
  }
  SPANWAY_TRY(writer.write("{\"status\":\"success\",\"data\":["));
  std::string text;
  for (const Labels& labels : found) {
    JsonWriter json(text);
    append_labels(json, labels);
    SPANWAY_TRY(writer.write(text));
    text = ",";
  }
  return writer.write("]}\n");
}

Status answer_detected_labels(const ApiRequest& request, const QueryParts& parts,
                              QueryContext& context, AnswerWriter& writer) {
  SPANWAY_ASSIGN(const auto streams, requested_streams(request, parts, context));
  std::map<std::string, std::set<std::string>> values;
  for (const StreamVolume& one : streams)
    for (const auto& [name, value] : one.stream.labels) values[name].insert(value);
  std::string text;
  JsonWriter json(text);
  json.begin_object().begin_array("detectedLabels");
  for (const auto& [name, own] : values) {
    if (std::all_of(own.begin(), own.end(), is_id)) continue;
    json.begin_object().member("label", name);
    json.member("cardinality", static_cast<std::uint64_t>(own.size())).end_object();
  }
  json.end_array().end_object();
  return writer.write(text + "\n");
}

}  // namespace spanway::query::loki
