// CRD.md from the declaration.
#include "operator/api/declaration.h"
#include "operator/api/fields.h"
#include "services/lib/base/markdown.h"
#include "services/lib/config/scalar.h"

namespace spanway::api {
namespace {

constexpr char kIntroduction[] =
    "# Pipeline\n\n"
    "`spanway.dev/v1alpha1`, kind `Pipeline`, short name `pl`. Every field, generated from the "
    "code; a "
    "test keeps it true. Samples: `k8s/samples`.\n\n"
    "Durations are written as `500ms`, `30s`, `5m`, `24h`. Secrets are named, never written here, "
    "and are in the Pipeline's namespace. The API server checks the rules; `spanway-operator plan "
    "-f` checks the same ones offline.\n";

std::string range(std::int64_t min, std::int64_t max) {
  return std::to_string(min) + " to " + std::to_string(max);
}

struct Table {
  std::string path;
  std::string doc;
  std::string rows;
  std::string rules;
};

// Writes one object; the tables of all objects are in one list.
class MarkdownWriter final : public Fields {
 public:
  MarkdownWriter(std::vector<Table>& tables, std::string path, const char* doc)
      : tables_(tables), index_(tables.size()), path_(std::move(path)) {
    tables_.push_back({path_, doc, "", ""});
  }

  using Fields::field;
  void field(std::string_view name, bool& value, const FieldInfo& info) override {
    row(name, "boolean", value ? "true" : "false", "", info);
  }
  void field(std::string_view name, std::int64_t& value, const FieldInfo& info) override {
    const bool has_default = !info.required && *info.absent == '\0';
    row(name, "whole number", has_default ? std::to_string(value) : "", range(info.min, info.max),
        info);
  }
  void field(std::string_view name, std::string& value, const FieldInfo& info) override {
    row(name, "text", value, text_bounds(info), info);
  }
  void field(std::string_view name, Duration& value, const FieldInfo& info) override {
    // "must be from 1s to 1h" without the first words.
    row(name, "duration", config::format_duration(value), duration_bounds_message(info).substr(13),
        info);
  }
  void field(std::string_view name, std::vector<std::string>&, const FieldInfo& info) override {
    row(name, "list of texts", "", items(info) + ", each " + text_bounds(info), info);
  }
  void field(std::string_view name, std::map<std::string, std::string>&,
             const FieldInfo& info) override {
    row(name, "map of texts", "", items(info), info);
  }
  void quantity(std::string_view name, std::string&, const FieldInfo& info) override {
    row(name, "number with unit", "", "", info);
  }
  void word(std::string_view name, int& value, const EnumNames& names,
            const FieldInfo& info) override {
    row(name, "one of " + joined(names),
        info.required ? "" : std::string(names.at(static_cast<std::size_t>(value))), "", info);
  }
  void words(std::string_view name, std::vector<std::string>&, const EnumNames& names,
             const FieldInfo& info) override {
    row(name, "list of " + joined(names), "", "", info);
  }
  void raw(std::string_view name, Json&, RawShape shape, const FieldInfo& info) override {
    row(name, shape == RawShape::kObject ? "object" : "list of objects", "", "at most 64 KiB",
        info);
  }
  void group(std::string_view name, const FieldInfo& info, const Describe& describe) override {
    row(name, "object", "", "", info);
    enter(path_of(name), info, describe);
  }
  void optional_impl(std::string_view name, const FieldInfo& info, bool,
                     const std::function<void()>& emplace, const Describe& describe) override {
    emplace();
    row(name, "object", "", "", info);
    enter(path_of(name), info, describe);
  }
  void list_impl(std::string_view name, const FieldInfo& info, const List& list) override {
    list.resize(1);
    row(name, "list by " + markdown_code(list.key), "", items(info), info);
    enter(path_of(name) + "[]", info, [&list](Fields& item) { list.describe_item(item, 0); });
    list.resize(0);
  }
  void rule_impl(const RuleInfo& info, const std::function<bool()>&) override { add_rule(info); }
  void transition_impl(const RuleInfo& info, const void*,
                       const std::function<bool(const void*)>&) override {
    add_rule(info);
  }

 private:
  static std::string joined(const EnumNames& names) {
    std::string all;
    for (const std::string_view name : names)
      all += (all.empty() ? "" : ", ") + markdown_code(name);
    return all;
  }
  static std::string items(const FieldInfo& info) {
    return info.items_min > 0
               ? std::to_string(info.items_min) + " to " + std::to_string(info.items_max)
               : "at most " + std::to_string(info.items_max);
  }
  static std::string text_bounds(const FieldInfo& info) {
    std::string bounds = "at most " + std::to_string(info.length_max) + " long";
    if (*info.pattern != '\0') bounds += ", matches " + markdown_code(info.pattern);
    return bounds;
  }
  std::string path_of(std::string_view name) const {
    return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
  }
  void enter(const std::string& path, const FieldInfo& info, const Describe& describe) {
    MarkdownWriter inner(tables_, path, info.doc);
    describe(inner);
  }
  void row(std::string_view name, const std::string& type, const std::string& value,
           const std::string& bounds, const FieldInfo& info) {
    std::string meaning = info.doc;
    if (info.required) meaning += " Required.";
    if (*info.absent != '\0') meaning += std::string(" Unset: ") + info.absent + ".";
    if (info.immutable) meaning += " Cannot be changed.";
    if (*info.example != '\0') meaning += " Example: " + markdown_code(info.example) + ".";
    std::string cells;
    for (const std::string& text :
         {markdown_code(name), type, markdown_code(value), bounds, meaning})
      cells += " " + markdown_cell(text) + " |";
    tables_[index_].rows += "|" + cells + "\n";
  }
  void add_rule(const RuleInfo& info) {
    const std::string_view field = info.field;
    tables_[index_].rules +=
        "- " + (field.empty() ? "" : markdown_code(field) + " ") + info.message + ".\n";
  }

  std::vector<Table>& tables_;
  const std::size_t index_;
  const std::string path_;
};

// The first table with the same content: templates and autoscaling are written once.
const Table& first_like(const std::vector<Table>& tables, const Table& table) {
  for (const Table& other : tables)
    if (other.rows == table.rows && other.rules == table.rules) return other;
  return table;
}

}  // namespace

std::string markdown() {
  std::vector<Table> tables;
  Pipeline pipeline;
  MarkdownWriter writer(tables, "", "");
  describe(writer, pipeline);
  std::string out = kIntroduction;
  for (const Table& table : tables) {
    out += "\n## " + (table.path.empty() ? "The resource" : markdown_code(table.path)) + "\n\n";
    if (!table.doc.empty()) out += table.doc + "\n\n";
    const Table& first = first_like(tables, table);
    if (&first != &table) {
      out += "As " + markdown_code(first.path) + ".\n";
      continue;
    }
    out += "| field | type | default | bounds | meaning |\n|---|---|---|---|---|\n" + table.rows;
    if (!table.rules.empty()) out += "\nRules:\n\n" + table.rules;
  }
  return out;
}

}  // namespace spanway::api
