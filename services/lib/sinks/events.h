// Metrics and log events of the sinks.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "services/lib/base/result.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::sinks {

std::span<const telemetry::MetricSpec> metric_specs();

// One destination that is reached by HTTP. Thread-safe; outlived by the registry and the log.
class HttpEvents {
 public:
  HttpEvents(telemetry::Telemetry telemetry, std::string endpoint);
  void sent(std::size_t bytes) const noexcept;
  // The HTTP status, or 0 when there was no answer.
  void answered(int status, double seconds) const noexcept;
  // Accepted (2xx), but the body says nothing that we understand.
  void unreadable_answer(const Error& error) const;
  // The TLS files, or the secret of `key`, were read again; an error = the old ones stay in use.
  void tls_read(const Result<bool>& read) const;
  void secret_read(const std::string& key, const Status& read) const;

 private:
  const telemetry::Logger& log_;
  const telemetry::CredentialReporter credentials_;
  const std::string endpoint_;
  telemetry::Counter bytes_;
  std::array<telemetry::Counter, 6> classes_;  // No answer, 1xx ... 5xx.
  telemetry::Histogram duration_;
};

// One file sink. Thread-safe.
class FileEvents {
 public:
  explicit FileEvents(telemetry::Telemetry telemetry);
  void written(std::size_t bytes) const noexcept { bytes_.add(static_cast<double>(bytes)); }
  void synced(double seconds) const noexcept { sync_.observe(seconds); }
  void rotated(std::string_view path) const;
  void failed(const Error& error) const;
  void queued(std::size_t bytes) const noexcept { queue_.set(static_cast<double>(bytes)); }

 private:
  const telemetry::Logger& log_;
  telemetry::Counter bytes_, rotations_, failures_;
  telemetry::Gauge queue_;
  telemetry::Histogram sync_;
};

}  // namespace spanway::sinks
