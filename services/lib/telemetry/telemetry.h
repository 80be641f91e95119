// The log, the metrics and the list of credential errors that every component gets.
#pragma once

#include "services/lib/telemetry/credential_errors.h"
#include "services/lib/telemetry/logger.h"
#include "services/lib/telemetry/metrics.h"

namespace spanway::telemetry {

// Log and metrics outlive every component of the process.
struct Telemetry {
  const Logger& log;
  Metrics& metrics;
  CredentialErrors credentials = {};
};

}  // namespace spanway::telemetry
