#include "services/lib/sinks/zipkin/zipkin_json.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/fakes/otlp_builder.h"

namespace spanway::sinks {
namespace {

using fakes::otlp_attribute;
using fakes::otlp_int;
using fakes::ProtoMessage;

constexpr std::string_view kHead =
    R"([{"traceId":"00000000000000000000000000000001","id":"0000000000000002",)";
constexpr std::string_view kTimes = R"("timestamp":1767225600000000,"duration":1000,)";
constexpr std::string_view kLocal = R"("localEndpoint":{"serviceName":"shop"},)";
constexpr std::string_view kScopeTags =
    R"("otel.scope.name":"test","otel.library.name":"test","otel.scope.version":"1.0",)"
    R"("otel.library.version":"1.0")";

const GrowOutput kPlenty = [](std::size_t) { return true; };

ZipkinRequests convert(const std::string& payload, const ZipkinJsonOptions& options = {}) {
  auto converted = to_zipkin_json(payload, options, kPlenty);
  EXPECT_TRUE(converted.ok());
  return converted.ok() ? std::move(converted).value() : ZipkinRequests{};
}
std::string json_of(const ProtoMessage& span) {
  return std::string(convert(fakes::otlp_request_of({span})).bodies.at(0).view());
}
ProtoMessage span_of_kind(std::uint64_t kind, const std::vector<ProtoMessage>& attributes = {}) {
  ProtoMessage span;
  span.bytes(1, fakes::otlp_trace_id(1)).bytes(2, fakes::otlp_span_id(2)).bytes(5, "n");
  span.varint(6, kind).fixed64(7, 1'767'225'600'000'000'000ULL);
  span.fixed64(8, 1'767'225'600'001'000'000ULL);
  for (const ProtoMessage& attribute : attributes) span.message(9, attribute);
  return span;
}
// The text between "remoteEndpoint": and the tags.
std::string remote_of(std::uint64_t kind, const std::vector<ProtoMessage>& attributes) {
  const std::string json = json_of(span_of_kind(kind, attributes));
  const std::size_t at = json.find(R"("remoteEndpoint":)");
  if (at == std::string::npos) return "(none)";
  return json.substr(at + 17, json.find('}', at) + 1 - at - 17);
}
std::string tags_of(const ProtoMessage& span) {
  const std::string json = json_of(span);
  const std::size_t at = json.find(R"("tags":)");
  return json.substr(at + 7, json.size() - at - 7 - 2);
}
std::string tags_with(std::string_view before, std::string_view after) {
  return "{" + std::string(before) + std::string(kScopeTags) + std::string(after) + "}";
}

TEST(ZipkinJson, WritesAnOrdinarySpan) {
  EXPECT_EQ(json_of(fakes::otlp_span(1, 2, "GET /", {otlp_attribute("a", "b")})),
            std::string(kHead) + R"("kind":"SERVER","name":"GET /",)" + std::string(kTimes) +
                std::string(kLocal) + R"("tags":)" + tags_with("", R"(,"a":"b")") + "}]");
}

TEST(ZipkinJson, ReadsFieldsInAnyOrder) {
  const ProtoMessage request = fakes::otlp_request(
      {fakes::otlp_resource("shop", {fakes::otlp_scope("test", {fakes::otlp_span(1, 2)})})});
  EXPECT_EQ(convert(request.encode(true)).bodies.at(0).view(),
            convert(request.encode(false)).bodies.at(0).view());
}

TEST(ZipkinJson, LeavesOutWhatIsEmpty) {
  ProtoMessage span;
  span.bytes(1, fakes::otlp_trace_id(1)).bytes(2, fakes::otlp_span_id(2));
  ProtoMessage scope, resource, request;
  scope.message(2, span);
  resource.message(2, scope);
  request.message(1, resource);
  EXPECT_EQ(convert(request.encode()).bodies.at(0).view(),
            std::string(kHead) + R"("localEndpoint":{"serviceName":"unknown_service"}}])");
}

TEST(ZipkinJson, ParentIsWrittenWhenItIsAnId) {
  EXPECT_NE(json_of(span_of_kind(2).bytes(4, fakes::otlp_span_id(9)))
                .find(R"("parentId":"0000000000000009")"),
            std::string::npos);
  for (const std::string& none : {std::string(8, '\0'), std::string("abc")})
    EXPECT_EQ(json_of(span_of_kind(2).bytes(4, none)).find("parentId"), std::string::npos);
}

TEST(ZipkinJson, NamesKindsAndOmitsInternal) {
  EXPECT_NE(json_of(span_of_kind(2)).find(R"("kind":"SERVER")"), std::string::npos);
  EXPECT_NE(json_of(span_of_kind(3)).find(R"("kind":"CLIENT")"), std::string::npos);
  EXPECT_NE(json_of(span_of_kind(4)).find(R"("kind":"PRODUCER")"), std::string::npos);
  EXPECT_NE(json_of(span_of_kind(5)).find(R"("kind":"CONSUMER")"), std::string::npos);
  for (const std::uint64_t none : {0u, 1u, 77u})
    EXPECT_EQ(json_of(span_of_kind(none)).find("\"kind\""), std::string::npos);
}

TEST(ZipkinJson, TimesAreMicroseconds) {
  const auto times = [](std::uint64_t start, std::uint64_t end) {
    ProtoMessage span;
    span.bytes(1, fakes::otlp_trace_id(1)).bytes(2, fakes::otlp_span_id(2));
    span.fixed64(7, start).fixed64(8, end);
    const std::string json = json_of(span);
    const std::size_t begin = kHead.size();
    return json.substr(begin, json.find("\"localEndpoint\"") - begin);
  };
  EXPECT_EQ(times(5'000'000, 5'001'234), R"("timestamp":5000,"duration":1,)");
  EXPECT_EQ(times(5'000'999, 7'002'000), R"("timestamp":5000,"duration":2001,)");
  EXPECT_EQ(times(5'000'000, 5'000'001), R"("timestamp":5000,"duration":1,)");
  EXPECT_EQ(times(5'000'000, 5'000'000), R"("timestamp":5000,"duration":1,)");
  EXPECT_EQ(times(5'000'000, 4'000'000), R"("timestamp":5000,)");
  EXPECT_EQ(times(0, 4'000'000), "");
}

TEST(ZipkinJson, RemoteEndpointTakesTheBestAttribute) {
  EXPECT_EQ(
      remote_of(3, {otlp_attribute("db.name", "orders"), otlp_attribute("peer.service", "db")}),
      R"({"serviceName":"db"})");
  EXPECT_EQ(remote_of(3, {otlp_attribute("db.name", "orders")}), R"({"serviceName":"orders"})");
  EXPECT_EQ(remote_of(4, {otlp_attribute("server.address", "kafka"),
                          otlp_attribute("server.port", otlp_int(9092))}),
            R"({"serviceName":"kafka","port":9092})");
  EXPECT_EQ(
      remote_of(3, {otlp_attribute("net.peer.name", "h"), otlp_attribute("net.peer.port", "80")}),
      R"({"serviceName":"h","port":80})");
}

TEST(ZipkinJson, RemoteEndpointKnowsAddresses) {
  EXPECT_EQ(remote_of(3, {otlp_attribute("network.peer.address", "10.0.0.1"),
                          otlp_attribute("network.peer.port", otlp_int(443))}),
            R"({"ipv4":"10.0.0.1","port":443})");
  EXPECT_EQ(remote_of(3, {otlp_attribute("server.address", "fe80::1")}), R"({"ipv6":"fe80::1"})");
  EXPECT_EQ(remote_of(3, {otlp_attribute("peer.service", "db"),
                          otlp_attribute("network.peer.address", "10.0.0.1"),
                          otlp_attribute("network.peer.port", otlp_int(5432))}),
            R"({"serviceName":"db","ipv4":"10.0.0.1","port":5432})");
}

TEST(ZipkinJson, RemoteEndpointIgnoresBadPortsAndServers) {
  for (const std::int64_t bad : {0, -1, 65'536})
    EXPECT_EQ(remote_of(3, {otlp_attribute("server.address", "h"),
                            otlp_attribute("server.port", otlp_int(bad))}),
              R"({"serviceName":"h"})");
  EXPECT_EQ(remote_of(2, {otlp_attribute("peer.service", "caller")}), "(none)");
  EXPECT_EQ(remote_of(3, {otlp_attribute("other", "x")}), "(none)");
}

TEST(ZipkinJson, EventsBecomeAnnotations) {
  ProtoMessage span = span_of_kind(2);
  span.message(11, ProtoMessage().fixed64(1, 7'999).bytes(2, "plain"));
  span.message(11, ProtoMessage()
                       .fixed64(1, 9'000)
                       .bytes(2, "with \"quotes\"")
                       .message(3, otlp_attribute("n", otlp_int(1))));
  EXPECT_NE(
      json_of(span).find(R"("annotations":[{"timestamp":7,"value":"plain"},{"timestamp":9,"value":)"
                         R"("\"with \\\"quotes\\\"\": {\"n\":1}"}],"tags")"),
      std::string::npos)
      << json_of(span);
}

TEST(ZipkinJson, StatusBecomesTags) {
  const auto with_status = [](std::uint64_t code, std::string_view message) {
    return span_of_kind(2).message(15, ProtoMessage().bytes(2, message).varint(3, code));
  };
  EXPECT_EQ(tags_of(with_status(0, "ignored")), tags_with("", ""));
  EXPECT_EQ(tags_of(with_status(1, "ignored")), tags_with(R"("otel.status_code":"OK",)", ""));
  EXPECT_EQ(tags_of(with_status(2, "boom")),
            tags_with(R"("otel.status_code":"ERROR","error":"boom",)", ""));
  EXPECT_EQ(tags_of(with_status(2, "")),
            tags_with(R"("otel.status_code":"ERROR","error":"",)", ""));
}

TEST(ZipkinJson, ErrorAttributeIsOverruledByTheStatus) {
  const ProtoMessage error_status = ProtoMessage().bytes(2, "boom").varint(3, 2);
  EXPECT_EQ(tags_of(span_of_kind(2, {otlp_attribute("error", "mine")}).message(15, error_status)),
            tags_with(R"("otel.status_code":"ERROR","error":"boom",)", ""));
  EXPECT_EQ(tags_of(span_of_kind(2, {otlp_attribute("error", "mine")})
                        .message(15, ProtoMessage().varint(3, 2))),
            tags_with(R"("otel.status_code":"ERROR",)", R"(,"error":"mine")"));
  EXPECT_EQ(tags_of(span_of_kind(2, {otlp_attribute("error", ProtoMessage().varint(2, 0))})),
            tags_with("", ""));
  EXPECT_EQ(tags_of(span_of_kind(2, {otlp_attribute("error", "false")})), tags_with("", ""));
}

TEST(ZipkinJson, TagsAreStringsAndUnique) {
  EXPECT_EQ(
      tags_of(span_of_kind(
          2, {otlp_attribute("i", otlp_int(-5)), otlp_attribute("b", ProtoMessage().varint(2, 1)),
              otlp_attribute("d", ProtoMessage().real(4, 0.5)),
              otlp_attribute("a", fakes::otlp_array({fakes::otlp_string("x"), otlp_int(1)})),
              otlp_attribute("i", "again")})),
      tags_with("", R"(,"i":"-5","b":"true","d":"0.5","a":"[\"x\",1]")"));
}

TEST(ZipkinJson, ManyTagsStayUnique) {
  std::vector<ProtoMessage> attributes;
  for (int round = 0; round < 2; ++round)
    for (int i = 0; i < 200; ++i)
      attributes.push_back(otlp_attribute("key" + std::to_string(i), "v"));
  const std::string tags = tags_of(span_of_kind(2, attributes));
  std::size_t count = 0;
  for (std::size_t at = tags.find("\"key"); at != std::string::npos;
       at = tags.find("\"key", at + 1))
    ++count;
  EXPECT_EQ(count, 200u);
}

TEST(ZipkinJson, KeepsDroppedCountsLinksAndTraceState) {
  ProtoMessage span = span_of_kind(2);
  span.bytes(3, "a=1").varint(10, 4).varint(12, 5).varint(14, 6);
  span.message(13, ProtoMessage()
                       .bytes(1, fakes::otlp_trace_id(7))
                       .bytes(2, fakes::otlp_span_id(8))
                       .bytes(3, "s=t")
                       .message(4, otlp_attribute("k", "v"))
                       .varint(5, 3));
  EXPECT_EQ(tags_of(span),
            tags_with("", R"(,"otel.dropped_attributes_count":"4","otel.dropped_events_count":"5",)"
                          R"("otel.dropped_links_count":"6","w3c.tracestate":"a=1",)"
                          R"("otlp.link.0":"00000000000000000000000000000007|0000000000000008|s=t|)"
                          R"({\"k\":\"v\"}|3")"));
}

TEST(ZipkinJson, ResourceAttributesBecomeTagsWhereTheyAreListed) {
  ProtoMessage resource;
  resource.message(1, ProtoMessage()
                          .message(1, otlp_attribute("service.name", "shop"))
                          .message(1, otlp_attribute("service.namespace", "eu"))
                          .message(1, otlp_attribute("host.name", "h1")));
  ProtoMessage scope;
  scope.message(2, span_of_kind(2, {otlp_attribute("service.namespace", "own")}));
  resource.message(2, scope);
  const std::string payload = ProtoMessage().message(1, resource).encode();
  const auto tags = [&](std::vector<std::string> listed) {
    const std::string json(
        convert(payload, {.resource_tags = std::move(listed)}).bodies.at(0).view());
    return json.substr(json.find("\"tags\""));
  };
  EXPECT_EQ(tags({"service.*"}), R"("tags":{"service.namespace":"own"}}])");
  EXPECT_EQ(tags({"host.name"}), R"("tags":{"service.namespace":"own","host.name":"h1"}}])");
  EXPECT_EQ(tags({"*"}), R"("tags":{"service.namespace":"own","host.name":"h1"}}])");
}

TEST(ZipkinJson, CountsSpansWithoutIdsAndKeepsTheRest) {
  const ZipkinRequests requests = convert(fakes::otlp_request_of(
      {fakes::otlp_span("short", fakes::otlp_span_id(1)), fakes::otlp_span(1, 2),
       fakes::otlp_span(fakes::otlp_trace_id(1), std::string(8, '\0'))}));
  EXPECT_EQ(requests.spans, 1u);
  EXPECT_EQ(requests.rejected, 2u);
  EXPECT_TRUE(requests.bodies.at(0).view().starts_with(kHead));
}

TEST(ZipkinJson, NestedTooDeepRejectsTheSpanAlone) {
  fakes::ProtoMessage deep = otlp_int(1);
  for (int i = 0; i < 40; ++i) deep = fakes::otlp_array({deep});
  const ZipkinRequests requests = convert(fakes::otlp_request_of(
      {fakes::otlp_span(1, 1, "deep", {otlp_attribute("x", deep)}), fakes::otlp_span(1, 2)}));
  EXPECT_EQ(requests.spans, 1u);
  EXPECT_EQ(requests.rejected, 1u);
}

TEST(ZipkinJson, NoSpansAreAnEmptyList) {
  const ZipkinRequests requests = convert("");
  ASSERT_EQ(requests.bodies.size(), 1u);
  EXPECT_EQ(requests.bodies[0].view(), "[]");
}

TEST(ZipkinJson, SplitsLargeBatchesIntoWholeLists) {
  std::vector<ProtoMessage> spans;
  for (std::uint64_t i = 1; i <= 50; ++i) spans.push_back(fakes::otlp_span(1, i));
  const ZipkinRequests requests =
      convert(fakes::otlp_request_of(spans), {.request_bytes_max = 2000});
  EXPECT_EQ(requests.spans, 50u);
  EXPECT_GT(requests.bodies.size(), 5u);
  std::size_t found = 0;
  for (const Bytes& body : requests.bodies) {
    EXPECT_LE(body.size(), 2000u);
    EXPECT_TRUE(body.view().starts_with("[{") && body.view().ends_with("}]"));
    for (std::size_t at = body.view().find("traceId"); at != std::string_view::npos;
         at = body.view().find("traceId", at + 1))
      ++found;
  }
  EXPECT_EQ(found, 50u);
}

TEST(ZipkinJson, LeavesAmplificationToHalvingAndRefusesForNowWithoutMemory) {
  std::vector<ProtoMessage> spans;
  for (std::uint64_t i = 1; i <= 50; ++i) spans.push_back(fakes::otlp_span(1, i));
  const std::string payload = fakes::otlp_request_of(spans);
  const auto too_large = to_zipkin_json(payload, {.output_bytes_max = 3000}, kPlenty);
  ASSERT_FALSE(too_large.ok());
  EXPECT_EQ(too_large.error().refusal, Refusal::kUnknown)
      << "a limit of ours is not the data's fault";
  EXPECT_STREQ(too_large.error().reason, "zipkin_too_large");
  const auto no_memory_now = to_zipkin_json(payload, {}, [](std::size_t) { return false; });
  ASSERT_FALSE(no_memory_now.ok());
  EXPECT_EQ(no_memory_now.error().refusal, Refusal::kTransient);
}

TEST(ZipkinJson, RefusesBrokenFraming) {
  const auto result = to_zipkin_json("\x0a\x7f", {}, kPlenty);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().refusal, Refusal::kData);
}

}  // namespace
}  // namespace spanway::sinks
