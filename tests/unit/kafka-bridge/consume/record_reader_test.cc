#include "services/kafka-bridge/consume/record_reader.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/fakes/otlp_builder.h"

namespace spanway::kafka_bridge {
namespace {

kafka::RecordView record(std::string_view value, std::span<const kafka::HeaderView> headers = {}) {
  kafka::RecordView view;
  view.value = value;
  view.headers = headers;
  return view;
}

TEST(RecordReader, TakesForeignRecordsWithoutHeaders) {
  RecordReader reader;
  const std::string value =
      fakes::otlp_request_of({fakes::otlp_span(1, 1), fakes::otlp_span(2, 2)});
  const auto read = reader.read(otlp::Signal::kTraces, record(value));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->tenant, "");
  EXPECT_EQ(read->item_count, 2u);
  EXPECT_EQ(read->payload.data(), value.data()) << "not copied";
  EXPECT_EQ(read->rejected, 0u);
}

TEST(RecordReader, FindsTheTenantAmongTheHeaders) {
  RecordReader reader;
  const std::string value = fakes::otlp_request_of({fakes::otlp_span(1, 1)});
  const kafka::HeaderView headers[] = {{"content-type", "application/x-protobuf"},
                                       {"spanway-tenant", "acme"},
                                       {"traceparent", "00-..."}};
  EXPECT_EQ(reader.read(otlp::Signal::kTraces, record(value, headers))->tenant, "acme");
}

// Our exporter refuses it: each item would become a dead letter of its own.
TEST(RecordReader, ATenantThatOurServicesRefuseIsRefused) {
  RecordReader reader;
  const std::string value = fakes::otlp_request_of({fakes::otlp_span(1, 1)});
  for (const std::string& tenant :
       {std::string("a\nb"), std::string("\xff"), std::string(65, 'a'), std::string("with space"),
        std::string("acme.eu"), std::string("a/b")}) {
    const kafka::HeaderView headers[] = {{"spanway-tenant", tenant}};
    EXPECT_FALSE(reader.read(otlp::Signal::kTraces, record(value, headers)).ok()) << tenant;
  }
}

TEST(RecordReader, WhatIsNoOtlpIsADataError) {
  RecordReader reader;
  for (const char* value : {"hello", R"({"resourceSpans":[]})", "\x0a\x7f", "\x0a", "\x08\x01"}) {
    const auto read = reader.read(otlp::Signal::kTraces, record(value));
    ASSERT_FALSE(read.ok()) << value;
    EXPECT_EQ(read.error().refusal, Refusal::kData);
  }
}

// Committed as it is, it would be lost without a trace.
TEST(RecordReader, ARecordWithBytesButNoItemIsADataError) {
  RecordReader reader;
  const std::string without_items = fakes::otlp_request_of({});
  const std::string field_1000 =
      fakes::otlp_request(
          {fakes::ProtoMessage().message(1000, fakes::otlp_scope("s", {fakes::otlp_span(1, 1)}))})
          .encode();
  for (const std::string& value : {without_items, field_1000}) {
    const auto read = reader.read(otlp::Signal::kTraces, record(value));
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.error().refusal, Refusal::kData);
    EXPECT_NE(read.error().message.find("spans"), std::string::npos);
  }
}

TEST(RecordReader, AMetricWithoutDataPointsIsAnItem) {
  RecordReader reader;
  const std::string value = fakes::otlp_request_of(
      {fakes::otlp_metric("none", fakes::MetricKind::kGauge, {}),
       fakes::otlp_metric("two", fakes::MetricKind::kGauge,
                          {fakes::otlp_number_point(1), fakes::otlp_number_point(2)})});
  EXPECT_EQ(reader.read(otlp::Signal::kMetrics, record(value))->item_count, 3u);
}

TEST(RecordReader, AnEmptyRecordIsAnEmptyRequest) {
  RecordReader reader;
  const auto read = reader.read(otlp::Signal::kTraces, record(""));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->item_count, 0u);
}

TEST(RecordReader, CleansARecordOfItemsThatNoReceiverTakes) {
  RecordReader reader;
  const std::string value = fakes::otlp_request_of(
      {fakes::otlp_span(1, 1), fakes::otlp_span(std::string(16, '\0'), "12345678")});
  const auto read = reader.read(otlp::Signal::kTraces, record(value));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->item_count, 1u);
  EXPECT_EQ(read->rejected, 1u);
  EXPECT_NE(read->reject_message, "");
  EXPECT_LT(read->payload.size(), value.size());
}

// The ingress bounds items; a foreign record is already accepted.
TEST(RecordReader, TakesItemsLargerThanOurOwnIngressWould) {
  RecordReader reader;
  const std::string value =
      fakes::otlp_request_of({fakes::otlp_span(1, 1, std::string(3u << 20, 'x'))});
  const auto read = reader.read(otlp::Signal::kTraces, record(value));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->item_count, 1u);
  EXPECT_EQ(read->rejected, 0u);
}

}  // namespace
}  // namespace spanway::kafka_bridge
