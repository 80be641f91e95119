#include "services/query/logql/lexer.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <utility>

#include "services/lib/base/ascii.h"
#include "services/lib/base/utf8.h"
#include "services/query/logql/go_text.h"

namespace spanway::query::logql {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0;
}
// Words that are functions only when '(' or a grouping follows.
const std::map<std::string_view, Token>& functions() {
  static const std::map<std::string_view, Token> all = {
      {"rate", Token::kRangeFunction},
      {"rate_counter", Token::kRangeFunction},
      {"count_over_time", Token::kRangeFunction},
      {"bytes_rate", Token::kRangeFunction},
      {"bytes_over_time", Token::kRangeFunction},
      {"avg_over_time", Token::kRangeFunction},
      {"sum_over_time", Token::kRangeFunction},
      {"max_over_time", Token::kRangeFunction},
      {"min_over_time", Token::kRangeFunction},
      {"stdvar_over_time", Token::kRangeFunction},
      {"stddev_over_time", Token::kRangeFunction},
      {"quantile_over_time", Token::kRangeFunction},
      {"first_over_time", Token::kRangeFunction},
      {"last_over_time", Token::kRangeFunction},
      {"absent_over_time", Token::kRangeFunction},
      {"vector", Token::kVector},
      {"sum", Token::kVectorFunction},
      {"avg", Token::kVectorFunction},
      {"max", Token::kVectorFunction},
      {"min", Token::kVectorFunction},
      {"count", Token::kVectorFunction},
      {"stddev", Token::kVectorFunction},
      {"stdvar", Token::kVectorFunction},
      {"bottomk", Token::kVectorFunction},
      {"topk", Token::kVectorFunction},
      {"approx_topk", Token::kVectorFunction},
      {"sort", Token::kVectorFunction},
      {"sort_desc", Token::kVectorFunction},
      {"label_replace", Token::kLabelReplace},
      {"bytes", Token::kConversion},
      {"duration", Token::kConversion},
      {"duration_seconds", Token::kConversion},
      {"ip", Token::kIp},
  };
  return all;
}

