#include "services/lib/rpc/export_service.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/http/content_coding.h"
#include "services/lib/rpc/events.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/sink_recorder.h"
#include "tests/unit/rpc/grpc_exchange.h"

namespace spanway::rpc {
namespace {

using otlp::Signal;
using std::chrono::milliseconds;
using std::chrono::seconds;

class ExportServiceTest : public testing::Test {
 protected:
  ExportServiceTest() { restart({}); }

  void restart(ExportServiceOptions options) {
    service_ = std::make_unique<ExportService>(options, sink_, *gatekeeper_, budget_, clock_,
                                               telemetry::Telemetry{log_, metrics_}, "test");
  }
  // Runs one request to its end and returns its answer, if there is one already.
  std::optional<http::Response> call(const http::RequestHead& head, std::string_view body,
                                     std::size_t chunk = 16 * 1024) {
    target_ = std::make_shared<AnswerRecorder>();
    auto reader = service_->on_request(head, http::Responder(target_));
    bool more = reader != nullptr;
    for (std::size_t i = 0; more && i < body.size(); i += chunk) {
      more = reader->on_data(body.substr(i, chunk));
    }
    if (more) reader->on_end();
    reader.reset();
    EXPECT_LE(target_->answers, 1);
    return std::exchange(target_->answer, std::nullopt);
  }
  void accept_all() {
    sink_.answer_with([](const pipeline::Batch&) { return pipeline::Outcome{}; });
  }
  void refuse_all(Error error) {
    sink_.answer_with([error](const pipeline::Batch&) { return error; });
  }
  double counted(Code code, Signal signal = Signal::kTraces) const {
    return metrics_.value("spanway_rpc_requests_total",
                          {{"listener", "test"},
                           {"signal", std::string(otlp::to_string(signal))},
                           {"code", std::string(to_string(code))}});
  }
  double refused(const char* reason) const {
    return metrics_.value("spanway_rpc_refused_total", {{"listener", "test"}, {"reason", reason}});
  }
  double in_flight() const {
    return metrics_.value("spanway_rpc_in_flight_requests", {{"listener", "test"}});
  }

  fakes::ManualClock clock_;
  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  MemoryBudget budget_{128 << 20};
  fakes::SinkRecorder sink_;
  std::unique_ptr<Gatekeeper> gatekeeper_ = trusting_gatekeeper();
  std::unique_ptr<ExportService> service_;
  std::shared_ptr<AnswerRecorder> target_;
};

TEST_F(ExportServiceTest, HandsTheMessageOfEachSignalToTheSink) {
  for (const Signal signal : otlp::kSignals) {
    EXPECT_FALSE(call(with_header(export_head(signal), "spanway-tenant", "t1"), framed("payload"))
                     .has_value());
    auto taken = sink_.take();
    ASSERT_TRUE(taken.has_value());
    EXPECT_EQ(taken->batch.signal, signal);
    EXPECT_EQ(taken->batch.payload.view(), "payload");
    EXPECT_EQ(taken->batch.metadata.tenant, "t1");
    EXPECT_EQ(taken->batch.permit.bytes(), 7u);
    EXPECT_EQ(in_flight(), 1);
    EXPECT_EQ(budget_.used(), 7u);
    taken->token.ack();
    ASSERT_TRUE(target_->answer.has_value());
    EXPECT_EQ(target_->answer->status, 200);
    EXPECT_EQ(target_->answer->headers.get("content-type"), "application/grpc");
    EXPECT_EQ(target_->answer->body.view(), framed(""));
    EXPECT_EQ(target_->answer->trailers.get("grpc-status"), "0");
    EXPECT_EQ(counted(Code::kOk, signal), 1);
    EXPECT_EQ(in_flight(), 0);
  }
  EXPECT_EQ(metrics_.value("spanway_rpc_received_bytes_total",
                           {{"listener", "test"}, {"signal", "logs"}}),
            12);
}

TEST_F(ExportServiceTest, AnswersPartialSuccess) {
  sink_.answer_with([](const pipeline::Batch&) { return pipeline::Outcome{3, "bad ids"}; });
  const auto answer = call(export_head(), framed("x"));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(grpc_status(*answer), 0);
  const auto partial = otlp::parse_export_response(
      Signal::kTraces, answer->body.view().substr(kMessagePrefixBytes), otlp::Encoding::kProtobuf);
  ASSERT_TRUE(partial.ok());
  EXPECT_EQ(partial->rejected, 3u);
  EXPECT_EQ(partial->message, "bad ids");
}

TEST_F(ExportServiceTest, CompressesALargeAnswerForAClientThatTakesIt) {
  const std::string text(3000, 'e');
  sink_.answer_with([&](const pipeline::Batch&) { return pipeline::Outcome{1, text}; });
  auto answer =
      call(with_header(export_head(), "grpc-accept-encoding", "identity, gzip"), framed("x"));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->headers.get("grpc-encoding"), "gzip");
  EXPECT_EQ(answer->body.view()[0], '\1');
  EXPECT_LT(answer->body.size(), 300u);

