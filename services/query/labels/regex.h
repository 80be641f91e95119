// Regular expressions without backtracking.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

  // The texts that the groups of a match have found.
  class Groups {
   public:
    // Text of a group by number, "0" the whole match, or by name; "" when there is none.
    std::string_view value(std::string_view name) const;

   private:
    friend class Regex;
    std::vector<std::string> values_;
    std::map<std::string, int, std::less<>> names_;
  };
  // Nothing when the whole text does not match.
  std::optional<Groups> groups(std::string_view text) const;

  // The leftmost match at `begin` or behind it: the whole match, then its groups, whose data() is
  // null where a group has no part in it. False without a match.
  bool find(std::string_view text, std::size_t begin, std::vector<std::string_view>& found) const;
  // From group 1 on; "" for one without a name.
  std::vector<std::string> group_names() const;

 private:
  struct Program;
  explicit Regex(std::shared_ptr<const Program> program) : program_(std::move(program)) {}
  static Result<Regex> compile(std::string_view pattern, bool is_whole);
  std::shared_ptr<const Program> program_;
};

}  // namespace spanway::query
