#include "services/lib/logstreams/stream_converter.h"

#include <gtest/gtest.h>

#include "tests/fakes/otlp_builder.h"

namespace spanway::logstreams {
namespace {

using fakes::otlp_log_record;
using fakes::otlp_request;
using fakes::otlp_resource;
using fakes::otlp_scope;
using fakes::ProtoMessage;

struct Converted {
  Status status;
  std::vector<PushRequest> requests;
};

Converted convert(std::string_view payload,
                  ConverterOptions options = {.labels = {"service.name"}}) {
  Converted result;
  Converter converter(std::move(options));
  result.status = converter.convert(payload, 5'000'000'001, [&](PushRequest request) {
    result.requests.push_back(std::move(request));
    return ok_status();
  });
  return result;
}

ProtoMessage pair(std::string_view name, std::string_view value) {
  return ProtoMessage().bytes(1, name).bytes(2, value);
}

// The whole request, field by field of push.proto.
TEST(Converter, WritesAPushRequest) {
  const std::string trace(16, '\x01');
  ProtoMessage entry;
  entry.message(1, ProtoMessage().varint(1, 1'767'225'600));
  entry.bytes(2, "hello");
  entry.message(3, pair("http_method", "GET"));
  entry.message(3, pair("severity_number", "9"));
  entry.message(3, pair("severity_text", "INFO"));
  entry.message(3, pair("trace_id", "01010101010101010101010101010101"));
  entry.message(3, pair("scope_name", "test"));
  entry.message(3, pair("scope_version", "1.0"));
  const ProtoMessage stream = ProtoMessage().bytes(1, "{service_name=\"shop\"}").message(2, entry);
  const std::string shop = ProtoMessage().message(1, stream).encode();
  const auto result = convert(
      otlp_request(
          {otlp_resource(
              "shop", {otlp_scope("test", {otlp_log_record(
                                              "hello", trace, {},
                                              {fakes::otlp_attribute("http.method", "GET")})})})})
          .encode());
  ASSERT_TRUE(result.status.ok());
  ASSERT_EQ(result.requests.size(), 1u);
  EXPECT_EQ(result.requests[0].entries, 1u);
  EXPECT_EQ(result.requests[0].body.view(), shop);
}

TEST(Converter, ARecordWithoutATimeHasThatOfItsReception) {
  const auto result =
      convert(fakes::otlp_request_of({ProtoMessage().message(5, fakes::otlp_string("x"))}));
  ASSERT_EQ(result.requests.size(), 1u);
  const std::string time = ProtoMessage().varint(1, 5).varint(2, 1).encode();
  EXPECT_NE(result.requests[0].body.view().find(ProtoMessage().bytes(1, time).encode()),
            std::string_view::npos);
}

TEST(Converter, GivesEachStreamItsOwnRequests) {
  const auto resource = [](std::string_view service) {
    return otlp_resource(service, {otlp_scope("s", {otlp_log_record("1"), otlp_log_record("2")})});
  };
  const auto result = convert(otlp_request({resource("a"), resource("b"), resource("a")}).encode());
  ASSERT_EQ(result.requests.size(), 2u);
  EXPECT_EQ(result.requests[0].stream, 0u);
  EXPECT_EQ(result.requests[0].entries, 4u);
  EXPECT_EQ(result.requests[1].entries, 2u);
}

TEST(Converter, CutsAStreamAtItsBoundsAndKeepsTheOrder) {
  std::vector<ProtoMessage> records;
  for (int i = 0; i < 10; ++i)
    records.push_back(otlp_log_record(std::string(100, static_cast<char>('a' + i))));
  for (const std::size_t pending : {std::size_t{400}, std::size_t{1} << 20}) {
    const auto result = convert(
        fakes::otlp_request_of(records),
        {.labels = {"service.name"}, .request_bytes_max = 500, .pending_bytes_max = pending});
    std::uint64_t entries = 0;
    std::string all;
    for (const PushRequest& request : result.requests) {
      EXPECT_LE(request.body.size(), 600u);
      entries += request.entries;
      all += request.body.view();
    }
    EXPECT_GT(result.requests.size(), 3u);
    EXPECT_EQ(entries, 10u);
    for (char c = 'a'; c < 'j'; ++c)
      EXPECT_LT(all.find(std::string(100, c)),
                all.find(std::string(100, static_cast<char>(c + 1))));
  }
}

TEST(Converter, RefusesWhatBecomesTooLargeSoThatItIsHalved) {
  const auto result = convert(fakes::otlp_request_of({otlp_log_record(std::string(1000, 'x'))}),
                              {.labels = {}, .converted_bytes_max = 999});
  EXPECT_EQ(result.status.error().refusal, Refusal::kUnknown);
  EXPECT_EQ(result.status.error().code, Code::kResourceExhausted);
  EXPECT_EQ(convert("\x0a\x7f").status.error().refusal, Refusal::kData);
}

}  // namespace
}  // namespace spanway::logstreams
