#include "services/query/api/prometheus/query_tree.h"

#include <cmath>
#include <string_view>
#include <vector>

#include "services/lib/base/json_writer.h"
#include "services/query/api/prometheus/result_json.h"
#include "services/query/promql/functions.h"
#include "services/query/promql/number_text.h"

namespace spanway::query::prometheus {
namespace {

using promql::Expr;
using promql::NodeKind;
using promql::ValueType;

// One word, unlike the one in messages.
std::string_view type_name(ValueType type) {
  switch (type) {
    case ValueType::kScalar:
      return "scalar";
    case ValueType::kString:
      return "string";
    case ValueType::kVector:
      return "vector";
    case ValueType::kMatrix:
      return "matrix";
    case ValueType::kNone:
      break;
  }
  return "none";
}

std::string_view cardinality_name(promql::Cardinality cardinality) {
  switch (cardinality) {
    case promql::Cardinality::kOneToOne:
      return "one-to-one";
    case promql::Cardinality::kManyToOne:
      return "many-to-one";
    case promql::Cardinality::kOneToMany:
      return "one-to-many";
    case promql::Cardinality::kManyToMany:
      break;
  }
  return "many-to-many";
}

std::string_view match_name(MatchOp op) {
  switch (op) {
    case MatchOp::kEqual:
      return "=";
    case MatchOp::kNotEqual:
      return "!=";
    case MatchOp::kRegex:
      return "=~";
    case MatchOp::kNotRegex:
      break;
  }
  return "!~";
}

// Members in the order of their names, as Go writes a map. Nodes are deeper than a JsonWriter goes.
class Tree {
 public:
  explicit Tree(std::string& out) : out_(out) {}

  void node(const Expr& expr) {
    switch (expr.kind) {
      case NodeKind::kNumber:
        return leaf("numberLiteral", promql::print_fixed(expr.number));
      case NodeKind::kString:
        return leaf("stringLiteral", expr.text);
      case NodeKind::kSelector:
        return selector("vectorSelector", expr, nullptr);
      case NodeKind::kMatrix:
        return selector("matrixSelector", *expr.args[0], &expr);
      case NodeKind::kSubquery:
        return subquery(expr);
      case NodeKind::kCall:
        return call(expr);
      case NodeKind::kAggregate:
        return aggregate(expr);
      case NodeKind::kBinary:
        return binary(expr);
      case NodeKind::kUnary:
        out_ += "{\"expr\":";
        node(*expr.args[0]);
        out_ += ",\"op\":" + json_quoted(promql::to_string(expr.op)) + ",\"type\":\"unaryExpr\"}";
        return;
      case NodeKind::kParen:
        out_ += "{\"expr\":";
        node(*expr.args[0]);
        out_ += ",\"type\":\"parenExpr\"}";
        return;
      case NodeKind::kDuration:
        return duration(&expr);
    }
  }

 private:
  void leaf(std::string_view type, std::string_view value) {
    out_ += "{\"type\":\"" + std::string(type) + "\",\"val\":" + json_quoted(value) + "}";
  }

  void flag(std::string_view name, bool value) {
    out_ += "\"" + std::string(name) + (value ? "\":true" : "\":false");
  }
  void texts(std::string_view name, const std::vector<std::string>& all) {
    out_ += "\"" + std::string(name) + "\":";
    append_texts(all, out_);
  }

  void start_or_end(const promql::Modifiers& modifiers) {
    out_ += ",\"startOrEnd\":";
    out_ += modifiers.at_word == promql::Token::kEof
                ? "null"
                : json_quoted(promql::to_string(modifiers.at_word));
  }
  void timestamp(const promql::Modifiers& modifiers) {
    out_ += ",\"timestamp\":" +
            (modifiers.at_ms ? std::to_string(*modifiers.at_ms) : std::string("null"));
  }

  // Null for none: a literal is in the member without `Expr`.
  void duration(const Expr* expr) {
    if (expr == nullptr) {
      out_ += "null";
    } else if (expr->kind == NodeKind::kNumber) {
      out_ += '{';
      flag("duration", expr->is_duration);
      out_ +=
          ",\"type\":\"numberLiteral\",\"val\":" + json_quoted(promql::print_fixed(expr->number)) +
          "}";
    } else {
      const std::size_t args = expr->args.size();
      out_ += "{\"lhs\":";
      duration(args == 2 ? expr->args[0].get() : nullptr);
      out_ += ",\"op\":" + json_quoted(promql::to_string(expr->op)) + ",\"rhs\":";
      duration(args > 0 ? expr->args[args - 1].get() : nullptr);
      out_ += ",\"type\":\"durationExpr\",";
      flag("wrapped", expr->is_wrapped);
      out_ += '}';
    }
  }
  // A duration in milliseconds, and its expression where it is no literal.
  void duration(std::string_view name, std::int64_t ms, const promql::ExprPtr& expr) {
    out_ += ",\"" + std::string(name) + "\":" + std::to_string(ms) + ",\"" + std::string(name) +
            "Expr\":";
    duration(expr.get());
  }

