// Days of operations at the level of rollups, with known faults or without any.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "services/query/insight/latency_regressions.h"
#include "services/query/insight/rate_changes.h"
#include "tests/insight/planted_random.h"

namespace spanway::query::insight {

inline constexpr std::size_t kDayWindows = 288;  // Five minutes each.

// Lasts from the window `begin` to the window before `end`.
struct PlantedFault {
  std::size_t operation = 0;
  FindingKind kind = FindingKind::kLatencyRegression;
  std::size_t begin = 0;
  std::size_t end = 0;
};

// An operation whose calls follow the time of day, with jitter from window to window and from day
// to day, and with a slow part of its calls.
struct PlantedOperation {
  double calls = 0;      // In a window, on average.
  double amplitude = 0;  // The wave of a day.
  double phase = 0;
  double error_rate = 0;
  double log_duration = 0;  // The median, in ns.
  double sigma = 0;
  double slow_part = 0;  // Calls that take four times as long.
  double jitter = 0;     // In calls and durations of each window.
};

// Happens in a window beside the usual.
struct Disturbance {
  double calls = 1;  // Factor.
  double errors = 0;
  double duration = 1;       // Factor, of the part.
  double duration_part = 1;  // A part of the calls.
};

class PlantedDay {
 public:
  // Four weeks of the same hours, a day before, and a day; `faults` of half of the operations.
  // Others have changes that are too small to matter.
  PlantedDay(std::uint64_t seed, std::size_t operations, bool has_faults);

  const std::vector<PlantedFault>& faults() const { return faults_; }
  // As of the end of the window 0 to kDayWindows - 1.
  std::vector<LatencyHistory> latencies(std::size_t window) const;
  std::vector<RateHistory> rates(std::size_t window) const;

 private:
  // Windows before the first of the day that the baselines and the first findings need.
  static constexpr std::size_t kBefore = kDayWindows + 3;
  static constexpr std::size_t kHalfHour = 6;
  static constexpr std::size_t kBuckets = 56;
  using Counts = std::array<std::uint64_t, kBuckets>;

  struct Operation {
    PlantedOperation planted;
    std::int16_t first_bucket = 0;
    std::vector<CallCounts> calls;                 // From kBefore before the day.
    std::vector<Counts> durations;                 // By window.
    std::vector<Counts> sums;                      // All before each of them.
    std::array<std::vector<CallCounts>, 4> weeks;  // From kHalfHour before the day to after it.
    std::vector<Counts> week_sums;
  };

  PlantedOperation plant_operation();
  void plant_faults();
  Disturbance disturbance(std::size_t operation, std::size_t window) const;
  void generate(std::size_t operation);
  double expected_calls(const PlantedOperation& planted, double window);
  CallCounts draw_calls(const PlantedOperation& planted, double calls, double more_errors);
  Counts draw_durations(const Operation& operation, double calls, const Disturbance& disturbance);
  static Durations between(const Operation& operation, const Counts& begin, const Counts& end);

  PlantedRandom random_;
  std::vector<Operation> operations_;
  std::vector<PlantedFault> faults_;
  std::vector<Disturbance> strengths_;  // The faults'.
  std::vector<PlantedFault> trifles_;   // Changes that are too small to matter.
};

}  // namespace spanway::query::insight
