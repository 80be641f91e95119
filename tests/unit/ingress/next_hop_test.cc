#include "services/ingress/next_hop.h"

#include <gtest/gtest.h>

#include <utility>

#include "tests/fakes/manual_clock.h"
#include "tests/fakes/manual_executor.h"
#include "tests/fakes/sink_recorder.h"

namespace spanway::ingress {
namespace {

using std::chrono::seconds;

class NextHopTest : public ::testing::Test {
 protected:
  NextHop make() { return NextHop(next_, clock_, Events({log_, metrics_})); }

  fakes::ManualClock clock_;
  fakes::ManualExecutor executor_{clock_};
  const telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  fakes::SinkRecorder next_;
};

TEST_F(NextHopTest, ProbesEverySecondUntilAnAnswerComes) {
  NextHop hop = make();
  bool up = false;
  next_.answer_with([&up](const pipeline::Batch& batch) -> Result<pipeline::Outcome> {
    EXPECT_TRUE(batch.payload.empty());
    if (up) return pipeline::Outcome{};
    return unavailable("connection refused");
  });
  hop.start_probing(executor_);
  executor_.advance(seconds(3));
  EXPECT_EQ(next_.sent(), 4u);
  EXPECT_FALSE(hop.has_answered());
  up = true;
  executor_.advance(seconds(1));
  EXPECT_TRUE(hop.has_answered());
  executor_.advance(seconds(10));
  EXPECT_EQ(next_.sent(), 5u);
}

TEST_F(NextHopTest, SendsNoSecondProbeBeforeTheFirstIsAnswered) {
  NextHop hop = make();
  hop.start_probing(executor_);
  executor_.advance(seconds(30));
  EXPECT_EQ(next_.sent(), 1u);
  auto probe = next_.take();
  ASSERT_TRUE(probe);
  EXPECT_FALSE(probe->batch.deadline.is_never());
  probe->token.nack(transient_error(Code::kDeadlineExceeded, "no answer"));
  executor_.advance(seconds(1));
  EXPECT_EQ(next_.sent(), 2u);
  next_.take()->token.ack();
}

TEST_F(NextHopTest, LatchesOnARefusalOfTheServiceItself) {
  NextHop hop = make();
  next_.answer_with([](const pipeline::Batch&) -> Result<pipeline::Outcome> {
    return unavailable("Kafka is away").with_retry_after(seconds(1)).with_reason("kafka_down");
  });
  hop.start_probing(executor_);
  executor_.advance(seconds(1));
  EXPECT_TRUE(hop.has_answered());
}

TEST_F(NextHopTest, LatchesOnOrdinaryTrafficAndTimesIt) {
  NextHop hop = make();
  hop.send({}, pipeline::AckToken([](Result<pipeline::Outcome>) {}));
  auto taken = next_.take();
  ASSERT_TRUE(taken);
  EXPECT_FALSE(hop.has_answered());
  clock_.advance(seconds(2));
  taken->token.ack();
  EXPECT_TRUE(hop.has_answered());
  EXPECT_EQ(
      metrics_.value("spanway_ingress_forward_duration_seconds_count", {{"signal", "traces"}}) +
              metrics_.value("spanway_ingress_forward_duration_seconds", {{"signal", "traces"}}) >
          0,
      true);
}

TEST_F(NextHopTest, StopsProbingWhenItIsDrainedOrGone) {
  next_.answer_with(
      [](const pipeline::Batch&) -> Result<pipeline::Outcome> { return unavailable("refused"); });
  {
    NextHop hop = make();
    hop.start_probing(executor_);
    executor_.advance(seconds(1));
    EXPECT_EQ(next_.sent(), 2u);
    hop.drain(Deadline::never());
    executor_.advance(seconds(5));
    EXPECT_EQ(next_.sent(), 2u);
  }
  {
    NextHop hop = make();
    hop.start_probing(executor_);
  }
  executor_.advance(seconds(5));
  EXPECT_EQ(next_.sent(), 2u);
}

TEST(IsAnswerOfService, DistinguishesRefusalsFromFailuresToConnect) {
  EXPECT_TRUE(is_answer_of_service(invalid_argument("empty")));
  EXPECT_TRUE(is_answer_of_service(configuration_error(Code::kUnauthenticated, "who?")));
  EXPECT_TRUE(is_answer_of_service(unavailable("busy").with_retry_after(seconds(1))));
  EXPECT_FALSE(is_answer_of_service(unavailable("connection refused")));
  EXPECT_FALSE(is_answer_of_service(unknown_error(Code::kUnknown, "stream removed")));
  EXPECT_FALSE(is_answer_of_service(transient_error(Code::kDeadlineExceeded, "slow")));
  EXPECT_FALSE(is_answer_of_service(
      unavailable("full").with_retry_after(seconds(1)).with_reason("sink_full")));
}

}  // namespace
}  // namespace spanway::ingress
