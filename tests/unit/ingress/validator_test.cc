#include "services/ingress/validator.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/fakes/manual_clock.h"
#include "tests/fakes/otlp_builder.h"
#include "tests/fakes/sink_recorder.h"
#include "tests/unit/ingress/requests.h"

namespace spanway::ingress {
namespace {

using testing::trace_request;

class ValidatorTest : public ::testing::Test {
 protected:
  Validator make(auth::RateLimiter& limiter, otlp::ScanLimits limits = {},
                 MemoryBudget* index_memory = nullptr) {
    return Validator(limits, Transport::kGrpc, limiter, clock_, Events({log_, metrics_}), next_,
                     false, index_memory);
  }
  pipeline::Batch batch(Bytes payload) {
    pipeline::Batch made;
    made.permit = *budget_.try_acquire(payload.size());
    made.payload = std::move(payload);
    made.metadata.tenant = "acme";
    return made;
  }
  pipeline::AckToken token() {
    return pipeline::AckToken([this](Result<pipeline::Outcome> result) {
      ++answers_;
      answer_ = std::move(result);
    });
  }
  double refused(const char* reason) {
    return metrics_.value("spanway_ingress_refused_requests_total",
                          {{"transport", "grpc"}, {"reason", reason}});
  }

  fakes::ManualClock clock_;
  const telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  MemoryBudget budget_{1 << 20};
  fakes::SinkRecorder next_;
  auth::RateLimiter unlimited_{{}, clock_};
  int answers_ = 0;
  Result<pipeline::Outcome> answer_ = pipeline::Outcome{};
};

TEST_F(ValidatorTest, PassesAGoodRequestOnUnchangedAndCounted) {
  Validator validator = make(unlimited_);
  const Bytes request = trace_request(3);
  validator.send(batch(request.clone()), token());
  auto taken = next_.take();
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->batch.payload.view(), request.view());
  EXPECT_EQ(taken->batch.item_count, 3u);
  EXPECT_EQ(taken->batch.metadata.tenant, "acme");
  EXPECT_EQ(answers_, 0);
  taken->token.ack();
  EXPECT_EQ(answers_, 1);
  ASSERT_TRUE(answer_.ok());
  EXPECT_EQ(answer_->rejected, 0u);
  EXPECT_EQ(metrics_.value("otel_received_spans_total"), 3);
  EXPECT_EQ(metrics_.value("spanway_ingress_received_items_total",
                           {{"signal", "traces"}, {"transport", "grpc"}}),
            3);
}

TEST_F(ValidatorTest, HandsItsScanOnOnlyWhereConfiguredAndOnlyOfWhatItPassesOnUnchanged) {
  // Large items, as usual: a scan that takes much of what it describes is not handed on.
  const std::string name(500, 'n');
  Validator remote = make(unlimited_);
  remote.send(batch(trace_request(3, 0, name)), token());
  auto sent = next_.take();
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->batch.scanned, nullptr);
  sent->token.ack();

  otlp::ScanLimits limits;
  limits.item_bytes_max = 2000;
  Validator fused(limits, Transport::kGrpc, unlimited_, clock_, Events({log_, metrics_}), next_,
                  /*hand_scan_on=*/true);
  fused.send(batch(trace_request(3, 0, name)), token());
  sent = next_.take();
  ASSERT_TRUE(sent);
  ASSERT_NE(sent->batch.scanned, nullptr);
  EXPECT_EQ(sent->batch.scanned->limits.item_bytes_max, 2000u);
  EXPECT_EQ(sent->batch.scanned->index.accepted, 3u);
  EXPECT_EQ(sent->batch.scanned->index.items.size(), 3u);
  sent->token.ack();

  fused.send(batch(trace_request(3, 1, name)), token());
  sent = next_.take();
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->batch.scanned, nullptr) << "the bytes are others now";
  sent->token.ack();

  fused.send(batch(trace_request(3, 0, "")), token());
  sent = next_.take();
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->batch.scanned, nullptr) << "no permit covers it";
  sent->token.ack();
}

TEST_F(ValidatorTest, AnswersAnEmptyRequestItself) {
  Validator validator = make(unlimited_);
  validator.send(batch(Bytes()), token());
  EXPECT_EQ(answers_, 1);
  EXPECT_TRUE(answer_.ok());
  validator.send(batch(trace_request(0)), token());
  EXPECT_EQ(answers_, 2);
  EXPECT_TRUE(answer_.ok());
  EXPECT_EQ(next_.sent(), 0u);
}

TEST_F(ValidatorTest, PassesOnAMetricWithoutDataPoints) {
  Validator validator = make(unlimited_);
  pipeline::Batch empty_metric = batch(Bytes(fakes::otlp_request_of({fakes::otlp_resource(
      "shop",
      {fakes::otlp_scope("meter", {fakes::otlp_metric("up", fakes::MetricKind::kGauge, {})})})})));
  empty_metric.signal = otlp::Signal::kMetrics;
  validator.send(std::move(empty_metric), token());
  auto taken = next_.take();
  ASSERT_TRUE(taken.has_value());
  taken->token.ack();
  EXPECT_TRUE(answer_.ok());
}

