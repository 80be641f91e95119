// Reads of a store that a selector needs.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "services/query/series/selection.h"
#include "services/query/store/metric_store.h"

namespace spanway::query {

struct ReadPlan {
  std::vector<Series> numbers;               // Gauges and counters that match.
  std::map<std::string, Series> histograms;  // Histograms and summaries of which a part may match.
  std::set<std::string> histogram_metrics;   // Their names.
};

// The stored series of a selection, with a point on a day of the range.
Result<ReadPlan> plan_reads(MetricStore& store, const Selection& selection, TimeRange range,
                            QueryContext& context);

}  // namespace spanway::query
