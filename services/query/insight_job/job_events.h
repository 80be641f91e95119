// Metrics and logs of the insight's job.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::query {

std::span<const telemetry::MetricSpec> insight_metric_specs();

// One thread's, but for kept_in_memory().
class JobEvents {
 public:
  // Series of spanway_finding: the labels come from telemetry. Findings of further services count
  // as those of the service "".
  static constexpr std::size_t kSeriesMax = 500;
  struct FindingLabels {
    std::string tenant;
    std::string kind;
    std::string service;
    auto operator<=>(const FindingLabels&) const = default;
  };

  explicit JobEvents(telemetry::Telemetry telemetry);

  void computed(Duration took, double part);
  void failed(std::int64_t begin_unix_nano, const Error& error);
  void given_up(std::int64_t begin_unix_nano);
  // The time since the oldest window without a result became due.
  void lag(Duration lag);
  // The findings of the newest windows; services that are no longer among them are dropped.
  void findings(const std::map<FindingLabels, std::size_t>& counts);
  // The store of traces has no tables for results. Thread-safe.
  void has_no_tables() const noexcept { in_memory_.set(1); }
  // Results cannot be written where other replicas see them, or can be again (no error).
  // Thread-safe.
  void kept_in_memory(const Status& written);

 private:
  telemetry::Metrics& metrics_;
  const telemetry::Logger& log_;
  telemetry::Counter computed_, failed_, given_up_;
  telemetry::Gauge lag_, part_, in_memory_;
  telemetry::Histogram duration_;
  std::map<FindingLabels, std::size_t> shown_;
};

}  // namespace spanway::query
