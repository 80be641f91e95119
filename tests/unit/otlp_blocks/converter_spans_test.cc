#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>

#include "services/lib/block/dictionary_column.h"
#include "services/lib/block/text_view.h"
#include "services/lib/otlp_blocks/attribute_maps.h"
#include "services/lib/otlp_blocks/block_converter.h"
#include "services/lib/otlp_blocks/item_time.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::otlp_blocks {
namespace {

using block::Block;
using block::DictionaryColumn;
using block::FixedColumn;
using block::ListColumn;
using block::NullableColumn;
using fakes::otlp_attribute;
using fakes::ProtoMessage;

constexpr std::uint64_t kStart = 1'767'225'600'000'000'000ULL;  // 2026-01-01, of otlp_span().
constexpr std::int32_t kDay = 20'454;

Result<RequestBlocks> convert(const std::string& request, std::string_view tenant = "acme") {
  Converter converter;
  return converter.convert(otlp::Signal::kTraces, request, {.tenant = tenant});
}
RequestBlocks blocks_of(const std::vector<ProtoMessage>& spans) {
  auto blocks = convert(fakes::otlp_request_of(spans));
  EXPECT_TRUE(blocks.ok());
  return std::move(blocks).value();
}
std::string text_at(const Block& block, std::string_view column, std::size_t row = 0) {
  const auto view = block::TextView::of(*block.find(column));
  return std::string(view->at(row).value_or("NULL"));
}
template <typename T>
T number_at(const Block& block, std::string_view column, std::size_t row = 0) {
  return static_cast<const FixedColumn&>(*block.find(column)).values<T>()[row];
}
// "key=value;..." of a map.
std::string map_at(const Block& block, std::string_view column, std::size_t row = 0) {
  const auto& list = static_cast<const ListColumn&>(*block.find(column));
  std::string text;
  for (std::size_t i = list.begin_of(row); i < list.end_of(row); ++i) {
    text += *block::TextView::of(list.nested(0))->at(i);
    if (const auto value = block::TextView::of(list.nested(1)))
      text += "=" + std::string(*value->at(i));
    text += ";";
  }
  return text;
}
const Block& dictionary(const RequestBlocks& blocks, std::string_view table) {
  for (const DictionaryBlock& block : blocks.dictionaries)
    if (block.table == table) return block.rows;
  static const Block none;
  ADD_FAILURE() << "no rows of " << table;
  return none;
}

TEST(ConvertSpans, ASpanIsARowOfItsDay) {
  ProtoMessage span = fakes::otlp_span(1, 2, "GET /cart");
  span.bytes(3, "state").bytes(4, fakes::otlp_span_id(9)).varint(10, 1).varint(12, 2).varint(14, 3);
  span.message(15, ProtoMessage().bytes(2, "broken").varint(3, 2)).fixed32(16, 0x101);
  const RequestBlocks blocks = blocks_of({span});
  ASSERT_EQ(blocks.data.size(), 1u);
  EXPECT_EQ(blocks.data[0].table, "spans");
  EXPECT_EQ(blocks.data[0].day, kDay);
  const Block& rows = blocks.data[0].rows;
  ASSERT_TRUE(rows.check().ok()) << rows.check().error().message;
  ASSERT_EQ(rows.rows(), 1u);
  EXPECT_EQ(text_at(rows, "tenant"), "acme");
  EXPECT_EQ(number_at<std::int64_t>(rows, "ts"), static_cast<std::int64_t>(kStart));
  EXPECT_EQ(number_at<std::uint64_t>(rows, "duration_ns"), 1'000'000u);
  EXPECT_EQ(text_at(rows, "trace_id"), fakes::otlp_trace_id(1));
  EXPECT_EQ(text_at(rows, "span_id"), fakes::otlp_span_id(2));
  EXPECT_EQ(text_at(rows, "parent_span_id"), fakes::otlp_span_id(9));
  EXPECT_EQ(text_at(rows, "trace_state"), "state");
  EXPECT_EQ(number_at<std::uint32_t>(rows, "flags"), 0x101u);
  EXPECT_EQ(text_at(rows, "service_name"), "shop");
  EXPECT_EQ(text_at(rows, "name"), "GET /cart");
  EXPECT_EQ(number_at<std::int8_t>(rows, "kind"), 2);
  EXPECT_EQ(number_at<std::int8_t>(rows, "status"), 2);
  EXPECT_EQ(text_at(rows, "status_message"), "broken");
  EXPECT_EQ(text_at(rows, "scope_name"), "test");
  EXPECT_EQ(text_at(rows, "scope_version"), "1.0");
  EXPECT_EQ(text_at(rows, "scope_attrs"), "");
  EXPECT_EQ(number_at<std::uint32_t>(rows, "dropped_attributes"), 1u);
  EXPECT_EQ(number_at<std::uint32_t>(rows, "dropped_events"), 2u);
  EXPECT_EQ(number_at<std::uint32_t>(rows, "dropped_links"), 3u);
  EXPECT_EQ(text_at(rows, "http_route"), "NULL");
}

TEST(ConvertSpans, APromotedAttributeOfTheRightTypeHasItsColumn) {
  const RequestBlocks blocks =
      blocks_of({fakes::otlp_span(1, 1),
                 fakes::otlp_span(
                     1, 2, "x",
                     {otlp_attribute("http.route", "/cart"), otlp_attribute("url.path", "/cart/7"),
                      otlp_attribute("http.response.status_code", fakes::otlp_int(404))}),
                 fakes::otlp_span(1, 3)});
  const Block& rows = blocks.data[0].rows;
  ASSERT_TRUE(rows.check().ok());
  for (const std::size_t row : {0u, 2u}) {
    EXPECT_EQ(text_at(rows, "http_route", row), "NULL");
    EXPECT_EQ(text_at(rows, "url_path", row), "NULL");
  }
  EXPECT_EQ(text_at(rows, "http_route", 1), "/cart");
  EXPECT_EQ(text_at(rows, "url_path", 1), "/cart/7");
  const auto& status = static_cast<const NullableColumn&>(*rows.find("http_response_status_code"));
  EXPECT_TRUE(status.is_null(0));
  EXPECT_FALSE(status.is_null(1));
  EXPECT_EQ(static_cast<const FixedColumn&>(status.nested()).values<std::int64_t>()[1], 404);
  EXPECT_EQ(map_at(rows, "attr_str", 1), "");
}

TEST(ConvertSpans, AnotherTypeALongTextAndARepeatedKeyGoToTheMaps) {
  const std::string large(kSearchableTextBytesMax + 1, 'x');
  const RequestBlocks blocks = blocks_of({fakes::otlp_span(
      1, 1, "x",
      {otlp_attribute("http.response.status_code", "404"), otlp_attribute("http.route", "/a"),
       otlp_attribute("http.route", "/b"), otlp_attribute("db.statement", large)})});
  const Block& rows = blocks.data[0].rows;
  ASSERT_TRUE(rows.check().ok());
  EXPECT_EQ(text_at(rows, "http_route"), "/a");
  EXPECT_EQ(text_at(rows, "db_statement"), "NULL");
  EXPECT_EQ(map_at(rows, "attr_str"), "http.response.status_code=404;http.route=/b;");
  EXPECT_EQ(map_at(rows, "attr_other"), "db.statement=\"" + large + "\";");
}

TEST(ConvertSpans, EachTypeHasItsMap) {
  const RequestBlocks blocks = blocks_of({fakes::otlp_span(
      1, 1, "x",
      {otlp_attribute("s", std::string(kSearchableTextBytesMax, 'y')),
       otlp_attribute("i", fakes::otlp_int(-5)), otlp_attribute("d", ProtoMessage().real(4, 0.5)),
       otlp_attribute("b", ProtoMessage().varint(2, 1)),
       otlp_attribute("a", fakes::otlp_array({fakes::otlp_int(1)})),
       otlp_attribute("none", ProtoMessage())})});
  const Block& rows = blocks.data[0].rows;
  ASSERT_TRUE(rows.check().ok());
  EXPECT_EQ(map_at(rows, "attr_str").substr(0, 3), "s=y");
  EXPECT_EQ(map_at(rows, "attr_other"), "a=[1];none=null;");
  const auto value = [&](std::string_view map) -> const FixedColumn& {
    return static_cast<const FixedColumn&>(
        static_cast<const ListColumn&>(*rows.find(map)).nested(1));
  };
  EXPECT_EQ(value("attr_int").values<std::int64_t>()[0], -5);
  EXPECT_EQ(value("attr_dbl").values<double>()[0], 0.5);
  EXPECT_EQ(value("attr_bool").values<std::uint8_t>()[0], 1);
}

TEST(ConvertSpans, EventsAndLinksAreNestedRows) {
  ProtoMessage span = fakes::otlp_span(1, 1);
  for (int i = 0; i < 2; ++i)
    span.message(11, ProtoMessage()
                         .fixed64(1, kStart + 5)
                         .bytes(2, "exception")
                         .message(3, otlp_attribute("n", fakes::otlp_int(i))));
  span.message(13, ProtoMessage()
                       .bytes(1, fakes::otlp_trace_id(7))
                       .bytes(2, fakes::otlp_span_id(8))
                       .bytes(3, "linked")
                       .fixed32(6, 1));
  const RequestBlocks blocks = blocks_of({fakes::otlp_span(1, 2), span});
  const Block& rows = blocks.data[0].rows;
  ASSERT_TRUE(rows.check().ok());
  const auto list = [&](std::string_view name) -> const ListColumn& {
    return static_cast<const ListColumn&>(*rows.find(name));
  };
  EXPECT_EQ(list("events.ts").end_of(0), 0u);
  EXPECT_EQ(list("events.ts").end_of(1), 2u);
  EXPECT_EQ(*block::TextView::of(list("events.attrs").nested())->at(1), R"({"n":1})");
  EXPECT_EQ(*block::TextView::of(list("events.name").nested())->at(0), "exception");
  EXPECT_EQ(*block::TextView::of(list("links.trace_id").nested())->at(0), fakes::otlp_trace_id(7));
  EXPECT_EQ(*block::TextView::of(list("links.trace_state").nested())->at(0), "linked");
}

TEST(ConvertSpans, EachDayIsABlock) {
  ProtoMessage before =
      ProtoMessage().bytes(1, fakes::otlp_trace_id(1)).bytes(2, fakes::otlp_span_id(1));
  before.fixed64(7, kStart - 1).fixed64(8, kStart);
  const RequestBlocks blocks = blocks_of({fakes::otlp_span(1, 2), before, fakes::otlp_span(1, 3)});
  ASSERT_EQ(blocks.data.size(), 2u);
  EXPECT_EQ(blocks.data[0].day, kDay - 1);
  EXPECT_EQ(blocks.data[0].rows.rows(), 1u);
  EXPECT_EQ(blocks.data[1].day, kDay);
  EXPECT_EQ(blocks.data[1].rows.rows(), 2u);
}

TEST(ConvertSpans, ManyDaysAreLeftToTheSenderToSplit) {
  std::vector<ProtoMessage> spans;
  for (std::uint64_t day = 0; day <= Converter::kDaysMax; ++day)
    spans.push_back(ProtoMessage()
                        .bytes(1, fakes::otlp_trace_id(1))
                        .bytes(2, fakes::otlp_span_id(day + 1))
                        .fixed64(7, kStart + day * kSecondsPerDay * kNanosPerSecond));
  const auto blocks = convert(fakes::otlp_request_of(spans));
  ASSERT_FALSE(blocks.ok());
  EXPECT_EQ(blocks.error().refusal, Refusal::kUnknown);
  EXPECT_STREQ(blocks.error().reason, "too_many_days");
}

TEST(ConvertSpans, OddSpansAreStoredWithinTheRangeOfTheColumns) {
  ProtoMessage span =
      ProtoMessage().bytes(1, fakes::otlp_trace_id(1)).bytes(2, fakes::otlp_span_id(1));
  span.fixed64(7, ~std::uint64_t{0}).fixed64(8, 5).varint(6, 77);
  span.message(15, ProtoMessage().varint(3, static_cast<std::uint64_t>(-4)));
  const RequestBlocks blocks = blocks_of({span});
  const Block& rows = blocks.data[0].rows;
  EXPECT_EQ(number_at<std::int64_t>(rows, "ts"), kTimeMax);
  EXPECT_EQ(number_at<std::uint64_t>(rows, "duration_ns"), 0u);
  EXPECT_EQ(number_at<std::int8_t>(rows, "kind"), 0);
  EXPECT_EQ(number_at<std::int8_t>(rows, "status"), 0);
}

TEST(ConvertSpans, SpansWithoutValidIdsAreRejected) {
  const RequestBlocks blocks = blocks_of({fakes::otlp_span("short", fakes::otlp_span_id(1)),
                                          fakes::otlp_span(1, 1), fakes::otlp_span(1, 0)});
  EXPECT_EQ(blocks.rejected, 2u);
  EXPECT_EQ(blocks.data[0].rows.rows(), 1u);
}

TEST(ConvertSpans, AResourceIsOneRowHoweverOftenItComes) {
  const std::string request =
      fakes::otlp_request(
          {fakes::otlp_resource("shop", {fakes::otlp_scope("a", {fakes::otlp_span(1, 1)})}),
           fakes::otlp_resource("cart", {fakes::otlp_scope("a", {fakes::otlp_span(1, 2)})}),
           fakes::otlp_resource("shop", {fakes::otlp_scope("b", {fakes::otlp_span(1, 3)})})})
          .encode();
  const auto blocks = convert(request);
  ASSERT_TRUE(blocks.ok());
  const Block& resources = dictionary(*blocks, "resources");
  ASSERT_TRUE(resources.check().ok());
  ASSERT_EQ(resources.rows(), 2u);
  EXPECT_EQ(text_at(resources, "service_name", 0), "shop");
  EXPECT_EQ(text_at(resources, "service_name", 1), "cart");
  EXPECT_EQ(map_at(resources, "attr_str", 0), "service.name=shop;");
  EXPECT_EQ(number_at<std::uint32_t>(resources, "last_seen"), kStart / kNanosPerSecond);
  EXPECT_EQ(number_at<std::uint64_t>(resources, "res_id", 0),
            number_at<std::uint64_t>(blocks->data[0].rows, "res_id", 0));
  EXPECT_EQ(number_at<std::uint64_t>(resources, "res_id", 0),
            number_at<std::uint64_t>(blocks->data[0].rows, "res_id", 2));
}

TEST(ConvertSpans, TheKeysOfEveryLevelAreNoted) {
  const RequestBlocks blocks =
      blocks_of({fakes::otlp_span(1, 1, "x", {otlp_attribute("http.route", "/")})});
  const Block& keys = dictionary(blocks, "attribute_keys");
  ASSERT_EQ(keys.rows(), 2u);
  EXPECT_EQ(text_at(keys, "key", 0), "service.name");
  EXPECT_EQ(number_at<std::int8_t>(keys, "scope", 0), 0);
  EXPECT_EQ(text_at(keys, "key", 1), "http.route");
  EXPECT_EQ(number_at<std::int8_t>(keys, "scope", 1), 2);
}

TEST(ConvertSpans, AnEmptyRequestHasNoBlocks) {
  for (const std::string& request : {std::string(), fakes::otlp_request_of({})}) {
    const auto blocks = convert(request);
    ASSERT_TRUE(blocks.ok());
    EXPECT_TRUE(blocks->data.empty());
    EXPECT_TRUE(blocks->dictionaries.empty());
  }
}

TEST(ConvertSpans, BrokenBytesAreADataErrorAndNeverMore) {
  const std::string request = fakes::otlp_request_of({fakes::otlp_span(
      1, 1, "x", {otlp_attribute("a", fakes::otlp_array({fakes::otlp_int(1)}))})});
  std::mt19937 random(3);
  Converter converter;
  for (int round = 0; round < 20'000; ++round) {
    std::string changed = request.substr(0, 1 + random() % request.size());
    changed[random() % changed.size()] = static_cast<char>(random());
    const auto blocks = converter.convert(otlp::Signal::kTraces, changed, {.tenant = ""});
    if (!blocks.ok()) {
      EXPECT_EQ(blocks.error().refusal, Refusal::kData);
      continue;
    }
    for (const DataBlock& data : blocks->data) EXPECT_TRUE(data.rows.check().ok());
  }
}

TEST(ConvertSpans, DeepNestingIsADataError) {
  ProtoMessage value = fakes::otlp_int(1);
  for (int i = 0; i < 100; ++i) value = fakes::otlp_array({value});
  const auto blocks =
      convert(fakes::otlp_request_of({fakes::otlp_span(1, 1, "x", {otlp_attribute("a", value)})}));
  ASSERT_FALSE(blocks.ok());
  EXPECT_EQ(blocks.error().refusal, Refusal::kData);
}

TEST(ConvertSpans, MemoryIsAcquiredWhileTheBlocksGrow) {
  std::vector<ProtoMessage> spans;
  for (std::uint64_t i = 1; i <= 1000; ++i)
    spans.push_back(fakes::otlp_span(i, i, "span", {otlp_attribute("id", std::to_string(i))}));
  const std::string request = fakes::otlp_request_of(spans);
  std::vector<std::size_t> requested;
  ConvertOptions options;
  options.grow = [&](std::size_t bytes) {
    requested.push_back(bytes);
    return true;
  };
  Converter converter;
  const auto blocks = converter.convert(otlp::Signal::kTraces, request, options);
  ASSERT_TRUE(blocks.ok());
  EXPECT_GE(requested.size(), 1000 / Converter::kItemsPerPermit);
  EXPECT_EQ(requested.back(), blocks->memory_bytes());
  options.grow = [](std::size_t bytes) { return bytes < (1u << 20) + 100'000; };
  const auto refused = converter.convert(otlp::Signal::kTraces, request, options);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().refusal, Refusal::kTransient);
  EXPECT_STREQ(refused.error().reason, "no_memory");
}

}  // namespace
}  // namespace spanway::otlp_blocks
