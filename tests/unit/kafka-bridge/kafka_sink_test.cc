#include "services/kafka-bridge/kafka_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>
#include <string>

#include "services/lib/kafka/error_map.h"
#include "services/lib/otlp/placement.h"
#include "tests/fakes/answers.h"
#include "tests/fakes/fake_producer.h"
#include "tests/unit/kafka-bridge/lane_bench.h"

namespace spanway::kafka_bridge {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr int kTooLarge = 10;

struct SinkBench {
  explicit SinkBench(std::int32_t partitions = 4) : producer(partitions) { remake(); }
  void remake() {
    sink = std::make_unique<KafkaSink>(options, producer, executor,
                                       telemetry::Telemetry{log, metrics});
  }
  void send(std::string_view payload, Duration timeout = seconds(30),
            const std::string& tenant = "", otlp::Signal signal = otlp::Signal::kTraces) {
    pipeline::Batch batch;
    batch.signal = signal;
    batch.payload = Bytes(payload);
    batch.deadline = Deadline::after(clock, timeout);
    batch.metadata.tenant = tenant;
    auto permit = budget.try_acquire(payload.size());
    if (permit) batch.permit = std::move(*permit);
    sink->send(std::move(batch), answers.token());
  }
  // The answer, which must be there.
  Result<pipeline::Outcome> answer() {
    EXPECT_GT(answers.count(), answered_) << "no answer yet";
    ++answered_;
    return answers.next().value();
  }
  bool unanswered() const { return answers.count() == answered_; }
  void report_all(const Status& status = {}) {
    while (auto sent = producer.take()) sent->report(status);
  }
  double duplicates() const {
    return metrics.value("spanway_kafka_bridge_possible_duplicate_items_total",
                         {{"signal", "traces"}});
  }

  fakes::ManualClock clock;
  fakes::ManualExecutor executor{clock};
  fakes::FakeProducer producer;
  MemoryBudget budget{8u << 20};
  telemetry::Logger log = telemetry::Logger::null();
  telemetry::Metrics metrics;
  fakes::Answers answers;
  KafkaSinkOptions options;
  std::unique_ptr<KafkaSink> sink;

 private:
  std::size_t answered_ = 0;
};

TEST(KafkaSink, AnswersAfterTheLastReport) {
  SinkBench bench;
  bench.send(spans(0, 50));
  std::vector<fakes::FakeProducer::Sent> records;
  std::size_t items = 0;
  std::set<std::int32_t> partitions;
  while (auto sent = bench.producer.take()) {
    EXPECT_EQ(sent->topic, "otel.traces");
    EXPECT_EQ(sent->header("content-type"), "application/x-protobuf");
    EXPECT_EQ(sent->header("spanway-tenant"), "");
    EXPECT_EQ(sent->record.key, "");
    items += span_names(sent->record.payload.view()).size();
    EXPECT_TRUE(partitions.insert(sent->record.partition).second) << "one record per partition";
    records.push_back(std::move(*sent));
  }
  EXPECT_EQ(items, 50u);
  ASSERT_GE(records.size(), 2u);
  EXPECT_GT(bench.budget.used(), 0u);
  for (auto& record : records) {
    EXPECT_TRUE(bench.unanswered());
    record.report(ok_status());
  }
  const auto answer = bench.answer();
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->rejected, 0u);
  EXPECT_EQ(bench.budget.used(), 0u);
  EXPECT_EQ(bench.metrics.value("spanway_kafka_bridge_written_items_total", {{"signal", "traces"}}),
            50);
  EXPECT_EQ(bench.duplicates(), 0);
}

TEST(KafkaSink, PlacesTracesAsTheJavaClientWould) {
  SinkBench bench(7);
  bench.send(spans(0, 40));
  while (auto sent = bench.producer.take()) {
    const std::string_view payload = sent->record.payload.view();
    otlp::Scanner scanner;
    ASSERT_TRUE(scanner.scan(otlp::Signal::kTraces, payload).ok());
    for (const otlp::Item& item : scanner.index().items) {
      const auto hash = otlp::trace_placement_hash(payload.substr(item.trace_id_offset, 16));
      EXPECT_EQ(otlp::partition_of(hash, 7), sent->record.partition);
    }
    sent->report(ok_status());
  }
}

// A scan that says of every item that it lies in partition 2, so that one sees who was asked.
std::shared_ptr<otlp::Scanned> marked_scan(std::string_view payload, otlp::ScanLimits limits) {
  otlp::Scanner scanner(limits);
  EXPECT_TRUE(scanner.scan(otlp::Signal::kTraces, payload).ok());
  auto scanned = std::make_shared<otlp::Scanned>(otlp::Scanned{limits, scanner.index()});
  for (otlp::Item& item : scanned->index.items) item.placement_hash = 2;
  return scanned;
}

