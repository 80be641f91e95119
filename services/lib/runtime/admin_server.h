// The admin port: /healthz /livez /readyz /metrics /configz /statusz.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "services/lib/http/server.h"
#include "services/lib/runtime/service.h"

namespace spanway::runtime {

struct AdminPages {
  std::function<Service::Readiness()> readiness;
  std::function<std::string()> status_json;
  std::function<std::string()> config_yaml;  // Redacted.
};

// Thread-safe. Serves on a pool of its own in production, so that probes answer under full load.
class AdminServer {
 public:
  static Result<std::unique_ptr<AdminServer>> create(AdminConfig config, AdminPages pages,
                                                     http::IoPool& pool,
                                                     telemetry::Telemetry telemetry);
  virtual ~AdminServer() = default;
  virtual std::uint16_t port() const noexcept = 0;
  virtual void stop() = 0;
};

}  // namespace spanway::runtime
