// Conditions on label sets.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/lib/base/result.h"
#include "services/query/labels/regex.h"

namespace spanway::query {

// By name, each name once.
using Labels = std::vector<std::pair<std::string, std::string>>;

enum class MatchOp : unsigned char { kEqual, kNotEqual, kRegex, kNotRegex };

// Holds when the label's value compares so; a label that is missing has the value "". A regex
// matches the whole value.
struct LabelMatcher {
  std::string label;
  MatchOp op = MatchOp::kEqual;
  std::string value;
};

// Conditions that a selector may have.
inline constexpr std::size_t kMatchersMax = 32;

// All conditions of a selector, compiled. Immutable and thread-safe.
class LabelMatchers {
 public:
  // Errors as of Regex, and INVALID_ARGUMENT, data, for more than kMatchersMax.
  static Result<LabelMatchers> create(std::span<const LabelMatcher> matchers);
  bool matches(const Labels& labels) const;

 private:
  struct Compiled {
    LabelMatcher matcher;
    std::optional<Regex> regex;
  };
  std::vector<Compiled> all_;
};

// "" when it is missing.
std::string_view value_of(const Labels& labels, std::string_view name);

}  // namespace spanway::query
