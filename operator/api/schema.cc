#include "operator/api/schema.h"

#include "operator/api/kubernetes_types.h"
#include "services/lib/config/scalar.h"

namespace spanway::api {
namespace {

std::string anchored(std::string_view pattern) { return "^(" + std::string(pattern) + ")$"; }

class SchemaWriter final : public Fields {
 public:
  explicit SchemaWriter(SchemaDialect dialect) : dialect_(dialect) {
    schema_ = {{"type", "object"}, {"properties", Json::object()}};
    if (dialect_ == SchemaDialect::kEditor) schema_["additionalProperties"] = false;
  }

  using Fields::field;
  void field(std::string_view name, bool& value, const FieldInfo& info) override {
    Json& property = add(name, info, {{"type", "boolean"}});
    property["default"] = value;
  }
  void field(std::string_view name, std::int64_t& value, const FieldInfo& info) override {
    Json& property =
        add(name, info, {{"type", "integer"}, {"minimum", info.min}, {"maximum", info.max}});
    if (is_kubernetes()) property["format"] = "int32";
    if (!info.required && *info.absent == '\0') property["default"] = value;
  }
  void field(std::string_view name, std::string& value, const FieldInfo& info) override {
    Json& property = add(name, info, text(info));
    if (!info.required && !value.empty()) property["default"] = value;
    if (info.immutable && is_kubernetes())
      property["x-kubernetes-validations"] = {
          {{"rule", "self == oldSelf"}, {"message", kImmutableMessage}}};
  }
  void field(std::string_view name, Duration& value, const FieldInfo& info) override {
    Json& property = add(name, info,
                         {{"type", "string"},
                          {"maxLength", kDurationLengthMax},
                          {"pattern", anchored(kDurationPattern)}});
    if (!info.required) property["default"] = config::format_duration(value);
    if (!is_kubernetes()) return;
    const auto bound = [](std::int64_t ms) {
      return "duration('" + config::format_duration(std::chrono::milliseconds(ms)) + "')";
    };
    property["x-kubernetes-validations"] = {
        {{"rule",
          "duration(self) >= " + bound(info.min) + " && duration(self) <= " + bound(info.max)},
         {"message", duration_bounds_message(info)}}};
  }
  void field(std::string_view name, std::vector<std::string>&, const FieldInfo& info) override {
    add_set(name, info, text(info));
  }
  void field(std::string_view name, std::map<std::string, std::string>&,
             const FieldInfo& info) override {
    add(name, info,
        {{"type", "object"},
         {"maxProperties", info.items_max},
         {"additionalProperties", text(info)}});
  }
  void quantity(std::string_view name, std::string&, const FieldInfo& info) override {
    Json& property = add(
        name, info, {{"pattern", anchored(kQuantityPattern)}, {"maxLength", kQuantityLengthMax}});
    if (is_kubernetes()) {
      property["x-kubernetes-int-or-string"] = true;
      property["anyOf"] = {{{"type", "integer"}}, {{"type", "string"}}};
      // A pattern says nothing about a number.
      property["x-kubernetes-validations"] = {
          {{"rule", "string(self).matches('" + anchored(kQuantityPattern) + "')"},
           {"message", kQuantityMessage}}};
    } else {
      property["type"] = {"integer", "string"};
      property["minimum"] = 1;
    }
  }
  void word(std::string_view name, int& value, const EnumNames& names,
            const FieldInfo& info) override {
    Json& property = add(name, info, {{"type", "string"}, {"enum", names}});
    if (!info.required) property["default"] = names.at(static_cast<std::size_t>(value));
  }
  void words(std::string_view name, std::vector<std::string>&, const EnumNames& names,
             const FieldInfo& info) override {
    FieldInfo bounded = info;
    bounded.items_max = names.size();
    add_set(name, bounded, {{"type", "string"}, {"enum", names}});
  }
  void raw(std::string_view name, Json&, RawShape shape, const FieldInfo& info) override {
    Json object = {{"type", "object"}};
    if (*info.kubernetes_type != '\0') {
      object = kubernetes_schema(info.kubernetes_type, dialect_);
    } else if (is_kubernetes()) {
      object["x-kubernetes-preserve-unknown-fields"] = true;
    }
    if (shape == RawShape::kObject) {
      add(name, info, object);
      return;
    }
    Json& property =
        add(name, info, {{"type", "array"}, {"maxItems", info.items_max}, {"items", object}});
    if (is_kubernetes()) property["x-kubernetes-list-type"] = "atomic";
  }

