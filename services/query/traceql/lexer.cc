#include "services/query/traceql/lexer.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace spanway::query::traceql {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
// Letters beyond ASCII are part of words, as in Go.
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_duration_char(char c) {
  return is_digit(c) || std::string_view(".nsumhdwy\xc2\xb5").find(c) != std::string_view::npos;
}

constexpr std::string_view kDotScopes[] = {"parent", "resource", "span",
                                           "event",  "link",     "instrumentation"};
constexpr std::string_view kColonScopes[] = {"trace", "span", "event", "link", "instrumentation"};

// From long to short.
constexpr std::pair<std::string_view, Token> kSymbols[] = {
    {"!>>", Token::kNotDescendant},
    {"!<<", Token::kNotAncestor},
    {"&>>", Token::kUnionDescendant},
    {"&<<", Token::kUnionAncestor},
    {"&&", Token::kAnd},
    {"||", Token::kOr},
    {"!=", Token::kNotEqual},
    {"=~", Token::kRegex},
    {"!~", Token::kNotRegex},
    {"<=", Token::kLessEqual},
    {">=", Token::kGreaterEqual},
    {">>", Token::kDescendant},
    {"<<", Token::kAncestor},
    {"!>", Token::kNotChild},
    {"!<", Token::kNotParent},
    {"&>", Token::kUnionChild},
    {"&<", Token::kUnionParent},
    {"&~", Token::kUnionSibling},
    {"{", Token::kOpenBrace},
    {"}", Token::kCloseBrace},
    {"(", Token::kOpenParen},
    {")", Token::kCloseParen},
    {",", Token::kComma},
    {"|", Token::kPipe},
    {"=", Token::kEqual},
    {"<", Token::kLess},
    {">", Token::kGreater},
    {"+", Token::kAdd},
    {"-", Token::kSub},
    {"*", Token::kMul},
    {"/", Token::kDiv},
    {"%", Token::kMod},
    {"^", Token::kPow},
    {"!", Token::kNot},
    {"~", Token::kSibling},
};

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
  std::string_view rest() const { return text_.substr(std::min(pos_, text_.size())); }
  Item item(Token token, std::size_t bytes) {
    Item result;
    result.token = token;
    result.position = {pos_, pos_ + bytes};
    result.text = std::string(text_.substr(pos_, bytes));
    pos_ += bytes;
    return result;
  }
  bool emit(Item item) {
    items_.push_back(std::move(item));
    return true;
  }
  bool fail(std::size_t begin, std::string what) {
    Item error;
    error.token = Token::kError;
    error.position = {begin, std::max(begin + 1, pos_)};
    error.text = std::move(what);
    items_.push_back(std::move(error));
    return false;
  }

  bool skip_spaces() {
    while (pos_ < text_.size()) {
      const std::size_t begin = pos_;
      if (is_space(at())) {
        ++pos_;
      } else if (rest().starts_with("//")) {
        pos_ = std::min(text_.find('\n', pos_), text_.size());
      } else if (rest().starts_with("/*")) {
        const std::size_t end = text_.find("*/", pos_ + 2);
        pos_ = std::min(end, text_.size());
        if (end == std::string_view::npos) return fail(begin, "comment not terminated");
        pos_ += 2;
      } else {
        break;
      }
    }
    return true;
  }

  bool next() {
    if (!skip_spaces()) return false;
    if (pos_ >= text_.size()) {
      emit(item(Token::kEof, 0));
      return false;
    }
    const char c = at();
    if (c == '"' || c == '`') return string();
    if (is_digit(c) || (c == '.' && is_digit(at(1)))) return number();
    if (c == '.') return attribute(pos_, "");
    if (is_letter(c)) return word();
    for (const auto& [symbol, token] : kSymbols)
      if (rest().starts_with(symbol)) return emit(item(token, symbol.size()));
    return fail(pos_, "unexpected character '" + std::string(1, c) + "'");
  }

  bool word() {
    std::size_t n = 1;
    while (is_letter(at(n)) || is_digit(at(n))) ++n;
    const std::string_view name = text_.substr(pos_, n);
    const auto is_one_of = [&](const auto& scopes) {
      return std::find(std::begin(scopes), std::end(scopes), name) != std::end(scopes);
    };
    const std::size_t begin = pos_;
    if (at(n) == '.' && is_one_of(kDotScopes)) {
      pos_ += n;
      return attribute(begin, std::string(name));
    }
    if (at(n) == ':' && is_one_of(kColonScopes)) {
      pos_ += n + 1;
      return scoped_intrinsic(begin, name);
    }
    return emit(item(Token::kIdentifier, n));
  }

  bool scoped_intrinsic(std::size_t begin, std::string_view scope) {
    if (!skip_spaces()) return false;
    std::size_t n = 0;
    while (is_letter(at(n)) || is_digit(at(n))) ++n;
    Item intrinsic = item(Token::kScopedIntrinsic, n);
    intrinsic.text = std::string(scope) + ":" + intrinsic.text;
    intrinsic.position.begin = begin;
    return emit(std::move(intrinsic));
  }

  // At the point after the scope.
  bool attribute(std::size_t begin, std::string scope) {
    ++pos_;
    if (scope == "parent")
      for (const std::string_view inner : {"resource.", "span."})
        if (rest().starts_with(inner)) {
          scope += "." + std::string(inner.substr(0, inner.size() - 1));
          pos_ += inner.size();
          break;
        }
    Item result;
    result.token = Token::kAttribute;
    result.scope = std::move(scope);
    if (!is_attribute_char(at()) || pos_ >= text_.size())
      return fail(begin, "an attribute needs a name after \".\"");
    while (pos_ < text_.size() && is_attribute_char(at())) {
      if (at() != '"') {
        result.text += text_[pos_++];
        continue;
      }
      if (!quoted_part(result.text)) return false;
    }
    result.position = {begin, pos_};
    return emit(std::move(result));
  }

  bool quoted_part(std::string& name) {
    const std::size_t begin = pos_++;
    while (pos_ < text_.size() && at() != '"') {
      if (at() == '\\') {
        ++pos_;
        if (at() != '"' && at() != '\\') return fail(begin, "invalid escape sequence");
      }
      name += text_[pos_++];
    }
    if (pos_ >= text_.size()) return fail(begin, "unexpected end of query, expecting \"");
    ++pos_;
    return true;
  }

  bool string();
  bool escape(std::string& value);
  bool number();

  const std::string_view text_;
  std::size_t pos_ = 0;
  std::vector<Item> items_;
};

