// spanway-test-app: telemetry to look at, from a shop that does not exist.
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/base/loop.h"
#include "services/lib/http/io_pool.h"
#include "services/lib/rpc/otlp_grpc_sink.h"
#include "services/lib/runtime/signal_watcher.h"
#include "services/lib/runtime/stop_signal.h"
#include "services/lib/sinks/otlp_http_sink.h"
#include "services/testapp/app.h"
#include "services/testapp/options.h"

namespace spanway::testapp {
namespace {

Result<std::unique_ptr<pipeline::Sink>> make_sink(const Options& options, http::IoPool& io,
                                                  telemetry::Telemetry telemetry) {
  if (options.protocol == OtlpProtocol::kGrpc) {
    rpc::OtlpGrpcSinkOptions grpc;
    grpc.endpoint = options.endpoint;
    grpc.tls = options.tls;
    grpc.tls_ca_file = options.ca_file;
    grpc.headers = options.headers;
    grpc.connections = 1;
    grpc.send_metadata = false;
    SPANWAY_ASSIGN(auto sink,
                   rpc::OtlpGrpcSink::create(std::move(grpc), system_clock(), telemetry));
    return std::unique_ptr<pipeline::Sink>(std::move(sink));
  }
  sinks::OtlpHttpSinkOptions http;
  http.endpoint = options.endpoint;
  http.http.headers = options.headers;
  http.http.tls.ca_file = options.ca_file;
  SPANWAY_ASSIGN(auto sink, sinks::OtlpHttpSink::create(http, {io, system_clock(), telemetry}));
  return std::unique_ptr<pipeline::Sink>(std::move(sink));
}

void print_line(const std::string& line) {
  std::fprintf(stdout, "%s\n", line.c_str());
  std::fflush(stdout);
}

int run(const Options& options) {
  runtime::block_signals();
  const telemetry::Logger log = telemetry::Logger::create(
      {.level = telemetry::LogLevel::kError, .json = false, .service = "test-app"});
  telemetry::Metrics metrics;
  http::IoPool io("test-app-io", 1);
  Loop loop("test-app");
  auto sink = make_sink(options, io, {log, metrics});
  if (!sink.ok()) {
    std::fprintf(stderr, "spanway-test-app: %s\n", sink.error().message.c_str());
    return 2;
  }
  Random random = options.seed ? Random(*options.seed) : Random::from_entropy();
  runtime::StopSignal stop;
  AppOptions app_options;
  app_options.interval = options.interval;
  app_options.count = options.count;
  App app(app_options, Shop(Random(random.next()), options.error_ratio, system_clock()),
          Random(random.next()), **sink, loop, print_line, [&stop] { stop.request("done"); });
  const auto end = [&stop](const char* name) { stop.request(name); };
  const auto watcher = runtime::SignalWatcher::create(end, end);
  if (!watcher.ok()) {
    std::fprintf(stderr, "spanway-test-app: %s\n", watcher.error().message.c_str());
    return 1;
  }
  app.start();
  while (!stop.wait_for(std::chrono::hours(1))) {
  }
  loop.stop();
  return app.refused() > 0 && options.count > 0 ? 1 : 0;
}

}  // namespace
}  // namespace spanway::testapp

int main(int argc, char** argv) {
  using namespace spanway::testapp;  // NOLINT: this file is the program.
  const auto options = parse_options(std::vector<std::string>(argv + 1, argv + argc));
  if (!options.ok()) {
    std::fprintf(stderr, "%s\n", options.error().message.c_str());
    return 2;
  }
  if (options->help) {
    std::fwrite(help_text().data(), 1, help_text().size(), stdout);
    return 0;
  }
  if (options->version) {
    std::puts("spanway-test-app " SPANWAY_VERSION);
    return 0;
  }
  return run(*options);
}
