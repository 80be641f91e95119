// The reading contract of a store of metrics. APIs and engines know nothing else of a store.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "services/query/store/block_stream.h"
#include "services/query/store/metric_query.h"

namespace spanway::query {

// Thread-safe. Every call sees the data points of the context's tenant only, and blocks until it
// has an answer or the deadline has passed. Errors as of LogStore. The suite
// tests/contract/store_contract/metric_store_contract_test.cc holds for every store.
class MetricStore {
 public:
  virtual ~MetricStore() = default;

  // The series that match and have a point on a day of the range, each once, in no order.
  virtual Result<std::vector<Series>> series(std::span<const LabelMatcher> matchers,
                                             TimeRange range, QueryContext& context) = 0;
  // One for each metric with a point on a day of the range, by its name, at most `limit` of them;
  // for the named metric alone. Where series of a metric differ, one of them.
  virtual Result<std::vector<MetricMetadata>> metadata(const std::optional<std::string>& metric,
                                                       TimeRange range, std::size_t limit,
                                                       QueryContext& context) = 0;
  // Gauges and counters: each series that matches and has samples in the range, in no order.
  virtual Result<SeriesStreamPtr> samples(const MetricSelect& query, QueryContext& context) = 0;
  // Histograms and summaries, as columns of the table of histograms: the points of one series after
  // the other, ascending by time.
  virtual Result<BlockStreamPtr> histograms(const MetricSelect& query, QueryContext& context) = 0;
};

}  // namespace spanway::query
