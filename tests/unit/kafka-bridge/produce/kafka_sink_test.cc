#include "services/kafka-bridge/produce/kafka_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "services/lib/otlp/placement.h"
#include "tests/unit/kafka-bridge/consume/lane_fixture.h"
#include "tests/unit/kafka-bridge/produce/kafka_sink_fixture.h"

namespace spanway::kafka_bridge {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

TEST(KafkaSink, AnswersAfterTheLastReport) {
  KafkaSinkFixture fixture;
  fixture.send(spans(0, 50));
  std::vector<fakes::FakeProducer::Sent> records;
  std::size_t items = 0;
  std::set<std::int32_t> partitions;
  while (auto sent = fixture.producer.take()) {
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
  EXPECT_GT(fixture.budget.used(), 0u);
  for (auto& record : records) {
    EXPECT_TRUE(fixture.unanswered());
    record.report(ok_status());
  }
  const auto answer = fixture.answer();
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->rejected, 0u);
  EXPECT_EQ(fixture.budget.used(), 0u);
  EXPECT_EQ(
      fixture.metrics.value("spanway_kafka_bridge_written_items_total", {{"signal", "traces"}}),
      50);
  EXPECT_EQ(fixture.duplicates(), 0);
}

TEST(KafkaSink, PlacesTracesAsTheJavaClientWould) {
  KafkaSinkFixture fixture(7);
  fixture.send(spans(0, 40));
  while (auto sent = fixture.producer.take()) {
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

// A scan that says of every item that it lies in partition 2, so that one sees which scan was used.
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
    KafkaSinkFixture fixture(4);
    pipeline::Batch batch;
    batch.payload = Bytes(payload);
    batch.scanned = marked_scan(payload, theirs);
    fixture.sink->send(std::move(batch), fixture.answers.token());
    std::set<std::int32_t> partitions;
    while (auto sent = fixture.producer.take()) {
      partitions.insert(sent->record.partition);
      sent->report(ok_status());
    }
    EXPECT_TRUE(fixture.answer().ok());
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
  KafkaSinkFixture fixture(1);
  pipeline::Batch batch;
  batch.payload = Bytes(spans(0, 20));
  const char* bytes = batch.payload.data();
  fixture.sink->send(std::move(batch), fixture.answers.token());
  auto sent = fixture.producer.take();
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->record.payload.data(), bytes);
  sent->report(ok_status());
  EXPECT_TRUE(fixture.answer().ok());
}

TEST(KafkaSink, SendsTheTenantAlong) {
  KafkaSinkFixture fixture(1);
  fixture.send(spans(0, 1), seconds(30), "acme");
  auto sent = fixture.producer.take();
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->header("spanway-tenant"), "acme");
  sent->report(ok_status());
}

TEST(KafkaSink, ManyRecordsOfOneRequestAreChargedForMoreThanTheirBytes) {
  KafkaSinkFixture fixture(1);
  fixture.options.key_by_trace = true;
  fixture.remake();
  const std::size_t before = fixture.budget.used();
  fixture.send(spans(0, 50));
  EXPECT_GT(fixture.budget.used(), before + 50 * 500u);
  while (auto sent = fixture.producer.take()) sent->report(ok_status());
  EXPECT_EQ(fixture.budget.used(), before);
}

TEST(KafkaSink, KeysByTraceWhenConfigured) {
  KafkaSinkFixture fixture(1);
  fixture.options.key_by_trace = true;
  fixture.remake();
  fixture.send(spans(0, 3));
  std::set<std::string> keys;
  while (auto sent = fixture.producer.take()) {
    keys.insert(sent->record.key);
    EXPECT_EQ(span_names(sent->record.payload.view()).size(), 1u);
    sent->report(ok_status());
  }
  EXPECT_EQ(keys, (std::set<std::string>{"00000000000000000000000000000001",
                                         "00000000000000000000000000000002",
                                         "00000000000000000000000000000003"}));
  // Also when the request is a single trace.
  fixture.send(spans(4, 1));
  auto sent = fixture.producer.take();
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->record.key, "00000000000000000000000000000005");
  sent->report(ok_status());
}

TEST(KafkaSink, SplitsAtTheRecordLimit) {
  KafkaSinkFixture fixture(1);
  const std::string payload = spans(0, 200);
  fixture.options.record_bytes_max = payload.size() / 4;
  fixture.remake();
  fixture.send(payload);
  std::size_t items = 0;
  while (auto sent = fixture.producer.take()) {
    EXPECT_LE(sent->record.payload.size(), payload.size() / 4);
    items += span_names(sent->record.payload.view()).size();
    sent->report(ok_status());
  }
  EXPECT_EQ(items, 200u);
  EXPECT_TRUE(fixture.answer().ok());
}

