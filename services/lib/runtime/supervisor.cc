#include "services/lib/runtime/supervisor.h"

#include "services/lib/config/scalar.h"
#include "services/lib/runtime/events.h"

namespace spanway::runtime {
namespace {

// The first fatal error, or nothing when a stop was requested.
Status run_until_end(Host& host, StopSignal& stop, Duration poll_interval,
                     const telemetry::Gauge& ready, const telemetry::Logger& log) {
  bool was_ready = false;
  do {
    SPANWAY_TRY(host.fatal());
    const Service::Readiness readiness = host.readiness();
    ready.set(readiness.ready ? 1 : 0);
    if (readiness.ready && !was_ready) log.info("Ready");
    if (!readiness.ready && was_ready) log.warn("Not ready", {{"reason", readiness.reason}});
    was_ready = readiness.ready;
  } while (!stop.wait_for(poll_interval));
  return {};
}

}  // namespace

Ending supervise(Host& host, StopSignal& stop, const SupervisorOptions& options,
                 const telemetry::Telemetry& telemetry, const Clock& clock,
                 const std::function<void(Duration)>& pause) {
  const telemetry::Gauge ready = telemetry.metrics.gauge(kReady);
  if (const Status started = host.start(); !started.ok())
    return {1, "cannot start: " + started.error().message};
  const Status fatal = run_until_end(host, stop, options.poll_interval, ready, telemetry.log);

  options.on_stopping();
  host.begin_shutdown();
  ready.set(0);
  if (fatal.ok()) {
    telemetry.log.info("Stopping",
                       {{"reason", stop.reason()},
                        {"delay", config::format_duration(options.shutdown_delay)},
                        {"drain_timeout", config::format_duration(options.drain_timeout)}});
    if (options.shutdown_delay > Duration::zero()) pause(options.shutdown_delay);
  } else {
    telemetry.log.error("Stopping after a fatal error", {{"error", fatal.error().message}});
  }
  host.stop_accepting();
  const bool drained = host.drain(Deadline::after(clock, options.drain_timeout));
  if (!fatal.ok()) return {1, fatal.error().message};
  if (!drained)
    return {1, "not everything in flight was finished and committed (drain_timeout " +
                   config::format_duration(options.drain_timeout) + "); the lines above say why"};
  return {};
}

}  // namespace spanway::runtime
