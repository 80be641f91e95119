#include "services/query/insight/latency_regressions.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "services/query/insight/conspicuous_windows.h"

namespace spanway::query::insight {
namespace {

std::uint64_t calls_of(const Durations& durations) {
  std::uint64_t calls = 0;
  for (const auto& [bucket, count] : durations) calls += count;
  return calls;
}

struct Baseline {
  const Durations* durations;
  double p95;
};

struct Comparison {
  WindowTest test = {};
  double calls = 0;
  double p95 = 0;
  double baseline_p95 = 0;  // The larger of the baselines': the smaller growth.
};

std::vector<Baseline> baselines_of(const LatencyHistory& operation,
                                   const LatencyThresholds& thresholds) {
  std::vector<Baseline> baselines;
  for (const Durations* durations : {&operation.same_hours, &operation.last_day})
    if (calls_of(*durations) >= thresholds.baseline_calls_min)
      baselines.push_back({durations, duration_quantile_ns(*durations, 0.95)});
  return baselines;
}

// Latency of all the windows together: what varies from window to window is no regression.
double p95_of_all(const LatencyHistory& operation) {
  Durations all;
  for (const Durations& window : operation.windows)
    for (const auto& [bucket, count] : window) all[bucket] += count;
  return duration_quantile_ns(all, 0.95);
}

Comparison compare(const Durations& window, std::span<const Baseline> baselines,
                   const LatencyThresholds& thresholds) {
  Comparison result;
  const std::uint64_t calls = calls_of(window);
  result.calls = static_cast<double>(calls);
  if (calls < thresholds.calls_min || baselines.empty()) return result;
  result.p95 = duration_quantile_ns(window, 0.95);
  result.test = {.is_tested = true, .p_value = 0, .is_large = true};
  for (const Baseline& baseline : baselines) {
    result.test.p_value =
        std::max(result.test.p_value, slower_p_value(*baseline.durations, window));
    result.baseline_p95 = std::max(result.baseline_p95, baseline.p95);
  }
  result.test.is_large = result.p95 >= result.baseline_p95 * (1 + thresholds.p95_growth_min);
  return result;
}

}  // namespace

std::vector<Finding> latency_regressions(std::span<const LatencyHistory> operations,
                                         TimeRange window, const Thresholds& thresholds) {
  std::vector<std::vector<WindowTest>> tests;
  std::vector<Comparison> newest;
  tests.reserve(operations.size());
  for (const LatencyHistory& operation : operations) {
    const std::vector<Baseline> baselines = baselines_of(operation, thresholds.latency);
    std::vector<WindowTest>& row = tests.emplace_back();
    Comparison last;
    for (const Durations& durations : operation.windows) {
      last = compare(durations, baselines, thresholds.latency);
      row.push_back(last.test);
    }
    newest.push_back(last);
  }
  std::vector<Finding> findings;
  for (const std::size_t index : conspicuous_rows(tests, thresholds.windows)) {
    const Comparison& seen = newest[index];
    if (p95_of_all(operations[index]) < seen.baseline_p95 * (1 + thresholds.latency.p95_growth_min))
      continue;
    Finding finding;
    finding.kind = FindingKind::kLatencyRegression;
    finding.operation = operations[index].operation;
    finding.window = window;
    finding.score = -std::log10(std::max(seen.test.p_value, 1e-300));
    finding.baseline = seen.baseline_p95;
    finding.observed = seen.p95;
    finding.numbers = {{"calls", seen.calls},
                       {"p_value", seen.test.p_value},
                       {"p95_ns", seen.p95},
                       {"baseline_p95_ns", seen.baseline_p95}};
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace spanway::query::insight
