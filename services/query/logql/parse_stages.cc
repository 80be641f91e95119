// Selectors and the stages of a pipeline.
#include <utility>

#include "services/query/logql/parse_state.h"

namespace spanway::query::logql {
namespace {

constexpr std::string_view kLineOperand = "STRING or ip";

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

std::optional<LineOp> line_op(Token token) {
  switch (token) {
    case Token::kPipeExact:
      return LineOp::kContains;
    case Token::kNotEqual:
      return LineOp::kLacks;
    case Token::kPipeRegex:
      return LineOp::kRegex;
    case Token::kRegexNotMatch:
      return LineOp::kNotRegex;
    case Token::kPipePattern:
      return LineOp::kPattern;
    case Token::kNotPattern:
      return LineOp::kNotPattern;
    default:
      return std::nullopt;
  }
}

}  // namespace

bool Parser::string(std::string& out, std::string_view expected) {
  if (peek().token != Token::kString) return unexpected(expected);
  out = take().text;
  return true;
}

bool Parser::matcher(LabelMatcher& out, std::string_view operators) {
  if (peek().token != Token::kIdentifier) return unexpected("IDENTIFIER");
  out.label = take().text;
  const auto op = match_op(peek().token);
  if (!op) return unexpected(operators);
  take();
  out.op = *op;
  return string(out.value);
}

bool Parser::selector(std::vector<LabelMatcher>& matchers) {
  if (!expect(Token::kLeftBrace)) return false;
  if (accept(Token::kRightBrace)) return true;
  if (peek().token != Token::kIdentifier) return unexpected("IDENTIFIER or }");
  do {
    if (!matcher(matchers.emplace_back(), "= or =~ or !~ or !=")) return false;
  } while (accept(Token::kComma));
  return expect(Token::kRightBrace, "} or ,");
}

bool Parser::pipeline(std::vector<Stage>& stages) {
  for (;;) {
    if (line_op(peek().token)) {
      if (!line_filter(stages)) return false;
    } else if (peek().token == Token::kPipe && peek(1).token != Token::kUnwrap) {
      take();
      if (!stage(stages)) return false;
    } else {
      return true;
    }
  }
}

bool Parser::line_term(LineTerm& term, std::string_view expected) {
  if (accept(Token::kIp)) {
    term.is_ip = true;
    return expect(Token::kLeftParen) && string(term.text) && expect(Token::kRightParen);
  }
  return string(term.text, expected);
}

bool Parser::line_filter(std::vector<Stage>& stages) {
  Stage stage;
  stage.line_op = *line_op(take().token);
  do {
    if (!line_term(stage.terms.emplace_back(), kLineOperand)) return false;
  } while (accept(Token::kOr));
  if (!is_negative(stage.line_op)) {
    stages.push_back(std::move(stage));
    return true;
  }
  // Not one of them: each for itself.
  for (LineTerm& term : stage.terms) {
    Stage& one = stages.emplace_back();
    one.line_op = stage.line_op;
    one.terms.push_back(std::move(term));
  }
  return true;
}

bool Parser::stage(std::vector<Stage>& stages) {
  Stage stage;
  switch (peek().token) {
    case Token::kJson:
      take();
      stage.kind = StageKind::kJson;
      if (peek().token == Token::kIdentifier && !extractions(stage)) return false;
      break;
    case Token::kLogfmt:
      take();
      stage.kind = StageKind::kLogfmt;
      while (peek().token == Token::kFlag)
        (take().text.ends_with("strict") ? stage.strict : stage.keep_empty) = true;
      if (peek().token == Token::kIdentifier && !extractions(stage)) return false;
      break;
    case Token::kRegexp:
    case Token::kPattern:
      stage.kind = take().token == Token::kRegexp ? StageKind::kRegexp : StageKind::kPattern;
      if (!string(stage.text)) return false;
      break;
    case Token::kUnpack:
      take();
      stage.kind = StageKind::kUnpack;
      break;
    case Token::kLineFormat:
      take();
      stage.kind = StageKind::kLineFormat;
      if (!string(stage.text)) return false;
      break;
    case Token::kDecolorize:
      take();
      stage.kind = StageKind::kDecolorize;
      break;
    case Token::kLabelFormat:
      take();
      stage.kind = StageKind::kLabelFormat;
      if (!label_formats(stage)) return false;
      break;
    case Token::kDrop:
    case Token::kKeep:
      stage.kind = take().token == Token::kDrop ? StageKind::kDrop : StageKind::kKeep;
      if (!named_matchers(stage)) return false;
      break;
    case Token::kIdentifier:
    case Token::kLeftParen:
      stage.kind = StageKind::kLabelFilter;
      stage.filter = label_filters();
      if (!stage.filter) return false;
      break;
    default:
      return unexpected();
  }
  stages.push_back(std::move(stage));
  return true;
}

bool Parser::extractions(Stage& stage) {
  do {
    if (peek().token != Token::kIdentifier) return unexpected("IDENTIFIER");
    Extraction& extraction = stage.extractions.emplace_back();
    extraction.label = take().text;
    extraction.expression = extraction.label;
    if (accept(Token::kAssign) && !string(extraction.expression)) return false;
  } while (accept(Token::kComma));
  return true;
}

bool Parser::label_formats(Stage& stage) {
  do {
    if (peek().token != Token::kIdentifier) return unexpected("IDENTIFIER");
    LabelFormat& format = stage.formats.emplace_back();
    format.name = take().text;
    if (!expect(Token::kAssign)) return false;
    format.is_rename = peek().token == Token::kIdentifier;
    if (!format.is_rename && peek().token != Token::kString)
      return unexpected("IDENTIFIER or STRING");
    format.value = take().text;
  } while (accept(Token::kComma));
  return true;
}

bool Parser::named_matchers(Stage& stage) {
  do {
    if (peek().token != Token::kIdentifier) return unexpected("IDENTIFIER");
    NamedMatcher& one = stage.names.emplace_back();
    if (match_op(peek(1).token)) {
      if (!matcher(one.matcher.emplace(), {})) return false;
    } else {
      one.name = take().text;
    }
  } while (accept(Token::kComma));
  return true;
}

}  // namespace spanway::query::logql
