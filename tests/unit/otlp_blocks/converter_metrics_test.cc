#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <string>

#include "services/lib/block/dictionary_column.h"
#include "services/lib/block/text_view.h"
#include "services/lib/clickhouse/native_writer.h"
#include "services/lib/otlp_blocks/block_converter.h"
#include "services/lib/otlp_blocks/identity.h"
#include "services/lib/promseries/native_histogram.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::otlp_blocks {
namespace {

using block::Block;
using block::FixedColumn;
using block::ListColumn;
using fakes::MetricKind;
using fakes::otlp_attribute;
using fakes::otlp_metric;
using fakes::ProtoMessage;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::uint64_t kTime = 1'767'225'600'000'000'000ULL;  // 2026-01-01.
constexpr std::uint64_t kDay = 86'400'000'000'000ULL;

RequestBlocks blocks_of(const std::string& request, const KnownRows* known = nullptr) {
  Converter converter;
  auto blocks =
      converter.convert(otlp::Signal::kMetrics, request, {.tenant = "acme", .known = known});
  SPANWAY_CHECK(blocks.ok());
  for (const DataBlock& data : blocks->data) EXPECT_TRUE(data.rows.check().ok()) << data.table;
  for (const DictionaryBlock& rows : blocks->dictionaries)
    EXPECT_TRUE(rows.rows.check().ok()) << rows.table;
  return std::move(blocks).value();
}
RequestBlocks blocks_of(const ProtoMessage& metric) {
  return blocks_of(fakes::otlp_request_of({metric}));
}
std::string text_at(const Block& block, std::string_view column, std::size_t row = 0) {
  return std::string(block::TextView::of(*block.find(column))->at(row).value_or("NULL"));
}
template <typename T>
std::vector<T> numbers(const block::Column& column) {
  const auto values = static_cast<const FixedColumn&>(column).values<T>();
  return {values.begin(), values.end()};
}
template <typename T>
std::vector<T> numbers(const Block& block, std::string_view column) {
  return numbers<T>(*block.find(column));
}
template <typename T>
std::vector<T> elements(const Block& block, std::string_view column) {
  return numbers<T>(static_cast<const ListColumn&>(*block.find(column)).nested());
}
// "a=1,b=2" of a row's map.
std::string labels_at(const Block& block, std::size_t row) {
  const auto& map = static_cast<const ListColumn&>(*block.find("labels"));
  std::string text;
  for (std::size_t i = map.begin_of(row); i < map.end_of(row); ++i)
    text += (text.empty() ? "" : ",") +
            std::string(block::TextView::of(map.nested(0))->at(i).value_or("")) + "=" +
            std::string(block::TextView::of(map.nested(1))->at(i).value_or(""));
  return text;
}
const Block& dictionary(const RequestBlocks& blocks, std::string_view table) {
  for (const DictionaryBlock& rows : blocks.dictionaries)
    if (rows.table == table) return rows.rows;
  SPANWAY_CHECK(false);
}
std::vector<std::string> tables(const RequestBlocks& blocks) {
  std::vector<std::string> all;
  for (const DataBlock& data : blocks.data) all.emplace_back(data.table);
  return all;
}
std::string packed(const std::vector<std::uint64_t>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0])};
}
std::string packed_reals(const std::vector<double>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0])};
}
// A metric of which temporality and unit are given.
ProtoMessage metric(std::string_view name, std::string_view unit, MetricKind kind,
                    const ProtoMessage& point, std::uint64_t temporality) {
  ProtoMessage data = ProtoMessage().message(1, point).varint(2, temporality);
  if (kind == MetricKind::kSum) data.varint(3, 1);
  return ProtoMessage().bytes(1, name).bytes(2, "Help").bytes(3, unit).message(
      static_cast<std::uint32_t>(kind), data);
}

TEST(ConvertMetrics, AGaugeIsASampleOfASeries) {
  const auto blocks =
      blocks_of(otlp_metric("queue.size", MetricKind::kGauge,
                            {fakes::otlp_number_point(7, {otlp_attribute("http.route", "/a")}),
                             fakes::otlp_number_point(8, {otlp_attribute("http.route", "/b")})
                                 .fixed64(3, kTime + kDay)}));
  ASSERT_THAT(tables(blocks), ElementsAre("samples", "samples"));
  const Block& first = blocks.data[0].rows;
  EXPECT_EQ(blocks.data[0].day + 1, blocks.data[1].day);
  EXPECT_EQ(text_at(first, "tenant"), "acme");
  EXPECT_EQ(text_at(first, "metric"), "queue_size_ratio");
  EXPECT_THAT(numbers<double>(first, "value"), ElementsAre(7.0));
  EXPECT_THAT(numbers<std::int64_t>(first, "ts"), ElementsAre(1'767'225'600'000));
  EXPECT_THAT(numbers<std::uint8_t>(first, "stale"), ElementsAre(0));
  const Block& series = dictionary(blocks, "series");
  ASSERT_EQ(series.rows(), 2u);
  EXPECT_EQ(text_at(series, "metric"), "queue_size_ratio");
  EXPECT_EQ(text_at(series, "otlp_name"), "queue.size");
  EXPECT_EQ(labels_at(series, 0), "http_route=/a,job=shop");
  EXPECT_EQ(labels_at(series, 1), "http_route=/b,job=shop");
  EXPECT_THAT(numbers<std::int8_t>(series, "type"), ElementsAre(1, 1));
  EXPECT_EQ(numbers<Hash128>(series, "series_id")[0], numbers<Hash128>(first, "series_id")[0]);
  EXPECT_EQ(numbers<std::uint64_t>(series, "res_id")[0],
            numbers<std::uint64_t>(dictionary(blocks, "resources"), "res_id")[0]);
}

