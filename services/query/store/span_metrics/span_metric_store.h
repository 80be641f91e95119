// A store of metrics that adds calls and latencies of spans, under the names of Tempo's generator.
#pragma once

#include "services/lib/base/clock.h"
#include "services/query/store/metric_store.h"
#include "services/query/store/span_metrics/span_series.h"
#include "services/query/store/trace_store.h"

namespace spanway::query {

// Thread-safe. The stores and the clock outlive it.
class SpanMetricStore final : public MetricStore {
 public:
  SpanMetricStore(MetricStore& stored, TraceStore& traces, const Clock& clock)
      : stored_(stored), traces_(traces), clock_(clock) {}

  Result<std::vector<Series>> series(std::span<const LabelMatcher> matchers, TimeRange range,
                                     QueryContext& context) override;
  Result<std::vector<MetricMetadata>> metadata(const std::optional<std::string>& metric,
                                               TimeRange range, std::size_t limit,
                                               QueryContext& context) override;
  Result<SeriesStreamPtr> samples(const MetricSelect& query, QueryContext& context) override;
  Result<BlockStreamPtr> histograms(const MetricSelect& query, QueryContext& context) override;

 private:
  // True when no client has sent the metric and a series of it may match.
  Result<bool> is_added(const char* metric, std::span<const LabelMatcher> matchers, TimeRange range,
                        QueryContext& context);
  std::int64_t now() const;  // Unix nanoseconds.
  Result<std::vector<RedRow>> read(std::span<const LabelMatcher> matchers, std::int64_t step_ns,
                                   TimeRange range, QueryContext& context);

  MetricStore& stored_;
  TraceStore& traces_;
  const Clock& clock_;
};

}  // namespace spanway::query
