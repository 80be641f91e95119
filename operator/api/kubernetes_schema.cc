// Writes and reads the generated schemas.
#include <algorithm>
#include <limits>
#include <regex>

#include "operator/api/kubernetes_types.h"
#include "services/lib/base/check.h"
#include "services/lib/config/scalar.h"

namespace spanway::api {
namespace {

// Above the bounds of Kubernetes.
constexpr std::size_t kTextBytesMax = 1024;
constexpr std::size_t kItemsMax = 64;
constexpr char kAnyQuantityPattern[] =
    "[+-]?([0-9]+|[0-9]+\\.[0-9]*|\\.[0-9]+)"
    "([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?";
constexpr char kQuantity[] = "Quantity";
constexpr char kIntOrString[] = "IntOrString";

const Json& all_types() {
  static const Json types = [] {
    auto parsed = kube::parse_json(kKubernetesTypes);
    SPANWAY_CHECK(parsed.ok());
    return std::move(parsed).value();
  }();
  return types;
}

const Json& type_named(std::string_view name) {
  const auto found = all_types().find(name);
  SPANWAY_CHECK(found != all_types().end());
  return *found;
}

Json number_or_text(SchemaDialect dialect, bool is_quantity) {
  Json schema = {{"maxLength", is_quantity ? 64 : kTextBytesMax}};
  if (is_quantity) schema["pattern"] = std::string("^(") + kAnyQuantityPattern + ")$";
  if (dialect == SchemaDialect::kKubernetes) {
    schema["x-kubernetes-int-or-string"] = true;
    schema["anyOf"] = {{{"type", "integer"}}, {{"type", "string"}}};
  } else {
    schema["type"] = {"integer", "string"};
    if (is_quantity) schema["type"] = {"number", "string"};
  }
  return schema;
}

Json expanded(const Json& type, SchemaDialect dialect) {
  if (const std::string name = kube::string_at(type, "$ref"); !name.empty()) {
    if (name == kQuantity || name == kIntOrString) {
      Json schema = number_or_text(dialect, name == kQuantity);
      for (const char* bound : {"minimum", "maximum"})
        if (type.contains(bound)) schema[bound] = type[bound];
      return schema;
    }
    return expanded(type_named(name), dialect);
  }
  Json schema = type;
  const std::string is = kube::string_at(type, "type");
  const bool for_server = dialect == SchemaDialect::kKubernetes;
  if (is == "string" && !type.contains("enum")) schema["maxLength"] = kTextBytesMax;
  if (type.contains("items")) {
    schema["items"] = expanded(type["items"], dialect);
    schema["maxItems"] = kItemsMax;
    if (for_server) schema["x-kubernetes-list-type"] = "atomic";
  }
  if (type.contains("additionalProperties")) {
    schema["additionalProperties"] = expanded(type["additionalProperties"], dialect);
    schema["maxProperties"] = kItemsMax;
  }
  if (type.contains("properties")) {
    for (auto& [name, member] : schema["properties"].items()) member = expanded(member, dialect);
    if (!for_server) schema["additionalProperties"] = false;
  }
  return schema;
}

class Checker {
 public:
  explicit Checker(const AddProblem& add) : add_(add) {}

  void check(const Json& type, const Json& value, const std::string& path) {
    // A null counts as a member that is missing.
    if (value.is_null()) return;
    if (const std::string name = kube::string_at(type, "$ref"); !name.empty()) {
      if (name == kQuantity) return check_quantity(value, path);
      if (name == kIntOrString) return check_int_or_string(type, value, path);
      return check(type_named(name), value, path);
    }
    const std::string is = kube::string_at(type, "type");
    if (is == "object") return check_object(type, value, path);
    if (is == "array") return check_array(type, value, path);
    if (is == "integer") return check_integer(type, value, path);
    if (is == "boolean" && !value.is_boolean()) return add_(path, "must be true or false");
    if (is == "string") check_text(type, value, path);
  }

