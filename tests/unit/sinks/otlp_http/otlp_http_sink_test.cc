#include "services/lib/sinks/otlp_http/otlp_http_sink.h"

#include <gtest/gtest.h>

#include "services/lib/otlp/otlp_json.h"
#include "tests/fakes/answers.h"
#include "tests/fakes/fake_http_backend.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::sinks {
namespace {

class OtlpHttpSinkTest : public testing::Test {
 protected:
  std::unique_ptr<OtlpHttpSink> make(OtlpHttpSinkOptions options = {}) {
    if (options.endpoint.empty()) options.endpoint = backend_.url();
    auto sink = OtlpHttpSink::create(options, {io_, system_clock(), {log_, metrics_}});
    EXPECT_TRUE(sink.ok());
    return std::move(sink).value();
  }
  static pipeline::Batch batch(otlp::Signal signal = otlp::Signal::kTraces) {
    pipeline::Batch b;
    b.signal = signal;
    b.payload = Bytes(payload());
    b.deadline = Deadline::after(system_clock(), std::chrono::seconds(20));
    return b;
  }
  static std::string payload() { return fakes::otlp_request_of({fakes::otlp_span(1, 2)}); }
  fakes::SeenRequest exchange(OtlpHttpSink& sink, pipeline::Batch b) {
    sink.send(std::move(b), answers_.token());
    EXPECT_TRUE(answers_.next()->ok());
    return backend_.requests().back();
  }

  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  http::IoPool io_{"test", 1};
  fakes::FakeHttpBackend backend_;
  fakes::Answers answers_;
};

TEST_F(OtlpHttpSinkTest, PostsTheBytesAsTheyAre) {
  OtlpHttpSinkOptions options;
  options.http.compression = http::ContentCoding::kIdentity;
  options.http.headers.emplace("authorization", Secret("Bearer t"));
  const auto sink = make(options);
  const fakes::SeenRequest seen = exchange(*sink, batch());
  EXPECT_EQ(seen.head.method, "POST");
  EXPECT_EQ(seen.head.path, "/v1/traces");
  EXPECT_EQ(seen.head.headers.get("content-type"), "application/x-protobuf");
  EXPECT_FALSE(seen.head.headers.find("content-encoding").has_value());
  EXPECT_EQ(seen.head.headers.get("authorization"), "Bearer t");
  EXPECT_EQ(seen.body, payload());
}

TEST_F(OtlpHttpSinkTest, CompressesByGzipAndZstd) {
  for (const auto& [coding, name] : {std::pair(http::ContentCoding::kGzip, "gzip"),
                                     std::pair(http::ContentCoding::kZstd, "zstd")}) {
    OtlpHttpSinkOptions options;
    options.http.compression = coding;
    const auto sink = make(options);
    const fakes::SeenRequest seen = exchange(*sink, batch());
    EXPECT_EQ(seen.head.headers.get("content-encoding"), name);
    EXPECT_NE(seen.body, payload());
    EXPECT_EQ(seen.decoded(), payload());
  }
}

TEST_F(OtlpHttpSinkTest, SendsJsonWhenRequested) {
  OtlpHttpSinkOptions options;
  options.encoding = otlp::Encoding::kJson;
  const auto sink = make(options);
  const fakes::SeenRequest seen = exchange(*sink, batch());
  EXPECT_EQ(seen.head.headers.get("content-type"), "application/json");
  const auto back = otlp::json_to_protobuf(otlp::Signal::kTraces, seen.decoded());
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->size(), payload().size());
}

