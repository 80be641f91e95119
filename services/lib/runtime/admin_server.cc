#include "services/lib/runtime/admin_server.h"

#include <utility>

#include "services/lib/base/json_writer.h"

namespace spanway::runtime {
namespace {

constexpr std::size_t kShownBytesMax = 256;
constexpr std::size_t kConnectionsMax = 256;

http::Response text_response(int status, std::string_view type, std::string_view body) {
  http::Response response;
  response.status = status;
  response.headers.add("content-type", std::string(type));
  response.headers.add("cache-control", "no-store");
  response.headers.add("x-content-type-options", "nosniff");
  response.body = Bytes(body);
  return response;
}

http::Response json_error(int status, std::string_view message, std::string_view path) {
  std::string body;
  JsonWriter(body, kShownBytesMax)
      .begin_object()
      .member("error", message)
      .member("path", path)
      .end_object();
  return text_response(status, "application/json", body + "\n");
}

// Immutable; the functions of AdminPages are thread-safe.
class PagesHandler final : public http::Handler {
 public:
  PagesHandler(AdminPages pages, bool metrics_only, const telemetry::Metrics& metrics)
      : pages_(std::move(pages)), metrics_only_(metrics_only), metrics_(metrics) {}

  std::unique_ptr<http::BodyReader> on_request(const http::RequestHead& head,
                                               http::Responder responder) override {
    // The server leaves the body out of an answer to HEAD.
    if (head.method == "GET" || head.method == "HEAD") {
      responder.send(page(head.path));
    } else {
      http::Response response = json_error(405, "method not allowed; use GET", head.path);
      response.headers.add("allow", "GET, HEAD");
      responder.send(std::move(response));
    }
    return nullptr;
  }

 private:
  http::Response page(const std::string& path) const {
    constexpr std::string_view kText = "text/plain; charset=utf-8";
    if (path == "/metrics")
      return text_response(200, "text/plain; version=0.0.4; charset=utf-8", metrics_.expose());
    if (metrics_only_) return json_error(404, "not found; this port has /metrics only", path);
    // Alive = this thread still answers. A service that fails fatally exits by itself, with a
    // reason.
    if (path == "/healthz" || path == "/livez") return text_response(200, kText, "ok\n");
    if (path == "/readyz") return readyz();
    if (path == "/configz")
      return text_response(200, "application/yaml; charset=utf-8", pages_.config_yaml());
    if (path == "/statusz")
      return text_response(200, "application/json", pages_.status_json() + "\n");
    return json_error(404,
                      "not found; this port has /healthz, /livez, /readyz, /metrics, /configz and "
                      "/statusz",
                      path);
  }
  http::Response readyz() const {
    constexpr std::string_view kText = "text/plain; charset=utf-8";
    const Service::Readiness readiness = pages_.readiness();
    if (readiness.ready) {
      const std::string limit = readiness.reason.empty() ? "" : ": " + readiness.reason;
      return text_response(200, kText, "ok" + limit + "\n");
    }
    return text_response(503, kText, "not ready: " + readiness.reason + "\n");
  }

  const AdminPages pages_;
  const bool metrics_only_;
  const telemetry::Metrics& metrics_;
};

class Admin final : public AdminServer {
 public:
  Admin(AdminPages pages, telemetry::Telemetry telemetry)
      : pages_(pages, false, telemetry.metrics),
        metrics_pages_({}, true, telemetry.metrics),
        clock_(system_clock()) {}
  ~Admin() override { stop(); }

  Status listen(const AdminConfig& config, http::IoPool& pool, telemetry::Telemetry telemetry) {
    SPANWAY_ASSIGN(server_, create("admin", config.host, config.port, pool, pages_, telemetry));
    if (config.metrics_port != 0) {
      SPANWAY_ASSIGN(metrics_server_, create("metrics", config.host, config.metrics_port, pool,
                                             metrics_pages_, telemetry));
    }
    server_->start();
    if (metrics_server_ != nullptr) metrics_server_->start();
    return {};
  }

  std::uint16_t port() const noexcept override { return server_->port(); }
  std::uint16_t metrics_port() const noexcept override {
    return metrics_server_ == nullptr ? std::uint16_t{0} : metrics_server_->port();
  }
  void stop() override {
    for (http::Server* server : {server_.get(), metrics_server_.get()}) {
      if (server == nullptr) continue;
      server->stop_accepting();
      server->drain(Deadline::after(clock_, kStopWait));
    }
  }

 private:
  // Scrapers and probes keep connections open; they are cut after this.
  static constexpr Duration kStopWait = std::chrono::milliseconds(500);

  static Result<std::unique_ptr<http::Server>> create(const char* name, const std::string& host,
                                                      std::uint16_t port, http::IoPool& pool,
                                                      http::Handler& handler,
                                                      telemetry::Telemetry telemetry) {
    http::ServerOptions options;
    options.name = name;
    options.host = host;
    options.port = port;
    options.limits.connections_max = kConnectionsMax;
    return http::Server::create(std::move(options), nullptr, pool, handler, telemetry);
  }

  PagesHandler pages_;
  PagesHandler metrics_pages_;
  const Clock& clock_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<http::Server> metrics_server_;
};

}  // namespace

Result<std::unique_ptr<AdminServer>> AdminServer::create(AdminConfig config, AdminPages pages,
                                                         http::IoPool& pool,
                                                         telemetry::Telemetry telemetry) {
  auto admin = std::make_unique<Admin>(std::move(pages), telemetry);
  SPANWAY_TRY(admin->listen(config, pool, telemetry));
  return Result<std::unique_ptr<AdminServer>>(std::move(admin));
}

}  // namespace spanway::runtime
