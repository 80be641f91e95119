#include "services/exporter/exporter_service.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "services/lib/rpc/otlp_grpc_sink.h"
#include "tests/fakes/answers.h"
#include "tests/fakes/fake_http_backend.h"
#include "tests/fakes/otlp_builder.h"
#include "tests/fakes/sink_recorder.h"

namespace spanway::exporter {
namespace {

using std::chrono::seconds;

// A service on a free port, and the client that a bridge would be.
class ExporterServiceTest : public testing::Test {
 protected:
  ExporterServiceTest() {
    config_.otlp.grpc.port = 0;
    config_.probe_interval = Duration::zero();
    config_.destination.type = sinks::DestinationType::kZipkin;
    config_.destination.zipkin.endpoint = backend_.url();
    backend_.answer_with(202);
  }
  void start(const sinks::DestinationRegistry& registry = sinks::builtin_destinations()) {
    auto service = ExporterService::create(config_, registry, {io_, telemetry_, system_clock()});
    ASSERT_TRUE(service.ok()) << service.error().message;
    service_ = std::move(service).value();
    EXPECT_FALSE(service_->readiness().ready);
    ASSERT_TRUE(service_->start().ok());
    EXPECT_TRUE(service_->readiness().ready);
    rpc::OtlpGrpcSinkOptions options;
    options.endpoint = "127.0.0.1:" + std::to_string(service_->port());
    options.connections = 1;
    client_ = std::move(rpc::OtlpGrpcSink::create(options, system_clock(), telemetry_)).value();
  }
  // A service whose destination is in the test's hands.
  fakes::SinkRecorder* start_with_recorder() {
    auto recorder = std::make_unique<fakes::SinkRecorder>();
    fakes::SinkRecorder* borrowed = recorder.get();
    sinks::DestinationRegistry registry;
    auto shared = std::make_shared<std::unique_ptr<fakes::SinkRecorder>>(std::move(recorder));
    registry.add(sinks::DestinationType::kDebug,
                 [shared](const sinks::DestinationConfig&, const sinks::DestinationDeps&) {
                   return Result<std::unique_ptr<pipeline::Sink>>(std::move(*shared));
                 });
    config_.destination.type = sinks::DestinationType::kDebug;
    start(registry);
    return borrowed;
  }
  static pipeline::Batch batch(otlp::Signal signal = otlp::Signal::kTraces) {
    pipeline::Batch b;
    b.signal = signal;
    b.payload = Bytes(fakes::otlp_request_of({fakes::otlp_span(1, 1), fakes::otlp_span(1, 2)}));
    b.deadline = Deadline::after(system_clock(), seconds(20));
    return b;
  }
  Result<pipeline::Outcome> exchange(pipeline::Batch b) {
    client_->send(std::move(b), answers_.token());
    auto answer = answers_.next();
    if (!answer) return unknown_error(Code::kUnknown, "no answer within 20 s");
    return std::move(*answer);
  }

  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  telemetry::Telemetry telemetry_{log_, metrics_};
  http::IoPool io_{"test", 2};
  fakes::FakeHttpBackend backend_;
  ExporterConfig config_;
  fakes::Answers answers_;
  std::unique_ptr<ExporterService> service_;
  std::unique_ptr<rpc::OtlpGrpcSink> client_;
};

TEST_F(ExporterServiceTest, AnswersWhenTheDestinationHasAnswered) {
  backend_.answer_with([](const fakes::SeenRequest&) { return std::nullopt; });
  start();
  client_->send(batch(), answers_.token());
  ASSERT_TRUE(backend_.wait_for_requests(1));
  EXPECT_EQ(answers_.count(), 0u);
  backend_.release([] { return fakes::http_answer(202); });
  EXPECT_TRUE(answers_.next()->ok());
}

TEST_F(ExporterServiceTest, KindsOfRefusalSurviveTheHop) {
  start();
  struct Expected {
    int status;
    Refusal refusal;
    Code code;
    const char* reason;
  };
  for (const Expected& e :
       {Expected{503, Refusal::kTransient, Code::kUnavailable, "destination_transient"},
        Expected{429, Refusal::kTransient, Code::kResourceExhausted, "destination_transient"},
        Expected{400, Refusal::kData, Code::kInvalidArgument, "destination_data"},
        Expected{413, Refusal::kData, Code::kResourceExhausted, "destination_data"},
        Expected{401, Refusal::kConfiguration, Code::kUnauthenticated, "destination_configuration"},
        Expected{403, Refusal::kConfiguration, Code::kPermissionDenied,
                 "destination_configuration"},
        Expected{404, Refusal::kConfiguration, Code::kNotFound, "destination_configuration"},
        Expected{302, Refusal::kConfiguration, Code::kFailedPrecondition,
                 "destination_configuration"},
        Expected{500, Refusal::kUnknown, Code::kInternal, "destination_unknown"}}) {
    SCOPED_TRACE(e.status);
    backend_.answer_with(e.status);
    const auto answer = exchange(batch());
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.error().refusal, e.refusal);
    EXPECT_EQ(answer.error().code, e.code);
    EXPECT_STREQ(answer.error().reason, e.reason);
    EXPECT_NE(answer.error().message.find("HTTP " + std::to_string(e.status)), std::string::npos)
        << answer.error().message;
  }
}

TEST_F(ExporterServiceTest, RetryAfterSurvivesTheHop) {
  start();
  backend_.answer_with([](const fakes::SeenRequest&) {
    http::Response busy = fakes::http_answer(503);
    busy.headers.add("retry-after", "7");
    return busy;
  });
  EXPECT_EQ(exchange(batch()).error().retry_after, seconds(7));
}

TEST_F(ExporterServiceTest, PartialSuccessSurvivesTheHop) {
  start_with_recorder()->answer_with([](const pipeline::Batch&) {
    return Result<pipeline::Outcome>(pipeline::Outcome{.rejected = 1, .message = "too old"});
  });
  const auto answer = exchange(batch());
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->rejected, 1u);
  EXPECT_EQ(answer->message, "too old");
}

