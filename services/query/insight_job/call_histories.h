// The calls, errors and durations of each operation in a window and before it, read out of the
// rollups of a store. Internal to query/insight_job.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "services/query/insight/latency_regressions.h"
#include "services/query/insight/rate_changes.h"
#include "services/query/store/trace_store.h"

namespace spanway::query {

// In the same order, one for each operation.
struct CallHistories {
  std::vector<insight::LatencyHistory> latencies;
  std::vector<insight::RateHistory> rates;

  // The duration that 95 % of an operation's calls of the last day did not exceed.
  std::map<insight::OperationKey, std::int64_t> slow_ns(std::uint64_t calls_min) const;
};

// The histories of at most `operations_max` operations that are remote calls (server, client,
// producer, consumer), those with most calls in the newest windows first. `windows`: with the
// newest, as of WindowThresholds. Windows in which the tenant had no spans at all are no part of a
// baseline, nor are those before an operation was first seen. Empty for a window without spans.
Result<CallHistories> read_histories(TraceStore& store, TimeRange window, std::size_t windows,
                                     std::size_t operations_max, QueryContext& context);

}  // namespace spanway::query
