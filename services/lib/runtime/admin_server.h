// The admin port: /healthz /livez /readyz /metrics /configz /statusz, for GET and HEAD. With
// `metrics_port` set, a second port serves /metrics and nothing else.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "services/lib/http/server.h"
#include "services/lib/runtime/service.h"

namespace spanway::runtime {

// Called on the pool's threads, several at once; must not block.
struct AdminPages {
  std::function<Service::Readiness()> readiness;
  std::function<std::string()> status_json;
  std::function<std::string()> config_yaml;  // Redacted.
};

// Thread-safe. Serves on a pool of its own in production, so that probes answer under full load.
class AdminServer {
 public:
  // Listens when it returns; a taken port is an error. The pool and telemetry outlive it.
  static Result<std::unique_ptr<AdminServer>> create(AdminConfig config, AdminPages pages,
                                                     http::IoPool& pool,
                                                     telemetry::Telemetry telemetry);
  virtual ~AdminServer() = default;
  virtual std::uint16_t port() const noexcept = 0;
  // 0 when there is none.
  virtual std::uint16_t metrics_port() const noexcept = 0;
  // Closes both ports; idempotent. Blocks; not for the pool's threads.
  virtual void stop() = 0;
};

}  // namespace spanway::runtime
