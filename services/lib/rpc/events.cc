#include "services/lib/rpc/events.h"

#include <algorithm>
#include <chrono>

namespace spanway::rpc {
namespace {

using telemetry::MetricKind;
using telemetry::MetricSpec;

constexpr MetricSpec kServerRequests = {
    "spanway_rpc_requests_total", MetricKind::kCounter,
    "OTLP/gRPC Export calls answered, by gRPC status code; CANCELLED = the client went away first.",
    "listener,signal,code"};
constexpr MetricSpec kServerBytes = {
    "spanway_rpc_received_bytes_total", MetricKind::kCounter,
    "Bytes of OTLP/gRPC request bodies received, before decompression.", "listener,signal"};
constexpr MetricSpec kServerInFlight = {
    "spanway_rpc_in_flight_requests", MetricKind::kGauge,
    "OTLP/gRPC Export calls that are being received or wait for their answer.", "listener"};
constexpr MetricSpec kServerDuration = {
    "spanway_rpc_request_duration_seconds", MetricKind::kHistogram,
    "From the headers of an OTLP/gRPC Export call to its answer.", "listener,signal"};
constexpr MetricSpec kServerRefused = {
    "spanway_rpc_refused_total", MetricKind::kCounter,
    "OTLP/gRPC calls refused before they reached the next owner, by reason.", "listener,reason"};
constexpr MetricSpec kClientRequests = {
    "spanway_rpc_client_requests_total", MetricKind::kCounter,
    "OTLP/gRPC Export calls sent, by the gRPC status code of the answer.", "endpoint,code"};
constexpr MetricSpec kClientBytes = {
    "spanway_rpc_client_sent_bytes_total", MetricKind::kCounter,
    "Bytes of OTLP/gRPC Export messages handed to the connection, before compression.", "endpoint"};
constexpr MetricSpec kClientInFlight = {"spanway_rpc_client_in_flight_requests", MetricKind::kGauge,
                                        "OTLP/gRPC Export calls sent and not yet answered.",
                                        "endpoint"};
constexpr MetricSpec kClientDuration = {
    "spanway_rpc_client_request_duration_seconds", MetricKind::kHistogram,
    "From sending an OTLP/gRPC Export call to its answer.", "endpoint"};
constexpr MetricSpec kClientRefused = {
    "spanway_rpc_client_refused_total", MetricKind::kCounter,
    "OTLP/gRPC Export calls that were not sent: full, draining or deadline_exceeded.",
    "endpoint,reason"};

constexpr std::array kSpecs = {kServerRequests, kServerBytes,    kServerInFlight, kServerDuration,
                               kServerRefused,  kClientRequests, kClientBytes,    kClientInFlight,
                               kClientDuration, kClientRefused};

std::size_t index_of(Code code) noexcept {
  const auto index = static_cast<std::size_t>(code);
  return index < kCodeCount ? index : static_cast<std::size_t>(Code::kUnknown);
}

std::string code_name(std::size_t index) {
  return std::string(to_string(static_cast<Code>(static_cast<int>(index))));
}

double seconds(Duration duration) noexcept {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

std::span<const MetricSpec> metric_specs() { return kSpecs; }

ServerEvents::ServerEvents(telemetry::Telemetry telemetry, const std::string& listener)
    : log_(telemetry.log),
      listener_(listener),
      in_flight_(telemetry.metrics.gauge(kServerInFlight, {{"listener", listener}})) {
  telemetry::Metrics& metrics = telemetry.metrics;
  for (const otlp::Signal signal : otlp::kSignals) {
    const std::size_t i = otlp::index_of(signal);
    const std::string name(otlp::to_string(signal));
    bytes_[i] = metrics.counter(kServerBytes, {{"listener", listener}, {"signal", name}});
    duration_[i] = metrics.histogram(kServerDuration, {{"listener", listener}, {"signal", name}});
    for (std::size_t code = 0; code < kCodeCount; ++code) {
      requests_[i][code] = metrics.counter(
          kServerRequests, {{"listener", listener}, {"signal", name}, {"code", code_name(code)}});
    }
  }
  for (std::size_t i = 0; i < kReasons.size(); ++i) {
    refused_[i] = metrics.counter(kServerRefused,
                                  {{"listener", listener}, {"reason", std::string(kReasons[i])}});
  }
}

void ServerEvents::finished(otlp::Signal signal, Code code, Duration took) const noexcept {
  in_flight_.add(-1);
  requests_[otlp::index_of(signal)][index_of(code)].add();
  duration_[otlp::index_of(signal)].observe(seconds(took));
}

void ServerEvents::refused(const Error& error, std::string_view peer) const {
  count_refused(error.reason);
  log_.limited(telemetry::LogLevel::kWarn, "rpc_refused", "OTLP/gRPC call refused",
               {{"listener", listener_},
                {"peer", peer},
                {"code", to_string(error.code)},
                {"error", error.message}});
}

void ServerEvents::count_refused(std::string_view reason) const noexcept {
  const auto found = std::ranges::find(kReasons, reason);
  const auto index = static_cast<std::size_t>(found - kReasons.begin());
  refused_[std::min(index, kReasons.size() - 1)].add();
}

ClientEvents::ClientEvents(telemetry::Telemetry telemetry, const std::string& endpoint)
    : log_(telemetry.log),
      credentials_(telemetry.credentials),
      endpoint_(endpoint),
      in_flight_(telemetry.metrics.gauge(kClientInFlight, {{"endpoint", endpoint}})),
      bytes_(telemetry.metrics.counter(kClientBytes, {{"endpoint", endpoint}})),
      duration_(telemetry.metrics.histogram(kClientDuration, {{"endpoint", endpoint}})) {
  for (std::size_t code = 0; code < kCodeCount; ++code) {
    requests_[code] = telemetry.metrics.counter(
        kClientRequests, {{"endpoint", endpoint}, {"code", code_name(code)}});
  }
  constexpr std::array kWhy = {"full", "draining", "deadline_exceeded"};
  for (std::size_t i = 0; i < kWhy.size(); ++i) {
    refused_[i] =
        telemetry.metrics.counter(kClientRefused, {{"endpoint", endpoint}, {"reason", kWhy[i]}});
  }
}

void ClientEvents::finished(Code code, Duration took) const noexcept {
  in_flight_.add(-1);
  requests_[index_of(code)].add();
  duration_.observe(seconds(took));
}

void ClientEvents::refused(Refused why) const noexcept {
  refused_[static_cast<std::size_t>(why)].add();
}

void ClientEvents::failed(const Error& error) const {
  log_.limited(telemetry::LogLevel::kWarn, "rpc_client_failed", "OTLP/gRPC call failed",
               {{"endpoint", endpoint_},
                {"code", to_string(error.code)},
                {"refusal", to_string(error.refusal)},
                {"error", error.message}});
}

void ClientEvents::secret_read(const std::string& key, const Status& read) const {
  credentials_.report(key, read);
  if (read.ok()) return;
  log_.warn("A file of a secret cannot be used; the secret of before stays in use",
            {{"endpoint", endpoint_}, {"error", read.error().message}});
}

void ClientEvents::unreadable_answer(const Error& error) const {
  log_.limited(telemetry::LogLevel::kWarn, "rpc_client_unreadable_answer",
               "The destination accepted a batch, but its answer cannot be read",
               {{"endpoint", endpoint_}, {"error", error.message}});
}

}  // namespace spanway::rpc
