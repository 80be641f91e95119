#include "services/query/promql/lexer.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <utility>

namespace spanway::query::promql {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_alnum(char c) { return is_alpha(c) || is_digit(c); }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  std::vector<Item> run() {
    while (next()) {
    }
    return std::move(items_);
  }

 private:
  char at(std::size_t offset = 0) const {
    return pos_ + offset < text_.size() ? text_[pos_ + offset] : '\0';
  }
  // The character, whole when it has several bytes, as Go's %q prints a rune.
  std::string rune(std::size_t offset = 0) const {
    const std::size_t first = std::min(pos_ + offset, text_.size());
    std::size_t bytes = 1;
    while (first + bytes < text_.size() && (text_[first + bytes] & 0xC0) == 0x80) ++bytes;
    return "'" + std::string(text_.substr(first, bytes)) + "'";
  }
  bool emit(Token token, std::size_t bytes) {
    items_.push_back({token, {pos_, pos_ + bytes}, std::string(text_.substr(pos_, bytes))});
    pos_ += bytes;
    return true;
  }
  bool fail(std::string what) {
    items_.push_back({Token::kError, {pos_, pos_ + 1}, std::move(what)});
    return false;
  }

  bool next() {
    while (pos_ < text_.size() && (is_space(at()) || at() == '#')) {
      if (at() == '#')
        while (pos_ < text_.size() && at() != '\n') ++pos_;
      else
        ++pos_;
    }
    if (pos_ >= text_.size()) return end();
    if (at() == '"' || at() == '\'' || at() == '`') return string();
    return brace_ ? inside_braces() : outside();
  }

  bool end() {
    if (brace_) return fail("unexpected end of input inside braces");
    if (bracket_)
      return fail(items_.back().token == Token::kLeftBracket
                      ? "unexpected end of input in duration expression"
                      : "unclosed left bracket");
    if (parens_ > 0) return fail("unclosed left parenthesis");
    emit(Token::kEof, 0);
    return false;
  }

  bool inside_braces() {
    const char c = at();
    if (is_alpha(c)) {
      std::size_t n = 1;
      while (is_alnum(at(n))) ++n;
      return emit(Token::kIdentifier, n);
    }
    if (c == ',') return emit(Token::kComma, 1);
    if (c == '}') {
      brace_ = false;
      return emit(Token::kRightBrace, 1);
    }
    if (c == '=') return at(1) == '~' ? emit(Token::kRegexMatch, 2) : emit(Token::kAssign, 1);
    if (c == '!') {
      if (at(1) == '~') return emit(Token::kRegexNotMatch, 2);
      if (at(1) == '=') return emit(Token::kNotEqual, 2);
      ++pos_;
      return fail("unexpected character after '!' inside braces: " + rune());
    }
    if (c == '{') return fail("unexpected left brace '{'");
    return fail("unexpected character inside braces: " + rune());
  }

  bool outside() {
    const char c = at();
    if (is_digit(c) || (c == '.' && is_digit(at(1)))) return number();
    if (is_alpha(c) || (c == ':' && !bracket_)) return word();
    switch (c) {
      case '(':
        ++parens_;
        return emit(Token::kLeftParen, 1);
      case ')':
        if (parens_ == 0) {
          ++pos_;  // As Prometheus counts.
          return fail("unexpected right parenthesis ')'");
        }
        --parens_;
        return emit(Token::kRightParen, 1);
      case '{':
        brace_ = true;
        return emit(Token::kLeftBrace, 1);
      case '[':
        if (bracket_) return fail("unexpected left bracket '['");
        bracket_ = true;
        return emit(Token::kLeftBracket, 1);
      case ']':
        if (!bracket_) return fail("unexpected right bracket ']'");
        bracket_ = false;
        return emit(Token::kRightBracket, 1);
      case ':':
        return emit(Token::kColon, 1);
      case ',':
        return emit(Token::kComma, 1);
      case '@':
        return emit(Token::kAt, 1);
      default:
        return symbol(c);
    }
  }

  bool symbol(char c) {
    switch (c) {
      case '+':
        return emit(Token::kAdd, 1);
      case '-':
        return emit(Token::kSub, 1);
      case '*':
        return emit(Token::kMul, 1);
      case '/':
        return emit(Token::kDiv, 1);
      case '%':
        return emit(Token::kMod, 1);
      case '^':
        return emit(Token::kPow, 1);
      case '=':
        if (at(1) == '=') return emit(Token::kEqual, 2);
        if (at(1) != '~') return emit(Token::kAssign, 1);
        return fail("unexpected character after '=': " + rune(1));
      case '!':
        if (at(1) == '=') return emit(Token::kNotEqual, 2);
        return fail("unexpected character after '!': " + rune(1));
      case '<':
        if (at(1) == '=') return emit(Token::kLessEqual, 2);
        return at(1) == '/' ? emit(Token::kTrimUpper, 2) : emit(Token::kLess, 1);
      case '>':
        if (at(1) == '=') return emit(Token::kGreaterEqual, 2);
        return at(1) == '/' ? emit(Token::kTrimLower, 2) : emit(Token::kGreater, 1);
      default:
        return fail("unexpected character: " + rune());
    }
  }

  bool word() {
    std::size_t n = 0;
    bool has_colon = false;
    while (is_alnum(at(n)) || (at(n) == ':' && !bracket_)) has_colon |= at(n++) == ':';
    auto token = keyword(text_.substr(pos_, n));
    // The word of a modifier only before its value: else it is the name of a metric.
    if (token >= Token::kFill && token <= Token::kFillRight) {
      std::size_t after = n;
      while (is_space(at(after))) ++after;
      if (at(after) != '(') token = Token::kIdentifier;
    }
    if (token) return emit(*token, n);
    return emit(has_colon ? Token::kMetricIdentifier : Token::kIdentifier, n);
  }

