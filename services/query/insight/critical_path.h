// The blocking chain of a trace: at each moment, the span that the end of the root waited for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "services/query/insight/finding.h"
#include "services/query/insight/sampled_trace.h"
#include "services/query/insight/thresholds.h"
#include "services/query/insight/trace_tree.h"

namespace spanway::query::insight {

// The span does its own work in [begin, end), while the root waits.
struct PathSegment {
  std::size_t span = 0;  // Index in the trace's spans.
  std::int64_t begin_unix_nano = 0;
  std::int64_t end_unix_nano = 0;
  bool operator==(const PathSegment&) const = default;
};

// In the order of time, without gaps from the root's start to its end; empty without a root.
// From the end of a span backwards, it waited for the child that ended last; before that child's
// start, for the one that ended last before that start; the rest is its own time. A child of
// another service may end late by a skew of clocks: it is cut to its parent's time. A child of the
// same service that ends after its parent was not awaited, nor was a consumer.
std::vector<PathSegment> critical_path(const SampledTrace& trace, const TraceTree& tree);

// Time that an operation has of the critical paths of the traces of one root.
struct PathShare {
  OperationKey operation;
  std::int64_t self_ns = 0;
  std::uint64_t traces = 0;  // With the operation on the path.
};
struct PathSummary {
  OperationKey root;
  std::uint64_t traces = 0;
  std::int64_t duration_ns = 0;    // Sum of the roots; the sum of the shares.
  std::vector<PathShare> shares;   // The largest first.
  std::vector<TraceId> trace_ids;  // The longest traces first, at most kTraceIdsMax.
};

// By root.
std::vector<PathSummary> critical_paths(std::span<const SampledTrace> traces);

// One for each root whose path is for the larger part (`critical_path.part_min`) the time of one
// operation that is not the root itself.
std::vector<Finding> critical_path_findings(std::span<const PathSummary> summaries,
                                            TimeRange window, const Thresholds& thresholds);

}  // namespace spanway::query::insight
