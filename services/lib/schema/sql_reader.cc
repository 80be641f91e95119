#include "services/lib/schema/sql_reader.h"

#include "services/lib/base/ascii.h"

namespace spanway::schema {
namespace {

bool is_space(char c) noexcept { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
bool is_word(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.';
}

// Behind the quoted text that begins at `begin`.
std::size_t end_of_quote(std::string_view text, std::size_t begin) noexcept {
  std::size_t i = begin + 1;
  while (i < text.size() && text[i] != '\'') i += text[i] == '\\' ? 2 : 1;
  return i < text.size() ? i + 1 : text.size();
}

}  // namespace

std::vector<std::string> split_statements(std::string_view sql) {
  std::vector<std::string> statements;
  std::string open;
  const auto close = [&] {
    if (const std::string_view text = trim(open, kWhiteSpace); !text.empty())
      statements.emplace_back(text);
    open.clear();
  };
  for (std::size_t i = 0; i < sql.size();) {
    if (sql[i] == '\'') {
      const std::size_t end = end_of_quote(sql, i);
      open += sql.substr(i, end - i);
      i = end;
    } else if (sql.substr(i, 2) == "--") {
      i = std::min(sql.find('\n', i), sql.size());
    } else if (sql.substr(i, 2) == "/*") {
      const std::size_t end = sql.find("*/", i);
      i = end == std::string_view::npos ? sql.size() : end + 2;
    } else if (sql[i] == ';') {
      close();
      ++i;
    } else {
      open += sql[i++];
    }
  }
  close();
  return statements;
}

std::vector<std::string_view> split_list(std::string_view text) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '\'') {
      i = end_of_quote(text, i);
      continue;
    }
    if (c == '(' || c == '[') ++depth;
    if (c == ')' || c == ']') --depth;
    if (c == ',' && depth == 0) {
      parts.push_back(trim(text.substr(begin, i - begin), kWhiteSpace));
      begin = i + 1;
    }
    ++i;
  }
  parts.push_back(trim(text.substr(begin), kWhiteSpace));
  return parts;
}

std::string without_space(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '\'') {
      const std::size_t end = end_of_quote(text, i);
      out += text.substr(i, end - i);
      i = end;
    } else {
      if (!is_space(text[i])) out += text[i];
      ++i;
    }
  }
  return out;
}

void SqlReader::skip_space() noexcept {
  while (position_ < text_.size() && is_space(text_[position_])) ++position_;
}

std::string_view SqlReader::word() noexcept {
  skip_space();
  const std::size_t begin = position_;
  while (position_ < text_.size() && is_word(text_[position_])) ++position_;
  return text_.substr(begin, position_ - begin);
}

bool SqlReader::take(std::string_view words) noexcept {
  const std::size_t begin = position_;
  for (SqlReader expected(words); !trim(expected.rest(), kWhiteSpace).empty();) {
    const std::string_view next = expected.word();
    if (!next.empty() && word() == next) continue;
    position_ = begin;
    return false;
  }
  return true;
}

std::string_view SqlReader::parenthesised() noexcept {
  const std::size_t before = position_;
  skip_space();
  const std::size_t begin = position_ + 1;
  int depth = 0;
  for (std::size_t i = position_; i < text_.size();) {
    if (text_[i] == '\'') {
      i = end_of_quote(text_, i);
      continue;
    }
    if (text_[i] == '(') ++depth;
    if (text_[i] == ')' && --depth == 0) {
      position_ = i + 1;
      return text_.substr(begin, i - begin);
    }
    if (depth == 0) break;
    ++i;
  }
  position_ = before;
  return {};
}

std::string_view SqlReader::type() noexcept {
  skip_space();
  const std::size_t begin = position_;
  word();
  if (position_ < text_.size() && text_[position_] == '(') parenthesised();
  return text_.substr(begin, position_ - begin);
}

}  // namespace spanway::schema
