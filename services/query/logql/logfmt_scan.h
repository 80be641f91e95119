// Key and value pairs of a line, as Loki's logfmt parser reads them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace spanway::query::logql {

// Belongs to one thread; the line outlives it.
class LogfmtScan {
 public:
  explicit LogfmtScan(std::string_view line) : line_(line) {}
  bool at_end() const noexcept { return pos_ >= line_.size(); }
  // False for a pair that is broken, and at the end: the next one may be well.
  bool next();
  std::string_view key() const noexcept { return key_; }
  // Empty for a key without one.
  const std::string& value() const noexcept { return value_; }
  // The last mistake; "" for none.
  const std::string& error() const noexcept { return error_; }

 private:
  bool take_key();
  bool take_value();
  bool take_quoted_value();
  bool skip_broken();
  void fail(const std::string& what);
  void fail_at(char c);

  const std::string_view line_;
  std::size_t pos_ = 0;
  std::string_view key_;
  std::string value_;
  std::string error_;
};

}  // namespace spanway::query::logql
