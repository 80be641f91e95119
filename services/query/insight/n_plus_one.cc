#include "services/query/insight/n_plus_one.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <utility>

#include "services/query/insight/trace_tree.h"

namespace spanway::query::insight {
namespace {

using Siblings = std::vector<const SampledSpan*>;  // By start.

// The part of siblings after the first that begin after all before them have ended.
double sequential_part(const Siblings& siblings) {
  std::int64_t busy_until = std::numeric_limits<std::int64_t>::min();
  std::size_t sequential = 0;
  for (const SampledSpan* span : siblings) {
    if (span->start_unix_nano >= busy_until) ++sequential;
    busy_until = std::max(busy_until, span->end_unix_nano());
  }
  return static_cast<double>(sequential - 1) / static_cast<double>(siblings.size() - 1);
}

struct Loop {
  std::vector<std::size_t> siblings;  // By parent.
  std::uint64_t traces = 0;
  TraceId last_trace = {};
  std::int64_t duration_ns = 0;
  double sequential = 0;  // Sum of parts.
  std::vector<TraceId> trace_ids;
};

class LoopCounter {
 public:
  explicit LoopCounter(const NPlusOneThresholds& thresholds) : thresholds_(thresholds) {}

  void add(const SampledTrace& trace) {
    const TraceTree tree(trace);
    for (const std::size_t parent : tree.spans()) {
      if (tree.children(parent).size() < thresholds_.siblings_min) continue;
      std::map<std::string, Siblings> calls;
      for (const std::size_t child : tree.children(parent)) {
        const SampledSpan& span = trace.spans[child];
        if (span.kind == otlp::SpanKind::kClient && !span.has_failed)
          calls[normalized_operation(span)].push_back(&span);
      }
      for (const auto& [call, siblings] : calls)
        add_siblings(trace, trace.spans[parent], call, siblings);
    }
  }

  std::map<std::pair<OperationKey, std::string>, Loop>& loops() noexcept { return loops_; }

 private:
  void add_siblings(const SampledTrace& trace, const SampledSpan& parent, const std::string& call,
                    const Siblings& siblings) {
    if (siblings.size() < std::max<std::size_t>(thresholds_.siblings_min, 2)) return;
    const double part = sequential_part(siblings);
    if (part < thresholds_.sequential_part_min) return;
    Loop& loop = loops_[{{parent.service, parent.name, parent.kind}, call}];
    loop.siblings.push_back(siblings.size());
    loop.sequential += part;
    for (const SampledSpan* span : siblings) loop.duration_ns += span->duration_ns;
    if (loop.last_trace == trace.id) return;
    ++loop.traces;
    loop.last_trace = trace.id;
    if (loop.trace_ids.size() < Finding::kTraceIdsMax) loop.trace_ids.push_back(trace.id);
  }

  const NPlusOneThresholds& thresholds_;
  std::map<std::pair<OperationKey, std::string>, Loop> loops_;
};

}  // namespace

std::vector<Finding> n_plus_one(std::span<const SampledTrace> traces, TimeRange window,
                                const Thresholds& thresholds) {
  LoopCounter counter(thresholds.n_plus_one);
  for (const SampledTrace& trace : traces) counter.add(trace);
  std::vector<Finding> findings;
  for (auto& [key, loop] : counter.loops()) {
    if (loop.traces < thresholds.n_plus_one.traces_min) continue;
    const auto middle =
        loop.siblings.begin() + static_cast<std::ptrdiff_t>(loop.siblings.size() / 2);
    std::nth_element(loop.siblings.begin(), middle, loop.siblings.end());
    const auto parents = static_cast<double>(loop.siblings.size());
    Finding finding;
    finding.kind = FindingKind::kNPlusOne;
    finding.operation = key.first;
    finding.token = key.second;
    finding.window = window;
    finding.score = static_cast<double>(*middle);
    finding.baseline = 1;
    finding.observed = static_cast<double>(*middle);
    finding.numbers = {{"traces", static_cast<double>(loop.traces)},
                       {"parents", parents},
                       {"sequential_part", loop.sequential / parents},
                       {"duration_ns_per_parent", static_cast<double>(loop.duration_ns) / parents}};
    finding.trace_ids = std::move(loop.trace_ids);
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace spanway::query::insight
