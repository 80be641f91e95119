// Metrics in the tables of services/lib/schema.
#pragma once

#include <vector>

#include "services/lib/clickhouse/clickhouse_client.h"
#include "services/query/store/metric_store.h"

namespace spanway::query {

// Thread-safe. The client outlives the store.
class ClickHouseMetricStore final : public MetricStore {
 public:
  explicit ClickHouseMetricStore(clickhouse::Client& client) noexcept : client_(client) {}

  Result<std::vector<Series>> series(std::span<const LabelMatcher> matchers, TimeRange range,
                                     QueryContext& context) override;
  Result<std::vector<MetricMetadata>> metadata(const std::optional<std::string>& metric,
                                               TimeRange range, std::size_t limit,
                                               QueryContext& context) override;
  Result<SeriesStreamPtr> samples(const MetricSelect& query, QueryContext& context) override;
  Result<BlockStreamPtr> histograms(const MetricSelect& query, QueryContext& context) override;

 private:
  clickhouse::Client& client_;
};

}  // namespace spanway::query
