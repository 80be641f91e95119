#include "services/query/insight_job/window_insight.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "services/query/insight/critical_path.h"
#include "services/query/insight/edges.h"
#include "services/query/insight/n_plus_one.h"
#include "services/query/insight/relations.h"
#include "services/query/insight_job/call_histories.h"
#include "services/query/insight_job/trace_sample.h"

namespace spanway::query {
namespace {

using insight::Edge;
using insight::EdgeKind;
using insight::Finding;
using insight::FindingKind;
using insight::OperationKey;
using insight::SampledSpan;
using insight::SampledTrace;

constexpr std::uint64_t kSlowCallsMin = 200;

std::uint64_t scaled(std::uint64_t count, double part) {
  return static_cast<std::uint64_t>(std::llround(static_cast<double>(count) / part));
}

// Those of a sample, as if all traces had been read.
void extrapolate(double part, std::vector<Edge>& edges) {
  for (Edge& edge : edges) {
    edge.calls = scaled(edge.calls, part);
    edge.errors = scaled(edge.errors, part);
    edge.duration_ns = scaled(edge.duration_ns, part);
    for (auto& [bucket, count] : edge.durations) count = scaled(count, part);
  }
}

// Between two services the store counts all spans: a call that no trace of the sample has is an
// edge, too. Edges of one pair and two kinds stay extrapolated.
void correct(const std::vector<Dependency>& counted, std::vector<Edge>& edges) {
  std::map<std::pair<std::string, std::string>, std::vector<std::size_t>> by_pair;
  for (std::size_t index = 0; index < edges.size(); ++index)
    if (edges[index].kind == EdgeKind::kCall || edges[index].kind == EdgeKind::kMessaging)
      by_pair[{edges[index].parent, edges[index].child}].push_back(index);
  for (const Dependency& pair : counted) {
    const auto known = by_pair.find({pair.caller, pair.callee});
    if (known == by_pair.end()) {
      if (pair.caller == pair.callee) continue;
      edges.push_back({.parent = pair.caller,
                       .child = pair.callee,
                       .kind = EdgeKind::kCall,
                       .calls = pair.calls,
                       .errors = pair.errors,
                       .durations = {}});
    } else if (known->second.size() == 1 && pair.caller != pair.callee) {
      edges[known->second.front()].calls = pair.calls;
      edges[known->second.front()].errors = pair.errors;
    }
  }
}

Result<std::vector<EdgeRow>> edges_in(TraceStore& store, const TraceSample& sample,
                                      TimeRange window, std::size_t max, QueryContext& context) {
  std::vector<Edge> edges = insight::edges_of(sample.traces, window);
  if (sample.part < 1) {
    extrapolate(sample.part, edges);
    SPANWAY_ASSIGN(const auto counted, store.dependencies(window, context));
    correct(counted, edges);
  }
  std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) {
    return std::tuple(b.calls, a.parent, a.child, a.kind) <
           std::tuple(a.calls, b.parent, b.child, b.kind);
  });
  edges.resize(std::min(edges.size(), max));
  std::vector<EdgeRow> rows;
  rows.reserve(edges.size());
  for (Edge& edge : edges)
    rows.push_back({.begin_unix_nano = window.begin,
                    .parent = std::move(edge.parent),
                    .child = std::move(edge.child),
                    .link = std::string(insight::to_string(edge.kind)),
                    .calls = edge.calls,
                    .errors = edge.errors,
                    .duration_ns = edge.duration_ns,
                    .durations = std::move(edge.durations)});
  std::sort(rows.begin(), rows.end(), [](const EdgeRow& a, const EdgeRow& b) {
    return std::tie(a.parent, a.child, a.link) < std::tie(b.parent, b.child, b.link);
  });
  return rows;
}

// The traces of a window that show a change of an operation: its slowest spans, or those that have
// failed.
void add_traces(const std::vector<SampledTrace>& traces, TimeRange window,
                std::vector<Finding>& findings) {
  std::map<OperationKey, std::vector<Finding*>> by_operation;
  for (Finding& finding : findings)
    if (finding.trace_ids.empty() && (finding.kind == FindingKind::kLatencyRegression ||
                                      finding.kind == FindingKind::kErrorRate))
      by_operation[finding.operation].push_back(&finding);
  if (by_operation.empty()) return;
  std::map<Finding*, std::set<std::pair<std::int64_t, TraceId>>> chosen;
  for (const SampledTrace& trace : traces)
    for (const SampledSpan& span : trace.spans) {
      if (!window.contains(span.start_unix_nano)) continue;
      const auto found = by_operation.find({span.service, span.name, span.kind});
      if (found == by_operation.end()) continue;
      for (Finding* finding : found->second) {
        if (finding->kind == FindingKind::kErrorRate && !span.has_failed) continue;
        auto& own = chosen[finding];
        own.emplace(-span.duration_ns, trace.id);
        if (own.size() > 4 * Finding::kTraceIdsMax) own.erase(std::prev(own.end()));
      }
    }
  for (auto& [finding, ids] : chosen)
    for (const auto& [duration, id] : ids) {
      if (finding->trace_ids.size() == Finding::kTraceIdsMax) break;
      if (std::find(finding->trace_ids.begin(), finding->trace_ids.end(), id) ==
          finding->trace_ids.end())
        finding->trace_ids.push_back(id);
    }
}

