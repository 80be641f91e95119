#include "services/query/promql/token.h"

#include <array>
#include <cctype>
#include <utility>

#include "services/lib/base/ascii.h"
#include "services/lib/base/hex.h"

namespace spanway::query::promql {
namespace {

constexpr std::array<std::pair<Token, std::string_view>, 66> kTexts{{
    {Token::kLeftParen, "("},
    {Token::kRightParen, ")"},
    {Token::kLeftBrace, "{"},
    {Token::kRightBrace, "}"},
    {Token::kLeftBracket, "["},
    {Token::kRightBracket, "]"},
    {Token::kComma, ","},
    {Token::kColon, ":"},
    {Token::kAssign, "="},
    {Token::kAdd, "+"},
    {Token::kSub, "-"},
    {Token::kMul, "*"},
    {Token::kDiv, "/"},
    {Token::kMod, "%"},
    {Token::kPow, "^"},
    {Token::kEqual, "=="},
    {Token::kNotEqual, "!="},
    {Token::kLess, "<"},
    {Token::kLessEqual, "<="},
    {Token::kGreater, ">"},
    {Token::kGreaterEqual, ">="},
    {Token::kTrimUpper, "</"},
    {Token::kTrimLower, ">/"},
    {Token::kRegexMatch, "=~"},
    {Token::kRegexNotMatch, "!~"},
    {Token::kAt, "@"},
    {Token::kAtan2, "atan2"},
    {Token::kAnd, "and"},
    {Token::kOr, "or"},
    {Token::kUnless, "unless"},
    {Token::kAvg, "avg"},
    {Token::kBottomk, "bottomk"},
    {Token::kCount, "count"},
    {Token::kCountValues, "count_values"},
    {Token::kGroup, "group"},
    {Token::kMax, "max"},
    {Token::kMin, "min"},
    {Token::kQuantile, "quantile"},
    {Token::kStddev, "stddev"},
    {Token::kStdvar, "stdvar"},
    {Token::kSum, "sum"},
    {Token::kTopk, "topk"},
    {Token::kLimitk, "limitk"},
    {Token::kLimitRatio, "limit_ratio"},
    {Token::kBool, "bool"},
    {Token::kBy, "by"},
    {Token::kGroupLeft, "group_left"},
    {Token::kGroupRight, "group_right"},
    {Token::kFill, "fill"},
    {Token::kFillLeft, "fill_left"},
    {Token::kFillRight, "fill_right"},
    {Token::kIgnoring, "ignoring"},
    {Token::kOffset, "offset"},
    {Token::kSmoothed, "smoothed"},
    {Token::kAnchored, "anchored"},
    {Token::kOn, "on"},
    {Token::kWithout, "without"},
    {Token::kStart, "start"},
    {Token::kEnd, "end"},
    {Token::kStep, "step"},
    {Token::kRange, "range"},
    {Token::kMaxOf, "max_of"},
    {Token::kMinOf, "min_of"},
    {Token::kNumber, "inf"},
    {Token::kNumber, "nan"},
    {Token::kEof, "end of input"},
}};

bool is_continuation(std::string_view text, std::size_t i) {
  return i < text.size() && (static_cast<unsigned char>(text[i]) & 0xC0) == 0x80;
}

// True when the byte is part of a character.
bool is_utf8_at(std::string_view text, std::size_t i) {
  std::size_t first = i;
  while (first > 0 && i - first < 3 && is_continuation(text, first)) --first;
  const auto lead = static_cast<unsigned char>(text[first]);
  const std::size_t bytes = lead < 0x80    ? 1
                            : lead >= 0xF0 ? 4
                            : lead >= 0xE0 ? 3
                            : lead >= 0xC2 ? 2
                                           : 0;
  if (bytes == 0 || i - first >= bytes) return false;
  for (std::size_t k = 1; k < bytes; ++k)
    if (!is_continuation(text, first + k)) return false;
  return true;
}

}  // namespace

std::optional<Token> keyword(std::string_view word) {
  const std::string lower = to_lower(word);
  for (const auto& [token, text] : kTexts)
    if (text == lower && (std::isalpha(static_cast<unsigned char>(text.front())) != 0))
      return token;
  return std::nullopt;
}

std::string_view to_string(Token token) {
  for (const auto& [known, text] : kTexts)
    if (known == token) return text;
  return "";
}

std::string describe(const Item& item) {
  switch (item.token) {
    case Token::kEof:
      return "end of input";
    case Token::kError:
      return "error " + item.text;
    case Token::kIdentifier:
      return "identifier " + quoted(item.text);
    case Token::kMetricIdentifier:
      return "metric identifier " + quoted(item.text);
    default:
      break;
  }
  if (is_keyword(item.token)) return "<" + item.text + ">";
  if (is_operator(item.token)) return "<op:" + item.text + ">";
  if (is_aggregation(item.token)) return "<aggr:" + item.text + ">";
  std::string text =
      item.text.size() > 10 ? quoted(item.text.substr(0, 10)) + "..." : quoted(item.text);
  if (item.token == Token::kString) return "string " + text;
  if (item.token == Token::kNumber) return "number " + text;
  if (item.token == Token::kDuration) return "duration " + text;
  return text;
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    switch (c) {
      case '"':
        result += "\\\"";
        break;
      case '\\':
        result += "\\\\";
        break;
      case '\n':
        result += "\\n";
        break;
      case '\t':
        result += "\\t";
        break;
      case '\r':
        result += "\\r";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || !is_utf8_at(text, i)) {
          result += "\\x";
          append_hex(result, c);
        } else {
          result += c;
        }
    }
  }
  return result + "\"";
}

}  // namespace spanway::query::promql
