// Templates of line_format and label_format: the part of Go's text/template that works on labels,
// and the functions that Loki lists.
// Not supported, and refused with the line and the word: range, define, template, block, break,
// continue, index, slice, call, js, fromJson, now, toDate, toDateInZone, and '.' outside of with.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/result.h"

namespace spanway::query::logql {

// The parts of an entry that a template may use.
struct TemplateInput {
  std::function<std::optional<std::string_view>(std::string_view name)> label;
  std::string_view line;
  std::int64_t time = 0;  // Unix nanoseconds.
};

struct TemplateNode;

// Immutable and thread-safe; a copy shares its nodes.
class Template {
 public:
  // The bound of what one execution prints.
  static constexpr std::size_t kOutputBytesMax = 4u << 20;

  // INVALID_ARGUMENT, data: "template: <name>:1: function \"x\" not defined".
  static Result<Template> create(std::string_view name, std::string_view text);
  // FAILED_PRECONDITION, data, for what Go would fail at too: a text as a number, a broken regex.
  Result<std::string> execute(const TemplateInput& input) const;
  // The labels that it names.
  const std::vector<std::string>& fields() const noexcept { return fields_; }

 private:
  std::string name_;
  std::vector<std::string> fields_;
  std::shared_ptr<const TemplateNode> root_;
};

}  // namespace spanway::query::logql
