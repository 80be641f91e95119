// Metrics and logs of the ingress: one table of metrics, and one function per event.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "services/lib/base/result.h"
#include "services/lib/otlp/scan.h"
#include "services/lib/otlp/signal.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::ingress {

enum class Transport : unsigned char { kGrpc = 0, kHttp = 1 };
inline constexpr std::size_t kTransportCount = 2;
std::string_view to_string(Transport transport) noexcept;

// Why a whole request was refused; the label `reason`.
enum class RefusedBy : unsigned char {
  kUnauthenticated = 0,
  kTenant,
  kUnsupported,  // Path, method, content type or coding.
  kMalformed,
  kTooLarge,
  kMemory,
  kRateLimit,
  kAllRejected,
  kStopping,
  kNextTransient,
  kNextData,
  kNextConfiguration,
  kNextUnknown,
};
inline constexpr std::size_t kRefusedByCount = 13;
std::string_view to_string(RefusedBy reason) noexcept;
// Which of the kNext... reasons an answer from behind is.
RefusedBy refused_by_next(const Error& error) noexcept;

std::span<const telemetry::MetricSpec> metric_specs();

// Thread-safe, lock-free. All series exist at zero from construction on. Copyable.
class Events {
 public:
  explicit Events(telemetry::Telemetry telemetry);

  void received(otlp::Signal signal, Transport transport, std::uint64_t items,
                std::size_t bytes) const noexcept;
  void rejected(otlp::Signal signal, otlp::RejectReason reason, std::uint64_t items) const noexcept;
  // Halves of surrogate pairs in OTLP/JSON that became U+FFFD.
  void replaced_surrogates(otlp::Signal signal, std::uint64_t count) const noexcept;
  void refused(Transport transport, RefusedBy reason) const noexcept;
  // Logs a refusal over OTLP/HTTP; those of gRPC calls are logged by rpc.
  void http_refused(std::string_view peer, const Error& error) const;
  void answered(otlp::Signal signal, Transport transport, double seconds) const noexcept;
  void rate_limited(otlp::Signal signal, std::uint64_t items) const noexcept;
  // `requests` were joined to one.
  void merged(otlp::Signal signal, std::size_t requests) const noexcept;
  void merge_resent(otlp::Signal signal, std::size_t requests) const noexcept;
  void merge_unattributed(otlp::Signal signal, std::uint64_t items) const noexcept;
  void forwarded(otlp::Signal signal, double seconds) const noexcept;
  // Tokens or users were read again; an error = the old ones stay in use.
  void credentials_read(const Status& read) const;
  // The report of a TlsReloader.
  void tls_reloaded(const Result<bool>& changed) const;
  void memory(std::size_t used, std::size_t limit) const noexcept;
  void tls_expiry(double seconds) const noexcept;

  // For /statusz.
  double received_items(otlp::Signal signal) const;
  const telemetry::Logger& log() const noexcept { return telemetry_.log; }

 private:
  static constexpr std::size_t kSignalCount = otlp::kSignals.size();
  static constexpr std::size_t kRejectCount = otlp::kRejectReasonCount;
  template <typename Handle>
  using PerSignal = std::array<Handle, kSignalCount>;
  template <typename Handle>
  using PerSource = std::array<std::array<Handle, kTransportCount>, kSignalCount>;

  void register_received();
  void register_refusals();

  telemetry::Telemetry telemetry_;
  telemetry::CredentialReporter credentials_;
  PerSource<telemetry::Counter> requests_;
  PerSource<telemetry::Counter> items_;
  PerSource<telemetry::Counter> bytes_;
  PerSource<telemetry::Histogram> duration_;
  std::array<std::array<telemetry::Counter, kRejectCount>, kSignalCount> rejected_;
  std::array<std::array<telemetry::Counter, kRefusedByCount>, kTransportCount> refused_;
  PerSignal<telemetry::Counter> replaced_surrogates_;
  PerSignal<telemetry::Counter> rate_limited_;
  PerSignal<telemetry::Counter> merged_requests_;
  PerSignal<telemetry::Counter> merged_batches_;
  PerSignal<telemetry::Counter> resent_;
  PerSignal<telemetry::Counter> unattributed_;
  PerSignal<telemetry::Histogram> forward_duration_;
  telemetry::Counter auth_failures_;
  telemetry::Counter reload_failures_;
  telemetry::Gauge memory_used_;
  telemetry::Gauge memory_limit_;
  telemetry::Gauge tls_expiry_;
  telemetry::Counter otel_received_spans_;
};

}  // namespace spanway::ingress
