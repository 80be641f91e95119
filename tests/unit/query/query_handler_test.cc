#include "services/query/query_handler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <string>
#include <thread>

#include "services/lib/base/random.h"
#include "services/query/configured_apis.h"
#include "services/query/store/absent_stores.h"
#include "services/query/store/memory/memory_trace_store.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/otlp_builder.h"
#include "tests/unit/http/client_fixture.h"
#include "tests/unit/query/scripted_store.h"

namespace spanway::query {
namespace {

using testing::HasSubstr;
using testing::Not;

// Answers with what it was given.
class EchoApi final : public QueryApi {
 public:
  static constexpr std::array kRoutes = {
      ApiRoute{.methods = "GET POST", .pattern = "/echo/{name...}/values", .name = "echo"},
      ApiRoute{.methods = "GET", .pattern = "/echo/{one}/{two}", .name = "echo", .question = 1},
      ApiRoute{.methods = "GET",
               .pattern = "/echo/{one}/{two}",
               .name = "echo",
               .question = 2,
               .accept = "application/protobuf"},
      ApiRoute{.methods = "GET",
               .pattern = "/echo/socket",
               .name = "echo",
               .question = 3,
               .is_web_socket = true},
  };
  std::span<const ApiRoute> routes() const override { return kRoutes; }
  Status answer(const ApiRequest& request, QueryContext&, AnswerWriter& writer) override {
    std::string text = std::to_string(request.route->question);
    for (const char* name : {"name", "one", "two"})
      text += "|" + std::string(request.arguments.get(name));
    for (const std::string_view value : request.parameters.all("match[]"))
      text += "|" + std::string(value);
    return writer.write(text + "|" + request.body);
  }
  ErrorAnswer error_answer(const ApiRoute&, const Error& error, int status) const override {
    return {status, "text/plain", std::to_string(status) + " " + error.message};
  }
};

class QueryHandlerTest : public testing::Test {
 protected:
  void serve(QueryConfig config = {}) {
    Random random = Random::from_entropy();
    authenticator_ = auth::Authenticator::create(config.auth, auth::read_small_file,
                                                 auth::KeyedHash::make_key(random))
                         .value();
    workers_ = std::make_unique<QueryWorkers>(static_cast<std::size_t>(config.limits.running),
                                              static_cast<std::size_t>(config.limits.queued));
    apis_ =
        make_apis(config, {store_, logs_, metrics_store_, system_clock(),
                           [] { return rest::Figures{}; }, nullptr, [] { return std::string(); }});
    apis_.add(std::make_unique<EchoApi>());
    events_.declare_apis(apis_.names());
    handler_ = std::make_unique<QueryHandler>(
        config, QueryHandler::Parts{apis_, page_, store_, *authenticator_, *workers_, budget_,
                                    system_clock(), events_, health_});
    http::ServerOptions options;
    options.name = "query";
    server_ = http::Server::create(options, nullptr, io_, *handler_, {log_, metrics_}).value();
    server_->start();
    client_ =
        std::make_unique<http::TestClient>("http://127.0.0.1:" + std::to_string(server_->port()));
  }
  ~QueryHandlerTest() override {
    client_.reset();
    server_.reset();
    if (handler_) handler_->cancel_all();
    workers_.reset();
  }
  http::Response get(const std::string& path, http::Headers headers = {},
                     const std::string& method = "GET", const std::string& body = "") {
    std::promise<http::Response> promise;
    client_->client->send(
        {.method = method, .path = path, .headers = std::move(headers), .body = Bytes(body)},
        Deadline::after(system_clock(), std::chrono::seconds(20)), true,
        [&](Result<http::Response> answer) {
          promise.set_value(
              answer.ok() ? std::move(*answer)
                          : http::Response{.status = 0, .headers = {}, .body = {}, .trailers = {}});
        });
    return promise.get_future().get();
  }
  std::string text(const http::Response& response) { return std::string(response.body.view()); }
  void add_trace(const std::string& tenant, std::uint64_t trace, std::uint64_t spans) {
    std::vector<fakes::ProtoMessage> messages;
    for (std::uint64_t i = 1; i <= spans; ++i)
      messages.push_back(fakes::otlp_span(trace, i, "GET /", {fakes::otlp_attribute("user", "u")}));
    ASSERT_TRUE(memory_.add(tenant, fakes::otlp_request_of(messages)).ok());
  }

  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  http::IoPool io_{"query", 1};
  MemoryBudget budget_{256u << 20};
  Events events_{{log_, metrics_}};
  StoreHealth health_{system_clock()};
  MemoryTraceStore memory_;
  ScriptedStore store_{memory_};
  AbsentLogStore logs_;
  AbsentMetricStore metrics_store_;
  ApiRegistry apis_;
  const web::AssetHandler page_{{}};
  std::unique_ptr<auth::Authenticator> authenticator_;
  std::unique_ptr<QueryWorkers> workers_;
  std::unique_ptr<QueryHandler> handler_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<http::TestClient> client_;
};

TEST_F(QueryHandlerTest, ATraceComesInBothShapes) {
  serve();
  add_trace("", 1, 3);
  const auto v1 = get("/api/traces/1");
  EXPECT_EQ(v1.status, 200);
  EXPECT_THAT(text(v1), HasSubstr(R"("data":[{"traceID":"00000000000000000000000000000001")"));
  EXPECT_THAT(text(v1), HasSubstr(R"("processes":{"p1":{"serviceName":"shop")"));
  const auto v3 = get("/api/v3/traces/00000000000000000000000000000001");
  EXPECT_EQ(v3.status, 200);
  EXPECT_THAT(text(v3), HasSubstr(R"({"result":{"resourceSpans":[{"resource")"));
}

TEST_F(QueryHandlerTest, EachApiSaysHowFarASearchCameThatEndedEarly) {
  serve();
  add_trace("", 1, 3);
  store_.gives_up = true;
  const std::string why = "searched back to 2023-11-14T22:13:20.000Z only: 12 rows were read";
  const std::string v3 =
      "?query.start_time_min=1970-01-01T00:00:00Z&query.start_time_max=2100-01-01T00:00:00Z"
      "&query.service_name=shop";
  for (const std::string& path :
       {std::string("/api/traces?service=shop&start=0"), "/api/v3/traces" + v3,
        "/api/v3/trace-summaries" + v3, std::string("/tempo/api/search?q=%7B%7D"),
        std::string("/spans")}) {
    const auto answer = get(path);
    EXPECT_EQ(answer.status, 200) << path << text(answer);
    EXPECT_EQ(answer.headers.get("spanway-coverage"), why) << path;
    EXPECT_THAT(std::string(answer.headers.get("spanway-cost")),
                testing::MatchesRegex("rows=[0-9]+,bytes=[0-9]+,statements=[0-9]+,store_ms=3.0,"
                                      "engine_ms=[0-9]+[.][0-9]"))
        << path;
    EXPECT_THAT(text(answer), HasSubstr("0001\"")) << "what was found is there: " << path;
  }
  EXPECT_THAT(text(get("/api/traces?service=shop&start=0")),
              HasSubstr(R"("errors":[{"code":200,"msg":"searched back to 2023)"));
  EXPECT_THAT(text(get("/tempo/api/search?q=%7B%7D")),
              HasSubstr(R"("completedJobs":0,"totalJobs":1)"));
  EXPECT_EQ(get("/api/traces/1").headers.get("spanway-coverage"), "")
      << "a trace by id is complete";
}

TEST_F(QueryHandlerTest, AClientThatDoesNotReadIsCutAndFreesItsWorker) {
  QueryConfig config;
  config.limits.client_wait = std::chrono::milliseconds(100);
  config.limits.running = 1;
  serve(config);
  add_trace("", 1, 30'000);  // More than the sockets hold.
  const int slow = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server_->port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int small = 4096;
  ::setsockopt(slow, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): as the interface has it.
  ASSERT_EQ(::connect(slow, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  const std::string_view request = "GET /api/traces/1 HTTP/1.1\r\nhost: a\r\n\r\n";
  ASSERT_EQ(::send(slow, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
  char first = 0;
  ASSERT_EQ(::recv(slow, &first, 1, 0), 1) << "the answer has begun";
  EXPECT_EQ(get("/health").status, 200) << "the only worker is free again";
  ::close(slow);
}

TEST_F(QueryHandlerTest, ALongTraceIsStreamedWhole) {
  serve();
  add_trace("", 1, 5000);
  const auto v1 = text(get("/api/traces/1"));
  EXPECT_TRUE(v1.ends_with("\"errors\":null}"));
  std::size_t spans = 0;
  for (std::size_t at = v1.find("\"spanID\""); at != std::string::npos;
       at = v1.find("\"spanID\"", at + 1))
    ++spans;
  EXPECT_EQ(spans, 5000u);
}

TEST_F(QueryHandlerTest, AnArgumentOfAPathIsDecodedOnceAndMayHaveSlashes) {
  serve();
  EXPECT_EQ(text(get("/echo/http.status_code/values")), "0|http.status_code|||");
  EXPECT_EQ(text(get("/echo/a%2Fb%20c%2525/values")), "0|a/b c%25|||");
  EXPECT_EQ(text(get("/echo/values/values")), "0|values|||");
  EXPECT_EQ(get("/echo//values").status, 404);
  EXPECT_EQ(text(get("/echo/a/b")), "1||a|b|");
  http::Headers protobuf;
  protobuf.add("accept", "application/protobuf, */*");
  EXPECT_EQ(text(get("/echo/a/b", protobuf)), "2||a|b|");
  EXPECT_EQ(get("/echo/a/b/c").status, 404);
}

TEST_F(QueryHandlerTest, ParametersComeFromTheFormAndThenFromTheUrl) {
  serve();
  http::Headers form;
  form.add("content-type", "application/x-www-form-urlencoded; charset=utf-8");
  EXPECT_EQ(text(get("/echo/a/values?match[]=3", form, "POST", "match[]=1+%7B%7D&match%5B%5D=2&x")),
            "0|a|||1 {}|2|3|");
  http::Headers json;
  json.add("content-type", "application/json");
  EXPECT_EQ(text(get("/echo/a/values?match[]=1", json, "POST", "{}")), "0|a|||1|{}");
  EXPECT_EQ(text(get("/echo/a/values", form, "POST", "match[]=%4")),
            "400 a parameter has a broken percent escape");
  const auto large = get("/echo/a/values", json, "POST", std::string((1u << 20) + 1, 'a'));
  EXPECT_TRUE(large.status == 413 || large.status == 0)
      << "the connection may be cut: " << large.status;
  // A worker frees the memory of a body once it has sent the answer.
  EXPECT_TRUE(fakes::eventually([&] { return budget_.used() == 0; }));
}

TEST_F(QueryHandlerTest, AnotherMethodIs405WithTheOnesThatAreAnswered) {
  serve();
  const auto refused = get("/echo/a/values", {}, "DELETE");
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.headers.get("allow"), "GET, POST");
  EXPECT_EQ(get("/echo/socket").status, 400) << "no WebSocket request";
}

TEST_F(QueryHandlerTest, MistakesHaveTheShapeOfTheirApi) {
  serve();
  EXPECT_THAT(text(get("/api/traces/zz")), HasSubstr(R"("errors":[{"code":400)"));
  EXPECT_THAT(text(get("/api/traces/1")), HasSubstr(R"("errors":[{"code":404)"));
  EXPECT_EQ(get("/api/traces/1").status, 404);
  EXPECT_THAT(text(get("/api/v3/traces/0")), HasSubstr(R"("grpcCode":3,"httpCode":400)"));
  EXPECT_THAT(text(get("/api/v3/traces/1")), HasSubstr(R"("grpcCode":5,"httpCode":404)"));
  EXPECT_EQ(get("/spans?limit=0").status, 400);
  EXPECT_EQ(get("/spans?limit=1001").status, 400);
  EXPECT_EQ(get("/spans?limit=x").headers.get("content-type"), "application/problem+json");
  EXPECT_EQ(get("/nothing").status, 404);
  EXPECT_EQ(get("/spans", {}, "POST").status, 405);
}

TEST_F(QueryHandlerTest, AStoreThatIsAwayIs503AndTooMuchIs413) {
  serve();
  store_.error = unavailable("no connection");
  const auto away = get("/api/traces/1");
  EXPECT_EQ(away.status, 503);
  EXPECT_EQ(away.headers.get("retry-after"), "1");
  const auto health = get("/health");
  EXPECT_EQ(health.status, 503);
  EXPECT_LE(store_.status_time, std::chrono::seconds(5)) << "a query may take 30 s, a probe not";
  EXPECT_THAT(text(health), HasSubstr("\"status\":\"unavailable\""));
  store_.error = data_error(Code::kResourceExhausted, "too much; narrow the query");
  EXPECT_EQ(get("/api/v3/traces/1").status, 413);
  store_.error = configuration_error(Code::kUnauthenticated, "our password is wrong");
  EXPECT_EQ(get("/api/v3/traces/1").status, 500) << "not the client's credentials";
}

TEST_F(QueryHandlerTest, ATenantSeesItsOwnSpansOnly) {
  QueryConfig config;
  config.auth.mode = auth::AuthMode::kBearer;
  config.auth.tokens = {{.token = Secret("a-token"), .token_file = "", .tenant = "a"},
                        {.token = Secret("b-token"), .token_file = "", .tenant = "b"}};
  config.tenant.from = auth::TenantSource::kToken;
  serve(config);
  add_trace("a", 1, 1);
  const auto with = [](const std::string& token) {
    http::Headers headers;
    headers.add("authorization", "Bearer " + token);
    return headers;
  };
  EXPECT_EQ(get("/api/traces/1", with("a-token")).status, 200);
  EXPECT_EQ(get("/api/traces/1", with("b-token")).status, 404);
  EXPECT_THAT(text(get("/spans", with("a-token"))), HasSubstr("\"traceId\""));
  EXPECT_THAT(text(get("/spans", with("b-token"))), Not(HasSubstr("\"traceId\"")));
  const auto refused = get("/spans", with("c-token"));
  EXPECT_EQ(refused.status, 401);
  EXPECT_THAT(refused.headers.get("www-authenticate"), HasSubstr("Bearer"));
}

TEST_F(QueryHandlerTest, AClientThatGoesAwayBeforeTheFirstByteCancelsItsQuery) {
  QueryConfig config;
  config.limits.running = 1;
  serve(config);
  store_.entered.emplace();
  store_.waits_for_cancel = true;
  for (int i = 0; i < 2; ++i)  // The second one waits in the queue.
    client_->client->send({.method = "GET", .path = "/spans", .headers = {}, .body = {}},
                          Deadline::after(system_clock(), std::chrono::seconds(20)), true,
                          [](const Result<http::Response>&) {});
  store_.entered->get_future().wait();
  while (workers_->queued() == 0) std::this_thread::yield();
  client_.reset();
  // Both end without a word from the store; no deadline is near.
  while (events_.cancelled() < 2) std::this_thread::yield();
  EXPECT_EQ(events_.failed(), 0u);
  EXPECT_EQ(health_.snapshot().reachable, std::nullopt) << "nothing is known of the store";
}

TEST_F(QueryHandlerTest, AProbeAndQueriesShowWhetherTheStoreAnswers) {
  serve();
  const auto probe = [this] {
    const Duration none = Duration::zero();
    const auto before = health_.snapshot().reachable;
    handler_->probe();
    while (health_.snapshot().reachable == before) std::this_thread::yield();
    EXPECT_TRUE(health_.is_idle_for(none));
  };
  probe();
  EXPECT_EQ(health_.snapshot().reachable, true);
  EXPECT_EQ(health_.snapshot().last_query, std::nullopt) << "a probe is no query";
  EXPECT_EQ(get("/api/traces/1").status, 404);
  EXPECT_EQ(health_.snapshot().reachable, true) << "an answer, too";
  EXPECT_NE(health_.snapshot().last_query, std::nullopt);
  store_.error = unavailable("no connection").with_reason("connect_failed");
  EXPECT_EQ(get("/api/traces/1").status, 503);
  const StoreHealth::Snapshot away = health_.snapshot();
  EXPECT_EQ(away.reachable, false);
  EXPECT_EQ(away.last_error, "no connection");
  EXPECT_EQ(away.last_error_reason, "connect_failed");
  EXPECT_NE(away.last_error_time, std::nullopt);
  EXPECT_EQ(get("/api/traces/zz").status, 400);
  EXPECT_EQ(health_.snapshot().reachable, false) << "no request has reached the store";
  store_.error.reset();
  probe();
  EXPECT_EQ(health_.snapshot().reachable, true);
  EXPECT_EQ(health_.snapshot().last_error, "no connection") << "with its time, until the next one";
}

TEST_F(QueryHandlerTest, MoreQueriesThanAdmittedAreRefusedWith429) {
  QueryConfig config;
  config.limits.running = 1;
  config.limits.queued = 0;
  serve(config);
  store_.entered.emplace();
  std::promise<int> first;
  client_->client->send(
      {.method = "GET", .path = "/spans", .headers = {}, .body = {}},
      Deadline::after(system_clock(), std::chrono::seconds(20)), true,
      [&](Result<http::Response> answer) { first.set_value(answer.ok() ? answer->status : 0); });
  store_.entered->get_future().wait();
  const auto refused = get("/spans");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.headers.get("retry-after"), "1");
  store_.release.set_value();
  EXPECT_EQ(first.get_future().get(), 200);
}

}  // namespace
}  // namespace spanway::query
