// The series of a MetricStore, for the engine of PromQL.
#pragma once

#include <memory>

#include "services/lib/base/clock.h"
#include "services/query/promql/engine.h"
#include "services/query/store/metric_store.h"

namespace spanway::query {

// Belongs to one query. The store, the context and the clock outlive it and its streams.
class StoreSeriesSource final : public promql::SeriesSource {
 public:
  StoreSeriesSource(MetricStore& store, QueryContext& context, const Clock& clock)
      : store_(store), context_(context), clock_(clock) {}

  // Errors as of MetricStore.
  Result<std::unique_ptr<promql::SourceStream>> select(const promql::SourceSelect& query) override;
  // CANCELLED, or DEADLINE_EXCEEDED, transient.
  Status check() override;
  // RESOURCE_EXHAUSTED where the budget of the query ends.
  Status hold(std::size_t points) override;

 private:
  MetricStore& store_;
  QueryContext& context_;
  const Clock& clock_;
  std::size_t held_bytes_ = 0;  // Bytes of the budget for points that the evaluation holds.
};

// The range of what PromQL calls begin and end, both included.
TimeRange range_of(std::int64_t begin_ms, std::int64_t end_ms) noexcept;

}  // namespace spanway::query