TEST(KafkaSink, SplitsAtWhatTheTopicTakesAndRejectsWhatItCannotTake) {
  KafkaSinkFixture fixture(1);
  std::string payload;
  for (int i = 1; i <= 6; ++i) {
    payload += fakes::otlp_request_of({fakes::otlp_span(i, i, std::string(60'000, 'x'))});
  }
  fixture.sink->limit_records(otlp::Signal::kTraces, 200'000);
  fixture.send(payload);
  while (auto sent = fixture.producer.take()) {
    EXPECT_LE(sent->record.payload.size(), 199'000u);
    sent->report(ok_status());
  }
  auto answer = fixture.answer();
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->rejected, 0u);
  fixture.send(fakes::otlp_request_of(
      {fakes::otlp_span(1, 1, "span-0/"), fakes::otlp_span(2, 2, std::string(250'000, 'x'))}));
  fixture.report_all();
  answer = fixture.answer();
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->rejected, 1u);
  EXPECT_THAT(answer->message, HasSubstr("max.message.bytes of the topic otel.traces"));
  fixture.sink->limit_records(otlp::Signal::kTraces, 1'048'588);
  fixture.send(fakes::otlp_request_of({fakes::otlp_span(2, 2, std::string(250'000, 'x'))}));
  fixture.report_all();
  EXPECT_TRUE(fixture.answer().ok()) << "the topic was given more";
}

TEST(KafkaSink, RejectsBadItemsOneByOne) {
  KafkaSinkFixture fixture(1);
  fixture.send(fakes::otlp_request_of(
      {fakes::otlp_span(1, 1, "span-0/"), fakes::otlp_span(std::string(16, '\0'), "12345678"),
       fakes::otlp_span("short", "12345678"), fakes::otlp_span(2, 2, "span-1/")}));
  auto sent = fixture.producer.take();
  ASSERT_TRUE(sent);
  EXPECT_EQ(span_names(sent->record.payload.view()).size(), 2u);
  sent->report(ok_status());
  const auto answer = fixture.answer();
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->rejected, 2u);
  EXPECT_NE(answer->message, "");
  EXPECT_EQ(fixture.metrics.value("spanway_kafka_bridge_rejected_items_total",
                                  {{"signal", "traces"}, {"reason", "invalid_trace_id"}}),
            2);
}

TEST(KafkaSink, AJoinedRequestIsRefusedWholeBeforeOneOfItsItemsIsRejected) {
  for (const bool joined : {true, false}) {
    KafkaSinkFixture fixture(1);
    pipeline::Batch batch;
    batch.payload = Bytes(fakes::otlp_request_of(
        {fakes::otlp_span(1, 1, "span-0/"), fakes::otlp_span("short", "12345678")}));
    batch.permit = *fixture.budget.try_acquire(batch.payload.size());
    batch.metadata.all_or_nothing = joined;
    fixture.sink->send(std::move(batch), fixture.answers.token());
    EXPECT_EQ(fixture.producer.count(), joined ? 0u : 1u);
    fixture.report_all();
    const auto answer = fixture.answer();
    ASSERT_EQ(answer.ok(), !joined);
    if (joined) {
      EXPECT_EQ(answer.error().refusal, Refusal::kData) << "the ingress sends the parts alone";
      EXPECT_STREQ(answer.error().reason, "joined_items_rejected");
      EXPECT_EQ(fixture.metrics.value("spanway_kafka_bridge_rejected_items_total",
                                      {{"signal", "traces"}, {"reason", "invalid_trace_id"}}),
                0)
          << "counted when it comes alone";
    } else {
      EXPECT_EQ(answer->rejected, 1u);
    }
  }
}

TEST(KafkaSink, AllRejectedIsInvalidArgument) {
  KafkaSinkFixture fixture;
  fixture.send(fakes::otlp_request_of({fakes::otlp_span(std::string(16, '\0'), "12345678")}));
  const auto answer = fixture.answer();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kInvalidArgument);
  EXPECT_EQ(answer.error().refusal, Refusal::kData);
  EXPECT_EQ(fixture.producer.count(), 0u);
  EXPECT_EQ(fixture.budget.used(), 0u);
}

TEST(KafkaSink, AnEmptyRequestSucceeds) {
  KafkaSinkFixture fixture;
  fixture.send("");
  EXPECT_TRUE(fixture.answer().ok());
  fixture.send(fakes::otlp_request_of({}));
  EXPECT_TRUE(fixture.answer().ok());
  EXPECT_EQ(fixture.producer.count(), 0u);
}

TEST(KafkaSink, ReportsWhatItDoesNotReadByPartialSuccess) {
  KafkaSinkFixture fixture;
  const auto library = fakes::otlp_scope("old", {fakes::otlp_span(1, 1), fakes::otlp_span(1, 2)});
  fixture.send(
      fakes::otlp_request({fakes::otlp_resource("shop", {}).message(1000, library)}).encode());
  const auto answer = fixture.answer();
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->rejected, 2u);
  EXPECT_EQ(fixture.producer.count(), 0u);
}

TEST(KafkaSink, KeepsAMetricWithoutDataPoints) {
  KafkaSinkFixture fixture;
  const std::string request = fakes::otlp_request_of({fakes::otlp_resource(
      "shop",
      {fakes::otlp_scope("meter", {fakes::otlp_metric("up", fakes::MetricKind::kGauge, {})})})});
  fixture.send(request, seconds(30), "", otlp::Signal::kMetrics);
  ASSERT_EQ(fixture.producer.count(), 1u);
  EXPECT_EQ(fixture.producer.take()->record.payload.view(), request);
}

TEST(KafkaSink, BrokenFramingIsTheClientsMistake) {
  KafkaSinkFixture fixture;
  fixture.send("no protobuf");
  const auto answer = fixture.answer();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().refusal, Refusal::kData);
  EXPECT_EQ(answer.error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace spanway::kafka_bridge
