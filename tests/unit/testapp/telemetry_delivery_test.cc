#include "services/testapp/telemetry_delivery.h"

#include <gtest/gtest.h>

#include <optional>

#include "tests/fakes/manual_clock.h"
#include "tests/fakes/manual_executor.h"
#include "tests/fakes/sink_recorder.h"

namespace spanway::testapp {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class DeliveryTest : public ::testing::Test {
 protected:
  void start() {
    pipeline::Batch batch;
    batch.payload = Bytes("payload");
    batch.item_count = 3;
    Delivery::start(std::move(batch), {}, Random(1), sink_, executor_,
                    [this](Delivery::Report report) { report_ = std::move(report); });
  }
  void refuse(Error error) {
    auto taken = sink_.take(Duration::zero());
    ASSERT_TRUE(taken.has_value());
    EXPECT_EQ(taken->batch.payload.view(), "payload");
    taken->token.nack(std::move(error));
    executor_.run();
  }

  fakes::ManualClock clock_;
  fakes::ManualExecutor executor_{clock_};
  fakes::SinkRecorder sink_;
  std::optional<Delivery::Report> report_;
};

TEST_F(DeliveryTest, ReportsTheFirstGoodAnswer) {
  start();
  auto taken = sink_.take(Duration::zero());
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(taken->batch.deadline.when(), clock_.now() + seconds(10));
  taken->token.ack({1, "one is bad"});
  EXPECT_FALSE(report_.has_value());
  executor_.run();
  ASSERT_TRUE(report_ && report_->answer.ok());
  EXPECT_EQ(report_->answer->rejected, 1u);
  EXPECT_EQ(report_->tries, 1);
  executor_.advance(seconds(100));
  EXPECT_EQ(sink_.sent(), 1u);
}

TEST_F(DeliveryTest, BacksOffWhileTheRefusalIsTransient) {
  start();
  refuse(unavailable("busy"));
  executor_.advance(milliseconds(499));
  EXPECT_EQ(sink_.sent(), 1u);
  executor_.advance(milliseconds(501));
  EXPECT_EQ(sink_.sent(), 2u);
  refuse(unavailable("busy"));
  executor_.advance(milliseconds(999));
  EXPECT_EQ(sink_.sent(), 2u);
  executor_.advance(seconds(1));
  EXPECT_EQ(sink_.sent(), 3u);
  sink_.take(Duration::zero())->token.ack();
  executor_.run();
  ASSERT_TRUE(report_ && report_->answer.ok());
  EXPECT_EQ(report_->tries, 3);
}

TEST_F(DeliveryTest, WaitsAsLongAsTheRetryDelay) {
  start();
  refuse(unavailable("busy").with_retry_after(seconds(7)));
  executor_.advance(milliseconds(6999));
  EXPECT_EQ(sink_.sent(), 1u);
  executor_.advance(milliseconds(1));
  EXPECT_EQ(sink_.sent(), 2u);
  sink_.take(Duration::zero())->token.ack();
  executor_.run();
}

TEST_F(DeliveryTest, NeverRetriesOtherRefusals) {
  for (const Refusal refusal : {Refusal::kData, Refusal::kConfiguration, Refusal::kUnknown}) {
    report_.reset();
    start();
    Error error = invalid_argument("no");
    error.refusal = refusal;
    refuse(std::move(error));
    ASSERT_TRUE(report_ && !report_->answer.ok());
    executor_.advance(seconds(100));
    EXPECT_FALSE(sink_.take(Duration::zero()).has_value());
  }
}

TEST_F(DeliveryTest, GivesUpInTheEnd) {
  sink_.answer_with(
      [](const pipeline::Batch&) -> Result<pipeline::Outcome> { return unavailable("busy"); });
  start();
  executor_.advance(seconds(120));
  ASSERT_TRUE(report_ && !report_->answer.ok());
  EXPECT_EQ(report_->answer.error().code, Code::kUnavailable);
  EXPECT_GE(report_->tries, 4);
  EXPECT_LE(report_->tries, 9);
  EXPECT_EQ(executor_.pending_timers(), 0u);
}

}  // namespace
}  // namespace spanway::testapp
