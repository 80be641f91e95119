#include "tests/insight/planted_days.h"

#include <algorithm>
#include <numbers>

namespace spanway::query::insight {
namespace {

// The part of a log-normal distribution below a bound.
double part_below(double log_bound, double log_median, double sigma) {
  return 0.5 * std::erfc((log_median - log_bound) / (sigma * std::numbers::sqrt2));
}

std::string name_of(std::size_t operation) { return "GET /" + std::to_string(operation); }

}  // namespace

PlantedDay::PlantedDay(std::uint64_t seed, std::size_t operations, bool has_faults)
    : random_(seed), operations_(operations) {
  for (Operation& operation : operations_) operation.planted = plant_operation();
  if (has_faults) plant_faults();
  for (std::size_t index = 0; index < operations_.size(); ++index) generate(index);
}

PlantedOperation PlantedDay::plant_operation() {
  PlantedOperation planted;
  // 8 to 2,000, each order of magnitude as often.
  planted.calls = std::exp(random_.between(std::log(8), std::log(2000)));
  planted.amplitude = random_.between(0, 0.5);
  planted.phase = random_.between(0, 2 * std::numbers::pi);
  planted.error_rate =
      random_.chance(0.3) ? 0 : std::exp(random_.between(std::log(5e-4), std::log(0.03)));
  planted.log_duration = std::log(random_.between(2e6, 5e8));
  planted.sigma = random_.between(0.3, 0.9);
  planted.slow_part = random_.chance(0.5) ? random_.between(0.01, 0.08) : 0;
  planted.jitter = random_.between(0.02, 0.08);
  return planted;
}

void PlantedDay::plant_faults() {
  constexpr FindingKind kKinds[] = {FindingKind::kLatencyRegression, FindingKind::kErrorRate,
                                    FindingKind::kCallRate};
  for (std::size_t index = 0; index < operations_.size(); ++index) {
    PlantedOperation& planted = operations_[index].planted;
    PlantedFault fault{index, kKinds[random_.integer(0, 2)],
                       static_cast<std::size_t>(random_.integer(12, 240)), 0};
    fault.end = fault.begin + static_cast<std::size_t>(random_.integer(6, 36));
    if (index % 2 == 1) {
      trifles_.push_back(fault);
      continue;
    }
    // Faults of operations that the thresholds admit: 50 calls a window also at night.
    planted.calls = std::max(planted.calls, 60 / (1 - planted.amplitude));
    Disturbance strength;
    if (fault.kind == FindingKind::kErrorRate) {
      strength.errors = std::exp(random_.between(std::log(0.06), std::log(0.6)));
    } else if (fault.kind == FindingKind::kCallRate) {
      strength.calls = random_.chance(0.5) ? random_.between(0, 0.3) : random_.between(2, 6);
    } else if (random_.chance(0.5)) {
      strength.duration = random_.between(1.6, 5);
    } else {
      // Those of one shard, or of one caller.
      strength.duration = random_.between(3, 8);
      strength.duration_part = random_.between(0.25, 0.6);
    }
    faults_.push_back(fault);
    strengths_.push_back(strength);
  }
}

Disturbance PlantedDay::disturbance(std::size_t operation, std::size_t window) const {
  Disturbance result;
  for (std::size_t index = 0; index < faults_.size(); ++index) {
    const PlantedFault& fault = faults_[index];
    if (fault.operation == operation && window >= fault.begin && window < fault.end)
      return strengths_[index];
  }
  for (const PlantedFault& trifle : trifles_) {
    if (trifle.operation != operation || window < trifle.begin || window >= trifle.end) continue;
    if (trifle.kind == FindingKind::kErrorRate) result.errors = 0.002;
    if (trifle.kind == FindingKind::kCallRate) result.calls = 1.2;
    if (trifle.kind == FindingKind::kLatencyRegression) result.duration = 1.08;
  }
  return result;
}

double PlantedDay::expected_calls(const PlantedOperation& planted, double window) {
  const double angle = 2 * std::numbers::pi * window / kDayWindows + planted.phase;
  return planted.calls * (1 + planted.amplitude * std::sin(angle)) *
         std::exp(planted.jitter * random_.normal());
}

CallCounts PlantedDay::draw_calls(const PlantedOperation& planted, double calls,
                                  double more_errors) {
  CallCounts counts;
  counts.calls = random_.poisson(calls);
  const double rate = std::min(1.0, planted.error_rate + more_errors);
  counts.errors = std::min(counts.calls, random_.poisson(static_cast<double>(counts.calls) * rate));
  return counts;
}

PlantedDay::Counts PlantedDay::draw_durations(const Operation& operation, double calls,
                                              const Disturbance& disturbance) {
  const PlantedOperation& planted = operation.planted;
  const double median = planted.log_duration + planted.jitter * random_.normal();
  const double disturbed = median + std::log(disturbance.duration);
  const double part = disturbance.duration == 1 ? 0 : disturbance.duration_part;
  const auto below = [&](double bound) {
    const auto usual = [&](double log_median) {
      return (1 - planted.slow_part) * part_below(bound, log_median, planted.sigma) +
             planted.slow_part * part_below(bound, log_median + std::log(4), planted.sigma);
    };
    return (1 - part) * usual(median) + (part == 0 ? 0 : part * usual(disturbed));
  };
  Counts counts{};
  double before = 0;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    const double bound =
        (operation.first_bucket + static_cast<double>(bucket) + 1) / 4 * std::numbers::ln2;
    const double now = bucket + 1 == kBuckets ? 1 : below(bound);
    counts[bucket] = random_.poisson(calls * (now - before));
    before = now;
    if (before > 1 - 1e-9) break;
  }
  return counts;
}