TEST_F(OtlpHttpSinkTest, AppendsThePathOfTheSignalUnlessTheUrlIsGiven) {
  fakes::FakeHttpBackend other;
  OtlpHttpSinkOptions options;
  options.endpoint = backend_.url() + "/base/?key=1";
  options.signal_endpoints[otlp::index_of(otlp::Signal::kLogs)] = other.url() + "/otlp/v1/logs";
  const auto sink = make(options);
  const fakes::SeenRequest traces = exchange(*sink, batch());
  EXPECT_EQ(traces.head.path, "/base/v1/traces");
  EXPECT_EQ(traces.head.query, "key=1");
  EXPECT_EQ(exchange(*sink, batch(otlp::Signal::kMetrics)).head.path, "/base/v1/metrics");
  sink->send(batch(otlp::Signal::kLogs), answers_.token());
  EXPECT_TRUE(answers_.next()->ok());
  ASSERT_EQ(other.requests().size(), 1u);
  EXPECT_EQ(other.requests()[0].head.path, "/otlp/v1/logs");
}

TEST_F(OtlpHttpSinkTest, SendsTheTenantInTheConfiguredHeader) {
  OtlpHttpSinkOptions options;
  options.http.tenant_header = "x-scope-orgid";
  const auto sink = make(options);
  pipeline::Batch b = batch();
  b.metadata.tenant = "acme";
  EXPECT_EQ(exchange(*sink, std::move(b)).head.headers.get("x-scope-orgid"), "acme");
  EXPECT_FALSE(exchange(*sink, batch()).head.headers.find("x-scope-orgid").has_value());
}

TEST_F(OtlpHttpSinkTest, ReadsPartialSuccessInBothEncodings) {
  for (const otlp::Encoding encoding : {otlp::Encoding::kProtobuf, otlp::Encoding::kJson}) {
    const bool json = encoding == otlp::Encoding::kJson;
    backend_.answer_with([&](const fakes::SeenRequest&) {
      const Bytes body = otlp::export_response(otlp::Signal::kTraces, 3, "too old", encoding);
      return fakes::http_answer(
          200, body.view(), json ? "application/json; charset=utf-8" : "application/x-protobuf");
    });
    const auto sink = make();
    sink->send(batch(), answers_.token());
    const auto answer = answers_.next();
    ASSERT_TRUE(answer->ok());
    EXPECT_EQ(answer->value().rejected, 3u);
    EXPECT_EQ(answer->value().message, "too old");
  }
}

TEST_F(OtlpHttpSinkTest, AcceptedWithABodyThatIsNoOtlpAnswerIsAConfigurationRefusal) {
  const std::pair<const char*, const char*> bodies[] = {
      {"<html>Log in, please</html>", "text/html; charset=utf-8"},
      {"ok", "text/plain"},
      {"ok", ""},
      {"\xff\xff", "application/x-protobuf"},
      {"<html>", "application/json"}};
  const auto sink = make();
  for (const auto& [body, type] : bodies) {
    backend_.answer_with([body = body, type = type](const fakes::SeenRequest&) {
      return fakes::http_answer(200, body, type);
    });
    sink->send(batch(), answers_.token());
    const auto answer = answers_.next();
    ASSERT_FALSE(answer->ok()) << type;
    EXPECT_EQ(answer->error().refusal, Refusal::kConfiguration) << type;
    EXPECT_STREQ(answer->error().reason, "not_the_api");
    EXPECT_NE(answer->error().message.find(backend_.url()), std::string::npos);
    EXPECT_EQ(answer->error().message.find("Log in"), std::string::npos);
  }
}

TEST_F(OtlpHttpSinkTest, NamesTheTargetOfARedirectWithoutItsQuery) {
  backend_.answer_with([](const fakes::SeenRequest&) {
    http::Response response;
    response.status = 302;
    response.headers.add("location", "https://login.example.com/otlp?token=s3cret");
    return std::optional(std::move(response));
  });
  const auto sink = make();
  sink->send(batch(), answers_.token());
  const auto answer = answers_.next();
  ASSERT_FALSE(answer->ok());
  EXPECT_EQ(answer->error().refusal, Refusal::kConfiguration);
  EXPECT_NE(answer->error().message.find("a redirect to https://login.example.com/otlp;"),
            std::string::npos)
      << answer->error().message;
  EXPECT_EQ(answer->error().message.find("s3cret"), std::string::npos);
}