// Operators and keywords, in any case.
const std::map<std::string_view, Token>& words() {
  static const std::map<std::string_view, Token> all = [] {
    std::map<std::string_view, Token> map;
    for (int i = static_cast<int>(Token::kLeftBrace); i <= static_cast<int>(Token::kOf); ++i) {
      const auto token = static_cast<Token>(i);
      if (token != Token::kRangeFunction && token != Token::kVectorFunction &&
          token != Token::kConversion && token != Token::kVector)
        map.emplace(to_string(token), token);
    }
    return map;
  }();
  return all;
}

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
  void advance(std::size_t bytes) {
    for (; bytes > 0 && pos_ < text_.size(); --bytes, ++pos_) {
      if (text_[pos_] == '\n') {
        ++line_;
        column_ = 1;
      } else if ((text_[pos_] & 0xC0) != 0x80) {
        ++column_;
      }
    }
  }
  Item& emit(Token token, std::size_t bytes) {
    Item& item = items_.emplace_back();
    item.token = token;
    item.position = {line_, column_};
    item.text = text_.substr(pos_, bytes);
    advance(bytes);
    return item;
  }
  bool fail(std::string what, bool is_joined = false) {
    Item& item = emit(Token::kError, 0);
    item.text = std::move(what);
    if (is_joined) item.position.line = 0;
    return false;
  }

  bool next() {
    skip_blanks();
    if (pos_ >= text_.size()) {
      Item& end = emit(Token::kEof, 0);
      if (text_.empty()) end.position = {};  // As Loki's scanner, which has read nothing.
      return false;
    }
    const char c = at();
    if (c == '"' || c == '`' || c == '\'') return string(c);
    if (is_digit(c) || (c == '.' && is_digit(at(1)))) return number();
    if (c == '[') return range();
    if (c == '-' && (flag() || measure(1))) return true;
    if (is_letter(c)) return word();
    return sign();
  }

  void skip_blanks() {
    while (pos_ < text_.size()) {
      if (is_space(at())) {
        advance(1);
      } else if (at() == '#' || (at() == '/' && at(1) == '/')) {
        advance(std::min(text_.find('\n', pos_), text_.size()) - pos_);
      } else if (at() == '/' && at(1) == '*') {
        const std::size_t end = text_.find("*/", pos_ + 2);
        advance(end == std::string_view::npos ? text_.size() - pos_ : end + 2 - pos_);
      } else {
        return;
      }
    }
  }

  bool string(char quote) {
    std::size_t end = pos_ + 1;
    while (end < text_.size() && text_[end] != quote && (quote == '`' || text_[end] != '\n'))
      end += quote != '`' && text_[end] == '\\' ? 2 : 1;
    if (end >= text_.size() || text_[end] != quote) return fail("literal not terminated");
    const std::string_view literal = text_.substr(pos_, end + 1 - pos_);
    if (!is_valid_utf8(literal)) return fail("invalid UTF-8 encoding");
    auto value = unquote(literal);
    if (quote == '\'') {
      // Go's scanner takes it for a character, which the grammar takes for a name.
      if (!value.ok() || value->empty() || decode_utf8(*value).length != value->size())
        return fail("invalid char literal");
      emit(Token::kIdentifier, literal.size());
      return true;
    }
    if (!value.ok()) return fail(value.error().message);
    emit(Token::kString, literal.size()).text = std::move(value).value();
    return true;
  }

  // Bytes of a number of Go at the position.
  std::size_t number_bytes() const {
    std::size_t bytes = 0;
    const auto digits = [&](auto is_one) {
      while (is_one(at(bytes)) || at(bytes) == '_') ++bytes;
    };
    if (at() == '0' && (at(1) == 'x' || at(1) == 'X')) {
      bytes = 2;
      digits([](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; });
      return bytes;
    }
    digits(is_digit);
    if (at(bytes) == '.') {
      ++bytes;
      digits(is_digit);
    }
    if (at(bytes) == 'e' || at(bytes) == 'E') {
      const std::size_t sign = at(bytes + 1) == '+' || at(bytes + 1) == '-' ? 1 : 0;
      if (is_digit(at(bytes + 1 + sign))) {
        bytes += 1 + sign;
        digits(is_digit);
      }
    }
    return bytes;
  }

  bool number() {
    const std::size_t bytes = number_bytes();
    if (!measure(bytes)) emit(Token::kNumber, bytes);
    return true;
  }

  // A duration or a size that begins with so many bytes of a number or a sign.
  bool measure(std::size_t begin) {
    const auto extend = [&](std::string_view units) {
      std::size_t end = begin;
      while (pos_ + end < text_.size() &&
             (is_digit(at(end)) || at(end) == '.' || units.find(at(end)) != units.npos))
        ++end;
      return end;
    };
    // The micro sign has two bytes.
    if (const std::size_t end = extend("numshdwy\xc2\xb5"); end > begin) {
      const std::string_view text = text_.substr(pos_, end);
      auto duration = parse_prometheus_duration(text);
      if (!duration.ok()) duration = parse_go_duration(text);
      if (duration.ok()) {
        Item& item = emit(Token::kDuration, end);
        item.duration_ns = *duration;
        item.position.line = 0;
        return true;
      }
    }
    if (const std::size_t end = extend("BikKMGTP"); end > begin && at() != '-') {
      if (const auto size = parse_size(text_.substr(pos_, end)); size.ok()) {
        Item& item = emit(Token::kBytes, end);
        item.bytes = *size;
        item.position.line = 0;
        return true;
      }
    }
    return false;
  }

  bool flag() {
    for (const std::string_view name : {"--strict", "--keep-empty"}) {
      const char after = at(name.size());
      if (text_.substr(pos_).starts_with(name) && !is_letter(after) && after != '-') {
        emit(Token::kFlag, name.size()).position.line = 0;
        return true;
      }
    }
    return false;
  }

  bool range() {
    const std::size_t end = text_.find(']', pos_);
    if (end == std::string_view::npos) return fail("missing closing ']' in duration", true);
    const auto duration = parse_prometheus_duration(text_.substr(pos_ + 1, end - pos_ - 1));
    if (!duration.ok()) return fail(duration.error().message, true);
    Item& item = emit(Token::kRange, end + 1 - pos_);
    item.duration_ns = *duration;
    item.position.line = 0;
    return true;
  }

  // True when what follows a name makes it a function: '(', or by or without with '('.
  bool is_function(std::size_t bytes) const {
    std::string_view rest = text_.substr(pos_ + bytes);
    const auto skip = [&] {
      while (!rest.empty() && is_space(rest.front())) rest.remove_prefix(1);
    };
    skip();
    if (rest.starts_with('(')) return true;
    for (const std::string_view grouping : {"by", "without"})
      if (to_lower(rest.substr(0, grouping.size())) == grouping) {
        rest.remove_prefix(grouping.size());
        skip();
        return rest.starts_with('(');
      }
    return false;
  }

  bool word() {
    std::size_t bytes = 0;
    while (is_letter(at(bytes)) || is_digit(at(bytes))) ++bytes;
    const std::string name = to_lower(text_.substr(pos_, bytes));
    if (!is_valid_utf8(text_.substr(pos_, bytes))) return fail("invalid UTF-8 encoding");
    if (const auto found = functions().find(name); found != functions().end()) {
      const bool is_call = is_function(bytes);
      Item& item = emit(is_call ? found->second : Token::kIdentifier, bytes);
      if (is_call) item.text = name;
      return true;
    }
    const auto found = words().find(name);
    emit(found == words().end() ? Token::kIdentifier : found->second, bytes);
    return true;
  }

  bool sign() {
    for (const std::size_t bytes : {2u, 1u})
      if (const auto found = words().find(text_.substr(pos_, bytes));
          found != words().end() && found->first.size() == bytes) {
        Item& item = emit(found->second, found->first.size());
        if (bytes == 2) item.position.line = 0;
        return true;
      }
    // Loki takes any other character for a name.
    emit(Token::kIdentifier, 1);
    return true;
  }

  const std::string_view text_;
  std::size_t pos_ = 0;
  int line_ = 1;
  int column_ = 1;
  std::vector<Item> items_;
};

}  // namespace

std::vector<Item> lex(std::string_view query) { return Lexer(query).run(); }

}  // namespace spanway::query::logql
