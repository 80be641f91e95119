// The generator against the counting sink, over real connections.
#include "services/load/sink_server.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "services/lib/rpc/otlp_grpc_sink.h"
#include "services/lib/sinks/otlp_http/otlp_http_sink.h"
#include "services/load/compare.h"
#include "services/load/generator.h"
#include "services/load/item_id.h"

namespace spanway::load {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kRun = make_run(21);

class SinkServerTest : public testing::Test {
 protected:
  SinkServerTest() {
    SinkServerOptions options;
    options.grpc_port = 0;
    options.http_port = 0;
    options.admin_port = 0;
    server_ = SinkServer::create(options, system_clock(), telemetry()).value();
  }
  static GeneratorOptions load() {
    GeneratorOptions options;
    options.signals = {otlp::Signal::kTraces, otlp::Signal::kMetrics, otlp::Signal::kLogs};
    options.plan = {.rate = 20'000, .duration = milliseconds(100), .batch = 64};
    options.contents.item_bytes = 300;
    options.distinct = 2;
    options.run = kRun;
    options.retry.backoff = {.initial = milliseconds(2), .max = milliseconds(20)};
    options.retry.retry_for = seconds(20);
    return options;
  }
  Report send_to(pipeline::Sink& target, const GeneratorOptions& options = load()) {
    return Generator(options, target, nullptr, system_clock()).run({});
  }
  std::unique_ptr<pipeline::Sink> grpc(const std::string& compression = "none") {
    rpc::OtlpGrpcSinkOptions options;
    options.endpoint = "127.0.0.1:" + std::to_string(server_->grpc_port());
    options.connections = 2;
    options.compression = compression;
    return rpc::OtlpGrpcSink::create(options, system_clock(), telemetry()).value();
  }
  std::unique_ptr<pipeline::Sink> http(otlp::Encoding encoding, http::ContentCoding compression) {
    sinks::OtlpHttpSinkOptions options;
    options.endpoint = "http://127.0.0.1:" + std::to_string(server_->http_port());
    options.encoding = encoding;
    options.http.compression = compression;
    return sinks::OtlpHttpSink::create(options, {pool_, system_clock(), telemetry()}).value();
  }
  telemetry::Telemetry telemetry() { return {log_, metrics_}; }
  void expect_all(const Report& report) {
    EXPECT_EQ(report.acknowledged, 2000u) << report.first_error;
    EXPECT_EQ(server_->sink().presence_of(kRun).unique, 2000u);
  }

  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  http::IoPool pool_{"test-client", 1};
  std::unique_ptr<SinkServer> server_;
};

TEST_F(SinkServerTest, ReceivesEveryItemOverGrpc) {
  expect_all(send_to(*grpc()));
  EXPECT_EQ(server_->sink().presence_of(kRun).received, 2000u);
}

TEST_F(SinkServerTest, ReceivesEveryItemOverGrpcWithGzip) { expect_all(send_to(*grpc("gzip"))); }

TEST_F(SinkServerTest, ReceivesEveryItemOverHttp) {
  expect_all(send_to(*http(otlp::Encoding::kProtobuf, http::ContentCoding::kIdentity)));
}

TEST_F(SinkServerTest, ReceivesEveryItemOverHttpWithZstd) {
  expect_all(send_to(*http(otlp::Encoding::kProtobuf, http::ContentCoding::kZstd)));
}

TEST_F(SinkServerTest, ReceivesEveryItemAsJsonWithGzip) {
  expect_all(send_to(*http(otlp::Encoding::kJson, http::ContentCoding::kGzip)));
}

TEST_F(SinkServerTest, NothingAcknowledgedIsMissingWhenHalfIsRefused) {
  server_->sink().set_behaviour(
      {.fail_code = Code::kUnavailable, .fail_ratio = 0.5, .retry_after = milliseconds(1)});
  const Report report = send_to(*grpc());
  expect_all(report);
  EXPECT_GT(report.errors.at(Code::kUnavailable), 5u);
}

TEST_F(SinkServerTest, ATakenPortIsAnError) {
  SinkServerOptions options;
  options.grpc_port = server_->grpc_port();
  options.admin_port = std::nullopt;
  const auto second = SinkServer::create(options, system_clock(), telemetry());
  EXPECT_FALSE(second.ok());
}

TEST_F(SinkServerTest, StopsTwice) {
  server_->stop(Deadline::after(system_clock(), seconds(5)));
  server_->stop(Deadline::after(system_clock(), seconds(5)));
  GeneratorOptions impatient = load();
  impatient.retry.retry_for = milliseconds(10);
  EXPECT_EQ(send_to(*grpc(), impatient).acknowledged, 0u);
}

}  // namespace
}  // namespace spanway::load
