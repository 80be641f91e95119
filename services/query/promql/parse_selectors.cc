// Selectors and what may follow an expression.
#include <cmath>
#include <utility>

#include "services/query/promql/lexer.h"
#include "services/query/promql/number_text.h"
#include "services/query/promql/parse_state.h"
#include "services/query/store/metric_query.h"

namespace spanway::query::promql {
namespace {

std::int64_t milliseconds(double seconds) {
  return static_cast<std::int64_t>(std::llround(seconds * 1000));
}

bool is_metric_name(Token token) {
  return is_word(token) && token != Token::kAtan2 && token != Token::kBool && token != Token::kOn &&
         token != Token::kIgnoring && token != Token::kGroupLeft && token != Token::kGroupRight;
}

std::optional<MatchOp> match_op(Token token) {
  switch (token) {
    case Token::kAssign:
      return MatchOp::kEqual;
    case Token::kNotEqual:
      return MatchOp::kNotEqual;
    case Token::kRegexMatch:
      return MatchOp::kRegex;
    case Token::kRegexNotMatch:
      return MatchOp::kNotRegex;
    default:
      return std::nullopt;
  }
}

}  // namespace

ExprPtr Parser::selector() {
  ExprPtr result = node(NodeKind::kSelector, peek().position.begin);
  const bool is_named = is_metric_name(peek().token);
  if (is_named) result->text = take().text;
  if (peek().token == Token::kLeftBrace) {
    if (!label_matchers(*result)) return nullptr;
  } else if (!is_named) {
    return unexpected("", "");
  }
  if (is_named) result->matchers.push_back({kMetricName, MatchOp::kEqual, result->text});
  return finish(std::move(result));
}

bool Parser::label_matchers(Expr& selector) {
  take();
  while (peek().token != Token::kRightBrace) {
    if (!label_matcher(selector)) return false;
    if (peek().token == Token::kRightBrace) break;
    if (!expect(Token::kComma, "label matching", "\",\" or \"}\"")) return false;
  }
  take();
  return true;
}

bool Parser::label_matcher(Expr& selector) {
  const Item name = peek();
  LabelMatcher matcher;
  if (name.token == Token::kString) {
    take();
    auto text = unquoted(name);
    if (!text.ok()) return false;
    matcher.label = std::move(text).value();
    if (peek().token == Token::kComma || peek().token == Token::kRightBrace) {
      selector.matchers.push_back({kMetricName, MatchOp::kEqual, std::move(matcher.label)});
      return true;
    }
  } else if (name.token == Token::kIdentifier) {
    matcher.label = take().text;
  } else {
    return unexpected("label matching", "identifier or \"}\"") != nullptr;
  }
  const auto op = match_op(peek().token);
  if (!op) return unexpected("label matching", "label matching operator") != nullptr;
  matcher.op = *op;
  take();
  const Item value = peek();
  if (value.token != Token::kString) return unexpected("label matching", "string") != nullptr;
  take();
  auto text = unquoted(value);
  if (!text.ok()) return false;
  matcher.value = std::move(text).value();
  if (matcher.op == MatchOp::kRegex || matcher.op == MatchOp::kNotRegex) {
    if (const auto regex = Regex::whole(matcher.value); !regex.ok())
      return fail(name.position, regex.error().message) != nullptr;
  }
  selector.matchers.push_back(std::move(matcher));
  return true;
}

ExprPtr Parser::brackets(ExprPtr operand) {
  const Position bracket = take().position;
  ExprPtr range = positive_duration();
  if (!range) return nullptr;
  const bool is_subquery = accept(Token::kColon);
  if (!is_subquery && is_word(peek().token))
    return fail(peek().position,
                "unexpected character: '" + peek().text.substr(0, 1) + "', expected ':'");
  if (!is_subquery && peek().token != Token::kRightBracket)
    return unexpected("subquery or range", "\":\" or \"]\"");
  ExprPtr result =
      node(is_subquery ? NodeKind::kSubquery : NodeKind::kMatrix, operand->position.begin);
  if (range->kind == NodeKind::kNumber)
    result->range_ms = milliseconds(range->number);
  else
    result->range = std::move(range);
  if (is_subquery && peek().token != Token::kRightBracket) {
    ExprPtr step = positive_duration();
    if (!step) return nullptr;
    if (step->kind == NodeKind::kNumber)
      result->step_ms = milliseconds(step->number);
    else
      result->step = std::move(step);
  }
  const Item end = peek();
  if (!expect(Token::kRightBracket, "subquery selector", "\"]\"")) return nullptr;
  if (!is_subquery) {
    const Position both{bracket.begin, end.position.end};
    const Modifiers& before = operand->modifiers;
    if (operand->kind != NodeKind::kSelector)
      return fail(both, "ranges only allowed for vector selectors");
    if (before.offset_ms != 0 || before.offset)
      return fail(both, "no offset modifiers allowed before range");
    if (before.at_ms || before.at_word != Token::kEof)
      return fail(both, "no @ modifiers allowed before range");
  }
  result->args.push_back(std::move(operand));
  return finish(std::move(result));
}

Modifiers* Parser::modifiers_of(Expr& operand, std::string_view modifier) {
  if (operand.kind == NodeKind::kSelector || operand.kind == NodeKind::kSubquery)
    return &operand.modifiers;
  if (operand.kind == NodeKind::kMatrix) return &operand.args[0]->modifiers;
  fail(operand.position, std::string(modifier) +
                             " modifier must be preceded by an instant vector selector or range "
                             "vector selector or a subquery");
  return nullptr;
}

bool Parser::offset(Expr& operand) {
  take();
  ExprPtr value = offset_duration();
  if (!value) return false;
  Modifiers* modifiers = modifiers_of(operand, "offset");
  if (modifiers == nullptr) return false;
  if (modifiers->offset_ms != 0 || modifiers->offset)
    return fail(operand.position, "offset may not be set multiple times") != nullptr;
  if (value->kind == NodeKind::kNumber)
    modifiers->offset_ms = milliseconds(value->number);
  else
    modifiers->offset = std::move(value);
  operand.position.end = last_end_;
  return true;
}

bool Parser::at(Expr& operand) {
  take();
  std::optional<std::int64_t> at_ms;
  Token word = Token::kEof;
  if (peek().token == Token::kStart || peek().token == Token::kEnd) {
    word = take().token;
    if (!expect(Token::kLeftParen, "@", "timestamp") ||
        !expect(Token::kRightParen, "@", "timestamp"))
      return false;
  } else {
    const bool is_negative = peek().token == Token::kSub;
    if (is_negative || peek().token == Token::kAdd) take();
    if (peek().token != Token::kNumber && peek().token != Token::kDuration)
      return unexpected("@", "timestamp") != nullptr;
    double seconds = 0;
    if (!number_of(take(), seconds)) return false;
    if (is_negative) seconds = -seconds;
    if (!(std::fabs(seconds) < 9.2e15))
      return fail(operand.position, "timestamp out of bounds for @ modifier: " +
                                        (std::isfinite(seconds) ? std::to_string(seconds)
                                                                : print_fixed(seconds))) != nullptr;
    at_ms = milliseconds(seconds);
  }
  Modifiers* modifiers = modifiers_of(operand, "@");
  if (modifiers == nullptr) return false;
  if (modifiers->at_ms || modifiers->at_word != Token::kEof)
    return fail(operand.position, "@ <timestamp> may not be set multiple times") != nullptr;
  modifiers->at_ms = at_ms;
  modifiers->at_word = word;
  operand.position.end = last_end_;
  return true;
}

bool Parser::extended(Expr& operand) {
  const Item word = take();
  const bool is_anchored = word.token == Token::kAnchored;
  const std::string name(to_string(word.token));
  if (!experimental(operand.position, name + " modifier is experimental and not enabled"))
    return false;
  if (operand.kind == NodeKind::kSubquery)
    return fail(operand.position, name + " modifier is not supported for subqueries") != nullptr;
  if (operand.kind != NodeKind::kSelector && operand.kind != NodeKind::kMatrix)
    return fail(operand.position, name + " modifier not implemented") != nullptr;
  Modifiers& modifiers = *modifiers_of(operand, name);
  if (is_anchored ? modifiers.smoothed : modifiers.anchored)
    return fail(operand.position, "anchored and smoothed modifiers cannot be used together") !=
           nullptr;
  (is_anchored ? modifiers.anchored : modifiers.smoothed) = true;
  operand.position.end = last_end_;
  return true;
}

}  // namespace spanway::query::promql