TEST(KafkaSink, TakesTheScanOfItsOwnProcessWhenThatWasStrictEnough) {
  const std::string payload = spans(0, 40);
  const auto partitions_of = [&payload](otlp::ScanLimits theirs) {
    SinkBench bench(4);
    pipeline::Batch batch;
    batch.payload = Bytes(payload);
    batch.scanned = marked_scan(payload, theirs);
    bench.sink->send(std::move(batch), bench.answers.token());
    std::set<std::int32_t> partitions;
    while (auto sent = bench.producer.take()) {
      partitions.insert(sent->record.partition);
      sent->report(ok_status());
    }
    EXPECT_TRUE(bench.answer().ok());
    return partitions;
  };
  const otlp::ScanLimits own;
  EXPECT_EQ(partitions_of(own), (std::set<std::int32_t>{2}));
  otlp::ScanLimits stricter;
  stricter.value_depth_max = own.value_depth_max - 1;
  EXPECT_EQ(partitions_of(stricter), (std::set<std::int32_t>{2}));
  const std::set<std::int32_t> scanned_again{0, 1, 2, 3};
  otlp::ScanLimits laxer;
  laxer.request_bytes_max = own.request_bytes_max + 1;
  EXPECT_EQ(partitions_of(laxer), scanned_again);
  laxer = {};
  laxer.prefix_bytes_max = own.prefix_bytes_max + 1;
  EXPECT_EQ(partitions_of(laxer), scanned_again);
  laxer = {};
  laxer.item_bytes_max = own.item_bytes_max + 1;
  EXPECT_EQ(partitions_of(laxer), scanned_again);
  laxer = {};
  laxer.value_depth_max = own.value_depth_max + 1;
  EXPECT_EQ(partitions_of(laxer), scanned_again);
  laxer = {};
  laxer.submessages_max = own.submessages_max + 1;
  EXPECT_EQ(partitions_of(laxer), scanned_again);
}

TEST(KafkaSink, HandsOverWhatGoesToOnePartitionWithoutCopying) {
  SinkBench bench(1);
  pipeline::Batch batch;
  batch.payload = Bytes(spans(0, 20));
  const char* bytes = batch.payload.data();
  bench.sink->send(std::move(batch), bench.answers.token());
  auto sent = bench.producer.take();
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->record.payload.data(), bytes);
  sent->report(ok_status());
  EXPECT_TRUE(bench.answer().ok());
}

TEST(KafkaSink, SendsTheTenantAlong) {
  SinkBench bench(1);
  bench.send(spans(0, 1), seconds(30), "acme");
  auto sent = bench.producer.take();
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->header("spanway-tenant"), "acme");
  sent->report(ok_status());
}

TEST(KafkaSink, ManyRecordsOfOneRequestAreChargedForMoreThanTheirBytes) {
  SinkBench bench(1);
  bench.options.key_by_trace = true;
  bench.remake();
  const std::size_t before = bench.budget.used();
  bench.send(spans(0, 50));
  EXPECT_GT(bench.budget.used(), before + 50 * 500u);
  while (auto sent = bench.producer.take()) sent->report(ok_status());
  EXPECT_EQ(bench.budget.used(), before);
}

TEST(KafkaSink, KeysByTraceWhenToldSo) {
  SinkBench bench(1);
  bench.options.key_by_trace = true;
  bench.remake();
  bench.send(spans(0, 3));
  std::set<std::string> keys;
  while (auto sent = bench.producer.take()) {
    keys.insert(sent->record.key);
    EXPECT_EQ(span_names(sent->record.payload.view()).size(), 1u);
    sent->report(ok_status());
  }
  EXPECT_EQ(keys, (std::set<std::string>{"00000000000000000000000000000001",
                                         "00000000000000000000000000000002",
                                         "00000000000000000000000000000003"}));
  // Also when the request is a single trace.
  bench.send(spans(4, 1));
  auto sent = bench.producer.take();
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->record.key, "00000000000000000000000000000005");
  sent->report(ok_status());
}

TEST(KafkaSink, SplitsAtTheRecordLimit) {
  SinkBench bench(1);
  const std::string payload = spans(0, 200);
  bench.options.record_bytes_max = payload.size() / 4;
  bench.remake();
  bench.send(payload);
  std::size_t items = 0;
  while (auto sent = bench.producer.take()) {
    EXPECT_LE(sent->record.payload.size(), payload.size() / 4);
    items += span_names(sent->record.payload.view()).size();
    sent->report(ok_status());
  }
  EXPECT_EQ(items, 200u);
  EXPECT_TRUE(bench.answer().ok());
}

