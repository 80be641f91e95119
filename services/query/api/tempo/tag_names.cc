#include "services/query/api/tempo/tag_names.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "services/lib/base/json_writer.h"

namespace spanway::query::tempo {
namespace {

using traceql::Attribute;
using traceql::AttributeScope;
using traceql::Intrinsic;
using traceql::Value;

constexpr std::string_view kIntrinsics[] = {"duration",
                                            "event:name",
                                            "event:timeSinceStart",
                                            "instrumentation:name",
                                            "instrumentation:version",
                                            "kind",
                                            "link:spanID",
                                            "link:traceID",
                                            "name",
                                            "rootName",
                                            "rootServiceName",
                                            "span:duration",
                                            "span:id",
                                            "span:kind",
                                            "span:name",
                                            "span:parentID",
                                            "span:status",
                                            "span:statusMessage",
                                            "status",
                                            "statusMessage",
                                            "trace:duration",
                                            "trace:id",
                                            "trace:rootName",
                                            "trace:rootService",
                                            "traceDuration"};

// The conditions between "&&" outside of quotes.
std::vector<std::string> conjuncts(std::string_view text) {
  std::vector<std::string> parts(1);
  char quote = '\0';
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote == '\0' && text.substr(i, 2) == "&&") {
      parts.emplace_back();
      ++i;
      continue;
    }
    if (quote == '\0' && (c == '"' || c == '`'))
      quote = c;
    else if (c == quote)
      quote = '\0';
    parts.back() += c;
  }
  return parts;
}

bool is_one_filter(const traceql::Query& query) {
  return query.pipeline && query.pipeline->args.size() == 1 &&
         query.pipeline->args[0]->kind == traceql::NodeKind::kFilter;
}

std::string type_of(const Value& value) {
  switch (value.type) {
    case traceql::Type::kInt:
      return "int";
    case traceql::Type::kFloat:
      return "float";
    case traceql::Type::kBoolean:
      return "bool";
    case traceql::Type::kDuration:
      return "duration";
    case traceql::Type::kStatus:
    case traceql::Type::kKind:
      return "keyword";
    default:
      return "string";
  }
}

}  // namespace

std::string keys_v1_json(const std::vector<AttributeKey>& keys, const TagParameters& parameters) {
  std::set<std::string> names;
  for (const AttributeKey& key : keys) names.insert(key.key);
  if (parameters.scope == "intrinsic") names.insert(std::begin(kIntrinsics), std::end(kIntrinsics));
  std::string out;
  JsonWriter json(out);
  json.begin_object().begin_array("tagNames");
  for (const std::string& name : names) json.value(name);
  json.end_array().begin_object("metrics").end_object().end_object();
  return out;
}

std::string keys_v2_json(const std::vector<AttributeKey>& keys, const TagParameters& parameters) {
  std::map<std::string, std::set<std::string>> scopes;
  for (const AttributeKey& key : keys) scopes[std::string(to_string(key.scope))].insert(key.key);
  if (parameters.scope.empty() || parameters.scope == "intrinsic")
    scopes["intrinsic"].insert(std::begin(kIntrinsics), std::end(kIntrinsics));
  std::string out;
  JsonWriter json(out);
  json.begin_object().begin_array("scopes");
  for (const auto& [scope, names] : scopes) {
    json.begin_object().member("name", scope).begin_array("tags");
    for (const std::string& name : names) json.value(name);
    json.end_array().end_object();
  }
  json.end_array().begin_object("metrics").end_object().end_object();
  return out;
}

std::optional<std::vector<Value>> known_values(const std::string& tag, bool is_v2) {
  std::vector<Value> values;
  if (!is_v2) {
    if (tag == "status.code")
      for (const char* text : {"unset", "ok", "error"}) values.push_back(Value::of_string(text));
    else if (tag == "error")
      values.push_back(Value::of_string("true"));
    else
      return std::nullopt;
    return values;
  }
  constexpr std::int64_t kKinds = 6, kStatuses = 3;
  switch (traceql::find_intrinsic(tag).value_or(Intrinsic::kNone)) {
    case Intrinsic::kStatus:
      for (std::int64_t i = 0; i < kStatuses; ++i) values.push_back(Value::of_status(i));
      return values;
    case Intrinsic::kKind:
      for (std::int64_t i = 0; i < kKinds; ++i) values.push_back(Value::of_kind(i));
      return values;
    case Intrinsic::kDuration:
    case Intrinsic::kTraceDuration:
    case Intrinsic::kEventTimeSinceStart:
      return values;
    default:
      return std::nullopt;
  }
}

Result<std::vector<Attribute>> attributes_of_tag(const std::string& tag, bool is_v2) {
  if (!is_v2) {
    if (tag == "name") return std::vector{Attribute{.intrinsic = Intrinsic::kName}};
    if (tag == "root.name") return std::vector{Attribute{.intrinsic = Intrinsic::kTraceRootName}};
    if (tag == "root.service.name")
      return std::vector{Attribute{.intrinsic = Intrinsic::kTraceRootService}};
    return std::vector{Attribute{.scope = AttributeScope::kResource, .name = tag},
                       Attribute{.scope = AttributeScope::kSpan, .name = tag}};
  }
  const auto parsed = traceql::parse("{ " + tag + " != nil }");
  const traceql::Expr* condition =
      parsed.ok() && is_one_filter(*parsed) ? parsed->pipeline->args[0]->args[0].get() : nullptr;
  if (condition == nullptr || condition->kind != traceql::NodeKind::kExists ||
      condition->args[0]->kind != traceql::NodeKind::kAttribute)
    return invalid_argument("tag name is not valid intrinsic or scoped attribute: " + tag)
        .with_reason("bad_parameters");
  Attribute attribute = condition->args[0]->attribute;
  if (attribute.is_intrinsic() || attribute.scope != AttributeScope::kNone)
    return std::vector{attribute};
  std::vector<Attribute> both;
  for (const AttributeScope scope : {AttributeScope::kResource, AttributeScope::kSpan}) {
    attribute.scope = scope;
    both.push_back(attribute);
  }
  return both;
}

std::optional<traceql::Query> filter_of(const std::string& text) {
  if (text.empty()) return std::nullopt;
  auto all = traceql::parse(text);
  if (all.ok()) return is_one_filter(*all) ? std::optional(std::move(all).value()) : std::nullopt;
  const std::size_t begin = text.find('{'), end = text.rfind('}');
  if (begin == std::string::npos || text.find("||") != std::string::npos) return std::nullopt;
  std::string kept;
  for (const std::string& part : conjuncts(std::string_view(text).substr(
           begin + 1,
           end == std::string::npos || end < begin ? std::string::npos : end - begin - 1)))
    if (const auto one = traceql::parse("{" + part + "}"); one.ok() && is_one_filter(*one))
      kept += (kept.empty() ? "" : " && ") + part;
  auto filter = traceql::parse("{" + kept + "}");
  return kept.empty() || !filter.ok() ? std::nullopt : std::optional(std::move(filter).value());
}

std::string values_json(const std::vector<Value>& values, bool is_v2) {
  std::set<Value, traceql::KeyLess> seen;
  std::string out;
  JsonWriter json(out);
  json.begin_object().begin_array("tagValues");
  for (const Value& value : values) {
    if (!seen.insert(value).second) continue;
    if (is_v2)
      json.begin_object()
          .member("type", type_of(value))
          .member("value", plain_text(value))
          .end_object();
    else
      json.value(plain_text(value));
  }
  json.end_array().begin_object("metrics").end_object().end_object();
  return out;
}

}  // namespace spanway::query::tempo
