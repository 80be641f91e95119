#include "services/query/insight/critical_path.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace spanway::query::insight {
namespace {

// A span whose time, cut to that of its parent, is on the path until `end`.
struct Visit {
  std::size_t span = 0;
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

class PathWalk {
 public:
  PathWalk(const SampledTrace& trace, const TraceTree& tree) : trace_(trace), tree_(tree) {}

  std::vector<PathSegment> walk() {
    const SampledSpan& root = trace_.spans[tree_.root()];
    // Without recursion: a trace may be deep.
    open_.push_back({tree_.root(), root.start_unix_nano, root.end_unix_nano()});
    while (!open_.empty()) {
      const Visit visit = open_.back();
      open_.pop_back();
      visit_children(visit);
    }
    std::sort(segments_.begin(), segments_.end(), [](const auto& left, const auto& right) {
      return left.begin_unix_nano < right.begin_unix_nano;
    });
    return std::move(segments_);
  }

 private:
  void visit_children(const Visit& visit) {
    std::vector<Visit> awaited;
    for (const std::size_t child : tree_.children(visit.span))
      if (const Visit cut = cut_to(visit, child); cut.begin < cut.end) awaited.push_back(cut);
    // The longer one of two that end together.
    std::stable_sort(awaited.begin(), awaited.end(), [](const Visit& left, const Visit& right) {
      return std::tie(right.end, left.begin) < std::tie(left.end, right.begin);
    });
    std::int64_t until = visit.end;
    for (const Visit& child : awaited) {
      if (child.end > until) continue;
      append(visit.span, child.end, until);
      open_.push_back(child);
      until = child.begin;
    }
    append(visit.span, visit.begin, until);
  }

  // Empty when the parent did not wait for the child.
  Visit cut_to(const Visit& parent, std::size_t child) const {
    const SampledSpan &above = trace_.spans[parent.span], &span = trace_.spans[child];
    const bool is_late = span.end_unix_nano() > above.end_unix_nano();
    if (span.kind == otlp::SpanKind::kConsumer || (is_late && span.service == above.service))
      return {};
    return {child, std::max(span.start_unix_nano, parent.begin),
            std::min(span.end_unix_nano(), parent.end)};
  }

  void append(std::size_t span, std::int64_t begin, std::int64_t end) {
    if (begin < end) segments_.push_back({span, begin, end});
  }

  const SampledTrace& trace_;
  const TraceTree& tree_;
  std::vector<Visit> open_;
  std::vector<PathSegment> segments_;
};

OperationKey key_of(const SampledSpan& span) { return {span.service, span.name, span.kind}; }

struct RootSums {
  std::uint64_t traces = 0;
  std::int64_t duration_ns = 0;
  std::map<OperationKey, PathShare> shares;
  std::vector<std::pair<std::int64_t, TraceId>> longest;  // Negative durations.
};

void keep_longest(std::vector<std::pair<std::int64_t, TraceId>>& longest, std::int64_t duration,
                  const TraceId& trace_id) {
  const std::pair<std::int64_t, TraceId> one(-duration, trace_id);
  longest.insert(std::upper_bound(longest.begin(), longest.end(), one), one);
  if (longest.size() > Finding::kTraceIdsMax) longest.pop_back();
}

}  // namespace

std::vector<PathSegment> critical_path(const SampledTrace& trace, const TraceTree& tree) {
  if (tree.root() == TraceTree::kNone) return {};
  return PathWalk(trace, tree).walk();
}

std::vector<PathSummary> critical_paths(std::span<const SampledTrace> traces) {
  std::map<OperationKey, RootSums> by_root;
  for (const SampledTrace& trace : traces) {
    const TraceTree tree(trace);
    if (tree.root() == TraceTree::kNone) continue;
    const SampledSpan& root = trace.spans[tree.root()];
    RootSums& sums = by_root[key_of(root)];
    ++sums.traces;
    sums.duration_ns += root.duration_ns;
    keep_longest(sums.longest, root.duration_ns, trace.id);
    std::set<PathShare*> on_path;
    for (const PathSegment& segment : critical_path(trace, tree)) {
      PathShare& share = sums.shares[key_of(trace.spans[segment.span])];
      share.self_ns += segment.end_unix_nano - segment.begin_unix_nano;
      on_path.insert(&share);
    }
    for (PathShare* share : on_path) ++share->traces;
  }
  std::vector<PathSummary> result;
  for (auto& [root, sums] : by_root) {
    PathSummary summary{root, sums.traces, sums.duration_ns, {}, {}};
    for (auto& [operation, share] : sums.shares) {
      summary.shares.push_back(share);
      summary.shares.back().operation = operation;
    }
    std::stable_sort(
        summary.shares.begin(), summary.shares.end(),
        [](const auto& left, const auto& right) { return left.self_ns > right.self_ns; });
    for (auto& [duration, trace_id] : sums.longest)
      summary.trace_ids.push_back(std::move(trace_id));
    result.push_back(std::move(summary));
  }
  return result;
}

std::vector<Finding> critical_path_findings(std::span<const PathSummary> summaries,
                                            TimeRange window, const Thresholds& thresholds) {
  std::vector<Finding> findings;
  for (const PathSummary& summary : summaries) {
    if (summary.traces < thresholds.critical_path.traces_min || summary.shares.empty()) continue;
    const PathShare& largest = summary.shares.front();
    const double part =
        static_cast<double>(largest.self_ns) / static_cast<double>(summary.duration_ns);
    if (part < thresholds.critical_path.part_min || largest.operation == summary.root) continue;
    Finding finding;
    finding.kind = FindingKind::kCriticalPath;
    finding.operation = summary.root;
    finding.token = largest.operation.service + " " + largest.operation.name;
    finding.window = window;
    finding.score = part;
    finding.baseline = thresholds.critical_path.part_min;
    finding.observed = part;
    finding.numbers = {{"traces", static_cast<double>(summary.traces)},
                       {"traces_with_operation", static_cast<double>(largest.traces)},
                       {"self_ns", static_cast<double>(largest.self_ns)},
                       {"duration_ns", static_cast<double>(summary.duration_ns)}};
    finding.trace_ids = summary.trace_ids;
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace spanway::query::insight
