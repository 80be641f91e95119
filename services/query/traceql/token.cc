#include "services/query/traceql/token.h"

namespace spanway::query::traceql {

std::string_view to_string(Token token) {
  constexpr std::string_view kTexts[] = {
      "end of query", "error", "identifier", "attribute", "intrinsic", "string", "integer", "float",
      "duration",     "{",     "}",          "(",         ")",         ",",      "|",       "&&",
      "||",           "=",     "!=",         "=~",        "!~",        "<",      "<=",      ">",
      ">=",           "+",     "-",          "*",         "/",         "%",      "^",       "!",
      ">>",           "<<",    "~",          "!>",        "!<",        "!>>",    "!<<",     "&>",
      "&<",           "&>>",   "&<<",        "&~"};
  static_assert(std::size(kTexts) == static_cast<std::size_t>(Token::kUnionSibling) + 1);
  return kTexts[static_cast<std::size_t>(token)];
}

std::string describe(const Item& item) {
  switch (item.token) {
    case Token::kString:
      return "string";
    case Token::kAttribute:
      return "attribute " + item.scope + "." + item.text;
    case Token::kIdentifier:
    case Token::kScopedIntrinsic:
    case Token::kInteger:
    case Token::kFloat:
    case Token::kDuration:
      return item.text;
    default:
      return std::string(to_string(item.token));
  }
}

}  // namespace spanway::query::traceql