  answer = call(export_head(), framed("x"));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->headers.count("grpc-encoding"), 0u);
  EXPECT_EQ(answer->body.view()[0], '\0');
}

TEST_F(ExportServiceTest, AnswersARefusalInTrailersOnly) {
  refuse_all(unavailable("kafka is 100% away\n")
                 .with_reason("kafka_queue_full")
                 .with_retry_after(milliseconds(1500)));
  const auto answer = call(export_head(), framed("x"));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 200);
  EXPECT_TRUE(answer->body.empty());
  EXPECT_TRUE(answer->trailers.fields().empty());
  EXPECT_EQ(answer->headers.get("grpc-status"), "14");
  EXPECT_EQ(answer->headers.get("grpc-message"), "kafka is 100%25 away%0A");
  const Error refusal = refusal_of(*answer);
  EXPECT_EQ(refusal.refusal, Refusal::kTransient);
  EXPECT_EQ(refusal.retry_after, milliseconds(1500));
  EXPECT_EQ(counted(Code::kUnavailable), 1);
}

TEST_F(ExportServiceTest, KeepsTheKindOfEveryRefusal) {
  const std::vector<Error> errors = {
      transient_error(Code::kResourceExhausted, "later").with_retry_after(seconds(1)),
      unavailable("later"),
      data_error(Code::kResourceExhausted, "too big"),
      data_error(Code::kInvalidArgument, "bad"),
      configuration_error(Code::kUnauthenticated, "who"),
      configuration_error(Code::kPermissionDenied, "no"),
      configuration_error(Code::kNotFound, "where"),
      configuration_error(Code::kUnimplemented, "what"),
      unknown_error(Code::kInternal, "oops"),
      unknown_error(Code::kUnknown, "?")};
  for (const Error& error : errors) {
    refuse_all(error);
    const auto answer = call(export_head(), framed("x"));
    ASSERT_TRUE(answer.has_value());
    const Error seen = refusal_of(*answer);
    EXPECT_EQ(seen.refusal, error.refusal) << error.message;
    EXPECT_EQ(seen.code, error.code) << error.message;
  }
}

