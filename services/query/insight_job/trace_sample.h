// The traces of one window, read out of a store: all of them, or those that a hash chooses.
// Internal to query/insight_job.
#pragma once

#include <cstddef>
#include <vector>

#include "services/lib/base/memory_budget.h"
#include "services/query/insight/sampled_trace.h"
#include "services/query/store/trace_store.h"

namespace spanway::query {

struct SampleBounds {
  std::size_t traces_max = 20'000;
  std::size_t bytes_max = 48u << 20;
};

struct TraceSample {
  // First those whose earliest span is a root that starts in the window, then the others with a
  // span in the window, then `linked`.
  std::vector<insight::SampledTrace> traces;
  std::size_t rooted = 0;
  std::size_t linked = 0;  // At the end: single spans of other traces that links refer to.
  double part = 1;         // The part of the window's traces that was read.
  Permit memory = {};

  std::span<const insight::SampledTrace> rooted_traces() const {
    return std::span(traces).first(rooted);
  }
};

// The traces with a span in the window, with their spans from kBefore before it to kAfter after it.
// Equal spans give an equal sample. Errors of the store; RESOURCE_EXHAUSTED, transient, when the
// process has no memory left.
Result<TraceSample> read_sample(TraceStore& store, TimeRange window, const SampleBounds& bounds,
                                MemoryBudget& budget, QueryContext& context);

}  // namespace spanway::query
