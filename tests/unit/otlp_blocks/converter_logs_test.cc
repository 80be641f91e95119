#include <gtest/gtest.h>

#include <string>

#include "services/lib/block/dictionary_column.h"
#include "services/lib/block/text_view.h"
#include "services/lib/otlp_blocks/block_converter.h"
#include "services/lib/otlp_blocks/item_time.h"
#include "services/lib/otlp_blocks/log_reader.h"
#include "services/lib/otlp_blocks/stream_rows.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::otlp_blocks {
namespace {

using block::Block;
using block::FixedColumn;
using block::ListColumn;
using fakes::otlp_attribute;
using fakes::ProtoMessage;

RequestBlocks blocks_of(const std::string& request) {
  Converter converter;
  auto blocks = converter.convert(otlp::Signal::kLogs, request, {.tenant = "acme"});
  EXPECT_TRUE(blocks.ok());
  return std::move(blocks).value();
}
std::string text_at(const Block& block, std::string_view column, std::size_t row = 0) {
  return std::string(block::TextView::of(*block.find(column))->at(row).value_or("NULL"));
}
template <typename T>
T number_at(const Block& block, std::string_view column, std::size_t row = 0) {
  return static_cast<const FixedColumn&>(*block.find(column)).values<T>()[row];
}
const Block* dictionary(const RequestBlocks& blocks, std::string_view table) {
  for (const DictionaryBlock& block : blocks.dictionaries)
    if (block.table == table) return &block.rows;
  return nullptr;
}
ProtoMessage record_with_body(ProtoMessage body) {
  return ProtoMessage().fixed64(1, 1'767'225'600'000'000'000ULL).message(5, std::move(body));
}

TEST(ConvertLogs, ARecordIsARow) {
  ProtoMessage record = fakes::otlp_log_record("started", fakes::otlp_trace_id(1),
                                               fakes::otlp_span_id(2), {otlp_attribute("k", "v")});
  record.varint(7, 4).fixed32(8, 1).fixed64(11, 1'767'225'600'000'000'009ULL).bytes(12, "boot");
  const RequestBlocks blocks = blocks_of(fakes::otlp_request_of({record}));
  ASSERT_EQ(blocks.data.size(), 1u);
  EXPECT_EQ(blocks.data[0].table, "logs");
  const Block& rows = blocks.data[0].rows;
  ASSERT_TRUE(rows.check().ok()) << rows.check().error().message;
  EXPECT_EQ(text_at(rows, "body"), "started");
  EXPECT_EQ(number_at<std::int8_t>(rows, "body_kind"), 0);
  EXPECT_EQ(text_at(rows, "severity_text"), "INFO");
  EXPECT_EQ(number_at<std::uint8_t>(rows, "severity"), 9);
  EXPECT_EQ(text_at(rows, "trace_id"), fakes::otlp_trace_id(1));
  EXPECT_EQ(text_at(rows, "span_id"), fakes::otlp_span_id(2));
  EXPECT_EQ(text_at(rows, "event_name"), "boot");
  EXPECT_EQ(number_at<std::int64_t>(rows, "observed_ts"), 1'767'225'600'000'000'009);
  EXPECT_EQ(number_at<std::uint32_t>(rows, "flags"), 1u);
  EXPECT_EQ(number_at<std::uint32_t>(rows, "dropped_attributes"), 4u);
}

TEST(ConvertLogs, ABodyOfAnyKindIsKept) {
  const RequestBlocks blocks = blocks_of(fakes::otlp_request_of(
      {record_with_body(fakes::otlp_kvlist({otlp_attribute("a", fakes::otlp_int(1))})),
       record_with_body(ProtoMessage().bytes(7, "\xff")), record_with_body(fakes::otlp_int(7)),
       record_with_body(ProtoMessage())}));
  const Block& rows = blocks.data[0].rows;
  EXPECT_EQ(text_at(rows, "body", 0), R"({"a":1})");
  EXPECT_EQ(number_at<std::int8_t>(rows, "body_kind", 0), 1);
  EXPECT_EQ(text_at(rows, "body", 1), "/w==");  // UTF-8, as Parquet has it.
  EXPECT_EQ(number_at<std::int8_t>(rows, "body_kind", 1), 2);
  EXPECT_EQ(text_at(rows, "body", 2), "7");
  EXPECT_EQ(number_at<std::int8_t>(rows, "body_kind", 2), 1);
  EXPECT_EQ(text_at(rows, "body", 3), "");
  EXPECT_EQ(number_at<std::int8_t>(rows, "body_kind", 3), 0);
  LogReader reader(rows);
  const StoredLog* bytes = reader.read(1);
  ASSERT_NE(bytes, nullptr);
  EXPECT_EQ(bytes->log.body.kind, otlp::ValueKind::kBytes);
  EXPECT_EQ(bytes->log.body.text, "\xff");
}

TEST(ConvertLogs, ARecordWithoutATimeHasTheTimeOfItsObservation) {
  const RequestBlocks blocks = blocks_of(fakes::otlp_request_of(
      {ProtoMessage().fixed64(11, 86'400'000'000'005ULL).varint(2, 1000), ProtoMessage()}));
  ASSERT_EQ(blocks.data.size(), 2u);
  EXPECT_EQ(blocks.data[0].day, 0);
  EXPECT_EQ(blocks.data[1].day, 1);
  EXPECT_EQ(number_at<std::int64_t>(blocks.data[1].rows, "ts"), 86'400'000'000'005);
  EXPECT_EQ(number_at<std::uint8_t>(blocks.data[1].rows, "severity"), 255);
}

TEST(ConvertLogs, AStreamIsOneRowADayWithItsLabels) {
  const auto resource = [](std::string_view service, std::string_view pod, int item) {
    ProtoMessage attributes;
    attributes.message(1, otlp_attribute("service.name", service));
    attributes.message(1, otlp_attribute("k8s.pod.name", pod));
    attributes.message(1, otlp_attribute("no.label", std::to_string(item)));
    return ProtoMessage()
        .message(1, attributes)
        .message(2, fakes::otlp_scope("s", {fakes::otlp_log_record("x")}));
  };
  const RequestBlocks blocks = blocks_of(
      fakes::otlp_request({resource("a", "p", 1), resource("a", "p", 2), resource("b", "p", 3)})
          .encode());
  const Block* streams = dictionary(blocks, "log_streams");
  ASSERT_NE(streams, nullptr);
  ASSERT_TRUE(streams->check().ok());
  ASSERT_EQ(streams->rows(), 2u);
  const auto& labels = static_cast<const ListColumn&>(*streams->find("labels"));
  ASSERT_EQ(labels.end_of(0), 2u);
  EXPECT_EQ(*block::TextView::of(labels.nested(0))->at(0), "k8s_pod_name");
  EXPECT_EQ(*block::TextView::of(labels.nested(0))->at(1), "service_name");
  EXPECT_EQ(*block::TextView::of(labels.nested(1))->at(1), "a");
  const Block& rows = blocks.data[0].rows;
  EXPECT_EQ(number_at<std::uint64_t>(rows, "stream_id", 0),
            number_at<std::uint64_t>(*streams, "stream_id", 0));
  EXPECT_EQ(number_at<std::uint64_t>(rows, "stream_id", 0),
            number_at<std::uint64_t>(rows, "stream_id", 1));
  EXPECT_NE(number_at<std::uint64_t>(rows, "stream_id", 0),
            number_at<std::uint64_t>(rows, "stream_id", 2));
  ASSERT_NE(dictionary(blocks, "resources"), nullptr);
  EXPECT_EQ(dictionary(blocks, "resources")->rows(), 3u);
}

TEST(ConvertLogs, AStreamWithoutAServiceNameSaysSo) {
  const StreamLabels stream = stream_labels({});
  ASSERT_EQ(stream.labels.size(), 1u);
  EXPECT_EQ(stream.labels[0].first, "service_name");
  EXPECT_EQ(stream.labels[0].second, "unknown_service");
}

}  // namespace
}  // namespace spanway::otlp_blocks