void append_utf8(std::string& out, std::uint32_t code) {
  const auto tail = [&](unsigned shift) {
    out += static_cast<char>(0x80 | ((code >> shift) & 0x3F));
  };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
    tail(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xF0 | (code >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

// Go's escapes of strings, at the backslash.
bool Lexer::escape(std::string& value) {
  constexpr std::string_view kNames = "abfnrtv\\\"", kValues = "\a\b\f\n\r\t\v\\\"";
  const std::size_t begin = pos_++;
  const char c = at();
  if (const std::size_t simple = kNames.find(c); c != '\0' && simple != std::string_view::npos) {
    value += kValues[simple];
    ++pos_;
    return true;
  }
  const bool is_octal = c >= '0' && c <= '7';
  const std::size_t digits = is_octal ? 3 : c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
  if (digits == 0) return fail(begin, "unknown escape sequence in string");
  if (!is_octal) ++pos_;
  const std::string_view text = text_.substr(std::min(pos_, text_.size()), digits);
  std::uint32_t code = 0;
  const auto parsed =
      std::from_chars(text.data(), text.data() + text.size(), code, is_octal ? 8 : 16);
  if (text.size() < digits || parsed.ec != std::errc() || parsed.ptr != text.data() + digits)
    return fail(begin, "invalid escape sequence in string");
  pos_ += digits;
  const bool is_code_point = c == 'u' || c == 'U';
  if (is_code_point ? code > 0x10FFFF || (code >= 0xD800 && code < 0xE000) : code > 0xFF)
    return fail(begin, "invalid escape sequence in string");
  if (is_code_point)
    append_utf8(value, code);
  else
    value += static_cast<char>(code);
  return true;
}

bool Lexer::string() {
  const std::size_t begin = pos_;
  const char quote = text_[pos_++];
  Item result;
  result.token = Token::kString;
  while (pos_ < text_.size() && at() != quote) {
    if (quote == '"' && at() == '\n') break;
    if (quote == '"' && at() == '\\') {
      if (!escape(result.text)) return false;
    } else {
      if (quote == '"' || at() != '\r') result.text += at();
      ++pos_;
    }
  }
  if (pos_ >= text_.size() || at() != quote) return fail(begin, "string not terminated");
  ++pos_;
  result.position = {begin, pos_};
  return emit(std::move(result));
}

bool Lexer::number() {
  std::size_t n = 0;
  bool is_float = false;
  while (is_digit(at(n))) ++n;
  if (at(n) == '.') {
    is_float = true;
    do ++n;
    while (is_digit(at(n)));
  }
  const std::size_t sign = at(n + 1) == '+' || at(n + 1) == '-' ? 1 : 0;
  if ((at(n) == 'e' || at(n) == 'E') && is_digit(at(n + 1 + sign))) {
    is_float = true;
    n += 1 + sign;
    while (is_digit(at(n))) ++n;
  }
  std::size_t with_unit = n;
  while (pos_ + with_unit < text_.size() && is_duration_char(at(with_unit))) ++with_unit;
  if (with_unit > n)
    if (const auto duration = parse_duration(text_.substr(pos_, with_unit))) {
      Item result = item(Token::kDuration, with_unit);
      result.integer = *duration;
      return emit(std::move(result));
    }
  const std::size_t begin = pos_;
  Item result = item(is_float ? Token::kFloat : Token::kInteger, n);
  const char *first = result.text.data(), *last = first + result.text.size();
  const auto parsed = is_float ? std::from_chars(first, last, result.number)
                               : std::from_chars(first, last, result.integer);
  if (parsed.ec != std::errc()) return fail(begin, result.text + " is out of range");
  return emit(std::move(result));
}

}  // namespace

bool is_attribute_char(char c) {
  return !is_space(c) && c != '\v' && c != '\f' &&
         std::string_view("{}()=~!<>&|^,").find(c) == std::string_view::npos;
}

std::vector<Item> lex(std::string_view query) { return Lexer(query).run(); }

}  // namespace spanway::query::traceql
