// Metrics of the runtime.
#pragma once

#include <array>
#include <span>

#include "services/lib/telemetry/metrics.h"

namespace spanway::runtime {

inline constexpr telemetry::MetricSpec kReady{"spanway_runtime_ready",
                                              telemetry::MetricKind::kGauge,
                                              "1 while /readyz answers 200, otherwise 0."};

inline constexpr telemetry::MetricSpec kMemoryLimit{"spanway_runtime_memory_limit_bytes",
                                                    telemetry::MetricKind::kGauge,
                                                    "memory_limit: what the process may use."};
inline constexpr telemetry::MetricSpec kMemoryGateClosed{
    "spanway_runtime_memory_gate_closed", telemetry::MetricKind::kGauge,
    "1 while the process is near memory_limit and refuses new work, otherwise 0."};

inline constexpr std::array kMetricSpecs{kReady, kMemoryLimit, kMemoryGateClosed};
inline std::span<const telemetry::MetricSpec> metric_specs() { return kMetricSpecs; }

}  // namespace spanway::runtime
