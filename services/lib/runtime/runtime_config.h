// The sections that every service's file has. No transport, so that the operator can link it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "services/lib/base/clock.h"
#include "services/lib/config/binder.h"
#include "services/lib/telemetry/logger.h"

namespace spanway::runtime {

struct AdminConfig {
  std::string host = "0.0.0.0";
  std::uint16_t port = 8080;
  std::uint16_t metrics_port = 0;  // 0 = metrics on the admin port only.
};
void describe(config::Binder& b, AdminConfig& c);

struct LogConfig {
  telemetry::LogLevel level = telemetry::LogLevel::kInfo;
  enum class Format { kText, kJson } format = Format::kText;
};
void describe(config::Binder& b, LogConfig& c);

struct RuntimeConfig {
  AdminConfig admin;
  LogConfig log;
  std::int64_t io_threads = 0;  // 0 = one per core.
  Duration drain_timeout = std::chrono::seconds(25);
  // Between "not ready" and closing the listeners, so that endpoints are taken out first.
  Duration shutdown_delay = std::chrono::seconds(0);
};
// Binds `admin`, `log`, `runtime` at the top level of a service's file.
void describe(config::Binder& b, RuntimeConfig& c);
void validate(const RuntimeConfig& c, config::Problems& problems);

}  // namespace spanway::runtime
