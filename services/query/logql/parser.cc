#include "services/query/logql/parser.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "services/query/labels/regex.h"
#include "services/query/logql/arithmetic.h"
#include "services/query/logql/go_text.h"
#include "services/query/logql/lexer.h"
#include "services/query/logql/parse_state.h"

namespace spanway::query::logql {
namespace {

// From loose to tight; 0 for what is no binary operator.
int precedence(Token token) {
  switch (token) {
    case Token::kOr:
      return 1;
    case Token::kAnd:
    case Token::kUnless:
      return 2;
    case Token::kAdd:
    case Token::kSub:
      return 4;
    case Token::kMul:
    case Token::kDiv:
    case Token::kMod:
      return 5;
    case Token::kPow:
      return 6;
    default:
      return is_comparison(token) ? 3 : 0;
  }
}

// As Go prints the type of such a leg.
std::string type_name(const Expr& expr) {
  return expr.selector.stages.empty() ? "*syntax.MatchersExpr" : "*syntax.PipelineExpr";
}

std::string literal_text(double value) {
  std::string text = std::to_string(value);
  return std::isnan(value) ? "NaN" : std::isinf(value) ? (value > 0 ? "+Inf" : "-Inf") : text;
}

}  // namespace

Error parse_error(std::string_view what, Position position) {
  std::string text = "parse error";
  if (position.line != 0 || position.column != 0)
    text += " at line " + std::to_string(position.line) + ", col " +
            std::to_string(position.column) + ": ";
  else
    text += " : ";
  return invalid_argument(text + std::string(what)).with_reason("bad_query");
}

Parser::Parser(std::string_view query) : items_(lex(query)) {}

bool Parser::Level::ok() const {
  if (parser_.nesting_ <= kNestingMax) return true;
  return parser_.fail(parser_.peek().position,
                      "the query is nested deeper than " + std::to_string(kNestingMax) + " levels");
}

const Item& Parser::peek(std::size_t ahead) const {
  return items_[std::min(next_ + ahead, items_.size() - 1)];
}

Item Parser::take() {
  Item item = peek();
  if (next_ + 1 < items_.size()) ++next_;
  return item;
}

bool Parser::accept(Token token) {
  if (peek().token != token) return false;
  take();
  return true;
}

bool Parser::expect(Token token, std::string_view expected) {
  if (accept(token)) return true;
  return unexpected(expected.empty() ? to_string(token) : expected);
}

bool Parser::fail(Position position, std::string what) {
  if (!failed_) {
    failed_ = true;
    error_position_ = position;
    error_ = std::move(what);
  }
  return false;
}

bool Parser::unexpected(std::string_view expected) {
  const Item& item = peek();
  if (item.token == Token::kError) return fail(item.position, item.text);
  std::string what = "syntax error: unexpected " + name_of(item);
  if (!expected.empty()) what += ", expecting " + std::string(expected);
  return fail(item.position, std::move(what));
}

ExprPtr Parser::finish(ExprPtr expr) {
  for (const ExprPtr& arg : expr->args) expr->depth = std::max(expr->depth, arg->depth + 1);
  if (expr->depth > kTreeDepthMax) {
    fail(peek().position,
         "the query has more than " + std::to_string(kTreeDepthMax) + " nested operations");
    return nullptr;
  }
  return expr;
}

ExprPtr Parser::expression(int min_precedence) {
  const Level level(*this);
  if (!level.ok()) return nullptr;
  ExprPtr left = primary();
  while (left) {
    const int own = precedence(peek().token);
    if (own == 0 || own < min_precedence) return left;
    const Item op = take();
    left = binary(op, std::move(left));
  }
  return nullptr;
}

ExprPtr Parser::primary() {
  switch (peek().token) {
    case Token::kLeftBrace: {
      auto expr = std::make_unique<Expr>();
      expr->kind = NodeKind::kLog;
      if (!selector(expr->selector.matchers) || !pipeline(expr->selector.stages)) return nullptr;
      if (accept(Token::kPipe)) {
        unexpected();  // unwrap, which belongs into an aggregation over a range.
        return nullptr;
      }
      return expr;
    }
    case Token::kLeftParen: {
      take();
      ExprPtr inner = expression(0);
      if (!inner) return nullptr;
      if (peek().token != Token::kRightParen) {
        unexpected();
        return nullptr;
      }
      take();
      return inner;
    }
    case Token::kNumber:
    case Token::kAdd:
    case Token::kSub:
      return literal();
    case Token::kRangeFunction:
      return range_aggregate();
    case Token::kVectorFunction:
      return vector_aggregate();
    case Token::kVector:
      return vector();
    case Token::kLabelReplace:
      return label_replace();
    case Token::kVariants:
      fail(peek().position, "variants are not supported");
      return nullptr;
    default:
      unexpected();
      return nullptr;
  }
}

ExprPtr Parser::literal() {
  auto expr = std::make_unique<Expr>();
  const bool is_negative = peek().token == Token::kSub;
  if (peek().token != Token::kNumber) take();
  const Item number = peek();
  if (!expect(Token::kNumber)) return nullptr;
  const auto value = parse_float(number.text);
  if (!value.ok()) expr->invalid = "unable to parse literal as a float: " + value.error().message;
  expr->number = value.ok() ? (is_negative ? -*value : *value) : 0;
  return expr;
}

ExprPtr Parser::vector() {
  auto expr = std::make_unique<Expr>();
  expr->kind = NodeKind::kVector;
  take();
  if (!expect(Token::kLeftParen)) return nullptr;
  const Item number = peek();
  if (!expect(Token::kNumber) || !expect(Token::kRightParen)) return nullptr;
  const auto value = parse_float(number.text);
  if (!value.ok())
    expr->invalid = "unable to parse vectorExpr as a float: " + value.error().message;
  expr->number = value.ok() ? *value : 0;
  return expr;
}

ExprPtr Parser::label_replace() {
  auto expr = std::make_unique<Expr>();
  expr->kind = NodeKind::kLabelReplace;
  take();
  if (!expect(Token::kLeftParen)) return nullptr;
  ExprPtr inner = expression(0);
  if (!inner) return nullptr;
  if (is_log(*inner)) {
    unexpected();
    return nullptr;
  }
  expr->args.push_back(std::move(inner));
  for (std::string* text :
       {&expr->destination, &expr->replacement, &expr->source_label, &expr->regex})
    if (!expect(Token::kComma) || !string(*text)) return nullptr;
  if (!expect(Token::kRightParen)) return nullptr;
  if (const auto regex = Regex::whole(expr->regex); !regex.ok())
    expr->invalid = "invalid regex in label_replace: " + regex.error().message;
  return finish(std::move(expr));
}

bool Parser::label_list(std::vector<std::string>& labels, std::string_view expected) {
  if (accept(Token::kRightParen)) return true;
  do {
    if (peek().token != Token::kIdentifier)
      return unexpected(labels.empty() ? expected : "IDENTIFIER");
    labels.push_back(take().text);
  } while (accept(Token::kComma));
  return expect(Token::kRightParen, ", or )");
}

bool Parser::binary_modifiers(Expr& binary) {
  Matching& matching = binary.matching;
  binary.return_bool = accept(Token::kBool);
  if (peek().token != Token::kOn && peek().token != Token::kIgnoring) return true;
  matching.is_on = take().token == Token::kOn;
  if (!expect(Token::kLeftParen) || !label_list(matching.labels, "IDENTIFIER or )")) return false;
  matching.has_labels = !matching.labels.empty();
  if (peek().token != Token::kGroupLeft && peek().token != Token::kGroupRight) return true;
  matching.card =
      take().token == Token::kGroupLeft ? Cardinality::kManyToOne : Cardinality::kOneToMany;
  if (!accept(Token::kLeftParen)) return true;
  if (!label_list(matching.include, "IDENTIFIER or )")) return false;
  matching.has_include = !matching.include.empty();
  return true;
}

ExprPtr Parser::binary(const Item& op, ExprPtr left) {
  auto expr = std::make_unique<Expr>();
  expr->kind = NodeKind::kBinary;
  expr->op = op.token;
  if (!binary_modifiers(*expr)) return nullptr;
  const int own = precedence(op.token);
  ExprPtr right = expression(op.token == Token::kPow ? own : own + 1);
  if (!right) return nullptr;
  const std::string sign(to_string(op.token));
  const auto check = [&](const Expr& leg, const char* side) {
    if (is_log(leg) && expr->invalid.empty())
      expr->invalid = "unexpected type for " + std::string(side) + " leg of binary operation (" +
                      sign + "): " + type_name(leg);
  };
  check(*left, "left");
  check(*right, "right");
  const auto check_literal = [&](const Expr& leg, const char* side) {
    if (leg.kind != NodeKind::kLiteral || !expr->invalid.empty()) return;
    expr->invalid = leg.invalid;
    if (expr->invalid.empty() && is_set_operator(op.token))
      expr->invalid = "unexpected literal for " + std::string(side) +
                      " leg of logical/set binary operation (" + sign +
                      "): " + literal_text(leg.number);
  };
  check_literal(*left, "left");
  check_literal(*right, "right");
  if (expr->invalid.empty() && left->kind == NodeKind::kLiteral &&
      right->kind == NodeKind::kLiteral) {
    auto folded = std::make_unique<Expr>();
    folded->number = is_comparison(op.token)
                         ? (compare(op.token, left->number, right->number) ? 1.0 : 0.0)
                         : compute(op.token, left->number, right->number);
    return folded;
  }
  expr->args.push_back(std::move(left));
  expr->args.push_back(std::move(right));
  return finish(std::move(expr));
}

Result<ExprPtr> Parser::run() {
  ExprPtr expr = expression(0);
  if (expr && peek().token != Token::kEof) {
    unexpected();
    expr = nullptr;
  }
  if (!expr || failed_) return parse_error(error_, error_position_);
  return expr;
}

namespace {
Status check_size(std::string_view query) {
  if (query.size() < kQueryBytesMax) return {};
  return parse_error("input size too long (" + std::to_string(query.size()) + " > " +
                     std::to_string(kQueryBytesMax) + ")");
}
}  // namespace

Result<ExprPtr> parse(std::string_view query) {
  SPANWAY_TRY(check_size(query));
  SPANWAY_ASSIGN(ExprPtr expr, Parser(query).run());
  SPANWAY_TRY(validate(*expr));
  return expr;
}

Result<std::vector<LabelMatcher>> parse_matchers(std::string_view query) {
  SPANWAY_TRY(check_size(query));
  SPANWAY_ASSIGN(const ExprPtr expr, Parser(query).run());
  if (!is_log(*expr) || !expr->selector.stages.empty())
    return invalid_argument("only label matchers are supported").with_reason("bad_query");
  SPANWAY_TRY(validate_stages(expr->selector));
  return expr->selector.matchers;
}

}  // namespace spanway::query::logql
