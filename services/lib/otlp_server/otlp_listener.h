// The listening side of a service that takes OTLP: its ports, their TLS with its reload, and their
// serving state. The handler of a port decides which requests it answers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/lib/base/memory_budget.h"
#include "services/lib/base/mutex.h"
#include "services/lib/endpoint_config/listener_config.h"
#include "services/lib/http/server.h"
#include "services/lib/http/tls_reloader.h"
#include "services/lib/rpc/export_service.h"
#include "services/lib/runtime/service.h"

namespace spanway::otlp_server {

http::ServerLimits server_limits(const ConnectionLimitsConfig& c, Duration request_timeout);

// Life: create, listen for each port, start, stop_accepting, drain, destroy; stop_accepting and
// drain are idempotent and legal before start. By one thread, except shed_connections() and
// tls_status(), which are thread-safe once start() has returned.
class OtlpListener {
 public:
  struct Options {
    OtlpListenerConfig config;
    http::ServerLimits limits;
    std::string section = "otlp";  // That of `config`, for messages.
  };
  // Reads the TLS files. `budget` is the service's: connections take at most half of it, and 8 MiB
  // beside it, so that clients still get RESOURCE_EXHAUSTED when requests have used up all of it.
  // Both outlive the listener.
  static Result<std::unique_ptr<OtlpListener>> create(Options options,
                                                      const runtime::ServiceDeps& deps,
                                                      MemoryBudget& budget);
  ~OtlpListener();
  OtlpListener(const OtlpListener&) = delete;
  OtlpListener& operator=(const OtlpListener&) = delete;

  // Binds a port; `name` is the label of its metrics. A port that is taken is an error here.
  Status listen(std::string name, std::uint16_t port, http::Handler& handler);
  // The same for OTLP/gRPC. Its health check answers NOT_SERVING from stop_accepting() on.
  Status listen_grpc(std::uint16_t port, rpc::ExportService& service);
  void start();
  // 0 when nothing of that name is listened on.
  std::uint16_t port(const std::string& name) const noexcept;

  // Reads changed TLS files again; true when a new certificate is in use. After an error the old
  // one stays in use, and tls_status() holds the error until the files are good. Blocks on the
  // disk.
  Result<bool> reload_tls();
  // Calls reload_tls() every 10 s on the executor, which outlives the listener; `report` as in
  // http::TlsReloader, and not after the destructor. Nothing without TLS.
  void keep_tls_fresh(Executor& executor, http::TlsReloader::Report report);

  struct TlsStatus {
    double seconds_to_expiry = 0;
    // Why the newest files are not in use; empty when they are.
    std::string reload_error;
  };
  bool tls() const noexcept { return tls_ != nullptr; }
  // Only with TLS.
  TlsStatus tls_status() const;

  void shed_connections();
  void stop_accepting();
  // True when all connections ended by themselves.
  bool drain(Deadline deadline);

  const MemoryBudget& connection_memory() const noexcept { return connection_memory_; }

 private:
  struct Port {
    std::string name;
    std::unique_ptr<http::Server> server;
  };
  OtlpListener(Options options, const runtime::ServiceDeps& deps, MemoryBudget& budget);
  std::string tls_section() const { return options_.section + ".tls"; }

  const Options options_;
  const runtime::ServiceDeps deps_;
  MemoryBudget connection_memory_;
  std::shared_ptr<http::TlsServerContext> tls_;  // Null without TLS.
  rpc::ExportService* export_service_ = nullptr;
  std::vector<Port> ports_;
  mutable Mutex mutex_;
  std::string reload_error_ SPANWAY_GUARDED_BY(mutex_);
  std::optional<http::TlsReloader> tls_reloader_;  // Last: it refers to the others.
};

}  // namespace spanway::otlp_server