  // Length of a number at pos_, 0 when it is none.
  std::size_t number_bytes() const {
    std::size_t n = 0;
    if (at() == '0' && (at(1) == 'x' || at(1) == 'X')) {
      n = 2;
      while (std::isxdigit(static_cast<unsigned char>(at(n))) != 0 || at(n) == '_') ++n;
      return n > 2 ? n : 0;
    }
    const auto digits = [&] {
      while (is_digit(at(n)) || (at(n) == '_' && is_digit(at(n + 1)))) ++n;
    };
    digits();
    if (at(n) == '.') {
      ++n;
      digits();
    }
    if (at(n) == 'e' || at(n) == 'E') {
      const std::size_t sign = at(n + 1) == '+' || at(n + 1) == '-' ? 1 : 0;
      if (is_digit(at(n + 1 + sign))) {
        n += 1 + sign;
        digits();
      }
    }
    return n;
  }

  // As far as it may be one; `is_whole` when it is.
  std::size_t duration_bytes(bool& is_whole) const {
    std::size_t n = 0;
    is_whole = false;
    while (is_digit(at(n))) {
      while (is_digit(at(n))) ++n;
      if (at(n) == 'm' && at(n + 1) == 's')
        n += 2;
      else if (std::string_view("smhdwy").find(at(n)) != std::string_view::npos)
        ++n;
      else
        return n;
    }
    is_whole = n > 0;
    return n;
  }

  bool number() {
    const auto ends = [&](std::size_t n) { return n > 0 && !is_alnum(at(n)) && at(n) != '.'; };
    std::size_t n = number_bytes();
    if (ends(n)) return emit(Token::kNumber, n);
    bool is_duration = false;
    const std::size_t duration = duration_bytes(is_duration);
    if (is_duration && ends(duration)) return emit(Token::kDuration, duration);
    n = std::max(n, duration);
    if (is_alnum(at(n)) || at(n) == '.') ++n;
    return fail("bad number or duration syntax: " + quoted(text_.substr(pos_, n)));
  }

  bool string() {
    const char quote = at();
    std::size_t n = 1;
    while (pos_ + n < text_.size() && at(n) != quote) {
      if (quote != '`' && at(n) == '\n') return fail("unterminated quoted string");
      n += quote != '`' && at(n) == '\\' ? 2 : 1;
    }
    if (pos_ + n >= text_.size())
      return fail(quote == '`' ? "unterminated raw string" : "unterminated quoted string");
    return emit(Token::kString, n + 1);
  }

  const std::string_view text_;
  std::size_t pos_ = 0;
  std::vector<Item> items_;
  std::size_t parens_ = 0;
  bool brace_ = false;
  bool bracket_ = false;
};

// Digits of an escape: how many, in which base, and whether they are a code point.
struct NumericEscape {
  std::size_t digits = 0;
  unsigned base = 16;
  bool is_code_point = false;
};

NumericEscape numeric_escape(char c) {
  if (c == 'x') return {2, 16, false};
  if (c == 'u') return {4, 16, true};
  if (c == 'U') return {8, 16, true};
  if (c >= '0' && c <= '7') return {3, 8, false};
  return {};
}

char simple_escape(char c) {
  constexpr std::string_view kLetters = "abfnrtv\\\"'";
  constexpr std::string_view kValues = "\a\b\f\n\r\t\v\\\"'";
  const std::size_t found = kLetters.find(c);
  return found == std::string_view::npos ? '\0' : kValues[found];
}

// As Go's %#U prints an ASCII character.
std::string code_point(char c) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "U+%04X '%c'", static_cast<unsigned char>(c), c);
  return text.data();
}

}  // namespace

void append_utf8(std::string& out, std::uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

std::vector<Item> lex(std::string_view query) { return Lexer(query).run(); }

Result<std::string> unquote(std::string_view literal) {
  const std::string_view body = literal.substr(1, literal.size() - 2);
  if (literal.front() == '`') return std::string(body);
  std::string result;
  for (std::size_t i = 0; i < body.size(); ++i) {
    if (body[i] != '\\') {
      result += body[i];
      continue;
    }
    const char c = ++i < body.size() ? body[i] : '\0';
    if (const char value = simple_escape(c); value != '\0') {
      result += value;
      continue;
    }
    const NumericEscape escape = numeric_escape(c);
    if (escape.digits == 0) return invalid_argument("unknown escape sequence " + code_point(c));
    std::size_t first = escape.base == 8 ? i : i + 1;
    if (first + escape.digits > body.size())
      return invalid_argument("escape sequence not terminated");
    std::uint32_t code = 0;
    for (std::size_t d = 0; d < escape.digits; ++d) {
      const char digit = body[first + d];
      const unsigned value = is_digit(digit) ? static_cast<unsigned>(digit - '0')
                                             : static_cast<unsigned>((digit | 0x20) - 'a' + 10);
      if (std::isxdigit(static_cast<unsigned char>(digit)) == 0 || value >= escape.base)
        return invalid_argument("illegal character in escape sequence");
      code = code * escape.base + value;
    }
    if (code > 0x10FFFF || (escape.is_code_point && code >= 0xD800 && code < 0xE000) ||
        (!escape.is_code_point && code > 0xFF))
      return invalid_argument("escape sequence is an invalid Unicode code point");
    if (escape.is_code_point)
      append_utf8(result, code);
    else
      result += static_cast<char>(code);
    i = first + escape.digits - 1;
  }
  return result;
}

}  // namespace spanway::query::promql
