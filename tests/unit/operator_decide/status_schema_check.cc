#include "tests/unit/operator_decide/status_schema_check.h"

#include "services/lib/base/utf8.h"

namespace spanway::decide {
namespace {

using kube::Json;

std::string joined(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "." + name;
}

bool has_type(const Json& value, const std::string& type) {
  if (type == "string") return value.is_string();
  if (type == "integer") return value.is_number_integer();
  if (type == "boolean") return value.is_boolean();
  if (type == "array") return value.is_array();
  return type == "object" && value.is_object();
}

void check_text(const std::string& text, const Json& schema, const std::string& path,
                SchemaFindings& findings) {
  if (static_cast<std::int64_t>(text.size()) >
      kube::int_at(schema, "maxLength", static_cast<std::int64_t>(text.size()))) {
    findings.problems.push_back(path + " is too long: " + text);
  }
  if (!is_valid_utf8(text)) findings.problems.push_back(path + " is no UTF-8");
  const Json* names = kube::find(schema, "enum");
  if (names == nullptr) return;
  for (const Json& name : *names) {
    if (name == text) return;
  }
  findings.problems.push_back(path + " has no such word: " + text);
}

void check_list(const Json& list, const Json& schema, const std::string& path,
                SchemaFindings& findings) {
  if (static_cast<std::int64_t>(list.size()) > kube::int_at(schema, "maxItems")) {
    findings.problems.push_back(path + " has too many items");
  }
  const std::string key = kube::string_at(schema, "x-kubernetes-list-map-keys/0");
  const std::string of_item = path + "[]";
  std::set<std::string> keys;
  bool is_unique = true;
  for (const Json& item : list) {
    check_schema(item, schema["items"], of_item, findings);
    if (!key.empty() && !keys.insert(kube::string_at(item, key)).second) is_unique = false;
  }
  if (!is_unique) findings.problems.push_back(path + " has the same " + key + " twice");
}

void check_object(const Json& object, const Json& schema, const std::string& path,
                  SchemaFindings& findings) {
  for (const auto& [name, member] : object.items()) {
    const std::string at = joined(path, name);
    const Json* known = kube::find(schema, "properties/" + name);
    if (known == nullptr) known = kube::find(schema, "additionalProperties");
    if (known == nullptr) {
      findings.problems.push_back(at + " is not in the schema");
      continue;
    }
    findings.seen.insert(at);
    check_schema(member, *known, at, findings);
  }
  const Json* required = kube::find(schema, "required");
  if (required == nullptr) return;
  for (const Json& name : *required) {
    if (!object.contains(name.get<std::string>())) {
      findings.problems.push_back(joined(path, name.get<std::string>()) + " is missing");
    }
  }
}

}  // namespace

void check_schema(const Json& value, const Json& schema, const std::string& path,
                  SchemaFindings& findings) {
  const std::string type = kube::string_at(schema, "type");
  if (!has_type(value, type)) {
    findings.problems.push_back(path + " is no " + type + ": " + kube::to_text(value));
    return;
  }
  if (type == "string") check_text(value.get<std::string>(), schema, path, findings);
  if (type == "array") check_list(value, schema, path, findings);
  if (type == "object") check_object(value, schema, path, findings);
}

std::set<std::string> fields_of(const Json& schema, const std::string& path) {
  std::set<std::string> fields;
  if (const Json* items = kube::find(schema, "items")) return fields_of(*items, path + "[]");
  const Json* properties = kube::find(schema, "properties");
  if (properties == nullptr) return fields;
  for (const auto& [name, member] : properties->items()) {
    const std::string at = joined(path, name);
    fields.insert(at);
    fields.merge(fields_of(member, at));
  }
  return fields;
}

}  // namespace spanway::decide
