// Regular expressions without backtracking.
#pragma once

#include <memory>
#include <string_view>

#include "services/lib/base/result.h"

namespace spanway::query {

// Immutable and thread-safe; a copy shares its program.
class Regex {
 public:
  static constexpr std::size_t kPatternBytesMax = 4096;

  // Matches a whole text; '.' is any character. INVALID_ARGUMENT, data, "bad_regex" for a pattern
  // that RE2 does not know or that is too long.
  static Result<Regex> whole(std::string_view pattern);
  // Matches anywhere in a text; '.' is any character but a line feed.
  static Result<Regex> within(std::string_view pattern);

  bool matches(std::string_view text) const;

 private:
  struct Program;
  explicit Regex(std::shared_ptr<const Program> program) : program_(std::move(program)) {}
  static Result<Regex> compile(std::string_view pattern, bool is_whole);
  std::shared_ptr<const Program> program_;
};

}  // namespace spanway::query
