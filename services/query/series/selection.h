// The conditions of a selector, divided into what a store applies and what depends on the parts of
// a histogram.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "services/query/labels/label_matcher.h"

namespace spanway::query {

inline constexpr std::string_view kBoundLabel = "le", kQuantileLabel = "quantile";
inline constexpr std::string_view kBucketSuffix = "_bucket", kSumSuffix = "_sum",
                                  kCountSuffix = "_count";

// Immutable and thread-safe.
class Selection {
 public:
  // Errors as of LabelMatchers.
  static Result<Selection> create(std::span<const LabelMatcher> matchers);

  bool takes(const Labels& labels) const { return all_matchers_.matches(labels); }
  // True when the conditions on the name hold.
  bool takes_name(std::string_view name) const;
  const std::vector<LabelMatcher>& all() const noexcept { return all_; }
  // Conditions that hold for a stored histogram when they hold for one of its parts: not those on
  // the name, on bounds and on quantiles. With one that it is this metric.
  std::vector<LabelMatcher> of_stored(std::optional<std::string_view> metric) const;
  // The name that is requested by equality.
  std::optional<std::string_view> name() const;

 private:
  std::vector<LabelMatcher> all_;
  std::vector<LabelMatcher> of_stored_;
  LabelMatchers all_matchers_;
  LabelMatchers name_matchers_;
};

// "x" of "x_bucket"; nothing for a name without such an end.
std::optional<std::string_view> metric_of_part(std::string_view name);

}  // namespace spanway::query
