// Metrics and logs of the exporter: one table of metrics, and one function per thing that
// happens.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/otlp/signal.h"
#include "services/lib/pipeline/ack_token.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::exporter {

// The exporter's own table.
std::span<const telemetry::MetricSpec> metric_specs();
// That and the tables of all that it is made of.
std::vector<telemetry::MetricSpec> all_metric_specs();

// Counts for one destination. Thread-safe; outlived by the registry and the log. All series exist
// at zero from construction on.
class Events {
 public:
  Events(telemetry::Telemetry telemetry, std::string destination);

  void received(otlp::Signal signal, std::size_t bytes) const noexcept;
  void answered(otlp::Signal signal, std::uint64_t items, Duration took,
                const Result<pipeline::Outcome>& result) const;
  // Refused here: the destination was not called.
  void not_accepted(otlp::Signal signal, const Error& error) const;
  // `failure`: the one that opened it.
  void circuit_opened(const std::string& failure) const;
  void circuit_closed() const;
  void circuit_refused(otlp::Signal signal) const noexcept;
  void degraded(bool yes) const { degraded_.set(yes ? 1 : 0); }
  // After a probe or an answer.
  void reachable(bool yes) const;
  void memory(std::size_t used, std::size_t limit) const noexcept;
  // The report of a TlsReloader.
  void tls_reloaded(const Result<bool>& changed) const;

 private:
  void refused(otlp::Signal signal, std::uint64_t items, const Error& error) const;
  struct PerSignal {
    telemetry::Counter batches_sent;
    telemetry::Counter items_sent;
    telemetry::Counter items_rejected;
    telemetry::Counter bytes;
    telemetry::Counter circuit_refused;
    std::array<telemetry::Counter, 4> refused;  // By Refusal.
    telemetry::Histogram duration;
  };

  const telemetry::Logger& log_;
  const std::string destination_;
  std::array<PerSignal, 3> signals_;
  telemetry::Gauge in_flight_;
  telemetry::Gauge reachable_;
  telemetry::Gauge degraded_;
  telemetry::Counter circuit_opened_;
  telemetry::Gauge memory_used_;
  telemetry::Gauge memory_limit_;
};

}  // namespace spanway::exporter
