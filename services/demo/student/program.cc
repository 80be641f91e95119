#include "services/demo/student/program.h"

#include <memory>
#include <utility>
#include <vector>

#include "services/demo/student/database.h"
#include "services/demo/student/demo_topics.h"
#include "services/demo/student/fees_consumer.h"
#include "services/demo/student/student_api.h"
#include "services/demo/tracing/span_exporter.h"
#include "services/demo/tracing/tracer.h"
#include "services/lib/base/loop.h"
#include "services/lib/http/io_pool.h"
#include "services/lib/http/server.h"
#include "services/lib/kafka/consumer.h"
#include "services/lib/kafka/producer.h"
#include "services/lib/rpc/otlp_grpc_sink.h"
#include "services/lib/runtime/flags.h"
#include "services/lib/runtime/stop_signal.h"
#include "services/lib/telemetry/logger.h"
#include "services/lib/telemetry/metrics.h"

namespace spanway::demo {
namespace {

constexpr Duration kStartTime = std::chrono::seconds(30);
constexpr Duration kStopTime = std::chrono::seconds(5);

struct Options {
  std::vector<std::string> words;
  std::optional<std::uint16_t> port;
  std::string database = "host=127.0.0.1 port=5432 dbname=postgres user=postgres";
  std::string kafka = "127.0.0.1:9092";
  std::string endpoint = "127.0.0.1:4317";
};

runtime::FlagSet flag_set(Options& options) {
  runtime::FlagSet set("spanway-demo-student api|fees [flags]",
                       "Applications of the student demo.\n"
                       "  api   POST /api/v1/student: a row in PostgreSQL, a message on `student`\n"
                       "  fees  reads `student`, sets the fees, writes `student-billing`");
  set.add_words(options.words);
  set.add("port", options.port, "of the API on 127.0.0.1; default 0, a free one");
  set.add("database", options.database, "connection string of libpq");
  set.add("kafka", options.kafka, "host:port of a broker");
  set.add("endpoint", options.endpoint, "host:port of the pipeline's OTLP/gRPC");
  return set;
}

// The parts of both applications. Members that are used by others come first.
class Application {
 public:
  static Result<std::unique_ptr<Application>> create(const Options& options,
                                                     const runtime::ToolDeps& deps) {
    std::unique_ptr<Application> app(new Application(options, deps));
    rpc::OtlpGrpcSinkOptions grpc;
    grpc.endpoint = options.endpoint;
    grpc.connections = 1;
    grpc.send_metadata = false;
    SPANWAY_ASSIGN(app->sink_,
                   rpc::OtlpGrpcSink::create(std::move(grpc), deps.clock, app->telemetry()));
    Random random = Random::from_entropy();
    app->exporter_ = std::make_unique<SpanExporter>("student-" + options.words[0],
                                                    Random(random.next()), *app->sink_, app->loop_);
    app->tracer_ = std::make_unique<Tracer>(Random(random.next()), deps.clock, *app->exporter_);
    app->database_ = std::make_unique<Database>(options.database, *app->tracer_);
    app->kafka_.brokers = {options.kafka};
    app->kafka_.client_id = "student-" + options.words[0];
    SPANWAY_TRY(create_topics(app->kafka_, deps.clock, app->telemetry(),
                              Deadline::after(deps.clock, kStartTime)));
    // `fees` has nothing to do before the API has written a row.
    if (options.words[0] == "api") SPANWAY_TRY(app->database_->create_table());
    SPANWAY_ASSIGN(app->producer_,
                   kafka::Producer::create(app->kafka_, {}, deps.clock, app->telemetry()));
    return app;
  }

  int run(const std::string& command) {
    const std::stop_callback on_signal(deps_.stop, [this] { stop_.request("signal"); });
    const Status done = command == "api" ? serve() : consume();
    worker_.stop();
    producer_->drain(Deadline::after(deps_.clock, kStopTime));
    exporter_->flush(Deadline::after(deps_.clock, kStopTime));
    loop_.stop();
    if (done.ok()) return 0;
    deps_.err << "spanway-demo-student: " << done.error().message << "\n";
    return 1;
  }

