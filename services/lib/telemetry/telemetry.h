// The log and the metrics that every component gets.
#pragma once

#include "services/lib/telemetry/logger.h"
#include "services/lib/telemetry/metrics.h"

namespace spanway::telemetry {

// Both outlive every component of the process.
struct Telemetry {
  const Logger& log;
  Metrics& metrics;
};

}  // namespace spanway::telemetry
