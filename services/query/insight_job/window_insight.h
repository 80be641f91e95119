// Everything that the insight says about one window, as rows.
#pragma once

#include <cstddef>

#include "services/lib/base/memory_budget.h"
#include "services/query/insight/thresholds.h"
#include "services/query/store/insight_store.h"
#include "services/query/store/trace_store.h"

namespace spanway::query {

struct WindowBounds {
  std::size_t traces_max = 20'000;
  std::size_t memory_bytes_max = 48u << 20;  // For the traces that are kept.
  std::size_t operations_max = 2'000;
  std::size_t edges_max = 5'000;     // Those with most calls stay.
  std::size_t findings_max = 1'000;  // For each kind; those with the highest score stay.
};

// A function of what the store has: equal rows of spans give equal results, in every process. Where
// not all traces could be read, calls of edges are extrapolated by the part that was, and those
// between services are the store's exact ones. Errors of the store; RESOURCE_EXHAUSTED, transient,
// when `budget` has no memory left.
Result<WindowResult> compute_window(TraceStore& store, std::int64_t begin_unix_nano,
                                    WindowVersion version, const insight::Thresholds& thresholds,
                                    const WindowBounds& bounds, MemoryBudget& budget,
                                    QueryContext& context);

}  // namespace spanway::query