TEST(KafkaSink, RejectsBadItemsOneByOne) {
  SinkBench bench(1);
  bench.send(fakes::otlp_request_of(
      {fakes::otlp_span(1, 1, "span-0/"), fakes::otlp_span(std::string(16, '\0'), "12345678"),
       fakes::otlp_span("short", "12345678"), fakes::otlp_span(2, 2, "span-1/")}));
  auto sent = bench.producer.take();
  ASSERT_TRUE(sent);
  EXPECT_EQ(span_names(sent->record.payload.view()).size(), 2u);
  sent->report(ok_status());
  const auto answer = bench.answer();
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->rejected, 2u);
  EXPECT_NE(answer->message, "");
  EXPECT_EQ(bench.metrics.value("spanway_kafka_bridge_rejected_items_total",
                                {{"signal", "traces"}, {"reason", "invalid_trace_id"}}),
            2);
}

TEST(KafkaSink, AJoinedRequestIsRefusedWholeBeforeOneOfItsItemsIsRejected) {
  for (const bool joined : {true, false}) {
    SinkBench bench(1);
    pipeline::Batch batch;
    batch.payload = Bytes(fakes::otlp_request_of(
        {fakes::otlp_span(1, 1, "span-0/"), fakes::otlp_span("short", "12345678")}));
    batch.permit = *bench.budget.try_acquire(batch.payload.size());
    batch.metadata.all_or_nothing = joined;
    bench.sink->send(std::move(batch), bench.answers.token());
    EXPECT_EQ(bench.producer.count(), joined ? 0u : 1u);
    bench.report_all();
    const auto answer = bench.answer();
    ASSERT_EQ(answer.ok(), !joined);
    if (joined) {
      EXPECT_EQ(answer.error().refusal, Refusal::kData) << "the ingress sends the parts alone";
      EXPECT_STREQ(answer.error().reason, "joined_items_rejected");
      EXPECT_EQ(bench.metrics.value("spanway_kafka_bridge_rejected_items_total",
                                    {{"signal", "traces"}, {"reason", "invalid_trace_id"}}),
                0)
          << "counted when it comes alone";
    } else {
      EXPECT_EQ(answer->rejected, 1u);
    }
  }
}

TEST(KafkaSink, AllRejectedIsInvalidArgument) {
  SinkBench bench;
  bench.send(fakes::otlp_request_of({fakes::otlp_span(std::string(16, '\0'), "12345678")}));
  const auto answer = bench.answer();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kInvalidArgument);
  EXPECT_EQ(answer.error().refusal, Refusal::kData);
  EXPECT_EQ(bench.producer.count(), 0u);
  EXPECT_EQ(bench.budget.used(), 0u);
}

TEST(KafkaSink, AnEmptyRequestSucceeds) {
  SinkBench bench;
  bench.send("");
  EXPECT_TRUE(bench.answer().ok());
  bench.send(fakes::otlp_request_of({}));
  EXPECT_TRUE(bench.answer().ok());
  EXPECT_EQ(bench.producer.count(), 0u);
}

TEST(KafkaSink, ReportsWhatItDoesNotReadByPartialSuccess) {
  SinkBench bench;
  const auto library = fakes::otlp_scope("old", {fakes::otlp_span(1, 1), fakes::otlp_span(1, 2)});
  bench.send(
      fakes::otlp_request({fakes::otlp_resource("shop", {}).message(1000, library)}).encode());
  const auto answer = bench.answer();
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->rejected, 2u);
  EXPECT_EQ(bench.producer.count(), 0u);
}

TEST(KafkaSink, KeepsAMetricWithoutDataPoints) {
  SinkBench bench;
  const std::string request = fakes::otlp_request_of({fakes::otlp_resource(
      "shop",
      {fakes::otlp_scope("meter", {fakes::otlp_metric("up", fakes::MetricKind::kGauge, {})})})});
  bench.send(request, seconds(30), "", otlp::Signal::kMetrics);
  ASSERT_EQ(bench.producer.count(), 1u);
  EXPECT_EQ(bench.producer.take()->record.payload.view(), request);
}

TEST(KafkaSink, BrokenFramingIsTheClientsMistake) {
  SinkBench bench;
  bench.send("no protobuf");
  const auto answer = bench.answer();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().refusal, Refusal::kData);
  EXPECT_EQ(answer.error().code, Code::kInvalidArgument);
}

