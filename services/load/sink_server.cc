#include "services/load/sink_server.h"

#include <utility>

#include "services/lib/http/server.h"
#include "services/lib/otlp_server/otlp_http_handler.h"
#include "services/lib/rpc/export_service.h"
#include "services/load/sink_admin.h"

namespace spanway::load {

namespace {

otlp_server::OtlpHttpOptions http_options(const SinkServerOptions& o) {
  otlp_server::OtlpHttpOptions options;
  options.compressed_bytes_max = o.message_bytes_max;
  options.decode.decoded_bytes_max = o.message_bytes_max;
  return options;
}

}  // namespace

struct SinkServer::Impl {
  Impl(const SinkServerOptions& o, const Clock& c, telemetry::Telemetry t)
      : options(o),
        telemetry(t),
        budget(o.memory_bytes),
        pool("load-io", o.threads, c),
        admin_pool("load-admin", 1, c),
        sink(o.behaviour, pool, c, Random(o.seed)),
        export_service(
            {.message_bytes_max = o.message_bytes_max, .compressed_bytes_max = o.message_bytes_max},
            sink, *gatekeeper, budget, c, t, "load_grpc"),
        http_handler(http_options(o), sink, *gatekeeper, budget, c, http_events),
        admin(sink, t.metrics) {}

  Status listen(const char* name, std::optional<std::uint16_t> port, http::Handler& handler,
                http::IoPool& io, bool http1, std::unique_ptr<http::Server>& server) {
    if (!port) return ok_status();
    http::ServerOptions server_options;
    server_options.name = name;
    server_options.host = options.host;
    server_options.port = *port;
    server_options.http1 = http1;
    SPANWAY_ASSIGN(server, http::Server::create(server_options, nullptr, io, handler, telemetry));
    server->start();
    return ok_status();
  }

  const SinkServerOptions options;
  const telemetry::Telemetry telemetry;
  MemoryBudget budget;
  http::IoPool pool;
  http::IoPool admin_pool;  // Its own, so that reports come under full load, too.
  CountingSink sink;
  const std::unique_ptr<rpc::Gatekeeper> gatekeeper = rpc::trusting_gatekeeper();
  rpc::ExportService export_service;
  otlp_server::OtlpHttpEvents http_events;
  otlp_server::OtlpHttpHandler http_handler;
  SinkAdmin admin;
  std::unique_ptr<http::Server> grpc_server;
  std::unique_ptr<http::Server> http_server;
  std::unique_ptr<http::Server> admin_server;
};

Result<std::unique_ptr<SinkServer>> SinkServer::create(const SinkServerOptions& options,
                                                       const Clock& clock,
                                                       telemetry::Telemetry telemetry) {
  auto impl = std::make_unique<Impl>(options, clock, telemetry);
  SPANWAY_TRY(impl->listen("load_grpc", options.grpc_port, impl->export_service, impl->pool, false,
                           impl->grpc_server));
  SPANWAY_TRY(impl->listen("load_http", options.http_port, impl->http_handler, impl->pool, true,
                           impl->http_server));
  SPANWAY_TRY(impl->listen("load_admin", options.admin_port, impl->admin, impl->admin_pool, true,
                           impl->admin_server));
  return std::unique_ptr<SinkServer>(new SinkServer(std::move(impl)));
}

SinkServer::SinkServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

SinkServer::~SinkServer() { stop(Deadline::after(system_clock(), std::chrono::seconds(1))); }

void SinkServer::stop(Deadline deadline) {
  for (const auto& server : {&impl_->grpc_server, &impl_->http_server}) {
    if (*server) (*server)->stop_accepting();
  }
  impl_->sink.drain(deadline);
  for (const auto& server : {&impl_->grpc_server, &impl_->http_server, &impl_->admin_server}) {
    if (*server == nullptr) continue;
    (*server)->stop_accepting();
    (*server)->drain(deadline);
  }
}

CountingSink& SinkServer::sink() noexcept { return impl_->sink; }

std::uint16_t SinkServer::grpc_port() const noexcept {
  return impl_->grpc_server ? impl_->grpc_server->port() : std::uint16_t{0};
}
std::uint16_t SinkServer::http_port() const noexcept {
  return impl_->http_server ? impl_->http_server->port() : std::uint16_t{0};
}
std::uint16_t SinkServer::admin_port() const noexcept {
  return impl_->admin_server ? impl_->admin_server->port() : std::uint16_t{0};
}

}  // namespace spanway::load
