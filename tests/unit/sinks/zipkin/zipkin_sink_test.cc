#include "services/lib/sinks/zipkin/zipkin_sink.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "tests/fakes/answers.h"
#include "tests/fakes/fake_http_backend.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::sinks {
namespace {

class ZipkinSinkTest : public testing::Test {
 protected:
  ZipkinSinkTest() { backend_.answer_with(202); }
  std::unique_ptr<ZipkinSink> make(ZipkinSinkOptions options = {}) {
    if (options.endpoint.empty()) options.endpoint = backend_.url();
    auto sink = ZipkinSink::create(options, {io_, system_clock(), {log_, metrics_}});
    EXPECT_TRUE(sink.ok());
    return std::move(sink).value();
  }
  static pipeline::Batch batch_of(const std::vector<fakes::ProtoMessage>& spans) {
    pipeline::Batch b;
    b.payload = Bytes(fakes::otlp_request_of(spans));
    b.deadline = Deadline::after(system_clock(), std::chrono::seconds(20));
    return b;
  }
  static pipeline::Batch many_spans() {
    std::vector<fakes::ProtoMessage> spans;
    for (std::uint64_t i = 1; i <= 40; ++i) spans.push_back(fakes::otlp_span(1, i));
    return batch_of(spans);
  }
  static ZipkinSinkOptions small_requests() {
    ZipkinSinkOptions options;
    options.json.request_bytes_max = 2000;
    return options;
  }

  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  http::IoPool io_{"test", 1};
  fakes::FakeHttpBackend backend_;
  fakes::Answers answers_;
};

TEST_F(ZipkinSinkTest, PostsJsonToTheSpansPath) {
  ZipkinSinkOptions options;
  options.http.compression = http::ContentCoding::kIdentity;
  const auto sink = make(options);
  sink->send(batch_of({fakes::otlp_span(1, 2)}), answers_.token());
  ASSERT_TRUE(answers_.next()->ok());
  const fakes::SeenRequest seen = backend_.requests().at(0);
  EXPECT_EQ(seen.head.method, "POST");
  EXPECT_EQ(seen.head.path, "/api/v2/spans");
  EXPECT_EQ(seen.head.headers.get("content-type"), "application/json");
  EXPECT_TRUE(seen.body.starts_with(R"([{"traceId":"00000000000000000000000000000001")"));
}

TEST_F(ZipkinSinkTest, TakesAnotherPathAndCompression) {
  ZipkinSinkOptions options;
  options.endpoint = backend_.url() + "/zipkin/api/v2/spans";
  const auto sink = make(options);
  sink->send(batch_of({fakes::otlp_span(1, 2)}), answers_.token());
  ASSERT_TRUE(answers_.next()->ok());
  const fakes::SeenRequest seen = backend_.requests().at(0);
  EXPECT_EQ(seen.head.path, "/zipkin/api/v2/spans");
  EXPECT_EQ(seen.head.headers.get("content-encoding"), "gzip");
  EXPECT_TRUE(seen.decoded().starts_with("[{"));
}

TEST_F(ZipkinSinkTest, AnswersAfterTheLastOfSeveralRequests) {
  const auto sink = make(small_requests());
  sink->send(many_spans(), answers_.token());
  ASSERT_TRUE(answers_.next()->ok());
  std::size_t spans = 0;
  const auto requests = backend_.requests();
  EXPECT_GT(requests.size(), 3u);
  for (const fakes::SeenRequest& request : requests) {
    const std::string body = request.decoded();
    for (std::size_t at = body.find("traceId"); at != std::string::npos;
         at = body.find("traceId", at + 1))
      ++spans;
  }
  EXPECT_EQ(spans, 40u);
}

TEST_F(ZipkinSinkTest, OneRefusedRequestRefusesTheBatchAndEndsIt) {
  std::atomic<int> count{0};
  backend_.answer_with(
      [&](const fakes::SeenRequest&) { return fakes::http_answer(++count == 2 ? 503 : 202); });
  const auto sink = make(small_requests());
  sink->send(many_spans(), answers_.token());
  EXPECT_EQ(answers_.next()->error().refusal, Refusal::kTransient);
  EXPECT_EQ(count.load(), 2);
}

TEST_F(ZipkinSinkTest, CountsSpansThatCannotBeSent) {
  const auto sink = make();
  sink->send(batch_of({fakes::otlp_span("short", "id"), fakes::otlp_span(1, 2)}), answers_.token());
  const auto answer = answers_.next();
  ASSERT_TRUE(answer->ok());
  EXPECT_EQ(answer->value().rejected, 1u);
  EXPECT_NE(answer->value().message, "");
}

TEST_F(ZipkinSinkTest, NothingThatCanBeSentIsReportedLikeASpanThatCannot) {
  const auto sink = make();
  sink->send(batch_of({fakes::otlp_span("short", "id")}), answers_.token());
  const auto answer = answers_.next();
  ASSERT_TRUE(answer->ok());
  EXPECT_EQ(answer->value().rejected, 1u);
  EXPECT_NE(answer->value().message, "");
  EXPECT_TRUE(backend_.requests().empty());
}

TEST_F(ZipkinSinkTest, RefusesOtherSignalsAsConfiguration) {
  const auto sink = make();
  for (const otlp::Signal signal : {otlp::Signal::kMetrics, otlp::Signal::kLogs}) {
    pipeline::Batch b;
    b.signal = signal;
    sink->send(std::move(b), answers_.token());
    const Error error = answers_.next()->error();
    EXPECT_EQ(error.refusal, Refusal::kConfiguration);
    EXPECT_EQ(error.code, Code::kUnimplemented);
  }
}

TEST_F(ZipkinSinkTest, EmptyBatchAsksTheServer) {
  const auto sink = make();
  sink->send({}, answers_.token());
  EXPECT_TRUE(answers_.next()->ok());
  ASSERT_EQ(backend_.requests().size(), 1u);
  EXPECT_EQ(backend_.requests()[0].decoded(), "[]");
}

TEST_F(ZipkinSinkTest, DestroyedBetweenTwoRequestsAnswers) {
  backend_.answer_with([](const fakes::SeenRequest&) { return std::nullopt; });
  auto sink = make(small_requests());
  sink->send(many_spans(), answers_.token());
  ASSERT_TRUE(backend_.wait_for_requests(1));
  sink.reset();
  EXPECT_EQ(answers_.next()->error().refusal, Refusal::kTransient);
}

TEST_F(ZipkinSinkTest, PermitFollowsTheJsonAndIsGivenBack) {
  MemoryBudget budget(1 << 20);
  backend_.answer_with([](const fakes::SeenRequest&) { return std::nullopt; });
  const auto sink = make();
  pipeline::Batch b = many_spans();
  const std::size_t payload_size = b.payload.size();
  b.permit = *budget.try_acquire(payload_size);
  sink->send(std::move(b), answers_.token());
  ASSERT_TRUE(backend_.wait_for_requests(1));
  EXPECT_GT(budget.used(), payload_size);
  EXPECT_LT(budget.used(), 20 * payload_size);
  backend_.release([] { return fakes::http_answer(202); });
  EXPECT_TRUE(answers_.next()->ok());
  EXPECT_EQ(budget.used(), 0u);
}

}  // namespace
}  // namespace spanway::sinks
