// The stores of signals for which none is configured.
#pragma once

#include <vector>

#include "services/query/store/log_store.h"
#include "services/query/store/metric_store.h"

namespace spanway::query {

// Thread-safe. Every call is UNIMPLEMENTED, configuration, "no_store", with the key to set.
class AbsentLogStore final : public LogStore {
 public:
  Result<std::vector<LogStream>> streams(std::span<const LabelMatcher> matchers, TimeRange range,
                                         QueryContext& context) override;
  Result<BlockStreamPtr> select(const LogSelect& query, QueryContext& context) override;
  Result<block::Block> resources_of(std::span<const std::uint64_t> ids,
                                    QueryContext& context) override;
  Result<std::vector<LogVolume>> volume(std::span<const LabelMatcher> matchers, TimeRange range,
                                        QueryContext& context) override;
};

class AbsentMetricStore final : public MetricStore {
 public:
  Result<std::vector<Series>> series(std::span<const LabelMatcher> matchers, TimeRange range,
                                     QueryContext& context) override;
  Result<std::vector<MetricMetadata>> metadata(const std::optional<std::string>& metric,
                                               TimeRange range, std::size_t limit,
                                               QueryContext& context) override;
  Result<SeriesStreamPtr> samples(const MetricSelect& query, QueryContext& context) override;
  Result<BlockStreamPtr> histograms(const MetricSelect& query, QueryContext& context) override;
};

}  // namespace spanway::query
