// Label sets of the series that PromQL would read, without their samples.
#pragma once

#include <functional>
#include <span>

#include "services/query/store/metric_store.h"

namespace spanway::query {

enum class Bounds : unsigned char {
  kRead,  // "le" and "quantile" are read from the points of histograms and summaries.
  // The parts come without them, and conditions on them are not checked: for callers that want
  // other labels.
  kSkip,
};

// Calls `visit` for each label set, ascending by name, whose series have points on a day of the
// range; in no order, and a set may come twice. Errors as of MetricStore.
Status visit_label_sets(MetricStore& store, std::span<const LabelMatcher> matchers, TimeRange range,
                        Bounds bounds, QueryContext& context,
                        const std::function<Status(const Labels& labels)>& visit);

}  // namespace spanway::query