TEST_F(OtlpHttpSinkTest, WritesHeaderNamesInLowerCase) {
  OtlpHttpSinkOptions options;
  options.http.headers.emplace("Authorization", Secret("Bearer t"));
  options.http.tenant_header = "X-Scope-OrgID";
  const auto sink = make(options);
  pipeline::Batch b = batch();
  b.metadata.tenant = "acme";
  const fakes::SeenRequest seen = exchange(*sink, std::move(b));
  EXPECT_EQ(seen.head.headers.get("authorization"), "Bearer t");
  EXPECT_EQ(seen.head.headers.get("x-scope-orgid"), "acme");
}

TEST_F(OtlpHttpSinkTest, RefusesToStartWithHeadersThatCannotBeSent) {
  for (const auto& [name, value] : {std::pair("a b", "x"), std::pair("a", "x\r\nb: y"),
                                    std::pair("", "x"), std::pair("Host", "x")}) {
    OtlpHttpSinkOptions options;
    options.endpoint = backend_.url();
    options.http.headers.emplace(name, Secret(value));
    const auto sink = OtlpHttpSink::create(options, {io_, system_clock(), {log_, metrics_}});
    ASSERT_FALSE(sink.ok()) << name;
    EXPECT_EQ(sink.error().refusal, Refusal::kConfiguration);
  }
}

TEST_F(OtlpHttpSinkTest, GivesBackItsPermit) {
  MemoryBudget budget(1 << 20);
  backend_.answer_with([](const fakes::SeenRequest&) { return std::nullopt; });
  const auto sink = make();
  pipeline::Batch b = batch();
  b.permit = *budget.try_acquire(b.payload.size());
  sink->send(std::move(b), answers_.token());
  ASSERT_TRUE(backend_.wait_for_requests(1));
  EXPECT_GT(budget.used(), 0u);
  backend_.release([] { return fakes::http_answer(200); });
  EXPECT_TRUE(answers_.next()->ok());
  EXPECT_EQ(budget.used(), 0u);
}

TEST_F(OtlpHttpSinkTest, RefusesForNowWithoutMemoryToCompress) {
  MemoryBudget budget(payload().size() + 10);
  const auto sink = make();
  pipeline::Batch b = batch();
  b.permit = *budget.try_acquire(b.payload.size());
  sink->send(std::move(b), answers_.token());
  const Error error = answers_.next()->error();
  EXPECT_EQ(error.refusal, Refusal::kTransient);
  EXPECT_STREQ(error.reason, "no_memory");
  EXPECT_TRUE(backend_.requests().empty());
}

TEST_F(OtlpHttpSinkTest, CountsAnswersByClass) {
  const auto sink = make();
  exchange(*sink, batch());
  backend_.answer_with(503);
  sink->send(batch(), answers_.token());
  EXPECT_FALSE(answers_.next()->ok());
  const std::string endpoint = backend_.url() + "/";
  EXPECT_EQ(
      metrics_.value("spanway_sink_http_answers_total", {{"endpoint", endpoint}, {"class", "2xx"}}),
      1);
  EXPECT_EQ(
      metrics_.value("spanway_sink_http_answers_total", {{"endpoint", endpoint}, {"class", "5xx"}}),
      1);
}

TEST_F(OtlpHttpSinkTest, RefusesUrlsThatAreNone) {
  OtlpHttpSinkOptions options;
  options.endpoint = "localhost:4318";
  EXPECT_FALSE(OtlpHttpSink::create(options, {io_, system_clock(), {log_, metrics_}}).ok());
}

TEST(Printable, LeavesOutTheQuery) {
  EXPECT_EQ(printable(http::Url::parse("https://h/a?key=secret").value()), "https://h:443/a");
}

}  // namespace
}  // namespace spanway::sinks
