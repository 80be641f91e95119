#include "services/exporter/events.h"

#include <string_view>

#include "services/lib/http/events.h"
#include "services/lib/http/tls_reloader.h"
#include "services/lib/rpc/events.h"
#include "services/lib/sinks/clickhouse/events.h"
#include "services/lib/sinks/events.h"
#include "services/lib/sinks/s3/events.h"

namespace spanway::exporter {
namespace {

using telemetry::LogLevel;
using telemetry::MetricKind;
using telemetry::MetricSpec;

constexpr MetricSpec kBatches = {"spanway_exporter_sent_batches_total", MetricKind::kCounter,
                                 "Batches that the destination took, in whole or in part.",
                                 "destination,signal"};
constexpr MetricSpec kItems = {"spanway_exporter_sent_items_total", MetricKind::kCounter,
                               "Spans, data points and log records that the destination took.",
                               "destination,signal"};
constexpr MetricSpec kRejected = {
    "spanway_exporter_rejected_items_total", MetricKind::kCounter,
    "Items that the destination refused for good while it took the rest of the batch.",
    "destination,signal"};
constexpr MetricSpec kBytes = {"spanway_exporter_received_bytes_total", MetricKind::kCounter,
                               "Bytes of batches received, uncompressed.", "destination,signal"};
constexpr MetricSpec kRefused = {
    "spanway_exporter_refused_batches_total", MetricKind::kCounter,
    "Batches that were not taken, by what the refusal says about the next try.",
    "destination,signal,refusal"};
constexpr MetricSpec kDuration = {"spanway_exporter_send_duration_seconds", MetricKind::kHistogram,
                                  "From a batch's arrival to the destination's answer.",
                                  "destination,signal"};
constexpr MetricSpec kInFlight = {"spanway_exporter_in_flight_batches", MetricKind::kGauge,
                                  "Batches that wait for the destination's answer.", "destination"};
constexpr MetricSpec kReachable = {
    "spanway_exporter_reachable_destinations", MetricKind::kGauge,
    "1 when the destination answered the last batch or probe, else 0.", "destination"};
constexpr MetricSpec kDegraded = {
    "spanway_exporter_degraded_destinations", MetricKind::kGauge,
    "1 while the circuit is open: the destination fails, and only probes are sent to it; else 0.",
    "destination"};
constexpr MetricSpec kCircuitOpened = {"spanway_exporter_circuit_opened_total",
                                       MetricKind::kCounter, "How often the circuit has opened.",
                                       "destination"};
constexpr MetricSpec kCircuitRefused = {
    "spanway_exporter_circuit_refused_batches_total", MetricKind::kCounter,
    "Batches that were not sent, because the circuit was open; their sender keeps them.",
    "destination,signal"};
constexpr MetricSpec kMemoryUsed = {"spanway_exporter_memory_used_bytes", MetricKind::kGauge,
                                    "Bytes held by permits for batches.", "destination"};
constexpr MetricSpec kMemoryLimit = {"spanway_exporter_memory_limit_bytes", MetricKind::kGauge,
                                     "The memory budget.", "destination"};

constexpr std::array kSpecs = {kBatches,        kItems,      kRejected,   kBytes,    kRefused,
                               kDuration,       kInFlight,   kReachable,  kDegraded, kCircuitOpened,
                               kCircuitRefused, kMemoryUsed, kMemoryLimit};
constexpr std::array kRefusals = {Refusal::kTransient, Refusal::kData, Refusal::kConfiguration,
                                  Refusal::kUnknown};

}  // namespace

std::span<const MetricSpec> metric_specs() { return kSpecs; }

std::vector<MetricSpec> all_metric_specs() {
  std::vector<MetricSpec> all(kSpecs.begin(), kSpecs.end());
  for (const auto table :
       {rpc::metric_specs(), sinks::metric_specs(), sinks::clickhouse_metric_specs(),
        sinks::s3_metric_specs(), http::metric_specs()})
    all.insert(all.end(), table.begin(), table.end());
  return all;
}

Events::Events(telemetry::Telemetry telemetry, std::string destination)
    : log_(telemetry.log), destination_(std::move(destination)) {
  telemetry::Metrics& metrics = telemetry.metrics;
  const telemetry::Labels own = {{"destination", destination_}};
  for (const otlp::Signal signal : otlp::kSignals) {
    telemetry::Labels labels = own;
    labels["signal"] = otlp::to_string(signal);
    PerSignal& s = signals_[otlp::index_of(signal)];
    s.batches_sent = metrics.counter(kBatches, labels);
    s.items_sent = metrics.counter(kItems, labels);
    s.items_rejected = metrics.counter(kRejected, labels);
    s.bytes = metrics.counter(kBytes, labels);
    s.circuit_refused = metrics.counter(kCircuitRefused, labels);
    s.duration = metrics.histogram(kDuration, labels);
    for (const Refusal refusal : kRefusals) {
      labels["refusal"] = to_string(refusal);
      s.refused[static_cast<std::size_t>(refusal)] = metrics.counter(kRefused, labels);
    }
  }
  in_flight_ = metrics.gauge(kInFlight, own);
  degraded_ = metrics.gauge(kDegraded, own);
  circuit_opened_ = metrics.counter(kCircuitOpened, own);
  reachable_ = metrics.gauge(kReachable, own);
  memory_used_ = metrics.gauge(kMemoryUsed, own);
  memory_limit_ = metrics.gauge(kMemoryLimit, own);
}

void Events::received(otlp::Signal signal, std::size_t bytes) const noexcept {
  in_flight_.add(1);
  signals_[otlp::index_of(signal)].bytes.add(static_cast<double>(bytes));
}

void Events::answered(otlp::Signal signal, std::uint64_t items, Duration took,
                      const Result<pipeline::Outcome>& result) const {
  in_flight_.add(-1);
  const PerSignal& s = signals_[otlp::index_of(signal)];
  s.duration.observe(std::chrono::duration<double>(took).count());
  if (!result.ok()) return refused(signal, items, result.error());
  const std::uint64_t rejected = std::min(result->rejected, items);
  s.batches_sent.add();
  s.items_sent.add(static_cast<double>(items - rejected));
  if (result->rejected == 0) return;
  s.items_rejected.add(static_cast<double>(result->rejected));
  log_.limited(LogLevel::kWarn, "exporter.rejected", "The destination rejected items for good",
               {{"signal", otlp::to_string(signal)},
                {"rejected", result->rejected},
                {"items", items},
                {"message", result->message}});
}

void Events::refused(otlp::Signal signal, std::uint64_t items, const Error& error) const {
  signals_[otlp::index_of(signal)].refused[static_cast<std::size_t>(error.refusal)].add();
  const bool loud = error.refusal == Refusal::kConfiguration;
  log_.limited(loud ? LogLevel::kError : LogLevel::kWarn, "exporter.refused",
               "A batch was not taken",
               {{"destination", destination_},
                {"signal", otlp::to_string(signal)},
                {"items", items},
                {"refusal", to_string(error.refusal)},
                {"reason", error.reason},
                {"error", error.message}});
}

void Events::not_accepted(otlp::Signal signal, const Error& error) const {
  refused(signal, 0, error);
}

void Events::circuit_opened(const std::string& failure) const {
  degraded_.set(1);
  circuit_opened_.add();
  log_.error("The circuit is open: the destination fails, and only probes are sent to it",
             {{"destination", destination_}, {"error", failure}});
}

void Events::circuit_closed() const {
  degraded_.set(0);
  log_.info("The circuit is closed: the destination takes batches",
            {{"destination", destination_}});
}

void Events::circuit_refused(otlp::Signal signal) const noexcept {
  signals_[otlp::index_of(signal)].circuit_refused.add();
}

void Events::reachable(bool yes) const { reachable_.set(yes ? 1 : 0); }

void Events::memory(std::size_t used, std::size_t limit) const noexcept {
  memory_used_.set(static_cast<double>(used));
  memory_limit_.set(static_cast<double>(limit));
}

void Events::tls_reloaded(const Result<bool>& changed) const {
  http::log_tls_reload(log_, "exporter.tls_reload", {"listener", "otlp_grpc"}, changed);
}

}  // namespace spanway::exporter
