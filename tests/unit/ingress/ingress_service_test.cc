// The whole ingress over real sockets on loopback, with a recorder as the next hop.
#include "services/ingress/ingress_service.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "services/lib/http/client.h"
#include "services/lib/http/content_coding.h"
#include "services/lib/rpc/otlp_grpc_sink.h"
#include "tests/fakes/sink_recorder.h"
#include "tests/unit/ingress/requests.h"

namespace spanway::ingress {
namespace {

using std::chrono::seconds;
using testing::json_trace_request;
using testing::trace_request;

constexpr const char* kProtobuf = "application/x-protobuf";
constexpr const char* kJson = "application/json";

class ServiceTest : public ::testing::Test {
 protected:
  ServiceTest() {
    config_.otlp.grpc.port = 0;
    config_.otlp.http.port = 0;
    next_.answer_with([this](const pipeline::Batch& batch) -> Result<pipeline::Outcome> {
      MutexLock lock(mutex_);
      if (!batch.payload.empty())
        batches_.push_back({std::string(batch.payload.view()), batch.item_count,
                            batch.metadata.tenant, batch.metadata.batch_id});
      return answer_;
    });
  }
  ~ServiceTest() override {
    client_.reset();
    grpc_.reset();
    service_.reset();
  }
  void start() {
    auto created = IngressService::create(config_, deps(), &next_);
    ASSERT_TRUE(created.ok()) << created.error().message;
    service_ = std::move(created).value();
    const Status started = service_->start();
    ASSERT_TRUE(started.ok()) << started.error().message;
    http::Url url;
    url.host = "127.0.0.1";
    url.port = service_->http_port();
    auto client = http::Client::create(url, {}, nullptr, io_);
    ASSERT_TRUE(client.ok());
    client_ = std::move(client).value();
  }
  runtime::ServiceDeps deps() { return {io_, {log_, metrics_}, system_clock()}; }

  std::future<Result<http::Response>> send(http::ClientRequest request) {
    auto promise = std::make_shared<std::promise<Result<http::Response>>>();
    auto future = promise->get_future();
    client_->send(
        std::move(request), Deadline::after(system_clock(), seconds(20)), false,
        [promise](Result<http::Response> response) { promise->set_value(std::move(response)); });
    return future;
  }
  http::Response ask(std::string_view content_type, std::string_view body,
                     std::vector<std::pair<std::string, std::string>> headers = {},
                     std::string method = "POST") {
    http::ClientRequest request;
    request.method = std::move(method);
    request.path = "/v1/traces";
    if (!content_type.empty()) request.headers.add("content-type", std::string(content_type));
    for (auto& [name, value] : headers) request.headers.add(std::move(name), std::move(value));
    request.body = Bytes(body);
    auto response = send(std::move(request)).get();
    if (response.ok()) return std::move(response).value();
    ADD_FAILURE() << response.error().message;
    return {};
  }
  Result<pipeline::Outcome> call(Bytes payload, std::map<std::string, Secret> headers = {}) {
    return call_port(service_->grpc_port(), std::move(payload), std::move(headers));
  }
  Result<pipeline::Outcome> call_port(std::uint16_t port, Bytes payload,
                                      std::map<std::string, Secret> headers = {}) {
    rpc::OtlpGrpcSinkOptions options;
    options.endpoint = "127.0.0.1:" + std::to_string(port);
    options.headers = std::move(headers);
    options.connections = 1;
    auto created = rpc::OtlpGrpcSink::create(options, system_clock(), {log_, metrics_});
    if (!created.ok()) return std::move(created).error();
    grpc_ = std::move(created).value();
    auto promise = std::make_shared<std::promise<Result<pipeline::Outcome>>>();
    auto future = promise->get_future();
    pipeline::Batch batch;
    batch.payload = std::move(payload);
    batch.metadata.tenant = "stolen";
    batch.deadline = Deadline::after(system_clock(), seconds(20));
    grpc_->send(std::move(batch), pipeline::AckToken([promise](Result<pipeline::Outcome> outcome) {
                  promise->set_value(std::move(outcome));
                }));
    return future.get();
  }

  struct Seen {
    std::string payload;
    std::uint64_t items;
    std::string tenant;
    std::string batch_id;
  };
  std::vector<Seen> seen() {
    MutexLock lock(mutex_);
    return batches_;
  }
  void answer_with(Result<pipeline::Outcome> answer) {
    MutexLock lock(mutex_);
    answer_ = std::move(answer);
  }

  IngressConfig config_;
  // The lines of the log.
  std::vector<std::string> lines() {
    MutexLock lock(mutex_);
    return lines_;
  }

