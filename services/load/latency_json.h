// Latencies in the load tool's JSON reports.
#pragma once

#include "services/lib/base/json_writer.h"
#include "services/load/latency_histogram.h"

namespace spanway::load {

inline constexpr int kReportDecimals = 3;

// The member "latency_ms": {"count":..,"p50":..,"p90":..,"p99":..,"p99_9":..,"max":..,"mean":..} in
// milliseconds.
void write_latency(JsonWriter& json, const LatencyHistogram& latency);

}  // namespace spanway::load
