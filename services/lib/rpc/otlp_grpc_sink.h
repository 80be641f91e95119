// Sends batches as OTLP/gRPC Export calls with grpc++, bytes as they are.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "services/lib/base/clock.h"
#include "services/lib/base/secret.h"
#include "services/lib/endpoint_config/otlp_grpc_client_config.h"
#include "services/lib/pipeline/sink.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::rpc {

struct OtlpGrpcSinkOptions {
  std::string endpoint;  // "host:port"; names are resolved to all addresses, round robin.
  std::string compression = "none";  // none | gzip
  // Unset = plain text. grpc++ always verifies: insecure_skip_verify is refused.
  std::optional<ClientTlsConfig> tls;
  // How often the files are checked for changes, in whole seconds; new connections use new ones.
  Duration tls_reload_interval = std::chrono::seconds(10);
  std::map<std::string, Secret> headers;  // Sent with each call, e.g. authorization; any case.
  Duration timeout =
      std::chrono::seconds(30);  // Limit of one call, when the batch's deadline is later.
  // Taken off the batch's deadline before it is passed on.
  Duration deadline_margin = std::chrono::milliseconds(200);
  std::size_t in_flight_max = 256;  // Calls; more are refused with UNAVAILABLE and retry_after.
  std::size_t connections = 0;      // 0 = 2 x cores, at most 8.
  bool send_metadata = true;        // spanway-*: between our own services.
  bool log_failures = true;         // False where the owner logs each failed call itself.
};

// The options that the configuration sets; the others are the service's.
OtlpGrpcSinkOptions client_options(const OtlpGrpcClientConfig& c);

// Thread-safe. Not to be destroyed from within an answer: the destructor cancels what is in flight
// and waits for it.
class OtlpGrpcSink final : public pipeline::Sink {
 public:
  static Result<std::unique_ptr<OtlpGrpcSink>> create(OtlpGrpcSinkOptions options,
                                                      const Clock& clock,
                                                      telemetry::Telemetry telemetry);
  ~OtlpGrpcSink() override;
  void send(pipeline::Batch batch, pipeline::AckToken token) noexcept override;
  // Without a copy, unless the pieces are small.
  void send_pieces(pipeline::Batch batch, pipeline::Pieces payload,
                   pipeline::AckToken token) noexcept override;
  bool drain(Deadline deadline) override;
  pipeline::SinkHealth health() const override;

 private:
  struct Impl;
  explicit OtlpGrpcSink(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace spanway::rpc
