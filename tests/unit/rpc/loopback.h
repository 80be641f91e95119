// For tests: a real server with ExportService on a port of its own, and sinks that are waited for.
#pragma once

#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <string_view>
#include <utility>

#include "services/lib/base/check.h"
#include "services/lib/http/server.h"
#include "services/lib/http/tls.h"
#include "services/lib/pipeline/sink.h"
#include "services/lib/rpc/export_service.h"
#include "services/lib/rpc/otlp_grpc_sink.h"

namespace spanway::rpc {

using Answer = Result<pipeline::Outcome>;

inline constexpr std::chrono::seconds kTimeout{20};

inline pipeline::Batch batch_of(std::string_view payload,
                                otlp::Signal signal = otlp::Signal::kTraces) {
  pipeline::Batch batch;
  batch.signal = signal;
  batch.payload = Bytes(payload);
  return batch;
}

inline std::future<Answer> send(OtlpGrpcSink& sink, pipeline::Batch batch) {
  auto promise = std::make_shared<std::promise<Answer>>();
  std::future<Answer> future = promise->get_future();
  sink.send(std::move(batch), pipeline::AckToken([promise](Answer answer) {
              promise->set_value(std::move(answer));
            }));
  return future;
}

inline Answer wait(std::future<Answer>& future) {
  if (future.wait_for(kTimeout) != std::future_status::ready) {
    return unknown_error(Code::kUnknown, "the test has waited long enough");
  }
  return future.get();
}

inline Answer exchange(OtlpGrpcSink& sink, pipeline::Batch batch) {
  std::future<Answer> future = send(sink, std::move(batch));
  return wait(future);
}

// One listener whose service hands everything to `behind`.
class Receiver {
 public:
  struct Options {
    ExportServiceOptions service = {};
    std::uint16_t port = 0;
    std::shared_ptr<http::TlsServerContext> tls = nullptr;
  };
  Receiver(pipeline::Sink& behind, MemoryBudget& budget, telemetry::Telemetry telemetry,
           const Options& options)
      : service_(options.service, behind, *gatekeeper_, budget, system_clock(), telemetry, "test") {
    http::ServerOptions server;
    server.name = "test";
    server.port = options.port;
    auto created = http::Server::create(server, options.tls, pool_, service_, telemetry);
    SPANWAY_CHECK(created.ok());
    server_ = std::move(created).value();
    server_->start();
  }
  ~Receiver() {
    server_->stop_accepting();
    server_->drain(Deadline::after(system_clock(), std::chrono::milliseconds(1)));
  }
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;
  std::uint16_t port() const { return server_->port(); }

 private:
  std::unique_ptr<Gatekeeper> gatekeeper_ = trusting_gatekeeper();
  ExportService service_;
  http::IoPool pool_{"test-io", 2};
  std::unique_ptr<http::Server> server_;
};

}  // namespace spanway::rpc
