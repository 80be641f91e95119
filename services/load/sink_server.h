// The counting sink with its ports.
#pragma once

#include <cstdint>
#include <memory>

#include "services/lib/telemetry/telemetry.h"
#include "services/load/counting_sink.h"
#include "services/load/options.h"

namespace spanway::load {

// Thread contract: one owner. Its io threads run from create() to the destructor.
class SinkServer {
 public:
  // A taken port is an error here.
  static Result<std::unique_ptr<SinkServer>> create(const SinkServerOptions& options,
                                                    const Clock& clock,
                                                    telemetry::Telemetry telemetry);
  ~SinkServer();
  SinkServer(const SinkServer&) = delete;
  SinkServer& operator=(const SinkServer&) = delete;

  CountingSink& sink() noexcept;
  // 0 where there is no such port.
  std::uint16_t grpc_port() const noexcept;
  std::uint16_t http_port() const noexcept;
  std::uint16_t admin_port() const noexcept;
  // Takes nothing new and answers what is there; idempotent.
  void stop(Deadline deadline);

 private:
  struct Impl;
  explicit SinkServer(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace spanway::load
