// The answers of a producing bridge when Kafka fails, refuses or is full.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "services/lib/kafka/error_map.h"
#include "tests/unit/kafka-bridge/consume/lane_fixture.h"
#include "tests/unit/kafka-bridge/produce/kafka_sink_fixture.h"

namespace spanway::kafka_bridge {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr int kTooLarge = 10;

TEST(KafkaSink, OneFailedRecordFailsTheRequest) {
  KafkaSinkFixture fixture;
  fixture.send(spans(0, 50));
  auto first = fixture.producer.take();
  first->report(kafka::error_from_code(-192, "writing"));
  EXPECT_TRUE(fixture.unanswered()) << "the others are still under way";
  fixture.report_all();
  const auto answer = fixture.answer();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_EQ(answer.error().refusal, Refusal::kTransient);
  EXPECT_TRUE(answer.error().retry_after.has_value());
  EXPECT_STREQ(answer.error().reason, "kafka_timed_out");
  EXPECT_GT(fixture.duplicates(), 0) << "the others are written, and will be sent again";
  EXPECT_EQ(fixture.budget.used(), 0u);
}

// The client's data is good: a broken Kafka must not make it throw them away.
TEST(KafkaSink, WhateverKafkaRefusesIsRetryable) {
  for (const int code : {3 /* unknown topic */, 29 /* not authorised */, kTooLarge, -1}) {
    KafkaSinkFixture fixture(1);
    fixture.send(spans(0, 1));
    fixture.report_all(kafka::error_from_code(code, "writing"));
    const auto answer = fixture.answer();
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.error().code, Code::kUnavailable) << code;
    EXPECT_EQ(answer.error().refusal, Refusal::kTransient) << code;
    EXPECT_EQ(answer.error().retry_after, seconds(5)) << code;
  }
}

TEST(KafkaSink, PrefersTheFailureThatBringsTheClientBack) {
  KafkaSinkFixture fixture;
  fixture.send(spans(0, 50));
  fixture.producer.take()->report(kafka::error_from_code(29, "writing"));
  fixture.report_all(kafka::error_from_code(-192, "writing"));
  EXPECT_STREQ(fixture.answer().error().reason, "kafka_timed_out");
}

TEST(KafkaSink, AnUnreachableKafkaIsUnavailable) {
  KafkaSinkFixture fixture;
  fixture.producer.up = false;
  fixture.send(spans(0, 1));
  const auto answer = fixture.answer();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_EQ(answer.error().retry_after, seconds(1));
  EXPECT_FALSE(fixture.sink->health().reachable);
  EXPECT_THAT(fixture.sink->health().last_error, HasSubstr("no broker can be reached"));
  fixture.producer.up = true;
  fixture.send(spans(0, 1));
  fixture.report_all();
  EXPECT_TRUE(fixture.answer().ok());
  EXPECT_EQ(fixture.sink->health().last_error, "");
}

TEST(KafkaSink, AnUnreachableKafkaIsAnsweredWithTheCause) {
  KafkaSinkFixture fixture;
  fixture.producer.up = false;
  fixture.producer.error = "SSL handshake failed: certificate verify failed";
  fixture.send(spans(0, 1));
  EXPECT_THAT(fixture.answer().error().message, HasSubstr("certificate verify failed"));
  EXPECT_THAT(fixture.sink->health().last_error, HasSubstr("certificate verify failed"));
}

TEST(KafkaSink, AMissingTopicIsUnavailableToo) {
  KafkaSinkFixture fixture;
  fixture.producer.set_partitions("otel.traces", kafka::error_from_code(3, "looking up"));
  fixture.send(spans(0, 1));
  const auto answer = fixture.answer();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_STREQ(answer.error().reason, "kafka_unknown_topic");
}

TEST(KafkaSink, AsksForMemoryBeforeItSplits) {
  KafkaSinkFixture fixture;
  const std::string payload = spans(0, 50);
  auto rest =
      fixture.budget.try_acquire(fixture.budget.limit() - payload.size() - payload.size() / 2);
  ASSERT_TRUE(rest);
  fixture.send(payload);
  const auto answer = fixture.answer();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kResourceExhausted);
  EXPECT_EQ(answer.error().refusal, Refusal::kTransient);
  EXPECT_TRUE(answer.error().retry_after.has_value());
  EXPECT_EQ(fixture.producer.count(), 0u);
}

TEST(KafkaSink, AnswersByTheDeadlineAndCountsWhatIsWrittenAfterIt) {
  KafkaSinkFixture fixture(1);
  fixture.send(spans(0, 3), seconds(2));
  fixture.executor.advance(std::chrono::milliseconds(1999));
  EXPECT_TRUE(fixture.unanswered());
  fixture.executor.advance(std::chrono::milliseconds(1));
  const auto answer = fixture.answer();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kDeadlineExceeded);
  EXPECT_EQ(answer.error().refusal, Refusal::kTransient);
  EXPECT_GT(fixture.budget.used(), 0u) << "the record is still with the producer";
  EXPECT_FALSE(fixture.sink->drain(Deadline::after(fixture.clock, Duration::zero())));
  fixture.report_all();
  EXPECT_EQ(fixture.duplicates(), 3);
  EXPECT_EQ(fixture.budget.used(), 0u);
  EXPECT_TRUE(fixture.unanswered()) << "one answer only";
}