TEST_F(ExporterServiceTest, SignalsThatAreNotTakenStallTheSender) {
  start();
  const auto answer = exchange(batch(otlp::Signal::kMetrics));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().refusal, Refusal::kConfiguration);
  EXPECT_STREQ(answer.error().reason, "signal_not_accepted");
}

TEST_F(ExporterServiceTest, BelievesMetadataOnlyWhenConfigured) {
  for (const bool trust : {false, true}) {
    config_.trust_metadata = trust;
    fakes::SinkRecorder* recorder = start_with_recorder();
    pipeline::Batch b = batch();
    b.metadata.tenant = "acme";
    b.metadata.batch_id = "otel.traces:0:1-2";
    client_->send(std::move(b), answers_.token());
    auto taken = recorder->take();
    ASSERT_TRUE(taken.has_value());
    EXPECT_EQ(taken->batch.metadata.tenant, trust ? "acme" : "");
    EXPECT_EQ(taken->batch.metadata.batch_id, trust ? "otel.traces:0:1-2" : "");
    taken->token.ack();
    EXPECT_TRUE(answers_.next()->ok());
    taken.reset();  // Its permit is of the service's budget.
    client_.reset();
    service_.reset();
  }
}

TEST_F(ExporterServiceTest, GivesItsDestinationTheSendersDeadline) {
  fakes::SinkRecorder* recorder = start_with_recorder();
  pipeline::Batch b = batch();
  b.deadline = Deadline::after(system_clock(), seconds(5));
  client_->send(std::move(b), answers_.token());
  auto taken = recorder->take();
  ASSERT_TRUE(taken.has_value());
  EXPECT_LT(taken->batch.deadline.remaining(system_clock().now()), seconds(5));
  EXPECT_GT(taken->batch.deadline.remaining(system_clock().now()), seconds(1));
  taken->token.ack();
  EXPECT_TRUE(answers_.next()->ok());
}

TEST_F(ExporterServiceTest, RefusesForNowWhenMemoryIsUsedUp) {
  config_.budget_share = batch().payload.size() + 50;
  fakes::SinkRecorder* recorder = start_with_recorder();
  client_->send(batch(), answers_.token());
  auto taken = recorder->take();
  ASSERT_TRUE(taken.has_value());
  fakes::Answers second;
  client_->send(batch(), second.token());
  const Error error = second.next()->error();
  EXPECT_EQ(error.refusal, Refusal::kTransient);
  EXPECT_EQ(error.code, Code::kResourceExhausted);
  taken->token.ack();
  EXPECT_TRUE(answers_.next()->ok());
}

