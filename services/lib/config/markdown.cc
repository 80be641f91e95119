#include "services/lib/base/markdown.h"

#include <utility>

#include "services/lib/config/bounds.h"
#include "services/lib/config/environment.h"
#include "services/lib/config/load.h"
#include "services/lib/config/scalar.h"

namespace spanway::config {
namespace {

struct Table {
  std::string path;
  std::string doc;
  std::string rows;
};

// One section; the tables of all sections are one list, in the order of the file.
class MarkdownBinder final : public Binder {
 public:
  MarkdownBinder(std::vector<Table>& tables, std::string path, std::string environment_prefix,
                 const char* doc)
      : tables_(tables),
        index_(tables.size()),
        path_(std::move(path)),
        environment_prefix_(std::move(environment_prefix)) {
    tables_.push_back({path_, doc, ""});
  }

  using Binder::key;
  void key(std::string_view name, bool& value, const KeyInfo& info) override {
    row(name, "boolean", value ? "true" : "false", "", info);
  }
  void key(std::string_view name, std::int64_t& value, const KeyInfo& info) override {
    row(name, "whole number", std::to_string(value), bounds_text(info, BoundsUnit::kNumber), info);
  }
  void key(std::string_view name, double& value, const KeyInfo& info) override {
    row(name, "number", format_double(value), bounds_text(info, BoundsUnit::kNumber), info);
  }
  void key(std::string_view name, std::string& value, const KeyInfo& info) override {
    row(name, "text", value, pattern(info), info);
  }
  void key(std::string_view name, Secret&, const KeyInfo& info) override {
    row(name, "secret", "", pattern(info), info);
  }
  void key(std::string_view name, Duration& value, const KeyInfo& info) override {
    row(name, "duration", format_duration(value), bounds_text(info, BoundsUnit::kMilliseconds),
        info);
  }
  void key(std::string_view name, ByteSize& value, const KeyInfo& info) override {
    row(name, "size", format_size(value), bounds_text(info, BoundsUnit::kBytes), info);
  }
  void key(std::string_view name, std::vector<std::string>& value, const KeyInfo& info) override {
    std::string items;
    for (const std::string& item : value) items += (items.empty() ? "" : ", ") + item;
    row(name, "list of texts", "[" + items + "]", pattern(info), info);
  }
  void key(std::string_view name, std::map<std::string, std::string>& value,
           const KeyInfo& info) override {
    std::string items;
    for (const auto& [item, text] : value)
      items += (items.empty() ? "" : ", ") + item + ": " + (info.secret ? "***" : text);
    row(name, "map of texts", "{" + items + "}", pattern(info), info);
  }
  void key(std::string_view name, std::uint16_t& value, const KeyInfo& info) override {
    row(name, "port", std::to_string(value), bounds_text(info, BoundsUnit::kNumber), info);
  }
  void enum_key(std::string_view name, int& value, const EnumNames& names,
                const KeyInfo& info) override {
    std::string all;
    for (const std::string_view word : names)
      all += (all.empty() ? "" : ", ") + markdown_code(word);
    row(name, "one of " + all, std::string(names.at(static_cast<std::size_t>(value))), "", info);
  }
  void section_impl(std::string_view name, const char* doc,
                    const std::function<void(Binder&)>& describe_section) override {
    MarkdownBinder section(tables_, path_of(name), environment_name(environment_prefix_, name),
                           doc);
    describe_section(section);
  }
  void list_impl(std::string_view name, const char* doc, std::size_t size,
                 const std::function<void(std::size_t)>& resize,
                 const std::function<void(Binder&, std::size_t)>& describe_item) override {
    if (size == 0) resize(1);
    const std::string prefix = environment_name(environment_prefix_, name);
    MarkdownBinder item(tables_, path_of(name) + "[]", environment_name(prefix, "<n>"), doc);
    describe_item(item, 0);
    if (size == 0) resize(0);
  }

 private:
  std::string path_of(std::string_view name) const {
    return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
  }
  static std::string pattern(const KeyInfo& info) {
    return *info.pattern == '\0' ? "" : "matches " + markdown_code(info.pattern);
  }
  void row(std::string_view name, std::string_view type, std::string_view value,
           std::string_view bounds, const KeyInfo& info) {
    std::string environment = markdown_code(environment_name(environment_prefix_, name));
    for (const std::string& alias : alias_names(info.alias))
      environment += ", " + markdown_code(alias);
    std::string meaning = info.doc;
    if (info.required) meaning += " Required.";
    if (*info.example != '\0')
      meaning += std::string(" Example: ") + markdown_code(info.example) + ".";
    std::string cells;
    for (const std::string& cell : {markdown_code(name), std::string(type), markdown_code(value),
                                    std::string(bounds), environment, meaning})
      cells += " " + markdown_cell(cell) + " |";
    tables_[index_].rows += "|" + cells + "\n";
  }

  std::vector<Table>& tables_;
  const std::size_t index_;
  const std::string path_;
  const std::string environment_prefix_;
};

}  // namespace

std::string markdown(const Describe& describe) {
  std::vector<Table> tables;
  MarkdownBinder binder(tables, "", "SPANWAY", "");
  describe(binder);
  std::string out;
  for (const Table& table : tables) {
    if (table.rows.empty() && table.doc.empty()) continue;
    if (!out.empty()) out += "\n";
    if (!table.path.empty()) out += "### `" + table.path + "`\n\n";
    if (!table.doc.empty()) out += table.doc + "\n";
    if (table.rows.empty()) continue;
    if (!table.doc.empty()) out += "\n";
    out += "| key | type | default | bounds | environment | meaning |\n";
    out += "|---|---|---|---|---|---|\n" + table.rows;
  }
  return out;
}

}  // namespace spanway::config