 private:
  void check_object(const Json& type, const Json& value, const std::string& path) {
    if (!value.is_object()) return add_(path, "must be a mapping");
    if (type.contains("additionalProperties")) {
      if (value.size() > kItemsMax) return too_many(path, "entries");
      for (const auto& [name, member] : value.items())
        check(type["additionalProperties"], member, path + "[" + name + "]");
      return;
    }
    static const Json kNone = Json::object();
    const Json& members = type.contains("properties") ? type["properties"] : kNone;
    for (const auto& [name, member] : value.items()) {
      const auto known = members.find(name);
      if (known != members.end()) {
        check(*known, member, path + "." + name);
        continue;
      }
      std::vector<std::string> names;
      for (const auto& [other, unused] : members.items()) names.push_back(other);
      add_(path + "." + name, "is no field" + config::did_you_mean(name, names));
    }
    if (!type.contains("required")) return;
    for (const Json& name : type["required"]) {
      const auto found = value.find(name.get_ref<const std::string&>());
      if (found == value.end() || found->is_null())
        add_(path + "." + name.get<std::string>(), "is required");
    }
  }
  void check_array(const Json& type, const Json& value, const std::string& path) {
    if (!value.is_array()) return add_(path, "must be a list");
    if (value.size() > kItemsMax) return too_many(path, "items");
    for (std::size_t i = 0; i < value.size(); ++i)
      check(type["items"], value[i], path + "[" + std::to_string(i) + "]");
  }
  void check_bounds(const Json& type, const Json& value, const std::string& path) {
    const auto least = type.find("minimum");
    const auto most = type.find("maximum");
    const bool is_low = least != type.end() && value < *least;
    const bool is_high = most != type.end() && value > *most;
    if (!is_low && !is_high) return;
    add_(path, most == type.end() ? "must be at least " + least->dump()
                                  : "must be from " + least->dump() + " to " + most->dump());
  }
  void check_integer(const Json& type, const Json& value, const std::string& path) {
    if (!value.is_number_integer()) return add_(path, "must be a whole number");
    check_bounds(type, value, path);
    if (kube::string_at(type, "format") != "int32") return;
    using Limits = std::numeric_limits<std::int32_t>;
    const bool huge = value.is_number_unsigned() && value.get<std::uint64_t>() > Limits::max();
    if (huge || value.get<std::int64_t>() < Limits::min()) add_(path, "is out of range");
  }
  void check_text(const Json& type, const Json& value, const std::string& path) {
    if (!value.is_string()) return add_(path, "must be a text; write it in quotes");
    if (value.get_ref<const std::string&>().size() > kTextBytesMax)
      return add_(path, "must be at most " + std::to_string(kTextBytesMax) + " long");
    const auto names = type.find("enum");
    if (names == type.end() || std::find(names->begin(), names->end(), value) != names->end())
      return;
    std::string all;
    std::vector<std::string> candidates;
    for (const Json& name : *names) {
      candidates.push_back(name.get<std::string>());
      if (!candidates.back().empty()) all += (all.empty() ? "" : ", ") + candidates.back();
    }
    add_(path,
         "must be one of " + all + config::did_you_mean(value.get<std::string>(), candidates));
  }
  void check_quantity(const Json& value, const std::string& path) {
    static const std::regex pattern(kAnyQuantityPattern);
    const bool fits = value.is_number() ||
                      (value.is_string() && value.get_ref<const std::string&>().size() <= 64 &&
                       std::regex_match(value.get_ref<const std::string&>(), pattern));
    if (!fits) add_(path, "must be a quantity such as 500m, 2 or 64Mi");
  }
  void check_int_or_string(const Json& type, const Json& value, const std::string& path) {
    if (value.is_number_integer()) return check_bounds(type, value, path);
    if (!value.is_string()) add_(path, "must be a whole number or a name");
  }
  void too_many(const std::string& path, const char* what) {
    add_(path, "must have at most " + std::to_string(kItemsMax) + " " + what);
  }

  const AddProblem& add_;
};

}  // namespace

Json kubernetes_schema(std::string_view type, SchemaDialect dialect) {
  return expanded(type_named(type), dialect);
}

void check_kubernetes_type(std::string_view type, const Json& value, const std::string& path,
                           const AddProblem& add) {
  Checker(add).check(type_named(type), value, path);
}

}  // namespace spanway::api
