#include "services/query/api/prometheus/query_tree.h"

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

Error no_shape() {
  return data_error(Code::kUnimplemented, "parse_query has no shape for duration expressions")
      .with_reason("bad_query");
}

// Members in the order of their names, as Go writes a map. Nodes are deeper than a JsonWriter goes.
class Tree {
 public:
  explicit Tree(std::string& out) : out_(out) {}

  Status node(const Expr& expr) {
    switch (expr.kind) {
      case NodeKind::kNumber:
        return leaf("numberLiteral", promql::print_fixed(expr.number));
      case NodeKind::kString:
        return leaf("stringLiteral", expr.text);
      case NodeKind::kSelector:
        return selector("vectorSelector", expr, nullptr);
      case NodeKind::kMatrix:
        if (expr.range) break;
        return selector("matrixSelector", *expr.args[0], &expr.range_ms);
      case NodeKind::kSubquery:
        if (expr.range || expr.step) break;
        return subquery(expr);
      case NodeKind::kCall:
        return call(expr);
      case NodeKind::kAggregate:
        return aggregate(expr);
      case NodeKind::kBinary:
        return binary(expr);
      case NodeKind::kUnary:
        out_ += "{\"expr\":";
        SPANWAY_TRY(node(*expr.args[0]));
        out_ += ",\"op\":" + json_quoted(promql::to_string(expr.op)) + ",\"type\":\"unaryExpr\"}";
        return {};
      case NodeKind::kParen:
        out_ += "{\"expr\":";
        SPANWAY_TRY(node(*expr.args[0]));
        out_ += ",\"type\":\"parenExpr\"}";
        return {};
      case NodeKind::kDuration:
        break;
    }
    return no_shape();
  }

 private:
  Status leaf(std::string_view type, std::string_view value) {
    out_ += "{\"type\":\"" + std::string(type) + "\",\"val\":" + json_quoted(value) + "}";
    return {};
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

  Status selector(std::string_view type, const Expr& expr, const std::int64_t* range_ms) {
    const promql::Modifiers& modifiers = expr.modifiers;
    if (modifiers.offset) return no_shape();
    out_ += '{';
    flag("anchored", modifiers.anchored);
    out_ += ",\"matchers\":[";
    for (std::size_t i = 0; i < expr.matchers.size(); ++i) {
      const LabelMatcher& matcher = expr.matchers[i];
      out_ += (i > 0 ? ",{\"name\":" : "{\"name\":") + json_quoted(matcher.label) +
              ",\"type\":" + json_quoted(match_name(matcher.op)) +
              ",\"value\":" + json_quoted(matcher.value) + "}";
    }
    out_ += "],\"name\":" + json_quoted(expr.text) +
            ",\"offset\":" + std::to_string(modifiers.offset_ms);
    if (range_ms != nullptr) out_ += ",\"range\":" + std::to_string(*range_ms);
    out_ += ',';
    flag("smoothed", modifiers.smoothed);
    start_or_end(modifiers);
    timestamp(modifiers);
    out_ += ",\"type\":\"" + std::string(type) + "\"}";
    return {};
  }

  Status subquery(const Expr& expr) {
    if (expr.modifiers.offset) return no_shape();
    out_ += "{\"expr\":";
    SPANWAY_TRY(node(*expr.args[0]));
    out_ += ",\"offset\":" + std::to_string(expr.modifiers.offset_ms) +
            ",\"range\":" + std::to_string(expr.range_ms);
    start_or_end(expr.modifiers);
    out_ += ",\"step\":" + std::to_string(expr.step_ms);
    timestamp(expr.modifiers);
    out_ += ",\"type\":\"subquery\"}";
    return {};
  }

  Status call(const Expr& expr) {
    out_ += "{\"args\":[";
    for (std::size_t i = 0; i < expr.args.size(); ++i) {
      if (i > 0) out_ += ',';
      SPANWAY_TRY(node(*expr.args[i]));
    }
    const promql::Signature& signature = *expr.signature;
    std::vector<std::string> types;
    for (const ValueType type : signature.args) types.emplace_back(type_name(type));
    out_ += "],\"func\":{";
    texts("argTypes", types);
    out_ += ",\"name\":" + json_quoted(signature.name) + ",\"returnType\":\"" +
            std::string(type_name(signature.result)) +
            "\",\"variadic\":" + std::to_string(signature.variadic) + "},\"type\":\"call\"}";
    return {};
  }

  Status aggregate(const Expr& expr) {
    out_ += "{\"expr\":";
    SPANWAY_TRY(node(*expr.args[0]));
    out_ += ',';
    texts("grouping", expr.grouping);
    out_ += ",\"op\":" + json_quoted(promql::to_string(expr.op)) + ",\"param\":";
    if (expr.args.size() > 1)
      SPANWAY_TRY(node(*expr.args[1]));
    else
      out_ += "null";
    out_ += ",\"type\":\"aggregation\",";
    flag("without", expr.without);
    out_ += '}';
    return {};
  }

  Status binary(const Expr& expr) {
    out_ += '{';
    flag("bool", expr.return_bool);
    out_ += ",\"lhs\":";
    SPANWAY_TRY(node(*expr.args[0]));
    out_ += ",\"matching\":";
    const bool has_matching = promql::type_of(*expr.args[0]) == ValueType::kVector &&
                              promql::type_of(*expr.args[1]) == ValueType::kVector;
    if (has_matching)
      matching(expr.matching);
    else
      out_ += "null";
    out_ += ",\"op\":" + json_quoted(promql::to_string(expr.op)) + ",\"rhs\":";
    SPANWAY_TRY(node(*expr.args[1]));
    out_ += ",\"type\":\"binaryExpr\"}";
    return {};
  }

  void matching(const promql::Matching& matching) {
    const auto fill = [](const std::optional<double>& value) {
      return value ? promql::print_fixed(*value) : std::string("null");
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

Status append_tree(const Expr& expr, std::string& out) { return Tree(out).node(expr); }

}  // namespace spanway::query::prometheus