TEST(KafkaSink, DeadlinesBehindTheProducersOwnNeedNoTimer) {
  KafkaSinkFixture fixture(1);
  fixture.send(spans(0, 1), seconds(30));
  EXPECT_EQ(fixture.executor.pending_timers(), 0u);
  fixture.report_all();
  fixture.send(spans(0, 1), seconds(5));
  EXPECT_EQ(fixture.executor.pending_timers(), 1u);
  fixture.report_all();
  EXPECT_EQ(fixture.executor.pending_timers(), 0u);
}

TEST(KafkaSink, RefusesWhenDraining) {
  KafkaSinkFixture fixture;
  EXPECT_TRUE(fixture.sink->drain(Deadline::after(fixture.clock, seconds(1))));
  fixture.send(spans(0, 1));
  const auto answer = fixture.answer();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_EQ(answer.error().refusal, Refusal::kTransient);
}

TEST(KafkaSink, ARequestThatKafkaCannotTakeAsAWholeIsRefusedBeforeItsFirstRecord) {
  KafkaSinkFixture fixture;
  fixture.producer.set_admission(unavailable("the queue is full")
                                     .with_reason("kafka_queue_full")
                                     .with_retry_after(seconds(1)));
  fixture.send(spans(0, 50), seconds(5));
  const auto answer = fixture.answer();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_EQ(answer.error().refusal, Refusal::kTransient);
  EXPECT_EQ(answer.error().retry_after, seconds(1));
  EXPECT_STREQ(answer.error().reason, "kafka_queue_full");
  EXPECT_EQ(fixture.producer.count(), 0u);
  EXPECT_EQ(fixture.duplicates(), 0);
  EXPECT_EQ(fixture.budget.used(), 0u);
  EXPECT_EQ(fixture.executor.pending_timers(), 0u);
  EXPECT_TRUE(fixture.sink->drain(Deadline::after(fixture.clock, Duration::zero())));
  EXPECT_THAT(fixture.sink->health().last_error, HasSubstr("the queue is full"));
}

TEST(KafkaSink, ARefusedSignalIsAnsweredWithTheReasonAndTheOthersContinue) {
  KafkaSinkFixture fixture;
  fixture.sink->refuse_signal(otlp::Signal::kTraces,
                              configuration_error(Code::kFailedPrecondition, "it is compacted")
                                  .with_reason("kafka_compacted_topic"));
  EXPECT_FALSE(fixture.sink->state().ok) << "without a request";
  fixture.send(spans(0, 1));
  const auto answer = fixture.answer();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_STREQ(answer.error().reason, "kafka_compacted_topic");
  EXPECT_THAT(answer.error().message, HasSubstr("it is compacted"));
  EXPECT_EQ(fixture.producer.count(), 0u);
  fixture.sink->refuse_signal(otlp::Signal::kTraces, std::nullopt);
  fixture.send(spans(0, 1));
  fixture.report_all();
  EXPECT_TRUE(fixture.answer().ok());
  EXPECT_TRUE(fixture.sink->state().ok);
}

TEST(KafkaSink, SaysWhatRequestsOfAnySignalGetNow) {
  KafkaSinkFixture fixture(1);
  EXPECT_TRUE(fixture.sink->state().ok);
  fixture.send(spans(0, 1));
  fixture.report_all(kafka::error_from_code(19, "writing"));
  EXPECT_FALSE(fixture.answer().ok());
  EXPECT_FALSE(fixture.sink->state().ok);
  EXPECT_STREQ(fixture.sink->state().last_error_reason, "kafka_not_enough_replicas");
  fixture.send(
      fakes::otlp_request_of({fakes::otlp_resource(
          "shop", {fakes::otlp_scope("meter",
                                     {fakes::otlp_metric("up", fakes::MetricKind::kGauge, {})})})}),
      seconds(30), "", otlp::Signal::kMetrics);
  fixture.report_all();
  EXPECT_TRUE(fixture.answer().ok());
  EXPECT_FALSE(fixture.sink->state().ok) << "traces are not written all the same";
  fixture.send(spans(0, 1));
  fixture.report_all();
  EXPECT_TRUE(fixture.answer().ok());
  EXPECT_TRUE(fixture.sink->state().ok);
  fixture.producer.set_partitions("otel.logs", kafka::error_from_code(3, "looking up"));
  EXPECT_STREQ(fixture.sink->state().last_error_reason, "kafka_unknown_topic");
}

TEST(KafkaSink, AReportBeforeProduceReturnsIsFine) {
  KafkaSinkFixture fixture;
  fixture.producer.answer_with([](const auto&) { return kafka::error_from_code(-184, "writing"); });
  fixture.send(spans(0, 50));
  EXPECT_STREQ(fixture.answer().error().reason, "kafka_queue_full");
  EXPECT_TRUE(fixture.sink->drain(Deadline::after(fixture.clock, Duration::zero())));
}

}  // namespace
}  // namespace spanway::kafka_bridge
