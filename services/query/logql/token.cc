#include "services/query/logql/token.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace spanway::query::logql {
namespace {

constexpr std::pair<Token, std::string_view> kNames[] = {
    {Token::kEof, "$end"},
    {Token::kError, "error"},
    {Token::kBytes, "BYTES"},
    {Token::kIdentifier, "IDENTIFIER"},
    {Token::kString, "STRING"},
    {Token::kNumber, "NUMBER"},
    {Token::kFlag, "FUNCTION_FLAG"},
    {Token::kDuration, "DURATION"},
    {Token::kRange, "RANGE"},
    {Token::kLeftBrace, "{"},
    {Token::kRightBrace, "}"},
    {Token::kLeftParen, "("},
    {Token::kRightParen, ")"},
    {Token::kRightBracket, "]"},
    {Token::kComma, ","},
    {Token::kDot, "."},
    {Token::kAssign, "="},
    {Token::kRegexMatch, "=~"},
    {Token::kRegexNotMatch, "!~"},
    {Token::kNotPattern, "!>"},
    {Token::kPipe, "|"},
    {Token::kPipeExact, "|="},
    {Token::kPipeRegex, "|~"},
    {Token::kPipePattern, "|>"},
    {Token::kOr, "or"},
    {Token::kAnd, "and"},
    {Token::kUnless, "unless"},
    {Token::kEqual, "=="},
    {Token::kNotEqual, "!="},
    {Token::kLess, "<"},
    {Token::kLessEqual, "<="},
    {Token::kGreater, ">"},
    {Token::kGreaterEqual, ">="},
    {Token::kAdd, "+"},
    {Token::kSub, "-"},
    {Token::kMul, "*"},
    {Token::kDiv, "/"},
    {Token::kMod, "%"},
    {Token::kPow, "^"},
    {Token::kLabelReplace, "label_replace"},
    {Token::kIp, "ip"},
    {Token::kBy, "by"},
    {Token::kWithout, "without"},
    {Token::kBool, "bool"},
    {Token::kOffset, "offset"},
    {Token::kOn, "on"},
    {Token::kIgnoring, "ignoring"},
    {Token::kGroupLeft, "group_left"},
    {Token::kGroupRight, "group_right"},
    {Token::kUnwrap, "unwrap"},
    {Token::kJson, "json"},
    {Token::kRegexp, "regexp"},
    {Token::kLogfmt, "logfmt"},
    {Token::kUnpack, "unpack"},
    {Token::kPattern, "pattern"},
    {Token::kLabelFormat, "label_format"},
    {Token::kLineFormat, "line_format"},
    {Token::kDecolorize, "decolorize"},
    {Token::kDrop, "drop"},
    {Token::kKeep, "keep"},
    {Token::kVariants, "variants"},
    {Token::kOf, "of"},
};

}  // namespace

std::string_view to_string(Token token) {
  for (const auto& [own, name] : kNames)
    if (own == token) return name;
  return "";
}

std::string name_of(const Item& item) {
  switch (item.token) {
    case Token::kRangeFunction:
    case Token::kVectorFunction:
    case Token::kVector:
    case Token::kConversion: {
      std::string name = item.text;
      std::transform(name.begin(), name.end(), name.begin(), [](char c) {
        return static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      });
      return item.token == Token::kConversion ? name + "_CONV" : name;
    }
    default:
      return std::string(to_string(item.token));
  }
}

}  // namespace spanway::query::logql