TEST(KafkaSink, OneFailedRecordFailsTheRequest) {
  SinkBench bench;
  bench.send(spans(0, 50));
  auto first = bench.producer.take();
  first->report(kafka::error_from_code(-192, "writing"));
  EXPECT_TRUE(bench.unanswered()) << "the others are still under way";
  bench.report_all();
  const auto answer = bench.answer();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_EQ(answer.error().refusal, Refusal::kTransient);
  EXPECT_TRUE(answer.error().retry_after.has_value());
  EXPECT_STREQ(answer.error().reason, "kafka_timed_out");
  EXPECT_GT(bench.duplicates(), 0) << "the others are written, and will be sent again";
  EXPECT_EQ(bench.budget.used(), 0u);
}

// The client's data is good: a broken Kafka must not make it throw them away.
TEST(KafkaSink, WhateverKafkaRefusesIsRetryable) {
  for (const int code : {3 /* unknown topic */, 29 /* not authorised */, kTooLarge, -1}) {
    SinkBench bench(1);
    bench.send(spans(0, 1));
    bench.report_all(kafka::error_from_code(code, "writing"));
    const auto answer = bench.answer();
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.error().code, Code::kUnavailable) << code;
    EXPECT_EQ(answer.error().refusal, Refusal::kTransient) << code;
    EXPECT_EQ(answer.error().retry_after, seconds(5)) << code;
  }
}

TEST(KafkaSink, PrefersTheFailureThatBringsTheClientBack) {
  SinkBench bench;
  bench.send(spans(0, 50));
  bench.producer.take()->report(kafka::error_from_code(29, "writing"));
  bench.report_all(kafka::error_from_code(-192, "writing"));
  EXPECT_STREQ(bench.answer().error().reason, "kafka_timed_out");
}

TEST(KafkaSink, AnUnreachableKafkaIsUnavailable) {
  SinkBench bench;
  bench.producer.up = false;
  bench.send(spans(0, 1));
  const auto answer = bench.answer();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_EQ(answer.error().retry_after, seconds(1));
  EXPECT_FALSE(bench.sink->health().reachable);
  EXPECT_THAT(bench.sink->health().last_error, HasSubstr("no broker can be reached"));
  bench.producer.up = true;
  bench.send(spans(0, 1));
  bench.report_all();
  EXPECT_TRUE(bench.answer().ok());
  EXPECT_EQ(bench.sink->health().last_error, "");
}

TEST(KafkaSink, AMissingTopicIsUnavailableToo) {
  SinkBench bench;
  bench.producer.set_partitions("otel.traces", kafka::error_from_code(3, "looking up"));
  bench.send(spans(0, 1));
  const auto answer = bench.answer();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_STREQ(answer.error().reason, "kafka_unknown_topic");
}

TEST(KafkaSink, AsksForMemoryBeforeItSplits) {
  SinkBench bench;
  const std::string payload = spans(0, 50);
  auto rest = bench.budget.try_acquire(bench.budget.limit() - payload.size() - payload.size() / 2);
  ASSERT_TRUE(rest);
  bench.send(payload);
  const auto answer = bench.answer();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kResourceExhausted);
  EXPECT_EQ(answer.error().refusal, Refusal::kTransient);
  EXPECT_TRUE(answer.error().retry_after.has_value());
  EXPECT_EQ(bench.producer.count(), 0u);
}

TEST(KafkaSink, AnswersByTheDeadlineAndCountsWhatIsWrittenAfterIt) {
  SinkBench bench(1);
  bench.send(spans(0, 3), seconds(2));
  bench.executor.advance(std::chrono::milliseconds(1999));
  EXPECT_TRUE(bench.unanswered());
  bench.executor.advance(std::chrono::milliseconds(1));
  const auto answer = bench.answer();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kDeadlineExceeded);
  EXPECT_EQ(answer.error().refusal, Refusal::kTransient);
  EXPECT_GT(bench.budget.used(), 0u) << "the record is still with the producer";
  EXPECT_FALSE(bench.sink->drain(Deadline::after(bench.clock, Duration::zero())));
  bench.report_all();
  EXPECT_EQ(bench.duplicates(), 3);
  EXPECT_EQ(bench.budget.used(), 0u);
  EXPECT_TRUE(bench.unanswered()) << "one answer only";
}

