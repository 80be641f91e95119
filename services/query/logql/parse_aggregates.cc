// Aggregations over ranges of logs and over vectors.
#include <charconv>
#include <utility>

#include "services/query/logql/go_text.h"
#include "services/query/logql/parse_state.h"

namespace spanway::query::logql {
namespace {

bool contains(std::initializer_list<std::string_view> names, std::string_view name) {
  for (const std::string_view one : names)
    if (one == name) return true;
  return false;
}

// The mistake of an aggregation over a range; "" without one.
std::string mistake_of(const Expr& expr) {
  const std::string& name = expr.name;
  if (expr.grouping &&
      !contains({"avg_over_time", "stddev_over_time", "stdvar_over_time", "quantile_over_time",
                 "max_over_time", "min_over_time", "first_over_time", "last_over_time"},
                name))
    return "grouping not allowed for " + name + " aggregation";
  const bool counts_lines = contains(
      {"bytes_over_time", "bytes_rate", "count_over_time", "rate", "absent_over_time"}, name);
  if (!expr.unwrap) return counts_lines ? "" : "invalid aggregation " + name + " without unwrap";
  if (contains({"bytes_over_time", "bytes_rate", "count_over_time"}, name))
    return "invalid aggregation " + name + " with unwrap";
  return "";
}

}  // namespace

bool Parser::grouping(Expr& aggregate) {
  if (peek().token != Token::kBy && peek().token != Token::kWithout) return true;
  aggregate.grouping.emplace();
  aggregate.grouping->without = take().token == Token::kWithout;
  if (!expect(Token::kLeftParen)) return false;
  if (peek().token != Token::kIdentifier && peek().token != Token::kRightParen)
    return unexpected("IDENTIFIER or )");
  return label_list(aggregate.grouping->labels, "IDENTIFIER or )");
}

ExprPtr Parser::range_aggregate() {
  auto expr = std::make_unique<Expr>();
  expr->kind = NodeKind::kRangeAggregate;
  expr->name = take().text;
  if (!expect(Token::kLeftParen)) return nullptr;
  std::optional<std::string> parameter;
  if (peek().token == Token::kNumber) {
    parameter = take().text;
    if (!expect(Token::kComma)) return nullptr;
  } else if (peek().token != Token::kLeftBrace && peek().token != Token::kLeftParen) {
    unexpected("NUMBER or { or (");
    return nullptr;
  }
  if (!log_range(*expr) || !expect(Token::kRightParen) || !grouping(*expr)) return nullptr;
  const bool is_quantile = expr->name == "quantile_over_time";
  if (parameter && !is_quantile) {
    expr->invalid = "parameter " + *parameter + " not supported for operation " + expr->name;
  } else if (parameter) {
    const auto value = parse_float(*parameter);
    if (value.ok())
      expr->parameter = *value;
    else
      expr->invalid =
          "invalid parameter for operation " + expr->name + ": " + value.error().message;
  } else if (is_quantile) {
    expr->invalid = "parameter required for operation " + expr->name;
  }
  if (expr->invalid.empty()) expr->invalid = mistake_of(*expr);
  return finish(std::move(expr));
}

bool Parser::offset(Expr& aggregate) {
  if (!accept(Token::kOffset)) return true;
  const Item duration = peek();
  if (!expect(Token::kDuration)) return false;
  aggregate.offset_ns = duration.duration_ns;
  return true;
}

bool Parser::unwrap(Expr& aggregate) {
  if (peek().token != Token::kPipe || peek(1).token != Token::kUnwrap) return true;
  take();
  take();
  Unwrap& unwrap = aggregate.unwrap.emplace();
  if (peek().token == Token::kConversion) {
    unwrap.conversion = take().text;
    if (!expect(Token::kLeftParen)) return false;
  } else if (peek().token != Token::kIdentifier) {
    return unexpected("IDENTIFIER or BYTES_CONV or DURATION_CONV or DURATION_SECONDS_CONV");
  }
  const Item label = peek();
  if (!expect(Token::kIdentifier)) return false;
  unwrap.label = label.text;
  if (!unwrap.conversion.empty() && !expect(Token::kRightParen)) return false;
  while (accept(Token::kPipe)) {
    unwrap.filters.push_back(label_filters());
    if (!unwrap.filters.back()) return false;
  }
  return true;
}

bool Parser::pipeline_and_unwrap(Expr& aggregate) {
  return pipeline(aggregate.selector.stages) && unwrap(aggregate);
}

// A selector with its pipeline and unwrap before or after the range.
bool Parser::log_range(Expr& aggregate) {
  if (peek().token == Token::kLeftParen) return log_range_in_parens(aggregate);
  if (peek().token != Token::kLeftBrace) return unexpected("{ or (");
  if (!selector(aggregate.selector.matchers) || !pipeline_and_unwrap(aggregate)) return false;
  const bool is_bare = aggregate.selector.stages.empty() && !aggregate.unwrap;
  const Item range = peek();
  if (range.token != Token::kRange) return unexpected(aggregate.unwrap ? "RANGE or |" : "");
  take();
  aggregate.range_ns = range.duration_ns;
  return offset(aggregate) && (!is_bare || pipeline_and_unwrap(aggregate));
}

// "(" selector .. ")" with the range behind or inside.
bool Parser::log_range_in_parens(Expr& aggregate) {
  const Level level(*this);
  if (!level.ok()) return false;
  take();
  if (peek().token == Token::kLeftParen)
    return log_range_in_parens(aggregate) && expect(Token::kRightParen);
  if (peek().token != Token::kLeftBrace) return unexpected("{ or (");
  if (!selector(aggregate.selector.matchers) || !pipeline_and_unwrap(aggregate)) return false;
  const bool is_bare = aggregate.selector.stages.empty() && !aggregate.unwrap;
  if (peek().token == Token::kRange) {
    aggregate.range_ns = take().duration_ns;
    return offset(aggregate) && (!is_bare || pipeline_and_unwrap(aggregate)) &&
           expect(Token::kRightParen);
  }
  if (peek().token != Token::kRightParen) return unexpected();
  take();
  const Item range = peek();
  if (!expect(Token::kRange)) return false;
  aggregate.range_ns = range.duration_ns;
  return offset(aggregate) && (!is_bare || unwrap(aggregate));
}

ExprPtr Parser::vector_aggregate() {
  auto expr = std::make_unique<Expr>();
  expr->kind = NodeKind::kVectorAggregate;
  expr->name = take().text;
  if (!grouping(*expr) || !expect(Token::kLeftParen)) return nullptr;
  const bool was_grouped = expr->grouping.has_value();
  std::optional<std::string> parameter;
  if (peek().token == Token::kNumber && peek(1).token == Token::kComma) {
    parameter = take().text;
    take();
  }
  ExprPtr inner = expression(0);
  if (!inner) return nullptr;
  if (is_log(*inner) || peek().token != Token::kRightParen) {
    unexpected();
    return nullptr;
  }
  take();
  if (!was_grouped && !grouping(*expr)) return nullptr;
  const std::string& name = expr->name;
  if (!contains({"topk", "bottomk", "approx_topk"}, name)) {
    if (parameter)
      expr->invalid = "unsupported parameter for operation " + name + "(" + *parameter + ",";
  } else if (!parameter) {
    expr->invalid = "parameter required for operation " + name;
  } else {
    const char* end = parameter->data() + parameter->size();
    const auto parsed = std::from_chars(parameter->data(), end, expr->k);
    if (parsed.ec != std::errc() || parsed.ptr != end)
      expr->invalid = "invalid parameter " + name + "(" + *parameter + ",";
    else if (expr->k == 0)
      expr->invalid = "invalid parameter (must be greater than 0) " + name + "(" + *parameter;
    else if (name == "approx_topk" && expr->grouping)
      expr->invalid = "grouping not allowed for " + name + " aggregation";
  }
  if (!expr->grouping) expr->grouping.emplace();
  expr->args.push_back(std::move(inner));
  return finish(std::move(expr));
}

}  // namespace spanway::query::logql
