// The text of a query, as Prometheus prints it.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "services/query/promql/ast.h"
#include "services/query/promql/lexer.h"
#include "services/query/promql/number_text.h"
#include "services/query/store/metric_query.h"

namespace spanway::query::promql {
namespace {

constexpr std::size_t kLineBytesMax = 100;

bool is_plain_label(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

std::string label_text(std::string_view name) {
  return is_plain_label(name) ? std::string(name) : quoted(name);
}

std::string join(const std::vector<std::string>& all) {
  std::string result;
  for (const std::string& one : all) result += (result.empty() ? "" : ", ") + one;
  return result;
}

std::string labels_text(const std::vector<std::string>& names) {
  std::vector<std::string> texts;
  std::transform(names.begin(), names.end(), std::back_inserter(texts), label_text);
  return join(texts);
}

std::string signed_duration(std::int64_t ms) {
  return ms < 0 ? "-" + print_duration(-ms) : print_duration(ms);
}

std::string at_text(const Modifiers& modifiers) {
  if (modifiers.at_ms) {
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), " @ %.3f",
                  static_cast<double>(*modifiers.at_ms) / 1000);
    return text.data();
  }
  if (modifiers.at_word == Token::kEof) return "";
  return " @ " + std::string(to_string(modifiers.at_word)) + "()";
}

std::string offset_text(const Modifiers& modifiers) {
  if (modifiers.offset) return " offset " + to_string(*modifiers.offset);
  return modifiers.offset_ms == 0 ? "" : " offset " + signed_duration(modifiers.offset_ms);
}

std::string extended_text(const Modifiers& modifiers) {
  if (modifiers.anchored) return " anchored";
  return modifiers.smoothed ? " smoothed" : "";
}

std::string matcher_text(const LabelMatcher& matcher) {
  constexpr std::array<std::string_view, 4> kOps{"=", "!=", "=~", "!~"};
  return label_text(matcher.label) + std::string(kOps[static_cast<std::size_t>(matcher.op)]) +
         quoted(matcher.value);
}

// Without modifiers.
std::string selector_text(const Expr& expr) {
  std::vector<std::string> texts;
  for (const LabelMatcher& matcher : expr.matchers)
    if (matcher.label != kMetricName || matcher.op != MatchOp::kEqual ||
        matcher.value != expr.text || matcher.value.empty())
      texts.push_back(matcher_text(matcher));
  std::sort(texts.begin(), texts.end());
  std::string result = expr.text;
  if (texts.empty()) return result;
  result += '{';
  for (std::size_t i = 0; i < texts.size(); ++i) result += (i > 0 ? "," : "") + texts[i];
  return result + '}';
}

std::string range_text(const Expr& expr) {
  return expr.range ? to_string(*expr.range) : print_duration(expr.range_ms);
}

std::string matching_text(const Matching& matching) {
  const bool has_group =
      matching.card == Cardinality::kManyToOne || matching.card == Cardinality::kOneToMany;
  std::string result;
  if (!matching.labels.empty() || matching.is_on || has_group)
    result +=
        std::string(matching.is_on ? " on (" : " ignoring (") + labels_text(matching.labels) + ")";
  if (has_group)
    result +=
        std::string(matching.card == Cardinality::kManyToOne ? " group_left (" : " group_right (") +
        labels_text(matching.include) + ")";
  const auto fill = [&](const char* word, double value) {
    result += std::string(" ") + word + " (" + print_general(value) + ")";
  };
  if (matching.fill_left && matching.fill_right && *matching.fill_left == *matching.fill_right) {
    fill("fill", *matching.fill_left);
  } else {
    if (matching.fill_left) fill("fill_left", *matching.fill_left);
    if (matching.fill_right) fill("fill_right", *matching.fill_right);
  }
  return result;
}

// Up to the parenthesis of its arguments.
std::string aggregate_head(const Expr& expr) {
  std::string result(to_string(expr.op));
  if (expr.without) return result + " without (" + labels_text(expr.grouping) + ") ";
  if (!expr.grouping.empty()) result += " by (" + labels_text(expr.grouping) + ") ";
  return result;
}

std::string aggregate_text(const Expr& expr) {
  std::string result = aggregate_head(expr) + '(';
  if (has_parameter(expr.op)) result += to_string(*expr.args[1]) + ", ";
  return result + to_string(*expr.args[0]) + ')';
}

std::string operator_text(const Expr& expr) {
  return std::string(to_string(expr.op)) + (expr.return_bool ? " bool" : "") +
         matching_text(expr.matching);
}

std::string subquery_suffix(const Expr& expr) {
  std::string step;
  if (expr.step_ms != 0)
    step = print_duration(expr.step_ms);
  else if (expr.step)
    step = to_string(*expr.step);
  return "[" + range_text(expr) + ":" + step + "]" + at_text(expr.modifiers) +
         offset_text(expr.modifiers);
}

std::string duration_text(const Expr& expr) {
  std::string result;
  switch (expr.op) {
    case Token::kStep:
    case Token::kRange:
      result = std::string(to_string(expr.op)) + "()";
      break;
    case Token::kMinOf:
    case Token::kMaxOf:
      result = std::string(to_string(expr.op)) + "(" + to_string(*expr.args[0]) + ", " +
               to_string(*expr.args[1]) + ")";
      break;
    default:
      if (expr.args.size() == 1)
        result = (expr.op == Token::kSub ? "-" : "") + to_string(*expr.args[0]);
      else
        result = to_string(*expr.args[0]) + " " + std::string(to_string(expr.op)) + " " +
                 to_string(*expr.args[1]);
  }
  return expr.is_wrapped ? "(" + result + ")" : result;
}

}  // namespace

