// Names of metrics, units and labels as Prometheus's OTLP receiver makes them. Functions without
// state: thread-safe. Source: OpenTelemetry specification,
// compatibility/prometheus_and_openmetrics.
#pragma once

#include <string>
#include <string_view>

#include "services/lib/otlp/reader.h"
#include "services/lib/promseries/conversion_options.h"

namespace spanway::promseries {

// The name of the metric's series; empty when nothing of the name can be kept.
std::string metric_name(std::string_view name, std::string_view unit, otlp::MetricType type,
                        bool is_monotonic, Translation translation);

// The unit as metadata: "By/s" is "bytes_per_second".
std::string unit_name(std::string_view unit);

// The label of an attribute's key; empty when the key is empty or nothing but underscores.
std::string label_name(std::string_view key, Translation translation);

}  // namespace spanway::promseries
