#include <cmath>
#include <utility>

#include "services/lib/base/json_writer.h"
#include "services/lib/config/load.h"
#include "services/lib/config/scalar.h"

namespace spanway::config {
namespace {

// A JSON object under construction.
class Object {
 public:
  Object& add(std::string_view name, std::string_view json) {
    out_ += (out_.empty() ? "" : ",") + json_quoted(name) + ":" + std::string(json);
    return *this;
  }
  Object& add_text(std::string_view name, std::string_view text) {
    return add(name, json_quoted(text));
  }
  std::string json() const { return "{" + out_ + "}"; }

 private:
  std::string out_;
};

// Any value may be written as a substitution, which is text before it is resolved.
std::string or_substitution(const std::string& schema) {
  return "[" + schema + "," +
         Object()
             .add_text("type", "string")
             .add_text("pattern", R"(\$\{(env|file):[^}]+\})")
             .json() +
         "]";
}

std::string text_schema(const char* pattern) {
  Object schema;
  schema.add_text("type", "string");
  if (*pattern != '\0') schema.add_text("pattern", "^(?:" + std::string(pattern) + ")$");
  return schema.json();
}

class SchemaBinder final : public Binder {
 public:
  std::string properties() const { return properties_.json(); }

  using Binder::key;
  void key(std::string_view name, bool& value, const KeyInfo& info) override {
    property(name, Object().add_text("type", "boolean").json(), value ? "true" : "false", info);
  }
  void key(std::string_view name, std::int64_t& value, const KeyInfo& info) override {
    property(name, number("integer", info), std::to_string(value), info);
  }
  void key(std::string_view name, double& value, const KeyInfo& info) override {
    property(name, number("number", info), format_double(value), info);
  }
  void key(std::string_view name, std::string& value, const KeyInfo& info) override {
    property(name, text_schema(info.pattern), json_quoted(value), info);
  }
  void key(std::string_view name, Secret&, const KeyInfo& info) override {
    property(name, text_schema(info.pattern), "", info);
  }
  void key(std::string_view name, Duration& value, const KeyInfo& info) override {
    const std::string zero = Object().add("const", "0").json();
    const std::string text = text_schema("0|(0|[1-9][0-9]*)(ns|us|ms|s|m|h)");
    property(name, Object().add("anyOf", "[" + zero + "," + text + "]").json(),
             json_quoted(format_duration(value)), info);
  }
  void key(std::string_view name, ByteSize& value, const KeyInfo& info) override {
    const std::string bytes = number("integer", KeyInfo{.min = 0});
    const std::string text = text_schema("(0|[1-9][0-9]*)(B|KiB|MiB|GiB|TiB)?");
    property(name, Object().add("anyOf", "[" + bytes + "," + text + "]").json(),
             json_quoted(format_size(value)), info);
  }
  void key(std::string_view name, std::vector<std::string>& value, const KeyInfo& info) override {
    std::string items;
    for (const std::string& item : value) items += (items.empty() ? "" : ",") + json_quoted(item);
    const std::string item_schema =
        Object().add("anyOf", or_substitution(text_schema(info.pattern))).json();
    property(name, Object().add_text("type", "array").add("items", item_schema).json(),
             info.secret ? "" : "[" + items + "]", info);
  }
  void key(std::string_view name, std::map<std::string, std::string>& value,
           const KeyInfo& info) override {
    Object items;
    for (const auto& [item, text] : value) items.add_text(item, text);
    const std::string item_schema =
        Object().add("anyOf", or_substitution(text_schema(info.pattern))).json();
    property(name,
             Object().add_text("type", "object").add("additionalProperties", item_schema).json(),
             info.secret ? "" : items.json(), info);
  }
  void key(std::string_view name, std::uint16_t& value, const KeyInfo& info) override {
    KeyInfo bounds = info;
    bounds.min = std::max(info.min, 0.0);
    bounds.max = std::min(info.max, 65535.0);
    property(name, number("integer", bounds), std::to_string(value), info);
  }
  void enum_key(std::string_view name, int& value, const EnumNames& names,
                const KeyInfo& info) override {
    std::string all;
    for (const std::string_view word : names) all += (all.empty() ? "" : ",") + json_quoted(word);
    property(name, Object().add("enum", "[" + all + "]").json(),
             json_quoted(names.at(static_cast<std::size_t>(value))), info);
  }
  void section_impl(std::string_view name, const char* doc,
                    const std::function<void(Binder&)>& describe_section) override {
    SchemaBinder section;
    describe_section(section);
    properties_.add(name, section.object(doc, R"(["object","null"])"));
  }
  void list_impl(std::string_view name, const char* doc, std::size_t size,
                 const std::function<void(std::size_t)>& resize,
                 const std::function<void(Binder&, std::size_t)>& describe_item) override {
    if (size == 0) resize(1);
    SchemaBinder item;
    describe_item(item, 0);
    if (size == 0) resize(0);
    properties_.add(name, Object()
                              .add_text("type", "array")
                              .add_text("description", doc)
                              .add("maxItems", "1000")
                              .add("items", item.object("", R"("object")"))
                              .json());
  }

  std::string object(const char* doc, std::string_view type) const {
    Object schema;
    schema.add("type", type);
    if (*doc != '\0') schema.add_text("description", doc);
    return schema.add("additionalProperties", "false").add("properties", properties()).json();
  }

 private:
  static std::string number(const char* type, const KeyInfo& info) {
    Object schema;
    schema.add_text("type", type);
    if (std::isfinite(info.min)) schema.add("minimum", format_double(info.min));
    if (std::isfinite(info.max)) schema.add("maximum", format_double(info.max));
    return schema.json();
  }
  // `value` is the default as JSON; "" = none.
  void property(std::string_view name, const std::string& schema, const std::string& value,
                const KeyInfo& info) {
    Object out;
    out.add_text("description", std::string(info.doc) + (info.required ? " Required." : ""));
    out.add("anyOf", or_substitution(schema));
    if (!value.empty() && !info.required) out.add("default", value);
    if (*info.example != '\0') out.add("examples", "[" + json_quoted(info.example) + "]");
    properties_.add(name, out.json());
  }

  Object properties_;
};

}  // namespace

// Required keys are named in descriptions only: the environment may give them, too, so that a file
// without them can be right.
std::string json_schema(std::string_view title, const Describe& describe) {
  SchemaBinder binder;
  describe(binder);
  return Object()
             .add_text("$schema", "https://json-schema.org/draft/2020-12/schema")
             .add_text("title", title)
             .add_text("type", "object")
             .add("additionalProperties", "false")
             .add("properties", binder.properties())
             .json() +
         "\n";
}

}  // namespace spanway::config