// Late spans are missing calls, until the window is final.
void drop_unsure(WindowVersion version, std::vector<Finding>& findings) {
  if (version == WindowVersion::kFinal) return;
  std::erase_if(findings, [](const Finding& finding) {
    return finding.kind == FindingKind::kCallRate && finding.symptom == "fewer";
  });
}

FindingRow row_of(Finding finding) {
  FindingRow row;
  row.begin_unix_nano = finding.window.begin;
  row.kind = insight::to_string(finding.kind);
  row.subject = finding.subject();
  row.service = std::move(finding.operation.service);
  row.operation = std::move(finding.operation.name);
  row.span_kind = static_cast<int>(finding.operation.kind);
  row.token = std::move(finding.token);
  row.symptom = finding.symptom;
  row.score = finding.score;
  row.baseline = finding.baseline;
  row.observed = finding.observed;
  for (const auto& [name, number] : finding.numbers) row.numbers.emplace_back(name, number);
  row.also = std::move(finding.also);
  row.trace_ids = std::move(finding.trace_ids);
  return row;
}

// By kind and subject, each once: a name is truncated, and two may then be equal.
std::vector<FindingRow> rows_of(std::vector<Finding> findings, std::size_t kind_max) {
  std::stable_sort(findings.begin(), findings.end(),
                   [](const Finding& a, const Finding& b) { return a.score > b.score; });
  std::map<std::pair<std::string, std::string>, FindingRow> rows;
  std::map<FindingKind, std::size_t> counts;
  for (Finding& finding : findings) {
    if (++counts[finding.kind] > kind_max) continue;
    FindingRow row = row_of(std::move(finding));
    std::pair key(row.kind, row.subject);
    rows.try_emplace(std::move(key), std::move(row));
  }
  std::vector<FindingRow> result;
  result.reserve(rows.size());
  for (auto& [key, row] : rows) result.push_back(std::move(row));
  return result;
}

void append(std::vector<Finding> more, std::vector<Finding>& findings) {
  for (Finding& finding : more) findings.push_back(std::move(finding));
}

}  // namespace

Result<WindowResult> compute_window(TraceStore& store, std::int64_t begin_unix_nano,
                                    WindowVersion version, const insight::Thresholds& thresholds,
                                    const WindowBounds& bounds, MemoryBudget& budget,
                                    QueryContext& context) {
  const TimeRange window{begin_unix_nano, begin_unix_nano + kRollupNanos};
  std::vector<Finding> findings;
  std::map<OperationKey, std::int64_t> slow_ns;
  {
    SPANWAY_ASSIGN(
        const CallHistories histories,
        read_histories(store, window, thresholds.windows.windows, bounds.operations_max, context));
    append(insight::latency_regressions(histories.latencies, window, thresholds), findings);
    append(insight::error_rates(histories.rates, window, thresholds), findings);
    append(insight::call_rates(histories.rates, window, thresholds), findings);
    slow_ns = histories.slow_ns(kSlowCallsMin);
  }
  drop_unsure(version, findings);
  SPANWAY_ASSIGN(const TraceSample sample, read_sample(store, window,
                                                       {.traces_max = bounds.traces_max,
                                                        .bytes_max = bounds.memory_bytes_max},
                                                       budget, context));
  add_traces(sample.traces, window, findings);
  WindowResult result;
  result.state = {.begin_unix_nano = begin_unix_nano,
                  .version = version,
                  .part = sample.part,
                  .traces = sample.traces.size() - sample.linked};
  SPANWAY_ASSIGN(result.edges, edges_in(store, sample, window, bounds.edges_max, context));
  const auto rooted = sample.rooted_traces();
  append(insight::n_plus_one(rooted, window, thresholds), findings);
  const auto paths = insight::critical_paths(rooted);
  append(insight::critical_path_findings(paths, window, thresholds), findings);
  append(insight::relations(rooted, slow_ns, window, thresholds), findings);
  result.findings = rows_of(std::move(findings), bounds.findings_max);
  return result;
}

}  // namespace spanway::query
