// Reads SQL text far enough to find statements, names and parentheses. Internal to schema; for our
// own files, not for SQL from outside.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace spanway::schema {

// The statements of a file without comments and without the semicolons; quotes are respected.
std::vector<std::string> split_statements(std::string_view sql);

// Splits at commas outside of parentheses, brackets and quotes; parts are trimmed.
std::vector<std::string_view> split_list(std::string_view text);

// Without white space outside of quotes, so that spellings of one type compare equal.
std::string without_space(std::string_view text);

// Moves over one text from left to right.
class SqlReader {
 public:
  explicit SqlReader(std::string_view text) noexcept : text_(text) {}

  // The next word of letters, digits, '_' and '.'; empty when something else comes.
  std::string_view word() noexcept;
  // True, and the words are passed, when exactly these come next (by spaces; case as given).
  bool take(std::string_view words) noexcept;
  // The inside of the parentheses that come next; empty, and nothing passed, when none do.
  std::string_view parenthesised() noexcept;
  // A type: a word and the parentheses behind it, as written.
  std::string_view type() noexcept;

  std::size_t position() const noexcept { return position_; }
  std::string_view rest() const noexcept { return text_.substr(position_); }

 private:
  void skip_space() noexcept;
  std::string_view text_;
  std::size_t position_ = 0;
};

}  // namespace spanway::schema