std::string to_string(const Expr& expr) {
  switch (expr.kind) {
    case NodeKind::kNumber:
      return expr.is_duration
                 ? signed_duration(static_cast<std::int64_t>(std::llround(expr.number * 1000)))
                 : print_fixed(expr.number);
    case NodeKind::kString:
      return quoted(expr.text);
    case NodeKind::kSelector:
      return selector_text(expr) + at_text(expr.modifiers) + extended_text(expr.modifiers) +
             offset_text(expr.modifiers);
    case NodeKind::kMatrix: {
      const Modifiers& modifiers = expr.args[0]->modifiers;
      return selector_text(*expr.args[0]) + "[" + range_text(expr) + "]" +
             extended_text(modifiers) + at_text(modifiers) + offset_text(modifiers);
    }
    case NodeKind::kSubquery:
      return to_string(*expr.args[0]) + subquery_suffix(expr);
    case NodeKind::kCall: {
      std::vector<std::string> args;
      for (const ExprPtr& arg : expr.args) args.push_back(to_string(*arg));
      return expr.text + "(" + join(args) + ")";
    }
    case NodeKind::kAggregate:
      return aggregate_text(expr);
    case NodeKind::kBinary:
      return to_string(*expr.args[0]) + " " + operator_text(expr) + " " + to_string(*expr.args[1]);
    case NodeKind::kUnary:
      return std::string(to_string(expr.op)) + to_string(*expr.args[0]);
    case NodeKind::kParen:
      return "(" + to_string(*expr.args[0]) + ")";
    case NodeKind::kDuration:
      return duration_text(expr);
  }
  return "";
}

std::string pretty(const Expr& expr, int level) {
  const std::string indent(static_cast<std::size_t>(level) * 2, ' ');
  const std::string line = to_string(expr);
  const bool fits = line.size() <= kLineBytesMax;
  switch (expr.kind) {
    case NodeKind::kUnary: {
      const std::string operand = pretty(*expr.args[0], level);
      return indent + std::string(to_string(expr.op)) +
             operand.substr(std::min(operand.find_first_not_of(" \n"), operand.size()));
    }
    case NodeKind::kSubquery:
      // As Prometheus: no indent where it fits.
      return fits ? line : pretty(*expr.args[0], level) + subquery_suffix(expr);
    case NodeKind::kDuration:
      return line;
    default:
      break;
  }
  if (fits) return indent + line;
  switch (expr.kind) {
    case NodeKind::kAggregate:
      return indent + aggregate_head(expr) + "(\n" +
             (has_parameter(expr.op) ? pretty(*expr.args[1], level + 1) + ",\n" : "") +
             pretty(*expr.args[0], level + 1) + "\n" + indent + ")";
    case NodeKind::kBinary:
      return pretty(*expr.args[0], level + 1) + "\n" + indent + operator_text(expr) + "\n" +
             pretty(*expr.args[1], level + 1);
    case NodeKind::kCall: {
      std::string args;
      for (const ExprPtr& arg : expr.args)
        args += (args.empty() ? "" : ",\n") + pretty(*arg, level + 1);
      return indent + expr.text + "(\n" + args + "\n" + indent + ")";
    }
    case NodeKind::kParen:
      return indent + "(\n" + pretty(*expr.args[0], level + 1) + "\n" + indent + ")";
    default:
      return indent + line;
  }
}

}  // namespace spanway::query::promql
