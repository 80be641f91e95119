#include "services/query/insight/rate_changes.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "services/query/insight/conspicuous_windows.h"
#include "services/query/insight/significance.h"

namespace spanway::query::insight {
namespace {

double rate_of(const CallCounts& counts) {
  return counts.calls == 0 ? 0
                           : static_cast<double>(counts.errors) / static_cast<double>(counts.calls);
}

// The part of a deviation that the variance of a distribution does not explain: the tests have that
// one already.
double excess_of(double deviation, double variance) {
  return std::sqrt(std::max(0.0, deviation * deviation - variance));
}

// One window beside its baseline.
struct Comparison {
  WindowTest test = {};
  CallCounts counts = {};
  double baseline = 0;  // Median.
  double expected = 0;  // With the deviations.
};

struct ErrorBaseline {
  std::uint64_t calls = 0;
  double median = 0;
  double expected = 0;
};

ErrorBaseline error_baseline(std::span<const CallCounts> windows, double deviations) {
  ErrorBaseline result;
  std::vector<CallCounts> by_rate;
  std::vector<double> rates;
  for (const CallCounts& window : windows) {
    if (window.calls == 0) continue;
    by_rate.push_back(window);
    rates.push_back(rate_of(window));
    result.calls += window.calls;
  }
  if (by_rate.empty()) return result;
  const Spread spread = spread_of(std::move(rates));
  const auto kept =
      by_rate.begin() + static_cast<std::ptrdiff_t>(by_rate.size() - by_rate.size() / 10);
  std::nth_element(by_rate.begin(), kept - 1, by_rate.end(),
                   [](const auto& a, const auto& b) { return rate_of(a) < rate_of(b); });
  double calls = 1, errors = 1;
  for (auto window = by_rate.begin(); window != kept; ++window) {
    calls += static_cast<double>(window->calls);
    errors += static_cast<double>(window->errors);
  }
  result.median = spread.median;
  const double calls_of_window =
      static_cast<double>(result.calls) / static_cast<double>(by_rate.size());
  const double margin =
      deviations *
      excess_of(spread.deviation, spread.median * (1 - spread.median) / calls_of_window);
  result.expected = std::min(1.0, std::max(spread.median + margin, errors / calls));
  return result;
}

ErrorBaseline error_baseline(const RateHistory& operation, const ErrorRateThresholds& thresholds) {
  ErrorBaseline result;
  for (const std::vector<CallCounts>* windows : {&operation.same_hours, &operation.last_day}) {
    const ErrorBaseline one = error_baseline(*windows, thresholds.deviations);
    if (one.calls < thresholds.baseline_calls_min) continue;
    result.calls += one.calls;
    result.median = std::max(result.median, one.median);
    result.expected = std::max(result.expected, one.expected);
  }
  return result;
}

Comparison compare_errors(const CallCounts& window, const ErrorBaseline& baseline,
                          const ErrorRateThresholds& thresholds) {
  Comparison result{{}, window, baseline.median, baseline.expected};
  if (window.calls < thresholds.calls_min || baseline.calls == 0) return result;
  result.test.is_tested = true;
  result.test.p_value = binomial_upper_tail(window.errors, window.calls, baseline.expected);
  result.test.is_large = window.errors >= thresholds.errors_min &&
                         rate_of(window) >= baseline.expected + thresholds.growth_min;
  return result;
}

struct CallBaseline {
  bool is_known = false;
  double median = 0;
  double low = 0;
  double high = 0;
};

CallBaseline call_baseline(const RateHistory& operation, const CallRateThresholds& thresholds) {
  const std::vector<CallCounts>* windows = &operation.same_hours;
  if (windows->size() < thresholds.baseline_windows_min) windows = &operation.last_day;
  if (windows->size() < thresholds.baseline_windows_min) return {};
  std::vector<double> calls;
  calls.reserve(windows->size());
  for (const CallCounts& window : *windows) calls.push_back(static_cast<double>(window.calls));
  const Spread spread = spread_of(std::move(calls));
  const double margin = thresholds.deviations * excess_of(spread.deviation, spread.median);
  return {true, spread.median, std::max(0.0, spread.median - margin), spread.median + margin};
}

Comparison compare_calls(const CallCounts& window, const CallBaseline& baseline,
                         const CallRateThresholds& thresholds) {
  const auto calls = static_cast<double>(window.calls);
  const bool is_more = calls > baseline.median;
  Comparison result{{}, window, baseline.median, is_more ? baseline.high : baseline.low};
  if (!baseline.is_known || std::max(calls, baseline.median) < thresholds.calls_expected_min)
    return result;
  result.test.is_tested = true;
  // Both sides are tested.
  const double tail = is_more ? poisson_upper_tail(window.calls, baseline.high)
                              : poisson_lower_tail(window.calls, baseline.low);
  result.test.p_value = std::min(1.0, 2 * tail);
  result.test.is_large =
      std::abs(calls - baseline.median) >= thresholds.change_min * baseline.median;
  return result;
}

template <typename BaselineOf, typename Compare, typename Describe>
std::vector<Finding> changes(std::span<const RateHistory> operations, TimeRange window,
                             const WindowThresholds& thresholds, const BaselineOf& baseline_of,
                             const Compare& compare, const Describe& describe) {
  std::vector<std::vector<WindowTest>> tests;
  std::vector<Comparison> newest;
  tests.reserve(operations.size());
  for (const RateHistory& operation : operations) {
    const auto baseline = baseline_of(operation);
    std::vector<WindowTest>& row = tests.emplace_back();
    Comparison last;
    for (const CallCounts& counts : operation.windows) {
      last = compare(counts, baseline);
      row.push_back(last.test);
    }
    newest.push_back(last);
  }
  std::vector<Finding> findings;
  for (const std::size_t index : conspicuous_rows(tests, thresholds)) {
    const Comparison& seen = newest[index];
    Finding finding;
    finding.operation = operations[index].operation;
    finding.window = window;
    finding.score = -std::log10(std::max(seen.test.p_value, 1e-300));
    finding.baseline = seen.baseline;
    finding.numbers = {{"calls", static_cast<double>(seen.counts.calls)},
                       {"errors", static_cast<double>(seen.counts.errors)},
                       {"p_value", seen.test.p_value},
                       {"expected", seen.expected}};
    describe(seen, finding);
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace

std::vector<Finding> error_rates(std::span<const RateHistory> operations, TimeRange window,
                                 const Thresholds& thresholds) {
  return changes(
      operations, window, thresholds.windows,
      [&](const RateHistory& one) { return error_baseline(one, thresholds.error_rate); },
      [&](const CallCounts& counts, const ErrorBaseline& baseline) {
        return compare_errors(counts, baseline, thresholds.error_rate);
      },
      [](const Comparison& seen, Finding& finding) {
        finding.kind = FindingKind::kErrorRate;
        finding.observed = rate_of(seen.counts);
      });
}

std::vector<Finding> call_rates(std::span<const RateHistory> operations, TimeRange window,
                                const Thresholds& thresholds) {
  return changes(
      operations, window, thresholds.windows,
      [&](const RateHistory& one) { return call_baseline(one, thresholds.call_rate); },
      [&](const CallCounts& counts, const CallBaseline& baseline) {
        return compare_calls(counts, baseline, thresholds.call_rate);
      },
      [](const Comparison& seen, Finding& finding) {
        finding.kind = FindingKind::kCallRate;
        finding.observed = static_cast<double>(seen.counts.calls);
        finding.symptom = finding.observed > finding.baseline ? "more" : "fewer";
      });
}

}  // namespace spanway::query::insight