  void group(std::string_view name, const FieldInfo& info, const Describe& describe) override {
    Json& property = add(name, info, object_schema(dialect_, describe));
    // Makes the members' defaults visible to users and CEL rules. The members are spelled out: the
    // API server evaluates rules on a default as it is written. An object that must be given needs
    // none.
    if (is_kubernetes() && !info.required && !property.contains("required"))
      property["default"] = defaults_of(property["properties"]);
  }
  void optional_impl(std::string_view name, const FieldInfo& info, bool,
                     const std::function<void()>& emplace, const Describe& describe) override {
    emplace();
    add(name, info, object_schema(dialect_, describe));
  }
  void list_impl(std::string_view name, const FieldInfo& info, const List& list) override {
    list.resize(1);
    const Json item =
        object_schema(dialect_, [&list](Fields& inner) { list.describe_item(inner, 0); });
    list.resize(0);
    Json& property =
        add(name, info, {{"type", "array"}, {"maxItems", info.items_max}, {"items", item}});
    if (info.items_min > 0) property["minItems"] = info.items_min;
    if (!is_kubernetes()) return;
    property["x-kubernetes-list-type"] = "map";
    property["x-kubernetes-list-map-keys"] = {list.key};
  }

  void rule_impl(const RuleInfo& info, const std::function<bool()>&) override { add_rule(info); }
  void transition_impl(const RuleInfo& info, const void*,
                       const std::function<bool(const void*)>&) override {
    add_rule(info);
  }

  Json take() { return std::move(schema_); }

 private:
  bool is_kubernetes() const { return dialect_ == SchemaDialect::kKubernetes; }
  static Json defaults_of(const Json& properties) {
    Json defaults = Json::object();
    for (const auto& [name, property] : properties.items())
      if (property.contains("default")) defaults[name] = property["default"];
    return defaults;
  }
  static Json text(const FieldInfo& info) {
    Json schema = {{"type", "string"}, {"maxLength", info.length_max}};
    if (info.length_min > 0) schema["minLength"] = info.length_min;
    if (*info.pattern != '\0') schema["pattern"] = anchored(info.pattern);
    return schema;
  }
  Json& add(std::string_view name, const FieldInfo& info, Json property) {
    property["description"] = info.doc;
    if (*info.absent != '\0')
      property["description"] = std::string(info.doc) + " Unset: " + info.absent + ".";
    if (info.required) schema_["required"].push_back(name);
    return schema_["properties"][std::string(name)] = std::move(property);
  }
  void add_set(std::string_view name, const FieldInfo& info, Json item) {
    Json& property =
        add(name, info, {{"type", "array"}, {"maxItems", info.items_max}, {"items", item}});
    if (info.items_min > 0) property["minItems"] = info.items_min;
    if (is_kubernetes())
      property["x-kubernetes-list-type"] = "set";
    else
      property["uniqueItems"] = true;
  }
  void add_rule(const RuleInfo& info) {
    if (!is_kubernetes() || *info.cel == '\0') return;
    Json rule = {{"rule", info.cel}, {"message", info.message}};
    const std::string_view field = info.field;
    // The API server knows the schema of metadata only for every object, so a fieldPath into it is
    // refused.
    if (field.starts_with("metadata."))
      rule["message"] = std::string(field) + " " + info.message;
    else if (!field.empty())
      rule["fieldPath"] = "." + std::string(field);
    schema_["x-kubernetes-validations"].push_back(std::move(rule));
  }

  const SchemaDialect dialect_;
  Json schema_;
};

}  // namespace

Json object_schema(SchemaDialect dialect, const Fields::Describe& describe) {
  SchemaWriter writer(dialect);
  describe(writer);
  return writer.take();
}

}  // namespace spanway::api
