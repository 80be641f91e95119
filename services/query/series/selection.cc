#include "services/query/series/selection.h"

#include "services/query/store/metric_query.h"

namespace spanway::query {

Result<Selection> Selection::create(std::span<const LabelMatcher> matchers) {
  Selection result;
  std::vector<LabelMatcher> of_name;
  for (const LabelMatcher& matcher : matchers) {
    result.all_.push_back(matcher);
    if (matcher.label == kMetricName)
      of_name.push_back(matcher);
    else if (matcher.label != kBoundLabel && matcher.label != kQuantileLabel)
      result.of_stored_.push_back(matcher);
  }
  SPANWAY_ASSIGN(result.all_matchers_, LabelMatchers::create(result.all_));
  SPANWAY_ASSIGN(result.name_matchers_, LabelMatchers::create(of_name));
  return result;
}

bool Selection::takes_name(std::string_view name) const {
  return name_matchers_.matches({{kMetricName, std::string(name)}});
}

std::vector<LabelMatcher> Selection::of_stored(std::optional<std::string_view> metric) const {
  std::vector<LabelMatcher> result = of_stored_;
  if (metric)
    result.push_back({.label = kMetricName, .op = MatchOp::kEqual, .value = std::string(*metric)});
  return result;
}

std::optional<std::string_view> Selection::name() const {
  for (const LabelMatcher& matcher : all_)
    if (matcher.label == kMetricName && matcher.op == MatchOp::kEqual && !matcher.value.empty())
      return matcher.value;
  return std::nullopt;
}

std::optional<std::string_view> metric_of_part(std::string_view name) {
  for (const std::string_view suffix : {kBucketSuffix, kSumSuffix, kCountSuffix})
    if (name.size() > suffix.size() && name.ends_with(suffix))
      return name.substr(0, name.size() - suffix.size());
  return std::nullopt;
}

}  // namespace spanway::query
