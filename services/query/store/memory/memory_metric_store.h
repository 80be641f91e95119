// Metrics in the memory of this process.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/mutex.h"
#include "services/lib/otlp_blocks/block_converter.h"
#include "services/query/store/memory/request_ring.h"
#include "services/query/store/metric_store.h"

namespace spanway::query {

struct MemoryMetricStoreOptions {
  std::size_t bytes_max = 256u << 20;  // For all tenants together.
};

// Thread-safe. The oldest requests are dropped when there are more bytes than allowed.
class MemoryMetricStore final : public MetricStore {
 public:
  explicit MemoryMetricStore(MemoryMetricStoreOptions options = {}) : ring_(options.bytes_max) {}

  // An ExportMetricsServiceRequest. Errors as of otlp_blocks::Converter; RESOURCE_EXHAUSTED, data,
  // for one that is larger than the ring.
  Status add(std::string_view tenant, std::string_view payload);

  Result<std::vector<Series>> series(std::span<const LabelMatcher> matchers, TimeRange range,
                                     QueryContext& context) override;
  Result<std::vector<MetricMetadata>> metadata(const std::optional<std::string>& metric,
                                               TimeRange range, std::size_t limit,
                                               QueryContext& context) override;
  Result<SeriesStreamPtr> samples(const MetricSelect& query, QueryContext& context) override;
  Result<BlockStreamPtr> histograms(const MetricSelect& query, QueryContext& context) override;

 private:
  struct DaySeries {
    Series series;
    MetricMetadata metadata;
    std::int64_t day = 0;  // Since 1970.
  };
  // The rows of one request. Immutable once it is in the ring.
  struct Entry {
    std::string tenant;
    std::vector<DaySeries> series;
    std::vector<block::Block> samples;
    std::vector<block::Block> histograms;
    std::size_t bytes = 0;
  };
  using Entries = RequestRing<Entry>::Entries;
  using Blocks = std::vector<block::Block> Entry::*;
  using Visit = std::function<void(const block::Block& rows, std::size_t row, const Series& series,
                                   std::int64_t time_ms)>;

  Entries entries_of(const std::string& tenant) const;
  // Every point in these blocks that the query matches.
  Status each(const Entries& entries, Blocks blocks, const MetricSelect& query,
              QueryContext& context, const Visit& visit) const;

  mutable Mutex mutex_;
  otlp_blocks::Converter converter_ SPANWAY_GUARDED_BY(mutex_);
  RequestRing<Entry> ring_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::query
