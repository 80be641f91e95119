// Runs a host until a stop is requested or it fails fatally.
#pragma once

#include <functional>
#include <string>

#include "services/lib/runtime/host.h"
#include "services/lib/runtime/stop_signal.h"

namespace spanway::runtime {

struct SupervisorOptions {
  Duration shutdown_delay = Duration::zero();
  Duration drain_timeout = Duration::zero();
  // The stop begins, at a request or after a fatal error.
  std::function<void()> on_stopping = [] {};
  // How often fatal() is polled.
  Duration poll_interval = std::chrono::milliseconds(500);
};

// How a process ends: 0 and no reason, or 1 and why.
struct Ending {
  int exit_code = 0;
  std::string reason;
};

// Starts the host and returns when it has been stopped: readiness off, `pause` for the shutdown
// delay (not after a fatal error), stop_accepting, drain. Blocks; one call per host.
Ending supervise(Host& host, StopSignal& stop, const SupervisorOptions& options,
                 const telemetry::Telemetry& telemetry, const Clock& clock,
                 const std::function<void(Duration)>& pause);

}  // namespace spanway::runtime
