// Conditions on labels behind a pipe.
#include <utility>

#include "services/query/logql/go_text.h"
#include "services/query/logql/parse_state.h"

namespace spanway::query::logql {
namespace {

std::optional<CompareOp> compare_op(Token token) {
  switch (token) {
    case Token::kAssign:
    case Token::kEqual:
      return CompareOp::kEqual;
    case Token::kNotEqual:
      return CompareOp::kNotEqual;
    case Token::kGreater:
      return CompareOp::kGreater;
    case Token::kGreaterEqual:
      return CompareOp::kGreaterEqual;
    case Token::kLess:
      return CompareOp::kLess;
    case Token::kLessEqual:
      return CompareOp::kLessEqual;
    default:
      return std::nullopt;
  }
}

LabelFilterPtr joined(LabelFilter::Kind kind, LabelFilterPtr left, LabelFilterPtr right) {
  auto filter = std::make_unique<LabelFilter>();
  filter->kind = kind;
  filter->left = std::move(left);
  filter->right = std::move(right);
  return filter;
}

}  // namespace

// As in Loki's grammar, `and` binds more tightly than `or`; a comma, or nothing between two
// filters, is an `and` whose right side is all that follows.
LabelFilterPtr Parser::label_filters() {
  struct Operator {
    LabelFilter::Kind kind;
    int precedence;  // 0 = of a comma: nothing is joined before its right side is complete.
  };
  std::vector<LabelFilterPtr> operands;
  std::vector<Operator> operators;
  const auto join = [&] {
    LabelFilterPtr right = std::move(operands.back());
    operands.pop_back();
    operands.back() = joined(operators.back().kind, std::move(operands.back()), std::move(right));
    operators.pop_back();
  };
  for (std::size_t count = 1;; ++count) {
    operands.push_back(label_filter());
    if (!operands.back()) return nullptr;
    if (count > kNestingMax) {
      fail(peek().position,
           "a filter joins more than " + std::to_string(kNestingMax) + " conditions");
      return nullptr;
    }
    Operator next{LabelFilter::Kind::kAnd, 0};
    if (peek().token == Token::kOr)
      next = {LabelFilter::Kind::kOr, 1};
    else if (peek().token == Token::kAnd)
      next = {LabelFilter::Kind::kAnd, 2};
    else if (peek().token != Token::kComma && peek().token != Token::kIdentifier &&
             peek().token != Token::kLeftParen)
      break;
    while (!operators.empty() && next.precedence != 0 && operators.back().precedence != 0 &&
           next.precedence <= operators.back().precedence)
      join();
    if (peek().token != Token::kIdentifier && peek().token != Token::kLeftParen) take();
    operators.push_back(next);
  }
  while (!operators.empty()) join();
  return std::move(operands.back());
}

LabelFilterPtr Parser::label_filter() {
  const Level level(*this);
  if (!level.ok()) return nullptr;
  if (accept(Token::kLeftParen)) {
    LabelFilterPtr inner = label_filters();
    if (!inner || accept(Token::kRightParen)) return inner;
    unexpected();
    return nullptr;
  }
  if (peek().token != Token::kIdentifier) {
    unexpected("IDENTIFIER or (");
    return nullptr;
  }
  auto filter = std::make_unique<LabelFilter>();
  filter->matcher.label = take().text;
  const Token op = peek().token;
  if (op == Token::kRegexMatch || op == Token::kRegexNotMatch) {
    take();
    filter->matcher.op = op == Token::kRegexMatch ? MatchOp::kRegex : MatchOp::kNotRegex;
    return string(filter->matcher.value) ? std::move(filter) : nullptr;
  }
  const auto compare = compare_op(op);
  if (!compare) {
    unexpected();
    return nullptr;
  }
  take();
  filter->op = *compare;
  return filter_value(*filter, op) ? std::move(filter) : nullptr;
}

bool Parser::filter_value(LabelFilter& filter, Token op) {
  const bool may_be_text = op == Token::kAssign || op == Token::kNotEqual;
  switch (peek().token) {
    case Token::kString:
      if (!may_be_text) return unexpected();
      filter.matcher.op = op == Token::kAssign ? MatchOp::kEqual : MatchOp::kNotEqual;
      filter.matcher.value = take().text;
      return true;
    case Token::kIp:
      if (!may_be_text) return unexpected();
      take();
      filter.kind = LabelFilter::Kind::kIp;
      return expect(Token::kLeftParen) && string(filter.address) && expect(Token::kRightParen);
    case Token::kDuration:
      filter.kind = LabelFilter::Kind::kDuration;
      filter.duration_ns = take().duration_ns;
      return true;
    case Token::kBytes:
      filter.kind = LabelFilter::Kind::kSize;
      filter.bytes = take().bytes;
      return true;
    case Token::kNumber:
    case Token::kAdd:
    case Token::kSub: {
      const Position position = peek().position;
      const ExprPtr number = literal();
      if (!number) return false;
      if (!number->invalid.empty()) return fail(position, number->invalid);
      filter.kind = LabelFilter::Kind::kNumber;
      filter.number = number->number;
      return true;
    }
    default:
      return unexpected();
  }
}

}  // namespace spanway::query::logql
