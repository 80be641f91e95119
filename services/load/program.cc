#include "services/load/program.h"

#include <sys/resource.h>

#include <future>
#include <memory>
#include <string>
#include <utility>

#include "services/lib/base/file.h"
#include "services/lib/base/mutex.h"
#include "services/lib/base/random.h"
#include "services/lib/http/client.h"
#include "services/lib/rpc/otlp_grpc_sink.h"
#include "services/lib/sinks/otlp_http/otlp_http_sink.h"
#include "services/load/compare.h"
#include "services/load/options.h"
#include "services/load/sink_server.h"

namespace spanway::load {
namespace {

constexpr int kGood = 0;
constexpr int kNotGood = 1;
constexpr int kUsage = 2;
constexpr std::size_t kLedgerBytesMax = 256u << 20;
constexpr auto kStopWait = std::chrono::seconds(5);
constexpr auto kCompareWait = std::chrono::seconds(60);

int complain(const runtime::ToolDeps& deps, const Error& error) {
  deps.err << "spanway-load: " << error.message << "\n";
  return kUsage;
}

double cpu_seconds() noexcept {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// The client of a run; the pool is for HTTP only.
struct Target {
  std::unique_ptr<http::IoPool> pool;
  std::unique_ptr<pipeline::Sink> sink;
};

Result<Target> connect_grpc(const SendOptions& options, const Clock& clock,
                            telemetry::Telemetry telemetry) {
  rpc::OtlpGrpcSinkOptions grpc;
  grpc.endpoint = options.endpoint;
  grpc.compression = options.compression;
  if (options.tls) grpc.tls = options.tls_files;
  grpc.headers = options.headers;
  grpc.timeout = options.generator.timeout;
  grpc.deadline_margin = Duration::zero();
  grpc.in_flight_max = options.generator.workers * options.generator.in_flight;
  grpc.connections = options.connections;
  SPANWAY_ASSIGN(auto sink, rpc::OtlpGrpcSink::create(std::move(grpc), clock, telemetry));
  return Target{.pool = nullptr, .sink = std::move(sink)};
}

Result<Target> connect_http(const SendOptions& options, const Clock& clock,
                            telemetry::Telemetry telemetry) {
  Target target;
  target.pool = std::make_unique<http::IoPool>("load-io", 1, clock);
  sinks::OtlpHttpSinkOptions http;
  http.endpoint = options.endpoint;
  http.encoding =
      options.transport == Transport::kHttpJson ? otlp::Encoding::kJson : otlp::Encoding::kProtobuf;
  SPANWAY_ASSIGN(
      http.http.compression,
      http::parse_content_coding(options.compression == "none" ? "identity" : options.compression));
  http.http.headers = options.headers;
  http.http.tls = options.tls_files;
  http.http.timeout = options.generator.timeout;
  http.http.deadline_margin = Duration::zero();
  // HTTP/1.1 carries one request at a time on a connection.
  http.http.in_flight_max = options.generator.workers * options.generator.in_flight;
  http.http.connections_max = http.http.in_flight_max;
  http.http.tenant_header = "spanway-tenant";
  SPANWAY_ASSIGN(target.sink, sinks::OtlpHttpSink::create(http, {*target.pool, clock, telemetry}));
  return target;
}

int run_send(const std::vector<std::string>& arguments, const runtime::ToolDeps& deps) {
  Result<Parsed<SendOptions>> parsed = parse_send(arguments, Random::from_entropy().next());
  if (!parsed.ok()) return complain(deps, parsed.error());
  if (!parsed->help.empty()) {
    deps.out << parsed->help;
    return kGood;
  }
  const SendOptions& options = parsed->options;
  const telemetry::Logger log = telemetry::Logger::create({.json = false, .service = "load"});
  telemetry::Metrics metrics;
  std::unique_ptr<LedgerWriter> ledger;
  if (!options.ledger_file.empty()) {
    auto created = LedgerWriter::create(options.ledger_file, options.generator.run);
    if (!created.ok()) return complain(deps, created.error());
    ledger = std::move(created).value();
  }
  Result<Target> target = options.transport == Transport::kGrpc
                              ? connect_grpc(options, deps.clock, {log, metrics})
                              : connect_http(options, deps.clock, {log, metrics});
  if (!target.ok()) return complain(deps, target.error());
  Generator generator(options.generator, *target->sink, ledger.get(), deps.clock);
  const double cpu_before = cpu_seconds();
  Report report = generator.run(deps.stop);
  report.cpu_seconds = cpu_seconds() - cpu_before;
  report.endpoint = options.endpoint;
  target->sink.reset();
  int code = report.acknowledged > 0 ? kGood : kNotGood;
  if (ledger != nullptr) {
    if (Status status = ledger->flush(); !status.ok()) code = complain(deps, status.error());
  }
  deps.out << (options.json_report ? to_json(report) + "\n" : to_text(report)) << std::flush;
  return code;
}

void wait_for_stop(const std::stop_token& stop) {
  Mutex mutex;
  CondVar wake;
  const std::stop_callback on_stop(stop, [&] {
    MutexLock lock(mutex);
    wake.notify_all();
  });
  MutexLock lock(mutex);
  wake.wait(mutex, [&] { return stop.stop_requested(); });
}

// The report, with the comparison in it where a ledger was named.
Result<std::string> final_report(const SinkServerOptions& options, const CountingSink& sink) {
  std::string report = sink.report_json();
  if (options.ledger_file.empty()) return report;
  SPANWAY_ASSIGN(const std::string text, read_file(options.ledger_file, kLedgerBytesMax));
  SPANWAY_ASSIGN(const Ledger ledger, parse_ledger(text));
  report.pop_back();
  return report + ",\"ledger\":" + to_json(compare(ledger, sink)) + "}";
}

int run_sink(const std::vector<std::string>& arguments, const runtime::ToolDeps& deps) {
  Result<Parsed<SinkServerOptions>> parsed = parse_sink(arguments);
  if (!parsed.ok()) return complain(deps, parsed.error());
  if (!parsed->help.empty()) {
    deps.out << parsed->help;
    return kGood;
  }
  const telemetry::Logger log = telemetry::Logger::create({.json = false, .service = "load-sink"});
  telemetry::Metrics metrics;
  auto server = SinkServer::create(parsed->options, deps.clock, {log, metrics});
  if (!server.ok()) return complain(deps, server.error());
  SinkServer& sink = **server;
  log.info("Listening", {{"host", parsed->options.host},
                         {"grpc", unsigned{sink.grpc_port()}},
                         {"http", unsigned{sink.http_port()}},
                         {"admin", unsigned{sink.admin_port()}}});
  wait_for_stop(deps.stop);
  sink.stop(Deadline::after(deps.clock, kStopWait));
  const Result<std::string> report = final_report(parsed->options, sink.sink());
  if (!report.ok()) return complain(deps, report.error());
  deps.out << *report << "\n" << std::flush;
  return kGood;
}

Result<http::Response> post(const std::string& sink_url, std::string_view path, Bytes body,
                            const Clock& clock) {
  SPANWAY_ASSIGN(const http::Url url, http::Url::parse(sink_url));
  const telemetry::Logger log = telemetry::Logger::null();
  http::IoPool pool("load-io", 1, clock);
  SPANWAY_ASSIGN(auto client, http::Client::create(url, {}, nullptr, pool));
  std::promise<Result<http::Response>> promise;
  auto future = promise.get_future();
  http::ClientRequest request;
  request.path = std::string(path);
  request.headers.add("content-type", "application/jsonl");
  request.body = std::move(body);
  client->send(
      std::move(request), Deadline::after(clock, kCompareWait), true,
      [&promise](Result<http::Response> response) { promise.set_value(std::move(response)); });
  return future.get();
}

int run_compare(const std::vector<std::string>& arguments, const runtime::ToolDeps& deps) {
  Result<Parsed<CompareOptions>> parsed = parse_compare(arguments);
  if (!parsed.ok()) return complain(deps, parsed.error());
  if (!parsed->help.empty()) {
    deps.out << parsed->help;
    return kGood;
  }
  const Result<std::string> ledger = read_file(parsed->options.ledger_file, kLedgerBytesMax);
  if (!ledger.ok()) return complain(deps, ledger.error());
  const Result<http::Response> answer =
      post(parsed->options.sink_url, "/compare", Bytes(*ledger), deps.clock);
  if (!answer.ok()) return complain(deps, answer.error());
  if (answer->status != 200) {
    return complain(deps, unavailable("the sink answered " + std::to_string(answer->status) + ": " +
                                      std::string(answer->body.view())));
  }
  deps.out << answer->body.view() << std::flush;
  const bool nothing_missing = answer->body.view().find("\"missing\":0,") != std::string_view::npos;
  return nothing_missing ? kGood : kNotGood;
}

}  // namespace

int run(const std::vector<std::string>& arguments, const runtime::ToolDeps& deps) {
  const std::string command = arguments.empty() ? "" : arguments.front();
  const bool named = command == "send" || command == "sink" || command == "compare";
  const std::vector<std::string> rest(arguments.begin() + (named ? 1 : 0), arguments.end());
  if (command == "sink") return run_sink(rest, deps);
  if (command == "compare") return run_compare(rest, deps);
  return run_send(rest, deps);
}

runtime::Tool make_tool() { return {.name = "spanway-load", .run = run}; }

}  // namespace spanway::load
