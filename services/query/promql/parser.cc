#include "services/query/promql/parser.h"

#include <algorithm>
#include <utility>

#include "services/query/promql/functions.h"
#include "services/query/promql/lexer.h"
#include "services/query/promql/parse_state.h"
#include "services/query/promql/value.h"

namespace spanway::query::promql {
namespace {

// From loose to tight; -1 for what is no binary operator.
int precedence(Token token) {
  switch (token) {
    case Token::kOr:
      return 1;
    case Token::kAnd:
    case Token::kUnless:
      return 2;
    case Token::kEqual:
    case Token::kNotEqual:
    case Token::kLess:
    case Token::kLessEqual:
    case Token::kGreater:
    case Token::kGreaterEqual:
    case Token::kTrimUpper:
    case Token::kTrimLower:
      return 3;
    case Token::kAdd:
    case Token::kSub:
      return 4;
    case Token::kMul:
    case Token::kDiv:
    case Token::kMod:
    case Token::kAtan2:
      return 5;
    case Token::kPow:
      return 6;
    default:
      return -1;
  }
}
constexpr int kPower = 6;

}  // namespace

Parser::Parser(std::string_view query, const ParseOptions& options)
    : query_(query), options_(options), items_(lex(query)) {}

const Item& Parser::peek(std::size_t ahead) const {
  return items_[std::min(next_ + ahead, items_.size() - 1)];
}

Item Parser::take() {
  const Item item = peek();
  if (next_ + 1 < items_.size()) ++next_;
  last_end_ = item.position.end;
  return item;
}

bool Parser::accept(Token token) {
  if (peek().token != token) return false;
  take();
  return true;
}

bool Parser::expect(Token token, std::string_view context, std::string_view expected) {
  if (accept(token)) return true;
  unexpected(context, expected);
  return false;
}

std::nullptr_t Parser::fail(Position position, std::string what) {
  if (!failed_) {
    failed_ = true;
    error_position_ = position;
    error_ = std::move(what);
  }
  return nullptr;
}

std::nullptr_t Parser::unexpected(std::string_view context, std::string_view expected) {
  const Item& item = peek();
  if (item.token == Token::kError) return fail(item.position, item.text);
  std::string what = "unexpected " + describe(item);
  if (!context.empty()) what += " in " + std::string(context);
  if (!expected.empty()) what += ", expected " + std::string(expected);
  return fail(item.position, std::move(what));
}

ExprPtr Parser::node(NodeKind kind, std::size_t begin) {
  auto expr = std::make_unique<Expr>();
  expr->kind = kind;
  expr->position = {begin, begin};
  return expr;
}

ExprPtr Parser::finish(ExprPtr expr) {
  for (const ExprPtr& arg : expr->args) expr->depth = std::max(expr->depth, arg->depth + 1);
  expr->position.end = last_end_;
  if (expr->depth > kTreeDepthMax)
    return fail(expr->position,
                "the query has more than " + std::to_string(kTreeDepthMax) + " nested operations");
  return expr;
}

bool Parser::experimental(Position position, std::string_view what) {
  if (options_.experimental) return true;
  fail(position, std::string(what));
  return false;
}

Result<ExprPtr> parse(std::string_view query, const ParseOptions& options) {
  if (query.size() > kQueryBytesMax)
    return invalid_argument("a query has at most " + std::to_string(kQueryBytesMax) + " bytes")
        .with_reason("bad_query");
  return Parser(query, options).run();
}

Result<ExprPtr> Parser::run() {
  ExprPtr result;
  if (peek().token == Token::kEof)
    fail({}, "no expression found in input");
  else
    result = expression(1);
  if (result && peek().token != Token::kEof) unexpected("", "");
  if (!failed_ && result) check(*result);
  if (!failed_) return result;
  const std::string_view before = query_.substr(0, error_position_.begin);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t newline = before.rfind('\n');
  const std::size_t column =
      1 + before.size() - (newline == std::string_view::npos ? 0 : newline + 1);
  const std::string position =
      query_.empty() ? "unknown position" : std::to_string(line) + ":" + std::to_string(column);
  return invalid_argument(position + ": parse error: " + error_).with_reason("bad_query");
}

ExprPtr Parser::expression(int min_precedence) {
  if (++nesting_ > kNestingMax)
    return fail(peek().position,
                "the query is nested more than " + std::to_string(kNestingMax) + " levels deep");
  ExprPtr left = unary();
  while (left) {
    const int power = precedence(peek().token);
    if (power < min_precedence) break;
    ExprPtr binary = node(NodeKind::kBinary, left->position.begin);
    binary->op = take().token;
    if (is_set_operator(binary->op)) binary->matching.card = Cardinality::kManyToMany;
    if (!binary_modifiers(*binary)) return nullptr;
    ExprPtr right = expression(binary->op == Token::kPow ? power : power + 1);
    if (!right) return nullptr;
    binary->args.push_back(std::move(left));
    binary->args.push_back(std::move(right));
    left = finish(std::move(binary));
  }
  --nesting_;
  return left;
}

ExprPtr Parser::unary() {
  if (peek().token != Token::kAdd && peek().token != Token::kSub) return postfix(primary());
  const Item sign = take();
  ExprPtr operand = expression(kPower);
  if (!operand) return nullptr;
  if (operand->kind == NodeKind::kNumber) {
    if (sign.token == Token::kSub) operand->number = -operand->number;
    operand->position.begin = sign.position.begin;
    return operand;
  }
  ExprPtr result = node(NodeKind::kUnary, sign.position.begin);
  result->op = sign.token;
  result->args.push_back(std::move(operand));
  return finish(std::move(result));
}

ExprPtr Parser::postfix(ExprPtr operand) {
  while (operand) {
    switch (peek().token) {
      case Token::kLeftBracket:
        operand = brackets(std::move(operand));
        break;
      case Token::kOffset:
        if (!offset(*operand)) return nullptr;
        break;
      case Token::kAt:
        if (!at(*operand)) return nullptr;
        break;
      case Token::kAnchored:
      case Token::kSmoothed:
        if (!extended(*operand)) return nullptr;
        break;
      default:
        return operand;
    }
  }
  return operand;
}

ExprPtr Parser::primary() {
  const Item& item = peek();
  if (item.token == Token::kNumber || item.token == Token::kDuration ||
      item.token == Token::kString)
    return literal();
  if (item.token == Token::kLeftParen) {
    ExprPtr paren = node(NodeKind::kParen, take().position.begin);
    ExprPtr inner = expression(1);
    if (!inner || !expect(Token::kRightParen, "", "")) return nullptr;
    paren->args.push_back(std::move(inner));
    return finish(std::move(paren));
  }
  const Token after = peek(1).token;
  if (is_aggregation(item.token) &&
      (after == Token::kLeftParen || after == Token::kBy || after == Token::kWithout))
    return aggregate();
  const bool is_function = item.token == Token::kIdentifier || item.token >= Token::kStart;
  if (is_function && after == Token::kLeftParen) return call();
  return selector();
}

ExprPtr Parser::literal() {
  const Item item = take();
  if (item.token != Token::kString) {
    ExprPtr number = node(NodeKind::kNumber, item.position.begin);
    number->is_duration = item.token == Token::kDuration;
    if (!number_of(item, number->number)) return nullptr;
    return finish(std::move(number));
  }
  ExprPtr text = node(NodeKind::kString, item.position.begin);
  auto value = unquoted(item);
  if (!value.ok()) return nullptr;
  text->text = std::move(value).value();
  return finish(std::move(text));
}

Result<std::string> Parser::unquoted(const Item& item) {
  if (!is_label_name(item.text)) {
    fail(item.position, "invalid UTF-8 rune");
    return invalid_argument("invalid UTF-8 rune");
  }
  auto value = unquote(item.text);
  if (!value.ok()) fail(item.position, value.error().message);
  return value;
}

bool Parser::binary_modifiers(Expr& binary) {
  Matching& matching = binary.matching;
  binary.return_bool = accept(Token::kBool);
  if (peek().token == Token::kOn || peek().token == Token::kIgnoring) {
    matching.is_on = take().token == Token::kOn;
    if (!grouping(matching.labels)) return false;
    if (peek().token == Token::kGroupLeft || peek().token == Token::kGroupRight) {
      matching.card =
          take().token == Token::kGroupLeft ? Cardinality::kManyToOne : Cardinality::kOneToMany;
      if (peek().token == Token::kLeftParen && !grouping(matching.include)) return false;
    }
  }
  return fill_modifiers(binary);
}

bool Parser::fill_modifiers(Expr& binary) {
  Matching& matching = binary.matching;
  for (int i = 0; i < 2; ++i) {
    const Token word = peek().token;
    const bool is_both = word == Token::kFill && !matching.fill_left && !matching.fill_right;
    if (!is_both && (word != Token::kFillLeft || matching.fill_left) &&
        (word != Token::kFillRight || matching.fill_right))
      return true;
    if (!experimental(take().position, "binop fill modifiers are experimental and not enabled"))
      return false;
    double value = 0;
    if (!expect(Token::kLeftParen, "fill", "\"(\"")) return false;
    const bool is_negative = peek().token == Token::kSub;
    if (is_negative || peek().token == Token::kAdd) take();
    if (peek().token != Token::kNumber && peek().token != Token::kDuration)
      return unexpected("fill", "number") != nullptr;
    if (!number_of(take(), value) || !expect(Token::kRightParen, "fill", "\")\"")) return false;
    if (is_negative) value = -value;
    if (word != Token::kFillRight) matching.fill_left = value;
    if (word != Token::kFillLeft) matching.fill_right = value;
    if (is_both) return true;
  }
  return true;
}

bool Parser::grouping(std::vector<std::string>& labels) {
  if (!expect(Token::kLeftParen, "grouping opts", "\"(\"")) return false;
  while (peek().token != Token::kRightParen) {
    const Item item = peek();
    if (item.token == Token::kString) {
      take();
      auto name = unquoted(item);
      if (!name.ok()) return false;
      labels.push_back(std::move(name).value());
    } else if (is_word(item.token)) {
      labels.push_back(take().text);
    } else {
      return unexpected("grouping opts", "label") != nullptr;
    }
    if (labels.back().empty()) {
      fail(item.position, "invalid label name for grouping: \"\"");
      return false;
    }
    if (!accept(Token::kComma) && peek().token != Token::kRightParen)
      return unexpected("grouping opts", "\",\" or \")\"") != nullptr;
  }
  take();
  return true;
}

bool Parser::arguments(std::vector<ExprPtr>& args) {
  take();  // The parenthesis.
  while (peek().token != Token::kRightParen) {
    ExprPtr arg = expression(1);
    if (!arg) return false;
    args.push_back(std::move(arg));
    if (peek().token == Token::kRightParen) break;
    const Position comma = peek().position;
    if (!expect(Token::kComma, "", "")) return false;
    if (peek().token == Token::kRightParen)
      return fail(comma, "trailing commas not allowed in function call args") != nullptr;
  }
  take();
  return true;
}

ExprPtr Parser::call() {
  const Item name = take();
  ExprPtr result = node(NodeKind::kCall, name.position.begin);
  result->text = name.text;
  result->signature = find_function(name.text);
  if (result->signature == nullptr)
    return fail(name.position, "unknown function with name " + quoted(name.text));
  if (result->signature->experimental &&
      !experimental(name.position, "function " + quoted(name.text) + " is not enabled"))
    return nullptr;
  if (!arguments(result->args)) return nullptr;
  return finish(std::move(result));
}

ExprPtr Parser::aggregate() {
  const Item name = take();
  ExprPtr result = node(NodeKind::kAggregate, name.position.begin);
  result->op = name.token;
  const auto modifier = [&] {
    if (peek().token != Token::kBy && peek().token != Token::kWithout) return false;
    result->without = take().token == Token::kWithout;
    grouping(result->grouping);
    return true;
  };
  const bool is_before = modifier();
  if (failed_) return nullptr;
  if (peek().token != Token::kLeftParen) return unexpected("aggregation", "");
  if (!arguments(result->args)) return nullptr;
  if (!is_before) modifier();
  if (failed_) return nullptr;
  result = finish(std::move(result));
  if (!result) return nullptr;
  if (result->args.empty())
    return fail(result->position, "no arguments for aggregate expression provided");
  if ((name.token == Token::kLimitk || name.token == Token::kLimitRatio) &&
      !experimental(result->position, std::string(to_string(name.token)) +
                                          "() is experimental and must be enabled with "
                                          "--enable-feature=promql-experimental-functions"))
    return nullptr;
  const std::size_t expected = has_parameter(name.token) ? 2 : 1;
  if (result->args.size() != expected)
    return fail(result->position,
                "wrong number of arguments for aggregate expression provided, expected " +
                    std::to_string(expected) + ", got " + std::to_string(result->args.size()));
  if (expected == 2) std::swap(result->args[0], result->args[1]);
  return result;
}

}  // namespace spanway::query::promql