TEST_F(ValidatorTest, RefusesBrokenBytesAsInvalid) {
  Validator validator = make(unlimited_);
  Bytes broken = trace_request(2);
  broken.resize(broken.size() - 3);
  validator.send(batch(std::move(broken)), token());
  ASSERT_FALSE(answer_.ok());
  EXPECT_EQ(answer_.error().code, Code::kInvalidArgument);
  EXPECT_EQ(answer_.error().refusal, Refusal::kData);
  EXPECT_EQ(next_.sent(), 0u);
  EXPECT_EQ(refused("malformed"), 1);
}

TEST_F(ValidatorTest, CutsOutRejectedItemsAndReportsThemTogetherWithThoseFromBehind) {
  Validator validator = make(unlimited_);
  const Bytes request = trace_request(4, 2);
  validator.send(batch(request.clone()), token());
  auto taken = next_.take();
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->batch.payload.view(), trace_request(4).view());
  EXPECT_EQ(taken->batch.item_count, 4u);
  EXPECT_EQ(taken->batch.permit.bytes(), taken->batch.payload.size());
  taken->token.ack({1, "one was too old"});
  ASSERT_TRUE(answer_.ok());
  EXPECT_EQ(answer_->rejected, 3u);
  EXPECT_NE(answer_->message.find("; one was too old"), std::string::npos);
  EXPECT_GT(answer_->message.size(), std::string("; one was too old").size());
  EXPECT_EQ(metrics_.value("spanway_ingress_rejected_items_total",
                           {{"signal", "traces"}, {"reason", "invalid_span_id"}}),
            2);
}

TEST_F(ValidatorTest, RefusesARequestWithoutAnyGoodItem) {
  Validator validator = make(unlimited_);
  validator.send(batch(trace_request(0, 3)), token());
  ASSERT_FALSE(answer_.ok());
  EXPECT_EQ(answer_.error().code, Code::kInvalidArgument);
  EXPECT_NE(answer_.error().message.find("all 3 spans"), std::string::npos);
  EXPECT_EQ(next_.sent(), 0u);
  EXPECT_EQ(refused("all_rejected"), 1);
}

TEST_F(ValidatorTest, ReportsWhatItDoesNotReadByPartialSuccess) {
  Validator validator = make(unlimited_);
  const auto library = fakes::otlp_scope("old", {fakes::otlp_span(1, 1), fakes::otlp_span(1, 2)});
  const auto old = fakes::otlp_request({fakes::otlp_resource("shop", {}).message(1000, library)});
  validator.send(batch(Bytes(old.encode())), token());
  ASSERT_EQ(answers_, 1);
  ASSERT_TRUE(answer_.ok());
  EXPECT_EQ(answer_->rejected, 2u);
  EXPECT_NE(answer_->message.find("instrumentation_library_*"), std::string::npos);
  validator.send(batch(Bytes(fakes::ProtoMessage().bytes(77, "what?").encode())), token());
  ASSERT_EQ(answers_, 2);
  ASSERT_TRUE(answer_.ok());
  EXPECT_EQ(answer_->rejected, 1u);
  EXPECT_NE(answer_->message.find("unknown fields"), std::string::npos);
  EXPECT_EQ(next_.sent(), 0u);
  EXPECT_EQ(metrics_.value("spanway_ingress_rejected_items_total",
                           {{"signal", "traces"}, {"reason", "deprecated_field"}}),
            2);
  EXPECT_EQ(metrics_.value("spanway_ingress_rejected_items_total",
                           {{"signal", "traces"}, {"reason", "unknown_content"}}),
            1);
}

TEST_F(ValidatorTest, RefusesWhatWouldBeHeldTwiceWithoutMemoryForIt) {
  Validator validator = make(unlimited_);
  pipeline::Batch request = batch(trace_request(4, 2));
  const Permit rest = *budget_.try_acquire(budget_.limit() - budget_.used());
  validator.send(std::move(request), token());
  ASSERT_FALSE(answer_.ok());
  EXPECT_EQ(answer_.error().code, Code::kResourceExhausted);
  EXPECT_TRUE(answer_.error().retry_after.has_value());
  EXPECT_EQ(refused("memory"), 1);
}

