// The parsed form of a template, and its values. Private to this folder.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "services/query/logql/template.h"

namespace spanway::query::logql {

struct TemplateTime {
  std::int64_t unix_nano = 0;
  bool operator==(const TemplateTime&) const = default;
};
// The first one is nil.
using TemplateValue =
    std::variant<std::monostate, bool, std::int64_t, double, std::string, TemplateTime>;

struct TemplatePipe;

// A value, or the name of a function.
struct TemplateOperand {
  enum class Kind : unsigned char { kConstant, kField, kDot, kVariable, kFunction, kPipe };
  Kind kind = Kind::kConstant;
  TemplateValue constant;
  std::string name;  // kField, kVariable ("$x"), kFunction.
  std::shared_ptr<TemplatePipe> pipe;
};

// Commands, each with the result of the one before as its last argument.
struct TemplatePipe {
  std::string variable;  // "$x" that is set; "" for none.
  bool is_declaration = false;
  std::vector<std::vector<TemplateOperand>> commands;
};

struct TemplateNode {
  enum class Kind : unsigned char { kText, kAction, kIf, kWith, kList };
  Kind kind = Kind::kText;
  std::string text;
  TemplatePipe pipe;
  std::vector<TemplateNode> body;  // kList, kIf, kWith.
  std::vector<TemplateNode> otherwise;
};

// One call of a function.
struct TemplateCall {
  std::string_view name;
  std::span<const TemplateValue> arguments;
  const TemplateInput& input;
};
bool is_template_function(std::string_view name);
Result<TemplateValue> call_template_function(const TemplateCall& call);

bool is_true(const TemplateValue& value);
// As fmt.Sprint prints it.
std::string print_value(const TemplateValue& value);
// As fmt.Sprintf.
std::string print_formatted(std::string_view format, std::span<const TemplateValue> values);
Error template_error(std::string what);

}  // namespace spanway::query::logql