  const telemetry::Logger log_ = telemetry::Logger::create({.write = [this](std::string_view line) {
    MutexLock lock(mutex_);
    lines_.emplace_back(line);
  }});
  telemetry::Metrics metrics_;
  http::IoPool io_{"test-io", 2};
  Mutex mutex_;
  std::vector<std::string> lines_ SPANWAY_GUARDED_BY(mutex_);
  std::vector<Seen> batches_ SPANWAY_GUARDED_BY(mutex_);
  Result<pipeline::Outcome> answer_ SPANWAY_GUARDED_BY(mutex_) = pipeline::Outcome{};
  fakes::SinkRecorder next_;
  std::unique_ptr<IngressService> service_;
  std::unique_ptr<http::Client> client_;
  std::unique_ptr<rpc::OtlpGrpcSink> grpc_;
};

TEST_F(ServiceTest, PointsClientsOnTheWrongPortWhichOneToUse) {
  start();
  const Result<pipeline::Outcome> grpc = call_port(service_->http_port(), trace_request(1));
  ASSERT_FALSE(grpc.ok());
  EXPECT_EQ(grpc.error().code, Code::kUnimplemented);
  EXPECT_EQ(grpc.error().refusal, Refusal::kConfiguration);
  EXPECT_NE(
      grpc.error().message.find("send OTLP/gRPC to port " + std::to_string(service_->grpc_port())),
      std::string::npos)
      << grpc.error().message;

  http::Url url;
  url.host = "127.0.0.1";
  url.port = service_->grpc_port();
  auto client = http::Client::create(url, {}, nullptr, io_);
  ASSERT_TRUE(client.ok());
  client_ = std::move(client).value();
  const http::Response http = ask(kJson, json_trace_request());
  EXPECT_EQ(http.status, 505);
  EXPECT_EQ(http.headers.get("content-type"), kJson);
  EXPECT_NE(
      http.body.view().find("send OTLP/HTTP to port " + std::to_string(service_->http_port())),
      std::string_view::npos)
      << http.body.view();
  EXPECT_TRUE(seen().empty());
}

TEST_F(ServiceTest, LogsRefusalsOverHttpWithPeerAndError) {
  start();
  EXPECT_EQ(ask(kJson, "{").status, 400);
  const auto logged = lines();
  const auto line = std::find_if(logged.begin(), logged.end(), [](const std::string& text) {
    return text.find("OTLP/HTTP request refused") != std::string::npos;
  });
  ASSERT_NE(line, logged.end());
  EXPECT_NE(line->find("listener=otlp_http peer=127.0.0.1 code=INVALID_ARGUMENT error="),
            std::string::npos)
      << *line;
}

// Counted once, by the gatekeeper.
TEST_F(ServiceTest, LogsRequestsOverHttpThatAreNotAuthenticated) {
  config_.auth.mode = auth::AuthMode::kBearer;
  config_.auth.tokens.push_back({Secret("right"), "", ""});
  start();
  EXPECT_EQ(ask(kProtobuf, trace_request(1).view()).status, 401);
  const auto logged = lines();
  EXPECT_EQ(std::count_if(logged.begin(), logged.end(),
                          [](const std::string& text) {
                            return text.find("OTLP/HTTP request refused") != std::string::npos &&
                                   text.find("peer=127.0.0.1 code=UNAUTHENTICATED") !=
                                       std::string::npos;
                          }),
            1);
  EXPECT_EQ(metrics_.value("spanway_ingress_refused_requests_total",
                           {{"transport", "http"}, {"reason", "unauthenticated"}}),
            1);
}

// The header block of a client that sends too much metadata.
TEST_F(ServiceTest, RefusesTooMuchMetadataOverGrpcAsResourceExhausted) {
  start();
  const auto answer = call(trace_request(1), {{"x-large", Secret(std::string(10'000, 'x'))}});
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kResourceExhausted) << answer.error().message;
  EXPECT_NE(answer.error().message.find("send less metadata"), std::string::npos);
}

TEST_F(ServiceTest, TakesProtobufAndJsonPlainAndCompressedOverHttp) {
  start();
  const Bytes request = trace_request(20);
  const http::Response plain = ask(kProtobuf, request.view());
  EXPECT_EQ(plain.status, 200);
  EXPECT_EQ(plain.headers.get("content-type"), kProtobuf);
  EXPECT_TRUE(plain.body.empty());
  for (const auto& [coding, name] : {std::pair(http::ContentCoding::kGzip, "gzip"),
                                     std::pair(http::ContentCoding::kZstd, "zstd")}) {
    const Bytes body = http::encode(coding, request.view()).value();
    EXPECT_EQ(ask(kProtobuf, body.view(), {{"content-encoding", name}}).status, 200) << name;
  }
  const http::Response json = ask(kJson, json_trace_request());
  EXPECT_EQ(json.status, 200);
  EXPECT_EQ(json.body.view(), "{}");
  const auto batches = seen();
  ASSERT_EQ(batches.size(), 4u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(batches[i].payload, request.view());
    EXPECT_EQ(batches[i].items, 20u);
  }
  EXPECT_EQ(batches[3].payload, trace_request(1).view());
  EXPECT_EQ(metrics_.value("otel_received_spans_total"), 61);
  EXPECT_EQ(service_->budget().used(), 0u);
}

TEST_F(ServiceTest, TakesGrpcAndBelievesNothingAboutTheTenant) {
  start();
  const auto outcome = call(trace_request(5, 2));
  ASSERT_TRUE(outcome.ok()) << outcome.error().message;
  EXPECT_EQ(outcome->rejected, 2u);
  EXPECT_NE(outcome->message, "");
  const auto batches = seen();
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_EQ(batches[0].items, 5u);
  EXPECT_EQ(batches[0].tenant, "");
}

TEST_F(ServiceTest, JoinsRequestsOfSeveralClientsAndAnswersEach) {
  config_.merge.linger = std::chrono::milliseconds(500);
  config_.merge.requests_max = 4;
  // One io thread, so that all of them meet in one bucket.
  http::IoPool single("test-one", 1);
  auto created =
      IngressService::create(config_, {single, {log_, metrics_}, system_clock()}, &next_);
  ASSERT_TRUE(created.ok());
  service_ = std::move(created).value();
  ASSERT_TRUE(service_->start().ok());
  http::Url url;
  url.host = "127.0.0.1";
  url.port = service_->http_port();
  client_ = std::move(http::Client::create(url, {}, nullptr, io_)).value();
  std::vector<std::future<Result<http::Response>>> answers;
  for (int i = 0; i < 4; ++i) {
    http::ClientRequest request;
    request.path = "/v1/traces";
    request.headers.add("content-type", kProtobuf);
    request.body = trace_request(2);
    answers.push_back(send(std::move(request)));
  }
  for (auto& answer : answers) {
    const auto response = answer.get();
    ASSERT_TRUE(response.ok());
    EXPECT_EQ(response->status, 200);
  }
  const auto batches = seen();
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_EQ(batches[0].items, 8u);
  client_.reset();
  service_.reset();
}

TEST_F(ServiceTest, RefusesStrangersOnBothPorts) {
  config_.auth.mode = auth::AuthMode::kBearer;
  config_.auth.tokens.push_back({Secret("secret-of-acme"), "", "acme"});
  config_.tenant.from = auth::TenantSource::kToken;
  start();
  const http::Response unknown = ask(kProtobuf, trace_request(1).view());
  EXPECT_EQ(unknown.status, 401);
  EXPECT_NE(unknown.headers.get("www-authenticate"), "");
  EXPECT_EQ(ask(kProtobuf, trace_request(1).view(), {{"authorization", "Bearer wrong"}}).status,
            401);
  EXPECT_EQ(
      ask(kProtobuf, trace_request(1).view(), {{"authorization", "bearer secret-of-acme"}}).status,
      200);
  const auto refused = call(trace_request(1));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kUnauthenticated);
  EXPECT_TRUE(call(trace_request(1), {{"authorization", Secret("Bearer secret-of-acme")}}).ok());
  for (const Seen& batch : seen()) EXPECT_EQ(batch.tenant, "acme");
  EXPECT_EQ(seen().size(), 2u);
}

TEST_F(ServiceTest, RefusesWhatIsTooLargeUnknownOrTooMuch) {
  config_.limits.body_bytes_max = {10'000};
  config_.limits.compressed_bytes_max = {10'000};
  config_.rate_limit.items_per_second = 10;
  start();
  EXPECT_EQ(ask(kProtobuf, std::string(10'001, 'x')).status, 413);
  EXPECT_EQ(ask("text/plain", "hello").status, 415);
  EXPECT_EQ(ask(kProtobuf, "x", {{"content-encoding", "br"}}).status, 415);
  EXPECT_EQ(ask(kProtobuf, "\xff\xff").status, 400);
  EXPECT_EQ(ask(kProtobuf, "", {}, "GET").status, 405);
  EXPECT_EQ(ask(kProtobuf, trace_request(10).view()).status, 200);
  const http::Response limited = ask(kProtobuf, trace_request(10).view());
  EXPECT_EQ(limited.status, 429);
  EXPECT_EQ(limited.headers.get("retry-after"), "1");
}

TEST_F(ServiceTest, SaysWhenThereIsNoMemoryLeft) {
  config_.budget_share = 100'000;
  start();
  const http::Response response = ask(kProtobuf, std::string(200'000, 'x'));
  EXPECT_EQ(response.status, 429);
  EXPECT_NE(response.headers.get("retry-after"), "");
  const auto refused = call(Bytes(std::string(200'000, 'x')));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kResourceExhausted);
  EXPECT_EQ(refused.error().refusal, Refusal::kTransient);
  EXPECT_EQ(ask(kProtobuf, trace_request(1).view()).status, 200);
}

TEST_F(ServiceTest, LetsAllowedWebPagesSend) {
  config_.otlp.http.cors.allowed_origins = {"https://shop.example.com"};
  start();
  const http::Response preflight = ask(
      "", "", {{"origin", "https://shop.example.com"}, {"access-control-request-method", "POST"}},
      "OPTIONS");
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(preflight.headers.get("access-control-allow-origin"), "https://shop.example.com");
  const http::Response answer =
      ask(kJson, json_trace_request(), {{"origin", "https://shop.example.com"}});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.get("access-control-allow-origin"), "https://shop.example.com");
}

TEST_F(ServiceTest, PassesTheRefusalOfTheNextHopOn) {
  answer_with(unavailable("Kafka is away").with_retry_after(seconds(3)).with_reason("kafka_down"));
  start();
  const http::Response response = ask(kProtobuf, trace_request(1).view());
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.headers.get("retry-after"), "3");
  const auto refused = call(trace_request(1));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_EQ(refused.error().retry_after, seconds(3));
}

TEST_F(ServiceTest, BecomesReadyWithTheFirstAnswerAndStaysSoUntilItStops) {
  next_.answer_with(nullptr);
  start();
  EXPECT_FALSE(service_->readiness().ready);
  auto probe = next_.take(seconds(20));
  ASSERT_TRUE(probe.has_value());
  EXPECT_TRUE(probe->batch.payload.empty());
  probe->token.ack();
  EXPECT_TRUE(service_->readiness().ready);
  EXPECT_NE(service_->status_json().find("\"answered\":true"), std::string::npos);
  service_->stop_accepting();
  EXPECT_FALSE(service_->readiness().ready);
  client_.reset();
  EXPECT_TRUE(service_->drain(Deadline::after(system_clock(), seconds(20))));
}

TEST_F(ServiceTest, FinishesWhatIsUnderWayWhenItStops) {
  config_.merge.enabled = false;
  next_.answer_with(nullptr);
  start();
  http::ClientRequest request;
  request.path = "/v1/traces";
  request.headers.add("content-type", kProtobuf);
  request.body = trace_request(1);
  auto answer = send(std::move(request));
  std::optional<fakes::SinkRecorder::Taken> mine;
  for (auto taken = next_.take(seconds(20)); taken; taken = next_.take(seconds(20))) {
    if (!taken->batch.payload.empty()) {
      mine = std::move(taken);
      break;
    }
    taken->token.ack();
  }
  ASSERT_TRUE(mine.has_value());
  service_->stop_accepting();
  auto drained = std::async(std::launch::async, [this] {
    return service_->drain(Deadline::after(system_clock(), seconds(20)));
  });
  mine->token.ack();
  const auto response = answer.get();
  ASSERT_TRUE(response.ok()) << response.error().message;
  EXPECT_EQ(response->status, 200);
  EXPECT_TRUE(drained.get());
}

TEST_F(ServiceTest, RefusesToStartOnATakenPort) {
  start();
  IngressConfig second = config_;
  second.otlp.grpc.port = service_->grpc_port();
  auto created = IngressService::create(second, deps(), &next_);
  ASSERT_TRUE(created.ok());
  EXPECT_FALSE((*created)->start().ok());
}

TEST_F(ServiceTest, RefusesToBeMadeWithoutItsFiles) {
  config_.auth.mode = auth::AuthMode::kBearer;
  config_.auth.tokens.push_back({Secret(), "/nonexistent/token", ""});
  EXPECT_FALSE(IngressService::create(config_, deps(), &next_).ok());
  config_.auth = {};
  config_.otlp.tls.certificate_file = "/nonexistent/tls.crt";
  config_.otlp.tls.key_file = "/nonexistent/tls.key";
  EXPECT_FALSE(IngressService::create(config_, deps(), &next_).ok());
}

TEST_F(ServiceTest, ReportsItsStateAsJson) {
  start();
  ask(kProtobuf, trace_request(3).view());
  const std::string json = service_->status_json();
  EXPECT_NE(json.find("\"spans\":3"), std::string::npos) << json;
  EXPECT_NE(json.find("\"http_port\":" + std::to_string(service_->http_port())), std::string::npos);
  EXPECT_NE(json.find("\"budget\":176160768"), std::string::npos);
}

}  // namespace
}  // namespace spanway::ingress