// ClickHouse keeps delta as it came; a query makes running sums of it.
TEST(ConvertMetrics, ASumKeepsItsTemporality) {
  const auto point = fakes::otlp_number_point(3).fixed64(2, kTime - 1'000'000);
  const auto blocks = blocks_of(metric("requests", "{request}", MetricKind::kSum, point, 1));
  const Block& series = dictionary(blocks, "series");
  EXPECT_EQ(text_at(series, "metric"), "requests_total");
  EXPECT_EQ(text_at(series, "unit"), "{request}");
  EXPECT_EQ(text_at(series, "help"), "Help");
  EXPECT_THAT(numbers<std::int8_t>(series, "type"), ElementsAre(2));
  EXPECT_THAT(numbers<std::int8_t>(series, "temporality"), ElementsAre(1));
  EXPECT_THAT(numbers<std::uint8_t>(series, "monotonic"), ElementsAre(1));
  EXPECT_THAT(numbers<std::int64_t>(blocks.data[0].rows, "start_ts"),
              ElementsAre(1'767'225'599'999));
}

TEST(ConvertMetrics, AnExplicitHistogramIsOneRowWithItsExemplars) {
  ProtoMessage exemplar;
  exemplar.fixed64(2, kTime)
      .real(3, 0.5)
      .bytes(4, fakes::otlp_span_id(2))
      .bytes(5, fakes::otlp_trace_id(1));
  exemplar.message(7, otlp_attribute("user.id", "u1"));
  const auto blocks = blocks_of(metric("latency", "s", MetricKind::kHistogram,
                                       ProtoMessage()
                                           .fixed64(3, kTime)
                                           .fixed64(4, 6)
                                           .real(5, 2.5)
                                           .bytes(6, packed({1, 2, 3}))
                                           .bytes(7, packed_reals({0.1, 1.0}))
                                           .message(8, exemplar)
                                           .real(11, 0.05),
                                       2));
  ASSERT_THAT(tables(blocks), ElementsAre("histograms", "exemplars"));
  const Block& rows = blocks.data[0].rows;
  EXPECT_EQ(text_at(rows, "metric"), "latency_seconds");
  EXPECT_THAT(numbers<std::uint64_t>(rows, "count"), ElementsAre(6u));
  EXPECT_THAT(numbers<double>(rows, "sum"), ElementsAre(2.5));
  EXPECT_THAT(elements<double>(rows, "bounds"), ElementsAre(0.1, 1.0));
  EXPECT_THAT(elements<std::uint64_t>(rows, "counts"), ElementsAre(1u, 2u, 3u));
  const auto& minimum = static_cast<const block::NullableColumn&>(*rows.find("min"));
  EXPECT_FALSE(minimum.is_null(0));
  EXPECT_TRUE(static_cast<const block::NullableColumn&>(*rows.find("max")).is_null(0));
  const Block& exemplars = blocks.data[1].rows;
  EXPECT_THAT(numbers<double>(exemplars, "value"), ElementsAre(0.5));
  EXPECT_EQ(text_at(exemplars, "trace_id"), fakes::otlp_trace_id(1));
  EXPECT_EQ(text_at(exemplars, "span_id"), fakes::otlp_span_id(2));
  EXPECT_EQ(labels_at(exemplars, 0), "user_id=u1");
}

TEST(ConvertMetrics, AnExponentialHistogramKeepsItsScaleAndBuckets) {
  ProtoMessage positive, negative;
  positive.varint(1, 6).bytes(2, std::string("\x01\x02", 2));  // Offset 3.
  negative.varint(1, 1).bytes(2, std::string("\x05", 1));      // Offset -1.
  ProtoMessage point;
  point.fixed64(3, kTime)
      .fixed64(4, 9)
      .varint(6, 4)
      .fixed64(7, 1)
      .message(8, positive)
      .message(9, negative);
  const auto blocks = blocks_of(metric("size", "By", MetricKind::kExponentialHistogram, point, 2));
  ASSERT_THAT(tables(blocks), ElementsAre("histograms"));
  const Block& rows = blocks.data[0].rows;
  EXPECT_THAT(numbers<std::int8_t>(rows, "scale"), ElementsAre(2));
  EXPECT_THAT(numbers<std::uint64_t>(rows, "zero_count"), ElementsAre(1u));
  EXPECT_THAT(numbers<std::int32_t>(rows, "pos_offset"), ElementsAre(3));
  EXPECT_THAT(numbers<std::int32_t>(rows, "neg_offset"), ElementsAre(-1));
  EXPECT_THAT(elements<std::uint64_t>(rows, "counts"), ElementsAre(1u, 2u));
  EXPECT_THAT(elements<std::uint64_t>(rows, "neg_counts"), ElementsAre(5u));
  EXPECT_TRUE(std::isnan(numbers<double>(rows, "sum")[0]));
  EXPECT_THAT(numbers<std::int8_t>(dictionary(blocks, "series"), "type"), ElementsAre(4));
}