TEST_F(ValidatorTest, RefusesATenantAboveItsRateUntilItHasWaited) {
  auth::RateLimitConfig config;
  config.items_per_second = 10;
  auth::RateLimiter limiter(config, clock_);
  Validator validator = make(limiter);
  next_.answer_with([](const pipeline::Batch&) { return pipeline::Outcome{}; });
  validator.send(batch(trace_request(10)), token());
  EXPECT_TRUE(answer_.ok());
  validator.send(batch(trace_request(5)), token());
  ASSERT_FALSE(answer_.ok());
  EXPECT_EQ(answer_.error().code, Code::kResourceExhausted);
  EXPECT_EQ(answer_.error().refusal, Refusal::kTransient);
  EXPECT_EQ(answer_.error().retry_after, std::chrono::milliseconds(500));
  EXPECT_EQ(next_.sent(), 1u);
  EXPECT_EQ(metrics_.value("spanway_ingress_rate_limited_items_total", {{"signal", "traces"}}), 5);
  clock_.advance(std::chrono::milliseconds(500));
  validator.send(batch(trace_request(5)), token());
  EXPECT_TRUE(answer_.ok());
}

TEST_F(ValidatorTest, PassesRefusalsFromBehindOnAndCountsThem) {
  Validator validator = make(unlimited_);
  next_.answer_with([](const pipeline::Batch&) -> Result<pipeline::Outcome> {
    return unavailable("Kafka is away").with_retry_after(std::chrono::seconds(3));
  });
  validator.send(batch(trace_request(1)), token());
  ASSERT_FALSE(answer_.ok());
  EXPECT_EQ(answer_.error().code, Code::kUnavailable);
  EXPECT_EQ(answer_.error().retry_after, std::chrono::seconds(3));
  EXPECT_EQ(refused("next_transient"), 1);
}

// Spans without anything in them: two bytes each, and an index entry.
Bytes empty_spans(std::size_t count) {
  Bytes bytes;
  otlp::wire::Writer writer(bytes);
  const auto resource = writer.begin(1);
  const auto scope = writer.begin(2);
  for (std::size_t i = 0; i < count; ++i) writer.bytes(2, "");
  writer.end(scope);
  writer.end(resource);
  return bytes;
}

TEST_F(ValidatorTest, AsksForMemoryBeforeItIndexesAFloodOfEmptyItems) {
  MemoryBudget indexes(32 << 20);
  Validator validator = make(unlimited_, {}, &indexes);
  const Permit others = *indexes.try_acquire(28 << 20);
  validator.send(batch(empty_spans(300'000)), token());
  ASSERT_FALSE(answer_.ok());
  EXPECT_EQ(answer_.error().code, Code::kResourceExhausted);
  EXPECT_EQ(answer_.error().refusal, Refusal::kTransient);
  EXPECT_EQ(refused("memory"), 1);
  EXPECT_EQ(indexes.used(), others.bytes());
}

TEST_F(ValidatorTest, RefusesForGoodWhatCanNeverBeIndexed) {
  MemoryBudget indexes(4 << 20);
  Validator validator = make(unlimited_, {}, &indexes);
  validator.send(batch(empty_spans(300'000)), token());
  ASSERT_FALSE(answer_.ok());
  EXPECT_EQ(answer_.error().refusal, Refusal::kData);
  EXPECT_STREQ(answer_.error().reason, "index_too_large");
  EXPECT_EQ(refused("too_large"), 1);
}

TEST_F(ValidatorTest, ScansLargeRequestsWhenThereIsMemoryAndGivesItBack) {
  MemoryBudget indexes(64 << 20);
  Validator validator = make(unlimited_, {}, &indexes);
  validator.send(batch(empty_spans(300'000)), token());
  ASSERT_FALSE(answer_.ok());
  EXPECT_NE(answer_.error().message.find("all 300000 spans"), std::string::npos);
  EXPECT_GT(indexes.peak(), 300'000 * sizeof(otlp::Item));
  EXPECT_EQ(indexes.used(), 0u);
  otlp::ScanLimits strict;
  strict.submessages_max = 280'000;
  Validator narrow = make(unlimited_, strict, &indexes);
  narrow.send(batch(empty_spans(300'000)), token());
  EXPECT_EQ(answer_.error().refusal, Refusal::kData);
  EXPECT_EQ(refused("too_large"), 1);
  EXPECT_EQ(indexes.used(), 0u);
}

TEST_F(ValidatorTest, UsesItsOwnLimitsOnAThreadThatServesTwo) {
  otlp::ScanLimits strict;
  strict.request_bytes_max = 16;
  Validator lenient = make(unlimited_);
  Validator narrow = make(unlimited_, strict);
  next_.answer_with([](const pipeline::Batch&) { return pipeline::Outcome{}; });
  lenient.send(batch(trace_request(1)), token());
  EXPECT_TRUE(answer_.ok());
  narrow.send(batch(trace_request(1)), token());
  ASSERT_FALSE(answer_.ok());
  EXPECT_EQ(answer_.error().code, Code::kResourceExhausted);
  EXPECT_EQ(refused("too_large"), 1);
  lenient.send(batch(trace_request(1)), token());
  EXPECT_TRUE(answer_.ok());
}

}  // namespace
}  // namespace spanway::ingress
