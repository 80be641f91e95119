#include "services/ingress/events.h"

#include <string>

#include "services/lib/http/tls_reloader.h"

namespace spanway::ingress {
namespace {

using telemetry::MetricKind;
using telemetry::MetricSpec;

constexpr MetricSpec kReceivedRequests = {
    "spanway_ingress_received_requests_total", MetricKind::kCounter,
    "Well-formed Export requests received.", "signal,transport"};
constexpr MetricSpec kReceivedItems = {"spanway_ingress_received_items_total", MetricKind::kCounter,
                                       "Spans, data points and log records in them.",
                                       "signal,transport"};
constexpr MetricSpec kReceivedBytes = {"spanway_ingress_received_bytes_total", MetricKind::kCounter,
                                       "Uncompressed protobuf bytes of them.", "signal,transport"};
constexpr MetricSpec kRequestDuration = {
    "spanway_ingress_request_duration_seconds", MetricKind::kHistogram,
    "From the whole request having arrived to its answer.", "signal,transport"};
constexpr MetricSpec kRejectedItems = {
    "spanway_ingress_rejected_items_total", MetricKind::kCounter,
    "Items refused for good, reported to the client as partial success.", "signal,reason"};
constexpr MetricSpec kReplacedSurrogates = {
    "spanway_ingress_json_replaced_surrogates_total", MetricKind::kCounter,
    "Halves of surrogate pairs in OTLP/JSON strings that were replaced by U+FFFD.", "signal"};
constexpr MetricSpec kRefusedRequests = {"spanway_ingress_refused_requests_total",
                                         MetricKind::kCounter, "Requests answered with an error.",
                                         "transport,reason"};
constexpr MetricSpec kAuthFailures = {"spanway_ingress_auth_failures_total", MetricKind::kCounter,
                                      "Requests without good credentials."};
constexpr MetricSpec kRateLimitedItems = {"spanway_ingress_rate_limited_items_total",
                                          MetricKind::kCounter,
                                          "Items in requests refused by a rate limit.", "signal"};
constexpr MetricSpec kMergedRequests = {"spanway_ingress_merged_requests_total",
                                        MetricKind::kCounter,
                                        "Requests that were joined with others.", "signal"};
constexpr MetricSpec kMergedBatches = {"spanway_ingress_merged_batches_total", MetricKind::kCounter,
                                       "Batches that joined requests were sent as.", "signal"};
constexpr MetricSpec kMergeResent = {
    "spanway_ingress_merge_resent_requests_total", MetricKind::kCounter,
    "Requests sent again alone, because what they were joined to was refused.", "signal"};
constexpr MetricSpec kMergeUnattributed = {
    "spanway_ingress_merge_unattributed_rejected_items_total", MetricKind::kCounter,
    "Items rejected behind the ingress in joined requests: the clients' counts add up to them, but "
    "may name the wrong one. Requests of that tenant go alone afterwards.",
    "signal"};
constexpr MetricSpec kForwardDuration = {
    "spanway_ingress_forward_duration_seconds", MetricKind::kHistogram,
    "From handing a request on to the next hop's answer.", "signal"};
constexpr MetricSpec kReloadFailures = {
    "spanway_ingress_reload_failures_total", MetricKind::kCounter,
    "Changed certificates or credentials that could not be used; the old ones stay."};
constexpr MetricSpec kMemoryUsed = {"spanway_ingress_memory_used_bytes", MetricKind::kGauge,
                                    "Bytes of requests in memory now."};
constexpr MetricSpec kMemoryLimit = {"spanway_ingress_memory_limit_bytes", MetricKind::kGauge,
                                     "Bytes of requests that may be in memory."};
constexpr MetricSpec kTlsExpiry = {"spanway_ingress_tls_certificate_expiry_seconds",
                                   MetricKind::kGauge,
                                   "Until the server certificate expires; 0 without TLS."};
constexpr MetricSpec kOtelReceivedSpans = {"otel_received_spans_total", MetricKind::kCounter,
                                           "Spans received, under the name dashboards expect."};

constexpr std::array kSpecs = {
    kReceivedRequests,   kReceivedItems,   kReceivedBytes,     kRequestDuration,  kRejectedItems,
    kReplacedSurrogates, kRefusedRequests, kAuthFailures,      kRateLimitedItems, kMergedRequests,
    kMergedBatches,      kMergeResent,     kMergeUnattributed, kForwardDuration,  kReloadFailures,
    kMemoryUsed,         kMemoryLimit,     kTlsExpiry,         kOtelReceivedSpans};

}  // namespace

std::span<const MetricSpec> metric_specs() { return kSpecs; }

std::string_view to_string(Transport transport) noexcept {
  return transport == Transport::kGrpc ? "grpc" : "http";
}

std::string_view to_string(RefusedBy reason) noexcept {
  constexpr std::array<std::string_view, kRefusedByCount> names = {
      "unauthenticated", "tenant",         "unsupported", "malformed",
      "too_large",       "memory",         "rate_limit",  "all_rejected",
      "stopping",        "next_transient", "next_data",   "next_configuration",
      "next_unknown"};
  return names[static_cast<std::size_t>(reason)];
}

RefusedBy refused_by_next(const Error& error) noexcept {
  switch (error.refusal) {
    case Refusal::kTransient:
      return RefusedBy::kNextTransient;
    case Refusal::kData:
      return RefusedBy::kNextData;
    case Refusal::kConfiguration:
      return RefusedBy::kNextConfiguration;
    case Refusal::kUnknown:
      break;
  }
  return RefusedBy::kNextUnknown;
}

Events::Events(telemetry::Telemetry telemetry)
    : telemetry_(telemetry), credentials_(telemetry.credentials) {
  register_received();
  register_refusals();
  telemetry::Metrics& metrics = telemetry_.metrics;
  for (const otlp::Signal signal : otlp::kSignals) {
    const std::size_t i = otlp::index_of(signal);
    const telemetry::Labels labels = {{"signal", std::string(otlp::to_string(signal))}};
    replaced_surrogates_[i] = metrics.counter(kReplacedSurrogates, labels);
    rate_limited_[i] = metrics.counter(kRateLimitedItems, labels);
    merged_requests_[i] = metrics.counter(kMergedRequests, labels);
    merged_batches_[i] = metrics.counter(kMergedBatches, labels);
    resent_[i] = metrics.counter(kMergeResent, labels);
    unattributed_[i] = metrics.counter(kMergeUnattributed, labels);
    forward_duration_[i] = metrics.histogram(kForwardDuration, labels);
  }
  auth_failures_ = metrics.counter(kAuthFailures);
  reload_failures_ = metrics.counter(kReloadFailures);
  memory_used_ = metrics.gauge(kMemoryUsed);
  memory_limit_ = metrics.gauge(kMemoryLimit);
  tls_expiry_ = metrics.gauge(kTlsExpiry);
  otel_received_spans_ = metrics.counter(kOtelReceivedSpans);
}

void Events::register_received() {
  telemetry::Metrics& metrics = telemetry_.metrics;
  for (const otlp::Signal signal : otlp::kSignals) {
    for (const Transport transport : {Transport::kGrpc, Transport::kHttp}) {
      const std::size_t i = otlp::index_of(signal);
      const std::size_t j = static_cast<std::size_t>(transport);
      const telemetry::Labels labels = {{"signal", std::string(otlp::to_string(signal))},
                                        {"transport", std::string(to_string(transport))}};
      requests_[i][j] = metrics.counter(kReceivedRequests, labels);
      items_[i][j] = metrics.counter(kReceivedItems, labels);
      bytes_[i][j] = metrics.counter(kReceivedBytes, labels);
      duration_[i][j] = metrics.histogram(kRequestDuration, labels);
    }
  }
}

void Events::register_refusals() {
  telemetry::Metrics& metrics = telemetry_.metrics;
  for (const otlp::Signal signal : otlp::kSignals) {
    for (std::size_t reason = 1; reason < kRejectCount; ++reason) {
      rejected_[otlp::index_of(signal)][reason] = metrics.counter(
          kRejectedItems,
          {{"signal", std::string(otlp::to_string(signal))},
           {"reason", std::string(otlp::to_string(static_cast<otlp::RejectReason>(reason)))}});
    }
  }
  for (const Transport transport : {Transport::kGrpc, Transport::kHttp}) {
    for (std::size_t reason = 0; reason < kRefusedByCount; ++reason) {
      refused_[static_cast<std::size_t>(transport)][reason] = metrics.counter(
          kRefusedRequests, {{"transport", std::string(to_string(transport))},
                             {"reason", std::string(to_string(static_cast<RefusedBy>(reason)))}});
    }
  }
}

void Events::received(otlp::Signal signal, Transport transport, std::uint64_t items,
                      std::size_t bytes) const noexcept {
  const std::size_t i = otlp::index_of(signal);
  const std::size_t j = static_cast<std::size_t>(transport);
  requests_[i][j].add();
  items_[i][j].add(static_cast<double>(items));
  bytes_[i][j].add(static_cast<double>(bytes));
  if (signal == otlp::Signal::kTraces) otel_received_spans_.add(static_cast<double>(items));
}

void Events::rejected(otlp::Signal signal, otlp::RejectReason reason,
                      std::uint64_t items) const noexcept {
  const auto index = static_cast<std::size_t>(reason);
  if (index < kRejectCount)
    rejected_[otlp::index_of(signal)][index].add(static_cast<double>(items));
}

void Events::replaced_surrogates(otlp::Signal signal, std::uint64_t count) const noexcept {
  replaced_surrogates_[otlp::index_of(signal)].add(static_cast<double>(count));
}

void Events::refused(Transport transport, RefusedBy reason) const noexcept {
  refused_[static_cast<std::size_t>(transport)][static_cast<std::size_t>(reason)].add();
  if (reason == RefusedBy::kUnauthenticated) auth_failures_.add();
}

void Events::http_refused(std::string_view peer, const Error& error) const {
  telemetry_.log.limited(telemetry::LogLevel::kWarn, "otlp_http_refused",
                         "OTLP/HTTP request refused",
                         {{"listener", "otlp_http"},
                          {"peer", peer},
                          {"code", spanway::to_string(error.code)},
                          {"error", error.message}});
}

void Events::answered(otlp::Signal signal, Transport transport, double seconds) const noexcept {
  duration_[otlp::index_of(signal)][static_cast<std::size_t>(transport)].observe(seconds);
}

void Events::rate_limited(otlp::Signal signal, std::uint64_t items) const noexcept {
  rate_limited_[otlp::index_of(signal)].add(static_cast<double>(items));
}

void Events::merged(otlp::Signal signal, std::size_t requests) const noexcept {
  merged_requests_[otlp::index_of(signal)].add(static_cast<double>(requests));
  merged_batches_[otlp::index_of(signal)].add();
}

void Events::merge_resent(otlp::Signal signal, std::size_t requests) const noexcept {
  resent_[otlp::index_of(signal)].add(static_cast<double>(requests));
}

void Events::merge_unattributed(otlp::Signal signal, std::uint64_t items) const noexcept {
  unattributed_[otlp::index_of(signal)].add(static_cast<double>(items));
}

void Events::forwarded(otlp::Signal signal, double seconds) const noexcept {
  forward_duration_[otlp::index_of(signal)].observe(seconds);
}

void Events::credentials_read(const Status& read) const {
  credentials_.report("auth", read);
  if (read.ok()) return;
  reload_failures_.add();
  telemetry_.log.limited(telemetry::LogLevel::kError, "ingress.credentials_reload",
                         "Changed credentials cannot be used, the old ones stay",
                         {{"error", read.error().message}});
}

void Events::tls_reloaded(const Result<bool>& changed) const {
  if (!changed.ok()) reload_failures_.add();
  http::log_tls_reload(telemetry_.log, "ingress.tls_reload", {"listener", "otlp"}, changed);
}

void Events::memory(std::size_t used, std::size_t limit) const noexcept {
  memory_used_.set(static_cast<double>(used));
  memory_limit_.set(static_cast<double>(limit));
}

void Events::tls_expiry(double seconds) const noexcept { tls_expiry_.set(seconds); }

double Events::received_items(otlp::Signal signal) const {
  double sum = 0;
  for (const Transport transport : {Transport::kGrpc, Transport::kHttp})
    sum += telemetry_.metrics.value(kReceivedItems.name,
                                    {{"signal", std::string(otlp::to_string(signal))},
                                     {"transport", std::string(to_string(transport))}});
  return sum;
}

}  // namespace spanway::ingress
