#include "services/query/labels/label_matcher.h"

#include <algorithm>
#include <string>

namespace spanway::query {

std::string_view value_of(const Labels& labels, std::string_view name) {
  const auto found = std::find_if(labels.begin(), labels.end(),
                                  [&](const auto& label) { return label.first == name; });
  return found == labels.end() ? std::string_view() : std::string_view(found->second);
}

Result<LabelMatchers> LabelMatchers::create(std::span<const LabelMatcher> matchers) {
  if (matchers.size() > kMatchersMax)
    return invalid_argument("a selector takes at most " + std::to_string(kMatchersMax) +
                            " conditions on labels")
        .with_reason("too_many_conditions");
  LabelMatchers result;
  for (const LabelMatcher& matcher : matchers) {
    Compiled compiled{.matcher = matcher, .regex = std::nullopt};
    if (matcher.op == MatchOp::kRegex || matcher.op == MatchOp::kNotRegex) {
      SPANWAY_ASSIGN(compiled.regex, Regex::whole(matcher.value));
    }
    result.all_.push_back(std::move(compiled));
  }
  return result;
}

bool LabelMatchers::matches(const Labels& labels) const {
  return std::all_of(all_.begin(), all_.end(), [&](const Compiled& one) {
    const std::string_view value = value_of(labels, one.matcher.label);
    switch (one.matcher.op) {
      case MatchOp::kEqual:
        return value == one.matcher.value;
      case MatchOp::kNotEqual:
        return value != one.matcher.value;
      case MatchOp::kRegex:
        return one.regex->matches(value);
      case MatchOp::kNotRegex:
        return !one.regex->matches(value);
    }
    return false;
  });
}

}  // namespace spanway::query
