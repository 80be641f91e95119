#include "services/lib/otlp_server/otlp_http_handler.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <string>

#include "services/lib/http/content_coding.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/sink_recorder.h"
#include "tests/unit/ingress/requests.h"

namespace spanway::otlp_server {
namespace {

using ingress::testing::Exchange;
using ingress::testing::json_trace_request;
using ingress::testing::post;
using ingress::testing::trace_request;

constexpr const char* kProtobuf = "application/x-protobuf";
constexpr const char* kJson = "application/json";

class FakeGatekeeper final : public rpc::Gatekeeper {
 public:
  Result<pipeline::Metadata> admit(const http::RequestHead& head, otlp::Signal) override {
    ++calls;
    if (refusal) return *refusal;
    pipeline::Metadata metadata;
    metadata.tenant = std::string(head.headers.get("x-scope-orgid"));
    return metadata;
  }
  std::optional<Error> refusal;
  int calls = 0;
};

class RecordedEvents final : public OtlpHttpEvents {
 public:
  void refused(Refused reason, std::string_view peer, const Error& error) override {
    constexpr std::array<const char*, 5> kNames = {"unsupported", "malformed", "too_large",
                                                   "memory", "not_admitted"};
    refusals[kNames[static_cast<std::size_t>(reason)]] += 1;
    last = std::string(peer) + ": " + error.message;
  }
  void replaced_surrogates(otlp::Signal signal, std::uint64_t count) override {
    surrogates[signal] += count;
  }
  std::map<std::string, double> refusals;
  std::string last;  // Peer and error of the last refusal.
  std::map<otlp::Signal, std::uint64_t> surrogates;
};

class OtlpHttpHandlerTest : public ::testing::Test {
 protected:
  OtlpHttpHandlerTest() {
    next_.answer_with([this](const pipeline::Batch& batch) -> Result<pipeline::Outcome> {
      payload_ = std::string(batch.payload.view());
      signal_ = batch.signal;
      tenant_ = batch.metadata.tenant;
      permit_bytes_ = batch.permit.bytes();
      deadline_ = batch.deadline;
      return answer_;
    });
  }
  // Sends the whole exchange through a handler with `options_`.
  Exchange run(const http::RequestHead& head, std::string_view body, std::size_t chunk = 1 << 16) {
    OtlpHttpHandler handler(options_, next_, gatekeeper_, budget_, clock_, events_);
    Exchange exchange;
    const auto reader = handler.on_request(head, exchange.responder());
    if (reader == nullptr) return exchange;
    while (!body.empty()) {
      if (!reader->on_data(body.substr(0, chunk))) return exchange;
      body.remove_prefix(std::min(chunk, body.size()));
    }
    reader->on_end();
    return exchange;
  }
  static std::string encoded(http::ContentCoding coding, std::string_view body) {
    return std::string(http::encode(coding, body).value().view());
  }
  double refused(const char* reason) { return events_.refusals[reason]; }

