#include "services/exporter/gate.h"

#include <gtest/gtest.h>

#include "tests/fakes/answers.h"
#include "tests/fakes/manual_executor.h"
#include "tests/fakes/otlp_builder.h"
#include "tests/fakes/sink_recorder.h"

namespace spanway::exporter {
namespace {

using std::chrono::seconds;

class GateTest : public testing::Test {
 protected:
  GateTest() { make({}); }
  void make(GateOptions options) {
    options.destination = "test";
    auto recorder = std::make_unique<fakes::SinkRecorder>();
    recorder_ = recorder.get();
    gate_.reset();
    gate_ = std::make_unique<Gate>(options, std::move(recorder), executor_,
                                   telemetry::Telemetry{log_, metrics_});
  }
  void destination_says(Result<pipeline::Outcome> answer) {
    recorder_->answer_with([answer](const pipeline::Batch&) { return answer; });
  }
  static pipeline::Batch batch(otlp::Signal signal = otlp::Signal::kTraces) {
    pipeline::Batch b;
    b.signal = signal;
    b.payload = Bytes(fakes::otlp_request_of({fakes::otlp_span(1, 1), fakes::otlp_span(1, 2)}));
    return b;
  }
  double metric(const std::string& name, telemetry::Labels labels = {}) {
    labels.insert({"destination", "test"});
    labels.insert({"signal", "traces"});
    return metrics_.value("spanway_exporter_" + name, labels);
  }
  double of_destination(const std::string& name) {
    return metrics_.value("spanway_exporter_" + name, {{"destination", "test"}});
  }
  Error refusal_of(pipeline::Batch b) {
    gate_->send(std::move(b), answers_.token());
    return answers_.next()->error();
  }

  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  fakes::ManualClock clock_;
  fakes::ManualExecutor executor_{clock_};
  fakes::Answers answers_;
  fakes::SinkRecorder* recorder_ = nullptr;
  std::unique_ptr<Gate> gate_;
};

TEST_F(GateTest, CountsWhatPasses) {
  destination_says(pipeline::Outcome{});
  gate_->send(batch(), answers_.token());
  EXPECT_TRUE(answers_.next()->ok());
  EXPECT_EQ(recorder_->items(), 2u);
  EXPECT_EQ(metric("sent_batches_total"), 1);
  EXPECT_EQ(metric("sent_items_total"), 2);
  EXPECT_EQ(metric("received_bytes_total"), static_cast<double>(batch().payload.size()));
}

TEST_F(GateTest, CountsWhatWasRejected) {
  destination_says(pipeline::Outcome{.rejected = 1, .message = "old"});
  gate_->send(batch(), answers_.token());
  const auto answer = answers_.next();
  EXPECT_EQ(answer->value().rejected, 1u);
  EXPECT_EQ(answer->value().message, "old");
  EXPECT_EQ(metric("sent_items_total"), 1);
  EXPECT_EQ(metric("rejected_items_total"), 1);
}

TEST_F(GateTest, PassesRefusalsUnchangedAndNamesTheReason) {
  const auto said = [&](Error error) {
    destination_says(std::move(error));
    return refusal_of(batch());
  };
  const Error busy = said(unavailable("busy").with_retry_after(seconds(7)));
  EXPECT_EQ(busy.code, Code::kUnavailable);
  EXPECT_EQ(busy.refusal, Refusal::kTransient);
  EXPECT_EQ(busy.retry_after, seconds(7));
  EXPECT_EQ(busy.message, "busy");
  EXPECT_STREQ(busy.reason, "destination_transient");
  EXPECT_STREQ(said(invalid_argument("bad")).reason, "destination_data");
  EXPECT_STREQ(said(configuration_error(Code::kUnauthenticated, "no")).reason,
               "destination_configuration");
  EXPECT_STREQ(said(unknown_error(Code::kInternal, "?")).reason, "destination_unknown");
  EXPECT_STREQ(said(unavailable("full").with_reason("disk_full")).reason, "disk_full");
  EXPECT_EQ(metric("refused_batches_total", {{"refusal", "transient"}}), 2);
  EXPECT_EQ(metric("refused_batches_total", {{"refusal", "data"}}), 1);
}

TEST_F(GateTest, RefusesSignalsThatAreNotAccepted) {
  make({.destination = {}, .signals = {true, false, false}});
  const Error error = refusal_of(batch(otlp::Signal::kLogs));
  EXPECT_EQ(error.code, Code::kUnimplemented);
  EXPECT_EQ(error.refusal, Refusal::kConfiguration);
  EXPECT_STREQ(error.reason, "signal_not_accepted");
  EXPECT_EQ(recorder_->sent(), 0u);
  EXPECT_EQ(metric("refused_batches_total", {{"refusal", "configuration"}, {"signal", "logs"}}), 1);
}

TEST_F(GateTest, RefusesBrokenFramingWithoutAskingTheDestination) {
  pipeline::Batch broken;
  broken.payload = Bytes("\x0a\x7f");
  EXPECT_EQ(refusal_of(std::move(broken)).refusal, Refusal::kData);
  EXPECT_EQ(recorder_->sent(), 0u);
}

TEST_F(GateTest, BelievesACountThatIsThere) {
  destination_says(pipeline::Outcome{});
  pipeline::Batch counted = batch();
  counted.item_count = 77;
  gate_->send(std::move(counted), answers_.token());
  EXPECT_EQ(metric("sent_items_total"), 77);
}

TEST_F(GateTest, ProbesAtOnceAndThenOnlyWithoutTraffic) {
  destination_says(pipeline::Outcome{});
  EXPECT_EQ(gate_->reachable(), std::nullopt);
  gate_->start();
  executor_.advance(seconds(1));
  EXPECT_EQ(recorder_->sent(), 1u);
  EXPECT_EQ(gate_->reachable(), true);
  executor_.advance(seconds(30));
  EXPECT_EQ(recorder_->sent(), 2u);
  for (int i = 0; i < 12; ++i) {
    executor_.advance(seconds(10));
    gate_->send(batch(), answers_.token());
  }
  EXPECT_EQ(recorder_->sent(), 14u);
  executor_.advance(seconds(60));
  EXPECT_EQ(recorder_->sent(), 16u);
  // Probes are not counted as traffic.
  EXPECT_EQ(metric("sent_batches_total"), 12);
}

TEST_F(GateTest, ProbesWithASignalThatIsAcceptedAndADeadline) {
  make({.destination = {}, .signals = {false, false, true}});
  gate_->start();
  executor_.run();
  auto taken = recorder_->take();
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(taken->batch.signal, otlp::Signal::kLogs);
  EXPECT_TRUE(taken->batch.payload.empty());
  EXPECT_EQ(taken->batch.deadline.remaining(clock_.now()), seconds(10));
  taken->token.ack();
}

TEST_F(GateTest, ProbesNeitherAfterDrainNorAfterItsEndNorWhenTurnedOff) {
  destination_says(pipeline::Outcome{});
  gate_->start();
  executor_.run();
  EXPECT_TRUE(gate_->drain(Deadline::never()));
  executor_.advance(seconds(120));
  EXPECT_EQ(recorder_->sent(), 1u);

  make({.destination = {}, .probe_interval = Duration::zero()});
  gate_->start();
  executor_.advance(seconds(120));
  EXPECT_EQ(recorder_->sent(), 0u);

  make({});
  gate_->start();
  gate_.reset();
  executor_.advance(seconds(120));
  EXPECT_EQ(executor_.pending_timers(), 0u);
}

TEST_F(GateTest, ADestinationThatFailsGetsOnlyProbesUntilItTakesOne) {
  destination_says(unavailable("connection refused"));
  for (int i = 0; i < 20; ++i) EXPECT_STREQ(refusal_of(batch()).reason, "destination_transient");
  EXPECT_EQ(gate_->circuit(), CircuitBreaker::State::kOpen);
  EXPECT_EQ(of_destination("degraded_destinations"), 1);
  EXPECT_EQ(recorder_->sent(), 20u);
  for (int i = 0; i < 100; ++i) {
    const Error error = refusal_of(batch());
    EXPECT_EQ(error.code, Code::kUnavailable);
    EXPECT_EQ(error.refusal, Refusal::kTransient);
    EXPECT_STREQ(error.reason, "circuit_open");
    EXPECT_EQ(error.retry_after, seconds(5));
    EXPECT_NE(error.message.find("connection refused"), std::string::npos);
  }
  EXPECT_EQ(recorder_->sent(), 20u);
  EXPECT_EQ(metric("circuit_refused_batches_total"), 100);
  executor_.advance(seconds(5));
  destination_says(pipeline::Outcome{});
  gate_->send(batch(), answers_.token());
  EXPECT_TRUE(answers_.next()->ok());
  EXPECT_EQ(gate_->circuit(), CircuitBreaker::State::kClosed);
  EXPECT_EQ(of_destination("degraded_destinations"), 0);
  EXPECT_EQ(of_destination("circuit_opened_total"), 1);
  EXPECT_EQ(of_destination("in_flight_batches"), 0);
}

TEST_F(GateTest, ABatchThatIsNeverSentIsNoProbe) {
  destination_says(unavailable("connection refused"));
  for (int i = 0; i < 20; ++i) EXPECT_NE(refusal_of(batch()).message, "");
  executor_.advance(seconds(5));
  pipeline::Batch broken;
  broken.payload = Bytes("\x0a\x7f");
  EXPECT_EQ(refusal_of(std::move(broken)).refusal, Refusal::kData);
  EXPECT_STREQ(refusal_of(batch()).reason, "destination_transient") << "the probe";
}

TEST_F(GateTest, AnEmptyProbeClosesTheCircuitOfAnIdleDestination) {
  gate_->start();
  executor_.run();
  destination_says(unavailable("connection refused"));
  recorder_->take()->token.ack();
  for (int i = 0; i < 20; ++i) EXPECT_NE(refusal_of(batch()).message, "");
  EXPECT_EQ(gate_->circuit(), CircuitBreaker::State::kOpen);
  destination_says(pipeline::Outcome{});
  executor_.advance(seconds(60));
  EXPECT_EQ(gate_->circuit(), CircuitBreaker::State::kClosed);
}

TEST_F(GateTest, AnswerAfterItsEndStillReachesTheSender) {
  gate_->send(batch(), answers_.token());
  auto taken = recorder_->take();
  ASSERT_TRUE(taken.has_value());
  gate_.reset();
  taken->token.ack();
  EXPECT_TRUE(answers_.next()->ok());
}

}  // namespace
}  // namespace spanway::exporter
