// Metrics and logs of rpc: one table of metrics, and one function per event.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/otlp/signal.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::rpc {

std::span<const telemetry::MetricSpec> metric_specs();

inline constexpr std::size_t kCodeCount = 17;  // OK to UNAUTHENTICATED.

// Counts for one listener. Thread-safe; outlived by the registry and the log.
class ServerEvents {
 public:
  ServerEvents(telemetry::Telemetry telemetry, const std::string& listener);

  void started() const noexcept { in_flight_.add(1); }
  void received(otlp::Signal signal, std::uint64_t wire_bytes) const noexcept {
    bytes_[otlp::index_of(signal)].add(static_cast<double>(wire_bytes));
  }
  // The answer has been given, or the client has gone (CANCELLED).
  void finished(otlp::Signal signal, Code code, Duration took) const noexcept;
  // Refused here, before or instead of the sink. `error.reason` is one of kReasons or counted as
  // "other".
  void refused(const Error& error, std::string_view peer) const;
  void abandoned() const noexcept { count_refused("client_gone"); }

 private:
  static constexpr std::array<std::string_view, 13> kReasons = {"grpc_bad_framing",
                                                                "grpc_bad_header",
                                                                "grpc_unknown_method",
                                                                "grpc_encoding",
                                                                "message_too_large",
                                                                "message_corrupt",
                                                                "no_memory",
                                                                "deadline_exceeded",
                                                                "client_gone",
                                                                "unauthenticated",
                                                                "tenant_invalid",
                                                                "batch_id_invalid",
                                                                "other"};
  void count_refused(std::string_view reason) const noexcept;

  const telemetry::Logger& log_;
  std::string listener_;
  telemetry::Gauge in_flight_;
  std::array<telemetry::Counter, 3> bytes_;
  std::array<std::array<telemetry::Counter, kCodeCount>, 3> requests_;
  std::array<telemetry::Histogram, 3> duration_;
  std::array<telemetry::Counter, kReasons.size()> refused_;
};

// Counts for one OTLP/gRPC destination. Thread-safe; outlived by the registry and the log.
class ClientEvents {
 public:
  ClientEvents(telemetry::Telemetry telemetry, const std::string& endpoint);

  void started(std::uint64_t bytes) const noexcept {
    in_flight_.add(1);
    bytes_.add(static_cast<double>(bytes));
  }
  // The destination, or the library for it, has answered.
  void finished(Code code, Duration took) const noexcept;
  // Refused before a byte was sent.
  enum class Refused : unsigned char { kFull, kDraining, kDeadline };
  void refused(Refused why) const noexcept;
  void failed(const Error& error) const;
  void unreadable_answer(const Error& error) const;
  // The secret of `key` was read again; an error = the one of before stays in use.
  void secret_read(const std::string& key, const Status& read) const;

 private:
  const telemetry::Logger& log_;
  telemetry::CredentialReporter credentials_;
  std::string endpoint_;
  telemetry::Gauge in_flight_;
  telemetry::Counter bytes_;
  std::array<telemetry::Counter, kCodeCount> requests_;
  telemetry::Histogram duration_;
  std::array<telemetry::Counter, 3> refused_;
};

}  // namespace spanway::rpc
