#include "services/testapp/program.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/base/loop.h"
#include "services/lib/http/io_pool.h"
#include "services/lib/rpc/otlp_grpc_sink.h"
#include "services/lib/runtime/stop_signal.h"
#include "services/lib/sinks/otlp_http/otlp_http_sink.h"
#include "services/testapp/app.h"
#include "services/testapp/options.h"

namespace spanway::testapp {
namespace {

Result<std::unique_ptr<pipeline::Sink>> create_sink(const Options& options, http::IoPool& io,
                                                    telemetry::Telemetry telemetry) {
  if (options.protocol == OtlpProtocol::kGrpc) {
    rpc::OtlpGrpcSinkOptions grpc;
    grpc.endpoint = options.endpoint;
    if (options.tls) grpc.tls.emplace().ca_file = options.ca_file;
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

int send(const Options& options, const runtime::ToolDeps& deps) {
  const telemetry::Logger log = telemetry::Logger::create(
      {.level = telemetry::LogLevel::kError, .json = false, .service = "test-app"});
  telemetry::Metrics metrics;
  http::IoPool io("test-app-io", 1);
  Loop loop("test-app");
  auto sink = create_sink(options, io, {log, metrics});
  if (!sink.ok()) {
    deps.err << "spanway-test-app: " << sink.error().message << "\n";
    return 2;
  }
  Random random = options.seed ? Random(*options.seed) : Random::from_entropy();
  runtime::StopSignal stop;
  AppOptions app_options;
  app_options.interval = options.interval;
  app_options.count = options.count;
  const auto print_line = [&deps](const std::string& line) {
    deps.out << line << "\n" << std::flush;
  };
  App app(app_options, Shop(Random(random.next()), options.error_ratio, deps.clock, options.fault),
          Random(random.next()), **sink, loop, print_line, [&stop] { stop.request("done"); });
  const std::stop_callback on_signal(deps.stop, [&stop] { stop.request("signal"); });
  app.start();
  while (!stop.wait_for(std::chrono::hours(1))) {
  }
  loop.stop();
  return app.refused() > 0 && options.count > 0 ? 1 : 0;
}

int run(const std::vector<std::string>& arguments, const runtime::ToolDeps& deps) {
  const auto options = parse_options(arguments);
  if (!options.ok()) {
    deps.err << options.error().message << "\n";
    return 2;
  }
  if (!options->help.empty()) {
    deps.out << options->help;
    return 0;
  }
  return send(*options, deps);
}

}  // namespace

runtime::Tool make_tool() { return {.name = "spanway-test-app", .run = run}; }

}  // namespace spanway::testapp
