#include "services/lib/otlp_server/otlp_listener.h"

#include <utility>

namespace spanway::otlp_server {
namespace {

constexpr Duration kTlsReloadInterval = std::chrono::seconds(10);
constexpr char kGrpcName[] = "otlp_grpc";
// Connections may take this part of the budget.
constexpr std::size_t kConnectionShare = 2;
constexpr std::size_t kFreeConnectionBytes = 8u << 20;

std::size_t size_of(std::int64_t count) noexcept { return static_cast<std::size_t>(count); }
std::uint32_t window_of(config::ByteSize size) noexcept {
  return static_cast<std::uint32_t>(size.bytes);
}

}  // namespace

http::ServerLimits server_limits(const ConnectionLimitsConfig& c, Duration request_timeout) {
  http::ServerLimits limits;
  limits.header_bytes_max = static_cast<std::size_t>(c.header_bytes_max.bytes);
  limits.header_count_max = size_of(c.header_count_max);
  limits.streams_max = static_cast<std::uint32_t>(c.streams_max);
  limits.stream_window_bytes = window_of(c.stream_window);
  limits.connection_window_bytes = window_of(c.connection_window);
  limits.connections_max = size_of(c.connections_max);
  limits.connections_per_peer_max = size_of(c.connections_per_peer_max);
  limits.handshake_timeout = c.handshake_timeout;
  limits.header_timeout = c.header_timeout;
  limits.request_timeout = request_timeout;
  limits.idle_timeout = c.idle_timeout;
  limits.connection_age_max = c.connection_age_max;
  limits.connection_age_grace = c.connection_age_grace;
  return limits;
}

OtlpListener::OtlpListener(Options options, const runtime::ServiceDeps& deps, MemoryBudget& budget)
    : options_(std::move(options)),
      deps_(deps),
      connection_memory_(budget, budget.limit() / kConnectionShare, kFreeConnectionBytes) {}

OtlpListener::~OtlpListener() = default;

Result<std::unique_ptr<OtlpListener>> OtlpListener::create(Options options,
                                                           const runtime::ServiceDeps& deps,
                                                           MemoryBudget& budget) {
  std::unique_ptr<OtlpListener> self(new OtlpListener(std::move(options), deps, budget));
  const ServerTlsConfig& config = self->options_.config.tls;
  if (!config.enabled()) return self;
  auto tls = http::TlsServerContext::create(config);
  if (!tls.ok()) return std::move(tls).error().with_context(self->tls_section());
  self->tls_ = std::move(tls).value();
  return self;
}

Status OtlpListener::listen(std::string name, std::uint16_t port, http::Handler& handler) {
  http::ServerOptions options;
  options.name = name;
  options.host = options_.config.host;
  options.port = deps_.listen_port(options_.config.host, port);
  options.limits = options_.limits;
  options.tls_section = tls_section();
  options.connection_memory = &connection_memory_;
  auto server = http::Server::create(std::move(options), tls_, deps_.io, handler, deps_.telemetry);
  if (!server.ok()) return std::move(server).error().with_context(options_.section);
  ports_.push_back({std::move(name), std::move(server).value()});
  return ok_status();
}

// HTTP/1.1 is spoken there, too, so that a client that uses the wrong port gets an answer that says
// so.
Status OtlpListener::listen_grpc(std::uint16_t port, rpc::ExportService& service) {
  export_service_ = &service;
  return listen(kGrpcName, port, service);
}

void OtlpListener::start() {
  for (const Port& port : ports_) port.server->start();
}

std::uint16_t OtlpListener::port(const std::string& name) const noexcept {
  for (const Port& port : ports_)
    if (port.name == name) return port.server->port();
  return 0;
}

Result<bool> OtlpListener::reload_tls() {
  if (tls_ == nullptr) return false;
  Result<bool> changed = tls_->reload();
  if (!changed.ok()) changed = std::move(changed).error().with_context(tls_section());
  MutexLock lock(mutex_);
  reload_error_ = changed.ok() ? std::string() : changed.error().message;
  return changed;
}

void OtlpListener::keep_tls_fresh(Executor& executor, http::TlsReloader::Report report) {
  if (tls_ == nullptr) return;
  tls_reloader_.emplace([this] { return reload_tls(); }, std::move(report), executor,
                        kTlsReloadInterval);
}

OtlpListener::TlsStatus OtlpListener::tls_status() const {
  MutexLock lock(mutex_);
  return {.seconds_to_expiry = tls_->seconds_to_expiry(), .reload_error = reload_error_};
}

void OtlpListener::shed_connections() {
  for (const Port& port : ports_) port.server->shed_connections();
}

void OtlpListener::stop_accepting() {
  if (export_service_ != nullptr) export_service_->set_serving(false);
  for (const Port& port : ports_) port.server->stop_accepting();
}

bool OtlpListener::drain(Deadline deadline) {
  bool clean = true;
  for (const Port& port : ports_) clean = port.server->drain(deadline) && clean;
  return clean;
}

}  // namespace spanway::otlp_server