TEST(KafkaSink, DeadlinesBehindTheProducersOwnNeedNoTimer) {
  SinkBench bench(1);
  bench.send(spans(0, 1), seconds(30));
  EXPECT_EQ(bench.executor.pending_timers(), 0u);
  bench.report_all();
  bench.send(spans(0, 1), seconds(5));
  EXPECT_EQ(bench.executor.pending_timers(), 1u);
  bench.report_all();
  EXPECT_EQ(bench.executor.pending_timers(), 0u);
}

TEST(KafkaSink, RefusesWhenDraining) {
  SinkBench bench;
  EXPECT_TRUE(bench.sink->drain(Deadline::after(bench.clock, seconds(1))));
  bench.send(spans(0, 1));
  const auto answer = bench.answer();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_EQ(answer.error().refusal, Refusal::kTransient);
}

TEST(KafkaSink, ARequestThatKafkaCannotTakeAsAWholeIsRefusedBeforeItsFirstRecord) {
  SinkBench bench;
  bench.producer.set_admission(unavailable("the queue is full")
                                   .with_reason("kafka_queue_full")
                                   .with_retry_after(seconds(1)));
  bench.send(spans(0, 50), seconds(5));
  const auto answer = bench.answer();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_EQ(answer.error().refusal, Refusal::kTransient);
  EXPECT_EQ(answer.error().retry_after, seconds(1));
  EXPECT_STREQ(answer.error().reason, "kafka_queue_full");
  EXPECT_EQ(bench.producer.count(), 0u);
  EXPECT_EQ(bench.duplicates(), 0);
  EXPECT_EQ(bench.budget.used(), 0u);
  EXPECT_EQ(bench.executor.pending_timers(), 0u);
  EXPECT_TRUE(bench.sink->drain(Deadline::after(bench.clock, Duration::zero())));
  EXPECT_THAT(bench.sink->health().last_error, HasSubstr("the queue is full"));
}

TEST(KafkaSink, ARefusedSignalIsAnsweredWithTheReasonAndTheOthersGoOn) {
  SinkBench bench;
  bench.sink->refuse_signal(otlp::Signal::kTraces,
                            configuration_error(Code::kFailedPrecondition, "it is compacted")
                                .with_reason("kafka_compacted_topic"));
  EXPECT_FALSE(bench.sink->state().ok) << "without a request";
  bench.send(spans(0, 1));
  const auto answer = bench.answer();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_STREQ(answer.error().reason, "kafka_compacted_topic");
  EXPECT_THAT(answer.error().message, HasSubstr("it is compacted"));
  EXPECT_EQ(bench.producer.count(), 0u);
  bench.sink->refuse_signal(otlp::Signal::kTraces, std::nullopt);
  bench.send(spans(0, 1));
  bench.report_all();
  EXPECT_TRUE(bench.answer().ok());
  EXPECT_TRUE(bench.sink->state().ok);
}

TEST(KafkaSink, SaysWhatRequestsOfAnySignalGetNow) {
  SinkBench bench(1);
  EXPECT_TRUE(bench.sink->state().ok);
  bench.send(spans(0, 1));
  bench.report_all(kafka::error_from_code(19, "writing"));
  EXPECT_FALSE(bench.answer().ok());
  EXPECT_FALSE(bench.sink->state().ok);
  EXPECT_STREQ(bench.sink->state().last_error_reason, "kafka_not_enough_replicas");
  bench.send(fakes::otlp_request_of({fakes::otlp_resource(
                 "shop", {fakes::otlp_scope("meter", {fakes::otlp_metric(
                                                         "up", fakes::MetricKind::kGauge, {})})})}),
             seconds(30), "", otlp::Signal::kMetrics);
  bench.report_all();
  EXPECT_TRUE(bench.answer().ok());
  EXPECT_FALSE(bench.sink->state().ok) << "traces are not written all the same";
  bench.send(spans(0, 1));
  bench.report_all();
  EXPECT_TRUE(bench.answer().ok());
  EXPECT_TRUE(bench.sink->state().ok);
  bench.producer.set_partitions("otel.logs", kafka::error_from_code(3, "looking up"));
  EXPECT_STREQ(bench.sink->state().last_error_reason, "kafka_unknown_topic");
}

TEST(KafkaSink, AReportBeforeProduceReturnsIsFine) {
  SinkBench bench;
  bench.producer.answer_with([](const auto&) { return kafka::error_from_code(-184, "writing"); });
  bench.send(spans(0, 50));
  EXPECT_STREQ(bench.answer().error().reason, "kafka_queue_full");
  EXPECT_TRUE(bench.sink->drain(Deadline::after(bench.clock, Duration::zero())));
}

}  // namespace
}  // namespace spanway::kafka_bridge
