// Metrics of the watch caches.
#pragma once

#include <array>
#include <span>

#include "services/lib/telemetry/metrics.h"

namespace spanway::kube {

inline constexpr telemetry::MetricSpec kCacheFailures{
    "spanway_kubernetes_cache_failures_total", telemetry::MetricKind::kCounter,
    "Lists and watches that failed, by resource.", "resource"};
inline constexpr telemetry::MetricSpec kCacheObjects{
    "spanway_kubernetes_cache_objects", telemetry::MetricKind::kGauge,
    "Objects of the API server that are kept, by resource.", "resource"};
inline constexpr telemetry::MetricSpec kCacheBytes{"spanway_kubernetes_cache_bytes",
                                                   telemetry::MetricKind::kGauge,
                                                   "Their size as text.", "resource"};

inline constexpr std::array kCacheMetricSpecs{kCacheFailures, kCacheObjects, kCacheBytes};
inline std::span<const telemetry::MetricSpec> cache_metric_specs() { return kCacheMetricSpecs; }

}  // namespace spanway::kube
