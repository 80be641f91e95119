// Execution of a template.
#include <map>
#include <utility>

#include "services/query/logql/template_node.h"

namespace spanway::query::logql {
namespace {

class Execution {
 public:
  explicit Execution(const TemplateInput& input) : input_(input) {}

  Status run(const std::vector<TemplateNode>& nodes) {
    for (const TemplateNode& node : nodes) {
      SPANWAY_TRY(run(node));
      if (output_.size() > Template::kOutputBytesMax)
        return template_error("a template prints more than " +
                              std::to_string(Template::kOutputBytesMax) + " bytes");
    }
    return {};
  }
  std::string take() { return std::move(output_); }

 private:
  Status run(const TemplateNode& node) {
    switch (node.kind) {
      case TemplateNode::Kind::kText:
        output_ += node.text;
        return {};
      case TemplateNode::Kind::kAction: {
        SPANWAY_ASSIGN(const TemplateValue value, evaluate(node.pipe));
        if (node.pipe.variable.empty()) output_ += print_value(value);
        return {};
      }
      case TemplateNode::Kind::kIf:
      case TemplateNode::Kind::kWith: {
        SPANWAY_ASSIGN(TemplateValue value, evaluate(node.pipe));
        if (!is_true(value)) return run(node.otherwise);
        if (node.kind == TemplateNode::Kind::kIf) return run(node.body);
        std::swap(dot_, value);
        Status done = run(node.body);
        std::swap(dot_, value);
        return done;
      }
      case TemplateNode::Kind::kList:
        return run(node.body);
    }
    return {};
  }

  Result<TemplateValue> evaluate(const TemplatePipe& pipe) {
    TemplateValue value;
    for (std::size_t i = 0; i < pipe.commands.size(); ++i) {
      SPANWAY_ASSIGN(value, command(pipe.commands[i], i == 0 ? nullptr : &value));
    }
    if (!pipe.variable.empty()) variables_[pipe.variable] = value;
    return value;
  }

  Result<TemplateValue> command(const std::vector<TemplateOperand>& operands,
                                const TemplateValue* last) {
    const TemplateOperand& first = operands[0];
    if (first.kind != TemplateOperand::Kind::kFunction) return operand(first);
    const bool stops_early = first.name == "and" || first.name == "or";
    std::vector<TemplateValue> arguments;
    for (std::size_t i = 1; i < operands.size(); ++i) {
      SPANWAY_ASSIGN(arguments.emplace_back(), operand(operands[i]));
      if (stops_early && is_true(arguments.back()) == (first.name == "or")) return arguments.back();
    }
    if (last != nullptr) arguments.push_back(*last);
    return call_template_function({first.name, arguments, input_});
  }

  Result<TemplateValue> operand(const TemplateOperand& operand) {
    switch (operand.kind) {
      case TemplateOperand::Kind::kConstant:
        return operand.constant;
      case TemplateOperand::Kind::kField:
        return TemplateValue(std::string(input_.label(operand.name).value_or("")));
      case TemplateOperand::Kind::kDot:
        return dot_;
      case TemplateOperand::Kind::kVariable:
        return variables_[operand.name];
      case TemplateOperand::Kind::kFunction:
        return call_template_function({operand.name, {}, input_});
      case TemplateOperand::Kind::kPipe:
        return evaluate(*operand.pipe);
    }
    return TemplateValue();
  }

  const TemplateInput& input_;
  TemplateValue dot_;
  std::map<std::string, TemplateValue> variables_;
  std::string output_;
};

}  // namespace

Error template_error(std::string what) {
  return data_error(Code::kFailedPrecondition, std::move(what)).with_reason("bad_evaluation");
}

Result<std::string> Template::execute(const TemplateInput& input) const {
  Execution execution(input);
  const Status done = execution.run(root_->body);
  if (!done.ok())
    return template_error("template: " + name_ + ": executing " + name_ + ": " +
                          done.error().message);
  return execution.take();
}

}  // namespace spanway::query::logql
