#include "services/query/traceql/parser.h"

#include <algorithm>
#include <utility>

#include "services/query/traceql/lexer.h"
#include "services/query/traceql/parse_state.h"

namespace spanway::query::traceql {

int precedence(Token token) {
  switch (token) {
    case Token::kAnd:
    case Token::kOr:
      return 1;
    case Token::kAdd:
    case Token::kSub:
      return 3;
    case Token::kMul:
    case Token::kDiv:
    case Token::kMod:
      return kProduct;
    case Token::kPow:
      return kPower;
    default:
      return is_comparison(token) || token >= Token::kDescendant ? 2 : -1;
  }
}

Parser::Parser(std::string_view query) : query_(query), items_(lex(query)) {}

const Item& Parser::peek(std::size_t ahead) const {
  return items_[std::min(next_ + ahead, items_.size() - 1)];
}

Item Parser::take() {
  Item item = peek();
  if (next_ + 1 < items_.size()) ++next_;
  last_end_ = item.position.end;
  return item;
}

bool Parser::accept(Token token) {
  if (peek().token != token) return false;
  take();
  return true;
}

bool Parser::accept_word(std::string_view word) {
  if (peek().token != Token::kIdentifier || peek().text != word) return false;
  take();
  return true;
}

bool Parser::is_call(std::string_view word) const {
  return peek().token == Token::kIdentifier && peek().text == word &&
         peek(1).token == Token::kOpenParen;
}

bool Parser::expect(Token token) {
  if (accept(token)) return true;
  unexpected(to_string(token));
  return false;
}

std::nullptr_t Parser::fail(Position position, std::string what, Code code) {
  if (!failed_) {
    failed_ = true;
    error_position_ = position;
    error_ = std::move(what);
    error_code_ = code;
  }
  return nullptr;
}

std::nullptr_t Parser::unexpected(std::string_view expected) {
  const Item& item = peek();
  if (item.token == Token::kError) return fail(item.position, item.text);
  std::string what = "syntax error: unexpected " + describe(item);
  if (!expected.empty()) what += ", expecting " + std::string(expected);
  return fail(item.position, std::move(what));
}

std::nullptr_t Parser::unsupported(Position position, std::string_view what) {
  return fail(position, std::string(what) + " not yet supported", Code::kUnimplemented);
}

ExprPtr Parser::node(NodeKind kind, std::size_t begin) {
  auto expr = std::make_unique<Expr>();
  expr->kind = kind;
  expr->position = {begin, begin};
  return expr;
}

ExprPtr Parser::finish(ExprPtr expr) {
  for (const ExprPtr& arg : expr->args) expr->depth = std::max(expr->depth, arg->depth + 1);
  expr->position.end = std::max(expr->position.end, last_end_);
  if (expr->depth > kTreeDepthMax)
    return fail(expr->position,
                "the query has more than " + std::to_string(kTreeDepthMax) + " nested operations");
  return expr;
}

bool Parser::enter() {
  if (++nesting_ <= kNestingMax) return true;
  fail(peek().position,
       "the query is nested more than " + std::to_string(kNestingMax) + " levels deep");
  return false;
}

Result<Query> parse(std::string_view query) {
  if (query.size() > kQueryBytesMax)
    return invalid_argument("a query has at most " + std::to_string(kQueryBytesMax) + " bytes")
        .with_reason("bad_query");
  return Parser(query).run();
}

Result<Query> Parser::run() {
  Query query;
  Part all = pipeline(false);
  if (!failed_ && hints(query) && peek().token != Token::kEof) unexpected();
  query.pipeline = std::move(all.expr);
  query.metrics = std::move(all.metrics);
  if (!failed_) check(query);
  if (!failed_) return query;
  const std::string_view before = query_.substr(0, error_position_.begin);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t newline = before.rfind('\n');
  const std::size_t column =
      1 + before.size() - (newline == std::string_view::npos ? 0 : newline + 1);
  return data_error(error_code_, "parse error at line " + std::to_string(line) + ", col " +
                                     std::to_string(column) + ": " + error_)
      .with_reason("bad_query");
}

}  // namespace spanway::query::traceql
