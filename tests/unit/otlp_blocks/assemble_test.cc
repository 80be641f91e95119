#include "services/lib/otlp_blocks/assemble.h"

#include <gtest/gtest.h>

#include <string>

#include "services/lib/block/copy_rows.h"
#include "services/lib/clickhouse/native_writer.h"
#include "services/lib/otlp_blocks/block_converter.h"
#include "services/lib/otlp_blocks/resource_reader.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::otlp_blocks {
namespace {

using fakes::ProtoMessage;

std::string native(const block::Block& block) {
  Bytes bytes;
  clickhouse::append_native(block, bytes);
  return std::string(bytes.view());
}

RequestBlocks converted(std::string_view payload) {
  Converter converter;
  return converter.convert(otlp::Signal::kTraces, payload, {.tenant = "acme"}).value();
}

// A span with everything that the tables hold.
ProtoMessage full_span(std::uint64_t id) {
  const ProtoMessage nested = fakes::otlp_kvlist(
      {fakes::otlp_attribute("$dollar", "\"quoted\"\n"),
       fakes::otlp_attribute("n", fakes::otlp_int(-7)),
       fakes::otlp_attribute(
           "list", fakes::otlp_array({fakes::otlp_string("a"), ProtoMessage().real(4, 2.0),
                                      ProtoMessage().varint(2, 1), ProtoMessage()}))});
  ProtoMessage span = fakes::otlp_span(
      9, id, "GET /cart",
      {fakes::otlp_attribute("http.route", "/cart"),
       fakes::otlp_attribute("http.response.status_code", fakes::otlp_int(503)),
       fakes::otlp_attribute("user", "it's"),
       fakes::otlp_attribute("big", fakes::otlp_int(1LL << 60)),
       fakes::otlp_attribute("ratio", ProtoMessage().real(4, 0.1)),
       fakes::otlp_attribute("flag", ProtoMessage().varint(2, 0)),
       fakes::otlp_attribute("bytes", ProtoMessage().bytes(7, std::string("\0\xff", 2))),
       fakes::otlp_attribute("long", std::string(2000, 'x')),
       fakes::otlp_attribute("nested", nested), fakes::otlp_attribute("empty", ProtoMessage())});
  span.bytes(3, "k=v").bytes(4, fakes::otlp_span_id(77)).varint(10, 1).varint(12, 2).varint(14, 3);
  span.message(11, ProtoMessage()
                       .fixed64(1, 1'767'225'600'000'000'123ULL)
                       .bytes(2, "exception")
                       .message(3, fakes::otlp_attribute("stack", nested))
                       .varint(4, 5));
  span.message(13, ProtoMessage()
                       .bytes(1, fakes::otlp_trace_id(3))
                       .bytes(2, fakes::otlp_span_id(4))
                       .bytes(3, "a=b")
                       .message(4, fakes::otlp_attribute("kind", "next"))
                       .varint(5, 6)
                       .fixed32(6, 1));
  return span.message(15, ProtoMessage().bytes(2, "bad").varint(3, 2)).fixed32(16, 257);
}

TEST(Assemble, WhatComesBackIsStoredTheSameAgain) {
  const std::string sent = fakes::otlp_request_of({full_span(1), full_span(2)});
  RequestBlocks blocks = converted(sent);
  ResourceReader resources;
  std::string resource_rows;
  for (auto& dictionary : blocks.dictionaries) {
    if (dictionary.table != "resources") continue;
    resource_rows = native(dictionary.rows);
    ASSERT_TRUE(resources.add(std::move(dictionary.rows)).ok());
  }
  Bytes back;
  const Status assembled = append_spans(
      blocks.data.front().rows, [&](std::uint64_t id) { return resources.find(id); }, back);
  ASSERT_TRUE(assembled.ok()) << assembled.error().message;
  const RequestBlocks again = converted(back.view());
  ASSERT_EQ(again.data.size(), 1u);
  EXPECT_EQ(native(again.data.front().rows), native(blocks.data.front().rows));
  for (const auto& dictionary : again.dictionaries) {
    if (dictionary.table != "resources") continue;
    EXPECT_EQ(native(dictionary.rows), resource_rows);
  }
}

TEST(Assemble, SpansOfAnUnknownResourceKeepTheirServicesName) {
  const RequestBlocks blocks = converted(fakes::otlp_request_of({full_span(1)}, "shop"));
  Bytes back;
  ASSERT_TRUE(append_spans(
                  blocks.data.front().rows, [](std::uint64_t) { return nullptr; }, back)
                  .ok());
  const RequestBlocks again = converted(back.view());
  EXPECT_EQ(again.data.front().rows.rows(), 1u);
  EXPECT_NE(back.view().find("shop"), std::string_view::npos);
}

TEST(Assemble, AStoredTextThatIsNotOursIsAnError) {
  RequestBlocks blocks = converted(fakes::otlp_request_of({full_span(1)}));
  auto& scope = blocks.data.front().rows.get<block::StringColumn>("scope_attrs");
  scope.clear();
  scope.append("{broken");
  Bytes back;
  const Status status = append_spans(
      blocks.data.front().rows, [](std::uint64_t) { return nullptr; }, back);
  ASSERT_FALSE(status.ok());
  EXPECT_STREQ(status.error().reason, "stored_value_unreadable");
}

}  // namespace
}  // namespace spanway::otlp_blocks