  // `matrix`: that of the range; null for none.
  void selector(std::string_view type, const Expr& expr, const Expr* matrix) {
    const promql::Modifiers& modifiers = expr.modifiers;
    out_ += '{';
    flag("anchored", modifiers.anchored);
    out_ += ",\"matchers\":[";
    for (std::size_t i = 0; i < expr.matchers.size(); ++i) {
      const LabelMatcher& matcher = expr.matchers[i];
      out_ += (i > 0 ? ",{\"name\":" : "{\"name\":") + json_quoted(matcher.label) +
              ",\"type\":" + json_quoted(match_name(matcher.op)) +
              ",\"value\":" + json_quoted(matcher.value) + "}";
    }
    out_ += "],\"name\":" + json_quoted(expr.text);
    duration("offset", modifiers.offset_ms, modifiers.offset);
    if (matrix != nullptr) duration("range", matrix->range_ms, matrix->range);
    out_ += ',';
    flag("smoothed", modifiers.smoothed);
    start_or_end(modifiers);
    timestamp(modifiers);
    out_ += ",\"type\":\"" + std::string(type) + "\"}";
  }

  void subquery(const Expr& expr) {
    out_ += "{\"expr\":";
    node(*expr.args[0]);
    duration("offset", expr.modifiers.offset_ms, expr.modifiers.offset);
    duration("range", expr.range_ms, expr.range);
    start_or_end(expr.modifiers);
    duration("step", expr.step_ms, expr.step);
    timestamp(expr.modifiers);
    out_ += ",\"type\":\"subquery\"}";
  }

  void call(const Expr& expr) {
    out_ += "{\"args\":[";
    for (std::size_t i = 0; i < expr.args.size(); ++i) {
      if (i > 0) out_ += ',';
      node(*expr.args[i]);
    }
    const promql::Signature& signature = *expr.signature;
    std::vector<std::string> types;
    for (const ValueType type : signature.args) types.emplace_back(type_name(type));
    out_ += "],\"func\":{";
    texts("argTypes", types);
    out_ += ",\"name\":" + json_quoted(signature.name) + ",\"returnType\":\"" +
            std::string(type_name(signature.result)) +
            "\",\"variadic\":" + std::to_string(signature.variadic) + "},\"type\":\"call\"}";
  }

  void aggregate(const Expr& expr) {
    out_ += "{\"expr\":";
    node(*expr.args[0]);
    out_ += ',';
    texts("grouping", expr.grouping);
    out_ += ",\"op\":" + json_quoted(promql::to_string(expr.op)) + ",\"param\":";
    if (expr.args.size() > 1)
      node(*expr.args[1]);
    else
      out_ += "null";
    out_ += ",\"type\":\"aggregation\",";
    flag("without", expr.without);
    out_ += '}';
  }

  void binary(const Expr& expr) {
    out_ += '{';
    flag("bool", expr.return_bool);
    out_ += ",\"lhs\":";
    node(*expr.args[0]);
    out_ += ",\"matching\":";
    const bool has_matching = promql::type_of(*expr.args[0]) == ValueType::kVector &&
                              promql::type_of(*expr.args[1]) == ValueType::kVector;
    if (has_matching)
      matching(expr.matching);
    else
      out_ += "null";
    out_ += ",\"op\":" + json_quoted(promql::to_string(expr.op)) + ",\"rhs\":";
    node(*expr.args[1]);
    out_ += ",\"type\":\"binaryExpr\"}";
  }

  void matching(const promql::Matching& matching) {
    // JSON has no number for those that are not finite: Prometheus fails, here they are texts.
    const auto fill = [](const std::optional<double>& value) {
      if (!value) return std::string("null");
      const std::string text = promql::print_fixed(*value);
      return std::isfinite(*value) ? text : json_quoted(text);
    };
    out_ += "{\"card\":\"" + std::string(cardinality_name(matching.card)) +
            "\",\"fillValues\":{\"lhs\":" + fill(matching.fill_left) +
            ",\"rhs\":" + fill(matching.fill_right) + "},";
    texts("include", matching.include);
    out_ += ',';
    texts("labels", matching.labels);
    out_ += ',';
    flag("on", matching.is_on);
    out_ += '}';
  }

  std::string& out_;
};

}  // namespace

void append_tree(const Expr& expr, std::string& out) { Tree(out).node(expr); }

}  // namespace spanway::query::prometheus