  OtlpHttpOptions options_;
  fakes::ManualClock clock_;
  RecordedEvents events_;
  MemoryBudget budget_{64 << 20};
  FakeGatekeeper gatekeeper_;
  fakes::SinkRecorder next_;
  Result<pipeline::Outcome> answer_ = pipeline::Outcome{};
  std::string payload_, tenant_;
  otlp::Signal signal_ = otlp::Signal::kTraces;
  std::size_t permit_bytes_ = 0;
  Deadline deadline_ = Deadline::never();
};

TEST_F(OtlpHttpHandlerTest, TakesProtobufAndAnswersInProtobuf) {
  const Bytes request = trace_request(3);
  http::RequestHead head = post("/v1/traces", kProtobuf, request.size());
  head.headers.add("x-scope-orgid", "acme");
  const Exchange exchange = run(head, request.view(), 7);
  EXPECT_EQ(exchange.status(), 200);
  EXPECT_EQ(exchange.header("content-type"), kProtobuf);
  EXPECT_EQ(exchange.body(), "");
  EXPECT_EQ(payload_, request.view());
  EXPECT_EQ(tenant_, "acme");
  EXPECT_EQ(permit_bytes_, request.size());
  EXPECT_EQ(deadline_.when(), clock_.now() + std::chrono::seconds(30));
  EXPECT_EQ(budget_.used(), 0u);
}

TEST_F(OtlpHttpHandlerTest, TakesJsonAndAnswersInJson) {
  const std::string json = json_trace_request();
  const Exchange exchange =
      run(post("/v1/traces", "application/json; charset=utf-8", json.size()), json, 11);
  EXPECT_EQ(exchange.status(), 200);
  EXPECT_EQ(exchange.header("content-type"), kJson);
  EXPECT_EQ(exchange.body(), "{}");
  EXPECT_EQ(payload_, trace_request(1).view());
  EXPECT_GE(permit_bytes_, payload_.size());
  EXPECT_EQ(budget_.used(), 0u);
}

TEST_F(OtlpHttpHandlerTest, ServesThreeSignals) {
  for (const otlp::Signal signal : otlp::kSignals) {
    EXPECT_EQ(run(post(std::string(otlp::http_path(signal)), kProtobuf), "").status(), 200);
    EXPECT_EQ(signal_, signal);
  }
}

TEST_F(OtlpHttpHandlerTest, DecodesEveryCoding) {
  const Bytes request = trace_request(50);
  for (const auto& [coding, name] : {std::pair(http::ContentCoding::kGzip, "gzip"),
                                     std::pair(http::ContentCoding::kGzip, "x-gzip"),
                                     std::pair(http::ContentCoding::kDeflate, "deflate"),
                                     std::pair(http::ContentCoding::kZstd, "zstd")}) {
    const std::string body = encoded(coding, request.view());
    http::RequestHead head = post("/v1/traces", kProtobuf, body.size());
    head.headers.add("content-encoding", name);
    EXPECT_EQ(run(head, body, 5).status(), 200) << name;
    EXPECT_EQ(payload_, request.view());
  }
}

TEST_F(OtlpHttpHandlerTest, ReportsPartialSuccess) {
  answer_ = pipeline::Outcome{2, "two ids are bad"};
  const Exchange exchange = run(post("/v1/logs", kJson), "{}");
  EXPECT_EQ(exchange.status(), 200);
  EXPECT_NE(exchange.body().find("rejectedLogRecords"), std::string_view::npos);
  EXPECT_NE(exchange.body().find("two ids are bad"), std::string_view::npos);
}

TEST_F(OtlpHttpHandlerTest, PassesRefusalsOnAsStatusInTheRequestsEncoding) {
  answer_ = unavailable("Kafka is away").with_retry_after(std::chrono::seconds(3));
  const Exchange json = run(post("/v1/traces", kJson), "{}");
  EXPECT_EQ(json.status(), 503);
  EXPECT_EQ(json.header("retry-after"), "3");
  EXPECT_EQ(json.header("content-type"), kJson);
  EXPECT_NE(json.body().find("Kafka is away"), std::string_view::npos);
  const Exchange protobuf = run(post("/v1/traces", kProtobuf), "");
  EXPECT_EQ(protobuf.header("content-type"), kProtobuf);
  EXPECT_EQ(protobuf.body(), otlp::status_body(answer_.error(), otlp::Encoding::kProtobuf).view());
}

TEST_F(OtlpHttpHandlerTest, RefusesUnknownPathsMethodsAndTypes) {
  EXPECT_EQ(run(post("/v1/trace", kProtobuf), "").status(), 404);
  EXPECT_EQ(run(post("/", kProtobuf), "").status(), 404);
  EXPECT_EQ(run(post("/v1//traces", kProtobuf), "").status(), 404);
  EXPECT_EQ(run(post("//", kProtobuf), "").status(), 404);
  http::RequestHead get = post("/v1/traces", "");
  get.method = "GET";
  const Exchange not_allowed = run(get, "");
  EXPECT_EQ(not_allowed.status(), 405);
  EXPECT_EQ(not_allowed.header("allow"), "POST");
  for (const char* type : {"", "text/plain", "application/protobuf"}) {
    const Exchange exchange = run(post("/v1/traces", type), "x");
    EXPECT_EQ(exchange.status(), 415) << type;
    EXPECT_EQ(exchange.header("content-type"), kJson);
    EXPECT_EQ(exchange.header("accept"), "application/x-protobuf, application/json");
    EXPECT_EQ(exchange.header("accept-encoding"), "");
  }
  http::RequestHead twice = post("/v1/traces", kProtobuf);
  twice.headers.add("content-type", kJson);
  EXPECT_EQ(run(twice, "").status(), 415);
  EXPECT_EQ(next_.sent(), 0u);
  EXPECT_EQ(refused("unsupported"), 9);
}

TEST_F(OtlpHttpHandlerTest, ForgivesASlashTooManyAtEitherEndOfThePath) {
  for (const char* path : {"//v1/traces", "/v1/traces/", "///v1/traces//"})
    EXPECT_EQ(run(post(path, kProtobuf), "").status(), 200) << path;
  EXPECT_EQ(next_.sent(), 3u);
}

TEST_F(OtlpHttpHandlerTest, ReportsGrpcClientsWhichPortToUse) {
  OtlpHttpHandler handler(options_, next_, gatekeeper_, budget_, clock_, events_);
  handler.set_grpc_port(4317);
  http::RequestHead head =
      post(std::string(otlp::grpc_path(otlp::Signal::kTraces)), "application/grpc+proto");
  head.protocol = http::Protocol::kHttp2;
  Exchange exchange;
  EXPECT_EQ(handler.on_request(head, exchange.responder()), nullptr);
  EXPECT_EQ(exchange.status(), 200);
  EXPECT_EQ(exchange.header("content-type"), "application/grpc");
  EXPECT_EQ(exchange.header("grpc-status"), "12");
  EXPECT_NE(exchange.header("grpc-message").find("send OTLP/gRPC to port 4317"),
            std::string_view::npos);
  EXPECT_EQ(refused("unsupported"), 1);
}

TEST_F(OtlpHttpHandlerTest, ReportsWhatWasWrongInTheJson) {
  const std::string json =
      R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityNumber":"INFO"},)"
      R"({"severityText":"cut \ud83d"}]}]}]})";
  answer_ = pipeline::Outcome{1, "1 of 2 log_records rejected"};
  const Exchange partial = run(post("/v1/logs", kJson), json);
  EXPECT_EQ(partial.status(), 200);
  EXPECT_NE(partial.body().find("1 of 2 log_records rejected; OTLP/JSON: at byte 64 "
                                "(resourceLogs[0].scopeLogs[0].logRecords[0].severityNumber): an "
                                "enum must be its number"),
            std::string_view::npos)
      << partial.body();
  answer_ = invalid_argument("all 2 log_records were rejected").with_reason("all_items_rejected");
  const Exchange refused_all = run(post("/v1/logs", kJson), json);
  EXPECT_EQ(refused_all.status(), 400);
  EXPECT_NE(refused_all.body().find("rejected; OTLP/JSON: at byte 64"), std::string_view::npos);
  EXPECT_EQ(events_.surrogates[otlp::Signal::kLogs], 2);
}

TEST_F(OtlpHttpHandlerTest, RefusesUnknownAndRepeatedCodings) {
  for (const char* coding : {"br", "snappy", "gzip, gzip"}) {
    http::RequestHead head = post("/v1/traces", kProtobuf);
    head.headers.add("content-encoding", coding);
    const Exchange exchange = run(head, "x");
    EXPECT_EQ(exchange.status(), 415) << coding;
    EXPECT_EQ(exchange.header("accept-encoding"), "gzip, deflate, zstd, identity");
  }
  http::RequestHead twice = post("/v1/traces", kProtobuf);
  twice.headers.add("content-encoding", "gzip");
  twice.headers.add("content-encoding", "gzip");
  EXPECT_EQ(run(twice, "x").status(), 415);
}

TEST_F(OtlpHttpHandlerTest, RefusesBrokenBodies) {
  EXPECT_EQ(run(post("/v1/traces", kJson), "{\"resourceSpans\":").status(), 400);
  EXPECT_EQ(run(post("/v1/traces", kJson), "").status(), 400);
  http::RequestHead head = post("/v1/traces", kProtobuf);
  head.headers.add("content-encoding", "gzip");
  EXPECT_EQ(run(head, "this is not gzip").status(), 400);
  const std::string cut = encoded(http::ContentCoding::kGzip, trace_request(50).view());
  EXPECT_EQ(run(head, std::string_view(cut).substr(0, cut.size() - 6)).status(), 400);
  EXPECT_EQ(next_.sent(), 0u);
  EXPECT_EQ(refused("malformed"), 4);
  EXPECT_EQ(budget_.used(), 0u);
}

TEST_F(OtlpHttpHandlerTest, RefusesTooLargeByDeclarationAndByArrival) {
  options_.decode.decoded_bytes_max = 1000;
  options_.compressed_bytes_max = 100;
  EXPECT_EQ(run(post("/v1/traces", kProtobuf, 1001), "").status(), 413);
  EXPECT_EQ(run(post("/v1/traces", kProtobuf), std::string(1001, 'x'), 100).status(), 413);
  http::RequestHead head = post("/v1/traces", kProtobuf, 101);
  head.headers.add("content-encoding", "gzip");
  EXPECT_EQ(run(head, "").status(), 413);
  // Small on the wire, large behind it.
  head = post("/v1/traces", kProtobuf);
  head.headers.add("content-encoding", "gzip");
  const std::string bomb = encoded(http::ContentCoding::kGzip, std::string(50'000, 'x'));
  EXPECT_EQ(run(head, bomb).status(), 413);
  EXPECT_EQ(refused("too_large"), 4);
  EXPECT_EQ(budget_.used(), 0u);
}

// Thirty thousand equal log lines shrink more than a hundredfold: repetition is no fault.
TEST_F(OtlpHttpHandlerTest, TakesAVeryRepetitiveBodyUpToTheSizeLimit) {
  options_.decode.decoded_bytes_max = 16u << 20;
  const std::string spans(8u << 20, '\0');
  for (const auto coding : {http::ContentCoding::kGzip, http::ContentCoding::kZstd}) {
    const std::string small = encoded(coding, spans);
    ASSERT_GT(spans.size() / small.size(), 100u);
    http::RequestHead head = post("/v1/traces", kProtobuf);
    head.headers.add("content-encoding", std::string(http::to_string(coding)));
    EXPECT_EQ(run(head, small).status(), 200);
    EXPECT_EQ(payload_.size(), spans.size());
    // Larger than a request may be.
    const std::string bomb = encoded(coding, std::string(17u << 20, '\0'));
    EXPECT_EQ(run(head, bomb).status(), 413);
  }
  EXPECT_EQ(budget_.used(), 0u);
}

TEST_F(OtlpHttpHandlerTest, TakesMemoryForWhatComesNotForWhatIsAnnounced) {
  const Permit most = *budget_.try_acquire(budget_.limit() - 3000);
  OtlpHttpHandler handler(options_, next_, gatekeeper_, budget_, clock_, events_);
  Exchange exchange;
  const auto reader =
      handler.on_request(post("/v1/traces", kProtobuf, 1 << 20), exchange.responder());
  ASSERT_NE(reader, nullptr);
  EXPECT_TRUE(reader->on_data(std::string(100, '\0')));
  EXPECT_EQ(run(post("/v1/traces", kProtobuf, 1500), std::string(1500, '\0')).status(), 200);
  EXPECT_FALSE(reader->on_data(std::string(4000, '\0')));
  EXPECT_EQ(exchange.status(), 429);
  EXPECT_EQ(exchange.header("retry-after"), "1");
  EXPECT_EQ(refused("memory"), 1);
}

TEST_F(OtlpHttpHandlerTest, RefusesNewWorkWhileTheProcessIsNearItsLimit) {
  MemoryGate gate(100);
  MemoryBudget budget(1 << 20, &gate);
  OtlpHttpHandler handler(options_, next_, gatekeeper_, budget, clock_, events_);
  gate.measured(95, false);
  Exchange refused_one;
  EXPECT_EQ(handler.on_request(post("/v1/traces", kProtobuf, 10), refused_one.responder()),
            nullptr);
  EXPECT_EQ(refused_one.status(), 429);
  EXPECT_NE(refused_one.header("retry-after"), "");
  gate.measured(50, true);
  Exchange taken;
  EXPECT_NE(handler.on_request(post("/v1/traces", kProtobuf, 10), taken.responder()), nullptr);
}

TEST_F(OtlpHttpHandlerTest, ConvertsJsonOnlyWithMemoryForBothForms) {
  std::string json = R"({"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m",)"
                     R"("histogram":{"dataPoints":[{"bucketCounts":[0)";
  for (int i = 0; i < 20'000; ++i) json += ",0";
  json += R"(]}]}}]}]}]})";
  Permit most = *budget_.try_acquire(budget_.limit() - 3 * json.size());
  EXPECT_EQ(run(post("/v1/metrics", kJson, json.size()), json).status(), 429);
  EXPECT_EQ(budget_.used(), most.bytes());
  most.release();
  EXPECT_EQ(run(post("/v1/metrics", kJson, json.size()), json).status(), 200);
  EXPECT_GE(budget_.peak(), json.size() + payload_.size());
}

TEST_F(OtlpHttpHandlerTest, RefusesWhenMemoryRunsOutOnTheWay) {
  const Permit most = *budget_.try_acquire(budget_.limit() - 100'000);
  const Exchange unknown_length =
      run(post("/v1/traces", kProtobuf), std::string(200'000, 'x'), 1000);
  EXPECT_EQ(unknown_length.status(), 429);
  http::RequestHead head = post("/v1/traces", kProtobuf);
  head.headers.add("content-encoding", "gzip");
  const std::string large = encoded(http::ContentCoding::kGzip, std::string(300'000, 'x'));
  const Exchange compressed = run(head, large);
  EXPECT_EQ(compressed.status(), 429);
  EXPECT_EQ(compressed.header("retry-after"), "1");
  EXPECT_EQ(budget_.used(), most.bytes());
}

TEST_F(OtlpHttpHandlerTest, AllowsJsonThatGrows) {
  // Each ",0" becomes eight bytes.
  std::string json = R"({"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m",)"
                     R"("histogram":{"dataPoints":[{"bucketCounts":[0)";
  for (int i = 0; i < 1000; ++i) json += ",0";
  json += R"(]}]}}]}]}]})";
  EXPECT_EQ(run(post("/v1/metrics", kJson, json.size()), json).status(), 200);
  EXPECT_GT(payload_.size(), 3 * json.size());
  EXPECT_GE(permit_bytes_, payload_.size());
}

TEST_F(OtlpHttpHandlerTest, ChallengesUnknownClientsBeforeReadingAnything) {
  options_.challenge = "Bearer realm=\"spanway\"";
  gatekeeper_.refusal = configuration_error(Code::kUnauthenticated, "who are you");
  const Exchange exchange = run(post("/v1/traces", kProtobuf, 100 << 20), "");
  EXPECT_EQ(exchange.status(), 401);
  EXPECT_EQ(refused("not_admitted"), 1);
  EXPECT_EQ(exchange.header("www-authenticate"), "Bearer realm=\"spanway\"");
  gatekeeper_.refusal = invalid_argument("bad tenant");
  const Exchange tenant = run(post("/v1/traces", kProtobuf), "");
  EXPECT_EQ(tenant.status(), 400);
  EXPECT_EQ(tenant.header("www-authenticate"), "");
  EXPECT_EQ(budget_.peak(), 0u);
}

TEST_F(OtlpHttpHandlerTest, AnswersPreflightsWithoutAskingWhoItIs) {
  http::RequestHead head = post("/v1/traces", "");
  head.method = "OPTIONS";
  head.headers.add("origin", "https://shop.example.com");
  head.headers.add("access-control-request-method", "POST");
  EXPECT_EQ(run(head, "").status(), 405);
  options_.cors.allowed_origins = {"https://shop.example.com"};
  const Exchange exchange = run(head, "");
  EXPECT_EQ(exchange.status(), 204);
  EXPECT_EQ(exchange.header("access-control-allow-origin"), "https://shop.example.com");
  EXPECT_EQ(gatekeeper_.calls, 0);
  http::RequestHead request = post("/v1/traces", kJson);
  request.headers.add("origin", "https://shop.example.com");
  EXPECT_EQ(run(request, "{}").header("access-control-allow-origin"), "https://shop.example.com");
}

TEST_F(OtlpHttpHandlerTest, GivesEverythingBackWhenThePeerGoesAway) {
  OtlpHttpHandler handler(options_, next_, gatekeeper_, budget_, clock_, events_);
  Exchange exchange;
  auto reader = handler.on_request(post("/v1/traces", kProtobuf, 1000), exchange.responder());
  ASSERT_NE(reader, nullptr);
  EXPECT_TRUE(reader->on_data(std::string(500, 'x')));
  EXPECT_GE(budget_.used(), 500u);
  reader.reset();
  EXPECT_EQ(budget_.used(), 0u);
  EXPECT_EQ(next_.sent(), 0u);
}

TEST_F(OtlpHttpHandlerTest, RefusesOnceWhenMoreFollowsARefusal) {
  options_.decode.decoded_bytes_max = 10;
  OtlpHttpHandler handler(options_, next_, gatekeeper_, budget_, clock_, events_);
  Exchange exchange;
  const auto reader = handler.on_request(post("/v1/traces", kProtobuf), exchange.responder());
  ASSERT_NE(reader, nullptr);
  EXPECT_FALSE(reader->on_data(std::string(11, 'x')));
  EXPECT_FALSE(reader->on_data("more"));
  reader->on_end();
  EXPECT_EQ(exchange.status(), 413);
  EXPECT_EQ(refused("too_large"), 1);
  EXPECT_EQ(next_.sent(), 0u);
}

}  // namespace
}  // namespace spanway::otlp_server
