// What the runtime counts.
#pragma once

#include <array>
#include <span>

#include "services/lib/telemetry/metrics.h"

namespace spanway::runtime {

inline constexpr telemetry::MetricSpec kReady{"spanway_runtime_ready",
                                              telemetry::MetricKind::kGauge,
                                              "1 while /readyz answers 200, otherwise 0."};

inline constexpr std::array kMetricSpecs{kReady};
inline std::span<const telemetry::MetricSpec> metric_specs() { return kMetricSpecs; }

}  // namespace spanway::runtime