void PlantedDay::generate(std::size_t index) {
  Operation& operation = operations_[index];
  const PlantedOperation& planted = operation.planted;
  // From four sigmas below the median; 56 buckets are 14 octaves.
  operation.first_bucket = static_cast<std::int16_t>(
      std::floor((planted.log_duration - 4 * planted.sigma) / std::numbers::ln2 * 4));
  Counts sum{};
  const auto append_sum = [&sum](std::vector<Counts>& sums, const Counts& counts) {
    sums.push_back(sum);
    for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) sum[bucket] += counts[bucket];
  };
  for (std::size_t n = 0; n < kBefore + kDayWindows; ++n) {
    const Disturbance now = n < kBefore ? Disturbance{} : disturbance(index, n - kBefore);
    const double calls =
        expected_calls(planted, static_cast<double>(n) - static_cast<double>(kBefore)) * now.calls;
    operation.calls.push_back(draw_calls(planted, calls, now.errors));
    operation.durations.push_back(
        draw_durations(operation, static_cast<double>(operation.calls.back().calls), now));
    append_sum(operation.sums, operation.durations.back());
  }
  append_sum(operation.sums, {});
  sum = {};
  for (std::size_t n = 0; n < kDayWindows + 2 * kHalfHour; ++n) {
    double calls = 0;
    for (std::vector<CallCounts>& week : operation.weeks) {
      week.push_back(draw_calls(
          planted, expected_calls(planted, static_cast<double>(n) - static_cast<double>(kHalfHour)),
          0));
      calls += static_cast<double>(week.back().calls);
    }
    append_sum(operation.week_sums, draw_durations(operation, calls, {}));
  }
  append_sum(operation.week_sums, {});
}

Durations PlantedDay::between(const Operation& operation, const Counts& begin, const Counts& end) {
  Durations result;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket)
    if (end[bucket] > begin[bucket])
      result.emplace_hint(
          result.end(),
          static_cast<std::int16_t>(operation.first_bucket + static_cast<std::int16_t>(bucket)),
          end[bucket] - begin[bucket]);
  return result;
}

std::vector<LatencyHistory> PlantedDay::latencies(std::size_t window) const {
  const std::size_t windows = WindowThresholds{}.windows;
  const std::size_t end = kBefore + window + 1, begin = end - windows;
  std::vector<LatencyHistory> result;
  for (std::size_t index = 0; index < operations_.size(); ++index) {
    const Operation& operation = operations_[index];
    LatencyHistory& history = result.emplace_back();
    history.operation = {"shop", name_of(index), otlp::SpanKind::kServer};
    for (std::size_t n = begin; n < end; ++n)
      history.windows.push_back(between(operation, operation.sums[n], operation.sums[n + 1]));
    history.last_day =
        between(operation, operation.sums[begin - kDayWindows], operation.sums[begin]);
    history.same_hours = between(operation, operation.week_sums[window],
                                 operation.week_sums[window + 2 * kHalfHour]);
  }
  return result;
}

std::vector<RateHistory> PlantedDay::rates(std::size_t window) const {
  const std::size_t windows = WindowThresholds{}.windows;
  const auto end = static_cast<std::ptrdiff_t>(kBefore + window + 1);
  const auto begin = end - static_cast<std::ptrdiff_t>(windows);
  std::vector<RateHistory> result;
  for (std::size_t index = 0; index < operations_.size(); ++index) {
    const Operation& operation = operations_[index];
    RateHistory& history = result.emplace_back();
    history.operation = {"shop", name_of(index), otlp::SpanKind::kServer};
    const auto first = operation.calls.begin();
    history.windows.assign(first + begin, first + end);
    history.last_day.assign(first + begin - static_cast<std::ptrdiff_t>(kDayWindows),
                            first + begin);
    for (const std::vector<CallCounts>& week : operation.weeks) {
      const auto from = week.begin() + static_cast<std::ptrdiff_t>(window);
      history.same_hours.insert(history.same_hours.end(), from,
                                from + static_cast<std::ptrdiff_t>(2 * kHalfHour));
    }
  }
  return result;
}

}  // namespace spanway::query::insight
