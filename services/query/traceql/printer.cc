// The text of a query.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "services/query/traceql/ast.h"

namespace spanway::query::traceql {
namespace {

// Enclosed when it is more than one word.
std::string operand(const Expr& expr) {
  const std::string text = to_string(expr);
  const bool is_word = expr.kind == NodeKind::kConstant || expr.kind == NodeKind::kAttribute ||
                       expr.kind == NodeKind::kAggregate;
  return is_word ? text : "(" + text + ")";
}

std::string list(const std::vector<Attribute>& attributes) {
  std::string text;
  for (const Attribute& one : attributes) text += (text.empty() ? "" : ", ") + to_string(one);
  return text;
}

// A pattern or text that a query has in quotes: backquotes, unless it has one itself.
std::string quoted(const Value& value) {
  // Its digits alone are no integer.
  if (value == Value::of_int(std::numeric_limits<std::int64_t>::min())) return "minInt";
  if (value.type != Type::kString || value.text.find_first_of("`\r") == std::string::npos)
    return to_string(value);
  std::string text = "\"";
  for (const char c : value.text) {
    if (c == '"' || c == '\\') text += '\\';
    if (c == '\n')
      text += "\\n";
    else if (c == '\r')
      text += "\\r";
    else
      text += c;
  }
  return text + "\"";
}

std::string number_text(double number) {
  std::array<char, 400> buffer{};
  const auto printed =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), number, std::chars_format::fixed);
  return {buffer.data(), printed.ptr};
}

std::string first_stage(const FirstStage& stage) {
  std::string text = std::string(to_string(stage.function)) + "(";
  if (stage.attribute) text += to_string(*stage.attribute);
  for (const double quantile : stage.quantiles) text += ", " + number_text(quantile);
  if (stage.selection) {
    text += to_string(*stage.selection) + ", " + std::to_string(stage.top);
    if (stage.begin_nanos != 0)
      text += ", " + std::to_string(stage.begin_nanos) + ", " + std::to_string(stage.end_nanos);
  }
  text += ")";
  return stage.by.empty() ? text : text + " by (" + list(stage.by) + ")";
}

}  // namespace

std::string_view to_string(Aggregate function) {
  constexpr std::string_view kNames[] = {"count", "max", "min", "sum", "avg"};
  return kNames[static_cast<std::size_t>(function)];
}

std::string_view to_string(MetricsFunction function) {
  constexpr std::string_view kNames[] = {
      "rate",          "count_over_time", "min_over_time",      "max_over_time",
      "avg_over_time", "sum_over_time",   "quantile_over_time", "histogram_over_time",
      "compare"};
  return kNames[static_cast<std::size_t>(function)];
}

std::string to_string(const Expr& expr) {
  switch (expr.kind) {
    case NodeKind::kConstant:
      return quoted(expr.value);
    case NodeKind::kAttribute:
      return to_string(expr.attribute);
    case NodeKind::kUnary:
      return std::string(to_string(expr.op)) + operand(*expr.args[0]);
    case NodeKind::kExists:
      return operand(*expr.args[0]) + " != nil";
    case NodeKind::kMissing:
      return operand(*expr.args[0]) + " = nil";
    case NodeKind::kBinary:
    case NodeKind::kSpansetBinary:
    case NodeKind::kScalarFilter:
    case NodeKind::kScalarBinary:
      return operand(*expr.args[0]) + " " + std::string(to_string(expr.op)) + " " +
             operand(*expr.args[1]);
    case NodeKind::kFilter:
      return "{ " + to_string(*expr.args[0]) + " }";
    case NodeKind::kGroup:
      return "by(" + to_string(*expr.args[0]) + ")";
    case NodeKind::kCoalesce:
      return "coalesce()";
    case NodeKind::kSelect:
      return "select(" + list(expr.attributes) + ")";
    case NodeKind::kAggregate:
      return std::string(to_string(expr.function)) + "(" +
             (expr.args.empty() ? "" : to_string(*expr.args[0])) + ")";
    case NodeKind::kPipeline:
      break;
  }
  std::string text;
  for (const ExprPtr& element : expr.args)
    text += (text.empty() ? "" : " | ") + to_string(*element);
  return text;
}

std::string to_string(const Metrics& metrics) {
  std::string text =
      metrics.pipeline
          ? "(" + to_string(*metrics.pipeline) + " | " + first_stage(metrics.first) + ")"
          : "(" + to_string(*metrics.left) + ") " + std::string(to_string(metrics.op)) + " (" +
                to_string(*metrics.right) + ")";
  for (const SecondStage& stage : metrics.stages) {
    const std::string op(to_string(stage.op)), number = number_text(stage.number);
    switch (stage.kind) {
      case SecondStage::Kind::kTopk:
        text += " | topk(" + std::to_string(stage.limit) + ")";
        break;
      case SecondStage::Kind::kBottomk:
        text += " | bottomk(" + std::to_string(stage.limit) + ")";
        break;
      case SecondStage::Kind::kFilter:
        text += " " + op + " " + number;
        break;
      case SecondStage::Kind::kScalar:
        text = stage.is_number_left ? number + " " + op + " (" + text + ")"
                                    : "(" + text + ") " + op + " " + number;
        break;
    }
  }
  return text;
}

std::string to_string(const Query& query) {
  std::string text = query.metrics ? to_string(*query.metrics) : to_string(*query.pipeline);
  for (std::size_t i = 0; i < query.hints.size(); ++i)
    text += (i == 0 ? " with(" : ", ") + query.hints[i].first + "=" + quoted(query.hints[i].second);
  return query.hints.empty() ? text : text + ")";
}

}  // namespace spanway::query::traceql