TEST_F(ExportServiceTest, BoundsTheMessageOfARefusal) {
  refuse_all(invalid_argument(std::string(100'000, '\xc3')).with_reason("x"));
  const auto answer = call(export_head(), framed("x"));
  ASSERT_TRUE(answer.has_value());
  std::size_t bytes = 0;
  for (const auto& [name, value] : answer->headers.fields()) bytes += name.size() + value.size();
  EXPECT_LT(bytes, 4096u);
}

TEST_F(ExportServiceTest, AnswersAnEmptyRequestItself) {
  const auto answer = call(export_head(), framed(""));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(grpc_status(*answer), 0);
  EXPECT_EQ(sink_.sent(), 0u);
}

TEST_F(ExportServiceTest, RefusesWhatIsNotGrpcAsHttp) {
  http::RequestHead get = export_head();
  get.method = "GET";
  EXPECT_EQ(call(get, "")->status, 405);
  EXPECT_EQ(call(with_header(export_head(), "content-type", "application/json"), "")->status, 415);
  EXPECT_EQ(call(with_header(export_head(), "content-type", std::nullopt), "")->status, 415);
  http::RequestHead old = export_head();
  old.protocol = http::Protocol::kHttp11;
  EXPECT_EQ(call(old, "")->status, 505);
}

TEST_F(ExportServiceTest, ReportsHttp1ClientsWhichPortToUse) {
  http::RequestHead head = export_head();
  head.protocol = http::Protocol::kHttp11;
  head.path = "/v1/traces";
  EXPECT_NE(call(head, "")->body.view().find("not served here"), std::string_view::npos);
  service_->set_http_port(4318);
  const auto text = call(head, "");
  EXPECT_EQ(text->status, 505);
  EXPECT_NE(text->body.view().find("send OTLP/HTTP to port 4318"), std::string_view::npos);
  // OTLP/HTTP exporters read a Status in their own encoding.
  for (const char* type : {"application/json", "application/x-protobuf"}) {
    const auto answer = call(with_header(head, "content-type", type), "{}");
    EXPECT_EQ(answer->status, 505);
    EXPECT_EQ(answer->headers.get("content-type"), type);
    EXPECT_NE(answer->body.view().find("send OTLP/HTTP to port 4318"), std::string_view::npos);
  }
  EXPECT_EQ(sink_.sent(), 0u);
}

TEST_F(ExportServiceTest, AnswersUnknownMethodsUnimplemented) {
  for (const char* path : {"/", "", "/opentelemetry.proto.collector.trace.v1.TraceService/Import",
                           "/grpc.health.v1.Health/Watch", "/v1/traces"}) {
    http::RequestHead head = export_head();
    head.path = path;
    const auto answer = call(head, framed("x"));
    ASSERT_TRUE(answer.has_value()) << path;
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(grpc_status(*answer), 12) << path;
  }
  EXPECT_EQ(refused("grpc_unknown_method"), 5);
}

TEST_F(ExportServiceTest, RefusesBadHeadersBeforeABodyByte) {
  const struct {
    const char* header;
    std::optional<std::string> value;
    int status;
  } cases[] = {{"content-type", "application/grpc+json", 12},
               {"te", std::nullopt, 3},
               {"te", "gzip", 3},
               {"grpc-timeout", "soon", 3},
               {"grpc-timeout", "123456789S", 3},
               {"grpc-timeout", "0S", 14},
               {"grpc-encoding", "snappy", 12},
               {"spanway-tenant", "../x", 3}};
  for (const auto& c : cases) {
    target_ = std::make_shared<AnswerRecorder>();
    const auto reader = service_->on_request(with_header(export_head(), c.header, c.value),
                                             http::Responder(target_));
    EXPECT_EQ(reader, nullptr) << c.header;
    ASSERT_TRUE(target_->answer.has_value()) << c.header;
    EXPECT_EQ(grpc_status(*target_->answer), c.status) << c.header;
  }
  EXPECT_EQ(sink_.sent(), 0u);
  EXPECT_EQ(in_flight(), 0);
}

TEST_F(ExportServiceTest, ReportsWhichEncodingsAreTaken) {
  const auto answer = call(with_header(export_head(), "grpc-encoding", "snappy"), framed("x"));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->headers.get("grpc-accept-encoding"), "identity,gzip,deflate,zstd");
}

TEST_F(ExportServiceTest, RefusesBrokenFramesWithoutTheSink) {
  std::string flagged = framed("x");
  flagged[0] = '\7';
  const struct {
    std::string body;
    int status;
  } cases[] = {{"", 12},
               {std::string("\0\0", 2), 3},
               {framed("abc").substr(0, 7), 3},
               {framed("a") + framed("b"), 12},
               {framed("abc", true), 13},  // Compressed, but how?
               {flagged, 3},
               {std::string("\0\xff\xff\xff\xff", 5), 8}};
  for (const auto& c : cases) {
    for (const std::size_t chunk : {std::size_t{1}, std::size_t{1000}}) {
      const auto answer = call(export_head(), c.body, chunk);
      ASSERT_TRUE(answer.has_value());
      EXPECT_EQ(grpc_status(*answer), c.status) << testing::PrintToString(c.body);
    }
  }
  EXPECT_EQ(sink_.sent(), 0u);
  EXPECT_EQ(budget_.used(), 0u);
  EXPECT_EQ(in_flight(), 0);
  EXPECT_EQ(refused("grpc_bad_framing"), 12);
  EXPECT_EQ(refused("message_too_large"), 2);
}

TEST_F(ExportServiceTest, RefusesTransientlyWhenTheBudgetIsUsedUp) {
  const Permit taken = budget_.try_acquire(budget_.limit()).value();
  const auto answer = call(export_head(), framed("x"));
  ASSERT_TRUE(answer.has_value());
  const Error refusal = refusal_of(*answer);
  EXPECT_EQ(refusal.code, Code::kResourceExhausted);
  EXPECT_EQ(refusal.refusal, Refusal::kTransient);
  EXPECT_EQ(refusal.retry_after, milliseconds(1000));
  EXPECT_EQ(refused("no_memory"), 1);
}

TEST_F(ExportServiceTest, RefusesTooLargeForGood) {
  restart({.message_bytes_max = 1000});
  const auto answer = call(export_head(), framed(std::string(1001, 'x')));
  ASSERT_TRUE(answer.has_value());
  const Error refusal = refusal_of(*answer);
  EXPECT_EQ(refusal.code, Code::kResourceExhausted);
  EXPECT_EQ(refusal.refusal, Refusal::kData);
}

TEST_F(ExportServiceTest, DecodesEveryCoding) {
  std::string message;
  for (int i = 0; i < 5000; ++i) message += std::to_string(i);
  const std::pair<const char*, http::ContentCoding> codings[] = {
      {"gzip", http::ContentCoding::kGzip},
      {"deflate", http::ContentCoding::kDeflate},
      {"zstd", http::ContentCoding::kZstd}};
  for (const auto& [name, coding] : codings) {
    const Bytes body = http::encode(coding, message).value();
    call(with_header(export_head(), "grpc-encoding", name), framed(body.view(), true), 100);
    auto taken = sink_.take(Duration::zero());
    ASSERT_TRUE(taken.has_value()) << name;
    EXPECT_EQ(taken->batch.payload.view(), message);
    EXPECT_GE(taken->batch.permit.bytes(), message.size());
    taken->token.ack();
    EXPECT_EQ(grpc_status(*target_->answer), 0);
  }
}

TEST_F(ExportServiceTest, DeadlineIsTheSmallerOfTheClientsAndOurs) {
  const auto deadline_for = [&](std::optional<std::string> timeout) {
    call(with_header(export_head(), "grpc-timeout", std::move(timeout)), framed("x"));
    auto taken = sink_.take(Duration::zero());
    const Duration left = taken->batch.deadline.when() - clock_.now();
    taken->token.ack();
    return left;
  };
  EXPECT_EQ(deadline_for("500m"), milliseconds(500));
  EXPECT_EQ(deadline_for("90S"), seconds(30));
  EXPECT_EQ(deadline_for(std::nullopt), seconds(30));
}

TEST_F(ExportServiceTest, RefusesABodyThatArrivesAfterItsDeadline) {
  target_ = std::make_shared<AnswerRecorder>();
  auto reader = service_->on_request(with_header(export_head(), "grpc-timeout", "100m"),
                                     http::Responder(target_));
  ASSERT_TRUE(reader->on_data(framed("x")));
  clock_.advance(milliseconds(100));
  reader->on_end();
  ASSERT_TRUE(target_->answer.has_value());
  EXPECT_EQ(grpc_status(*target_->answer), 14);
  EXPECT_EQ(sink_.sent(), 0u);
}

TEST_F(ExportServiceTest, CountsAClientThatWentAway) {
  target_ = std::make_shared<AnswerRecorder>();
  auto reader = service_->on_request(export_head(), http::Responder(target_));
  ASSERT_TRUE(reader->on_data(framed(std::string(1000, 'x')).substr(0, 500)));
  EXPECT_GE(budget_.used(), 495u);
  reader.reset();
  EXPECT_EQ(budget_.used(), 0u);
  EXPECT_EQ(counted(Code::kCancelled), 1);
  EXPECT_EQ(refused("client_gone"), 1);
  EXPECT_EQ(in_flight(), 0);
}

TEST_F(ExportServiceTest, TakesNothingMoreAfterARefusal) {
  target_ = std::make_shared<AnswerRecorder>();
  auto reader = service_->on_request(export_head(), http::Responder(target_));
  EXPECT_FALSE(reader->on_data("\7xxxx"));
  EXPECT_FALSE(reader->on_data(framed("x")));
  reader->on_end();
  EXPECT_EQ(target_->answers, 1);
  EXPECT_EQ(sink_.sent(), 0u);
}

TEST_F(ExportServiceTest, AnswersAfterTheServiceHasGone) {
  call(export_head(), framed("x"));
  auto taken = sink_.take();
  service_.reset();
  taken->token.nack(unavailable("late"));
  ASSERT_TRUE(target_->answer.has_value());
  EXPECT_EQ(grpc_status(*target_->answer), 14);
  EXPECT_EQ(counted(Code::kUnavailable), 1);
}

TEST_F(ExportServiceTest, ALostTokenIsAnsweredInternal) {
  call(export_head(), framed("x"));
  { auto taken = sink_.take(); }
  ASSERT_TRUE(target_->answer.has_value());
  EXPECT_EQ(grpc_status(*target_->answer), 13);
}

class HealthTest : public ExportServiceTest {
 protected:
  std::optional<http::Response> check(std::string_view request) {
    http::RequestHead head = export_head();
    head.path = "/grpc.health.v1.Health/Check";
    return call(head, framed(request), 1);
  }
};

TEST_F(HealthTest, ReportsServingUntilChanged) {
  EXPECT_EQ(check("")->body.view(), framed("\x08\x01"));
  const std::string service = "opentelemetry.proto.collector.logs.v1.LogsService";
  EXPECT_EQ(
      check("\x0a" + std::string(1, static_cast<char>(service.size())) + service)->body.view(),
      framed("\x08\x01"));
  service_->set_serving(false);
  EXPECT_EQ(check("")->body.view(), framed("\x08\x02"));
  EXPECT_EQ(grpc_status(*check("")), 0);
}

TEST_F(HealthTest, RefusesUnknownServicesAndGarbage) {
  EXPECT_EQ(grpc_status(*check("\x0a\x03xyz")), 5);
  EXPECT_EQ(grpc_status(*check("\x0a\x09xyz")), 3);
  EXPECT_EQ(grpc_status(*check("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")), 3);
  EXPECT_EQ(grpc_status(*check(std::string(2000, 'x'))), 8);
}

TEST(RpcMetrics, AreNamedByTheRules) {
  EXPECT_EQ(metric_specs().size(), 10u);
  for (const auto& spec : metric_specs()) {
    EXPECT_TRUE(std::string_view(spec.name).starts_with("spanway_rpc_")) << spec.name;
    EXPECT_EQ(spec.kind == telemetry::MetricKind::kCounter,
              std::string_view(spec.name).ends_with("_total"))
        << spec.name;
  }
}

}  // namespace
}  // namespace spanway::rpc
