// The text of a query, made of literals alone: what comes from outside is a parameter.
#pragma once

#include <string>
#include <string_view>

namespace spanway::clickhouse {

// A piece of SQL that the compiler has seen. There is no way to make one of a text that comes into
// being at run time.
class SqlText {
 public:
  template <std::size_t N>
  consteval SqlText(const char (&text)[N]) noexcept : text_(text, N - 1) {}  // NOLINT: implicit
  std::string_view view() const noexcept { return text_; }

 private:
  std::string_view text_;
};

// Pieces, one after the other; a space is put between them. Placeholders {name:Type} are for
// values, {name:Identifier} for names of columns. External lock.
class Sql {
 public:
  Sql() = default;
  Sql(SqlText text) : text_(text.view()) {}  // NOLINT: implicit
  Sql& add(SqlText text) {
    if (!text_.empty()) text_ += ' ';
    text_ += text.view();
    return *this;
  }
  const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

}  // namespace spanway::clickhouse