 private:
  Application(const Options& options, const runtime::ToolDeps& deps)
      : options_(options),
        deps_(deps),
        log_(telemetry::Logger::create(
            {.level = telemetry::LogLevel::kWarn, .json = false, .service = "demo-student"})) {}

  telemetry::Telemetry telemetry() { return {log_, metrics_}; }
  void wait_for_stop() {
    while (!stop_.wait_for(std::chrono::hours(1))) {
    }
  }

  Status serve() {
    StudentApi api({*database_, *producer_, *tracer_, worker_});
    http::IoPool io("student-io", 1);
    http::ServerOptions options;
    options.name = "student";
    options.port = options_.port.value_or(0);
    SPANWAY_ASSIGN(const auto server, http::Server::create(options, nullptr, io, api, telemetry()));
    server->start();
    deps_.out << "listening on 127.0.0.1:" << server->port() << "\n" << std::flush;
    wait_for_stop();
    server->stop_accepting();
    server->drain(Deadline::after(deps_.clock, kStopTime));
    worker_.stop();
    producer_->drain(Deadline::after(deps_.clock, kStopTime));
    return ok_status();
  }

  Status consume() {
    Status failed = ok_status();
    const auto assigned = [this] { deps_.out << "subscribed\n" << std::flush; };
    const auto fatal = [this, &failed](const Error& error) {
      failed = error;
      stop_.request("fatal");
    };
    FeesConsumer fees(
        {*database_, *producer_, *tracer_, consumer_loop_, worker_, log_, assigned, fatal});
    kafka::ConsumerConfig config;
    config.group = "student-fees";
    config.start_from = kafka::ConsumerConfig::StartFrom::kEarliest;
    SPANWAY_ASSIGN(const auto consumer, kafka::Consumer::create(kafka_, config, {kStudentTopic},
                                                                consumer_loop_, fees, telemetry()));
    fees.set_consumer(*consumer);
    consumer_loop_.post([&consumer, &fatal] {
      if (const Status started = consumer->start(); !started.ok()) fatal(started.error());
    });
    wait_for_stop();
    runtime::StopSignal closed;
    consumer_loop_.post([&consumer, &closed] {
      consumer->close();
      closed.request("closed");
    });
    closed.wait_for(kStopTime);
    worker_.stop();
    producer_->drain(Deadline::after(deps_.clock, kStopTime));
    consumer_loop_.stop();
    return failed;
  }

  const Options& options_;
  const runtime::ToolDeps& deps_;
  const telemetry::Logger log_;
  telemetry::Metrics metrics_;
  kafka::ClientConfig kafka_;
  runtime::StopSignal stop_;
  std::unique_ptr<rpc::OtlpGrpcSink> sink_;
  Loop loop_{"student"};
  std::unique_ptr<SpanExporter> exporter_;
  std::unique_ptr<Tracer> tracer_;
  std::unique_ptr<Database> database_;
  Loop worker_{"student-rows"};
  Loop consumer_loop_{"student-kafka"};
  std::unique_ptr<kafka::Producer> producer_;
};

int run(const std::vector<std::string>& arguments, const runtime::ToolDeps& deps) {
  Options options;
  runtime::FlagSet flags = flag_set(options);
  if (const Status parsed = flags.parse(arguments); !parsed.ok()) {
    deps.err << parsed.error().message << "\n";
    return 2;
  }
  if (flags.help_requested()) {
    deps.out << flags.help();
    return 0;
  }
  if (options.words.size() != 1 || (options.words[0] != "api" && options.words[0] != "fees")) {
    deps.err << "spanway-demo-student: which application? api or fees; see --help\n";
    return 2;
  }
  auto app = Application::create(options, deps);
  if (!app.ok()) {
    deps.err << "spanway-demo-student: " << app.error().message << "\n";
    return 1;
  }
  return (*app)->run(options.words[0]);
}

}  // namespace

runtime::Tool make_tool() { return {.name = "spanway-demo-student", .run = run}; }

}  // namespace spanway::demo