TEST(ConvertMetrics, ASummaryHasItsQuantiles) {
  const auto point = ProtoMessage().fixed64(3, kTime).fixed64(4, 2).real(5, 3).message(
      6, ProtoMessage().real(1, 0.5).real(2, 1.5));
  const auto blocks = blocks_of(otlp_metric("gc", MetricKind::kSummary, {point}));
  const Block& rows = blocks.data[0].rows;
  EXPECT_THAT(elements<double>(rows, "bounds"), ElementsAre(0.5));
  EXPECT_THAT(elements<double>(rows, "quantile_values"), ElementsAre(1.5));
}

TEST(ConvertMetrics, APointWithoutAValueIsStale) {
  const auto point = ProtoMessage().fixed64(3, kTime).varint(8, 1);
  const auto blocks = blocks_of(otlp_metric("up", MetricKind::kGauge, {point}));
  const Block& rows = blocks.data[0].rows;
  EXPECT_THAT(numbers<std::uint8_t>(rows, "stale"), ElementsAre(1));
  EXPECT_EQ(std::bit_cast<std::uint64_t>(numbers<double>(rows, "value")[0]),
            promseries::kStaleBits);
}

TEST(ConvertMetrics, OtherAttributesOfTheResourceAreLabelsOfTargetInfo) {
  ProtoMessage resource;
  resource.message(1, ProtoMessage()
                          .message(1, otlp_attribute("service.name", "shop"))
                          .message(1, otlp_attribute("host.name", "a")));
  const ProtoMessage scope = fakes::otlp_scope(
      "s", {otlp_metric("up", MetricKind::kGauge, {fakes::otlp_number_point(1)})});
  resource.message(2, scope);
  const auto blocks = blocks_of(fakes::otlp_request({resource, resource}).encode());
  const Block& series = dictionary(blocks, "series");
  ASSERT_EQ(series.rows(), 2u);
  EXPECT_EQ(text_at(series, "metric", 1), "target_info");
  EXPECT_EQ(labels_at(series, 1), "host_name=a,job=shop");
  // Once, although the resource comes twice.
  EXPECT_THAT(numbers<double>(blocks.data[0].rows, "value"), ElementsAre(1.0, 1.0, 1.0));
}

TEST(ConvertMetrics, WhatCannotBeStoredIsCountedAndNamed) {
  const auto broken = metric(
      "latency", "s", MetricKind::kHistogram,
      ProtoMessage().fixed64(3, kTime).bytes(6, packed({1, 2, 3})).bytes(7, packed_reals({0.1})),
      2);
  const auto blocks = blocks_of(fakes::otlp_request_of(
      {broken, otlp_metric("up", MetricKind::kGauge, {fakes::otlp_number_point(1)})}));
  EXPECT_EQ(blocks.rejected, 1u);
  EXPECT_THAT(blocks.rejected_reason, HasSubstr("'latency'"));
  EXPECT_THAT(tables(blocks), ElementsAre("samples"));
}

// The server drops the rows of a known token unread: equal requests must make equal rows, in every
// process and version. Other bytes here = new tokens are needed.
TEST(ConvertMetrics, TheBytesOfARequestAreTheSameInEveryVersion) {
  const auto blocks = blocks_of(fakes::otlp_request_of(
      {otlp_metric("up", MetricKind::kGauge,
                   {fakes::otlp_number_point(1, {otlp_attribute("k", "v")})}),
       metric("latency", "s", MetricKind::kHistogram,
              ProtoMessage()
                  .fixed64(3, kTime)
                  .fixed64(4, 6)
                  .bytes(6, packed({1, 2, 3}))
                  .bytes(7, packed_reals({0.1, 1.0})),
              2)}));
  std::string bytes;
  for (const DataBlock& data : blocks.data) {
    Bytes body;
    clickhouse::append_native(data.rows, body);
    bytes += body.view();
  }
  EXPECT_EQ(murmur3(bytes).low, 0xe386d7ca8165a98aULL);
}

TEST(ConvertMetrics, AKnownSeriesIsNotWrittenAgain) {
  class Everything final : public KnownRows {
    bool contains(std::uint64_t) const override { return true; }
  } known;
  const auto request = fakes::otlp_request_of(
      {otlp_metric("up", MetricKind::kGauge, {fakes::otlp_number_point(1)})});
  const auto blocks = blocks_of(request, &known);
  EXPECT_TRUE(blocks.dictionaries.empty());
  EXPECT_THAT(tables(blocks), ElementsAre("samples"));
}

}  // namespace
}  // namespace spanway::otlp_blocks