TEST_F(ExporterServiceTest, DrainFinishesWhatIsInFlight) {
  fakes::SinkRecorder* recorder = start_with_recorder();
  client_->send(batch(), answers_.token());
  auto taken = recorder->take();
  ASSERT_TRUE(taken.has_value());
  service_->stop_accepting();
  EXPECT_FALSE(service_->readiness().ready);
  taken->token.ack();
  EXPECT_TRUE(answers_.next()->ok());
  EXPECT_TRUE(service_->drain(Deadline::after(system_clock(), seconds(15))));
  EXPECT_TRUE(service_->drain(Deadline::after(system_clock(), seconds(15))));
}

TEST_F(ExporterServiceTest, DestroyedWithWorkInFlightRefusesIt) {
  backend_.answer_with([](const fakes::SeenRequest&) { return std::nullopt; });
  start();
  client_->send(batch(), answers_.token());
  ASSERT_TRUE(backend_.wait_for_requests(1));
  service_.reset();
  EXPECT_EQ(answers_.next()->error().refusal, Refusal::kTransient);
}

TEST_F(ExporterServiceTest, StatusReportsTheDestination) {
  start();
  const std::string place = R"("type":"zipkin","endpoint":")" + backend_.url() + R"(")";
  EXPECT_NE(service_->status_json().find(
                place + R"(,"reachable":null,"last_error":"","last_error_reason":"")"),
            std::string::npos)
      << service_->status_json();
  ASSERT_TRUE(exchange(batch()).ok());
  EXPECT_NE(service_->status_json().find(place + R"(,"reachable":true,"last_error":"")"),
            std::string::npos);
  backend_.answer_with(503);
  ASSERT_FALSE(exchange(batch()).ok());
  EXPECT_NE(service_->status_json().find(R"("reachable":false,"last_error":")"), std::string::npos);
  EXPECT_NE(service_->status_json().find("HTTP 503"), std::string::npos);
}

TEST_F(ExporterServiceTest, ProbesSoThatStatusKnowsWithoutTraffic) {
  config_.probe_interval = seconds(30);
  start();
  ASSERT_TRUE(backend_.wait_for_requests(1));
  EXPECT_EQ(backend_.requests()[0].decoded(), "[]");
}

TEST_F(ExporterServiceTest, TakenPortIsAnErrorAtStart) {
  start();
  config_.otlp.grpc.port = service_->port();
  EXPECT_FALSE(ExporterService::create(config_, sinks::builtin_destinations(),
                                       {io_, telemetry_, system_clock()})
                   .ok());
}

TEST(ExporterMetrics, HaveUniqueNames) {
  std::vector<std::string> names;
  for (const auto& spec : all_metric_specs()) names.emplace_back(spec.name);
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
  for (const auto& spec : metric_specs())
    EXPECT_TRUE(std::string_view(spec.name).starts_with("spanway_exporter_")) << spec.name;
}

TEST_F(ExporterServiceTest, StaysReadyAndSaysThatItIsDegradedWhileTheCircuitIsOpen) {
  start_with_recorder()->answer_with(
      [](const auto&) -> Result<pipeline::Outcome> { return unavailable("down"); });
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(exchange(batch()).ok());
  const auto refused = exchange(batch());
  ASSERT_FALSE(refused.ok());
  EXPECT_STREQ(refused.error().reason, "circuit_open");
  EXPECT_TRUE(refused.error().retry_after.has_value());
  EXPECT_TRUE(service_->readiness().ready);
  EXPECT_TRUE(service_->readiness().reason.starts_with("degraded: "));
  EXPECT_NE(service_->readiness().reason.find(" gets probes only, its circuit is open: "),
            std::string::npos)
      << service_->readiness().reason;
  EXPECT_NE(service_->status_json().find("\"circuit\":\"open\",\"degraded\":true"),
            std::string::npos)
      << service_->status_json();
}

}  // namespace
}  // namespace spanway::exporter
