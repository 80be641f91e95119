// Metrics of the Kubernetes client.
#pragma once

#include <array>
#include <span>

#include "services/lib/telemetry/metrics.h"

namespace spanway::kube {

inline constexpr telemetry::MetricSpec kApiRequests{
    "spanway_kubernetes_requests_total", telemetry::MetricKind::kCounter,
    "Requests to the API server, by verb (get, list, watch, apply, create, replace, patch, delete, "
    "discover) and outcome (ok, or the error's code).",
    "verb,outcome"};
inline constexpr telemetry::MetricSpec kApiRequestSeconds{
    "spanway_kubernetes_request_seconds", telemetry::MetricKind::kHistogram,
    "How long requests to the API server took; watches are left out.", "verb"};
inline constexpr telemetry::MetricSpec kLeader{
    "spanway_kubernetes_leader", telemetry::MetricKind::kGauge,
    "1 while this replica holds the Lease, otherwise 0."};
inline constexpr telemetry::MetricSpec kEventsDropped{
    "spanway_kubernetes_events_dropped_total", telemetry::MetricKind::kCounter,
    "Events that were not written, by reason (full, rate, failed).", "reason"};

inline constexpr std::array kClientMetricSpecs{kApiRequests, kApiRequestSeconds, kLeader,
                                               kEventsDropped};
inline std::span<const telemetry::MetricSpec> client_metric_specs() { return kClientMetricSpecs; }

}  // namespace spanway::kube
