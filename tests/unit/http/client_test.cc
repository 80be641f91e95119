// The client against our server, and against raw sockets that misbehave.
#include "services/lib/http/client.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>

#include "services/lib/base/thread.h"
#include "tests/unit/http/client_fixture.h"
#include "tests/unit/http/server_fixture.h"

namespace spanway::http {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string local(std::uint16_t port) { return "http://127.0.0.1:" + std::to_string(port); }

// Accepts connections one after the other and gives each to a script.
class ScriptedServer {
 public:
  using Script = std::function<void(int fd)>;

  explicit ScriptedServer(std::vector<Script> scripts) : scripts_(std::move(scripts)) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(::listen(fd_, 16), 0);
    socklen_t size = sizeof(address);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = start_thread("scripted", [this](const std::stop_token&) { run(); });
  }
  ~ScriptedServer() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;
  std::uint16_t port() const noexcept { return port_; }

 private:
  void run() {
    for (const Script& script : scripts_) {
      const int peer = ::accept(fd_, nullptr, nullptr);
      if (peer < 0) return;
      script(peer);
      ::close(peer);
    }
  }

  const std::vector<Script> scripts_;
  int fd_ = -1;
  std::uint16_t port_ = 0;
  std::jthread thread_;
};

std::string read_head(int fd) {
  std::string head;
  char byte = 0;
  while (head.find("\r\n\r\n") == std::string::npos && ::recv(fd, &byte, 1, 0) == 1) head += byte;
  return head;
}

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
}

// Reads one request and answers with these bytes.
ScriptedServer::Script answers(std::string bytes) {
  return [bytes = std::move(bytes)](int fd) {
    read_head(fd);
    write_all(fd, bytes);
  };
}

void wait_for_close(int fd) {
  char byte = 0;
  while (::recv(fd, &byte, 1, 0) == 1) {
  }
}

TEST(Client, ExchangesBodiesOfAnySize) {
  TestServer server;
  TestClient client(local(server.server->port()));
  for (const std::size_t size : {0U, 1U, 100'000U, 3'000'000U}) {
    const std::string body(size, 'x');
    const auto answer = client.post("/echo", body);
    ASSERT_TRUE(answer.ok()) << answer.error().message;
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->body.view(), "POST /echo ? " + body);
  }
  EXPECT_EQ(server.metric("spanway_http_connections_total"), 1) << "the connection is kept";
}

TEST(Client, AddsHostAndLengthAndKeepsTheRest) {
  TestServer server;
  TestClient client(local(server.server->port()) + "/base?a=b");
  ClientRequest request{.method = "POST", .path = "", .headers = {}, .body = Bytes("abc")};
  request.headers.add("x-scope-orgid", "t1");
  ASSERT_TRUE(client.ask(std::move(request)).ok());
  const RequestHead head = server.handler.last_head();
  EXPECT_EQ(head.path, "/base");
  EXPECT_EQ(head.query, "a=b");
  EXPECT_EQ(head.headers.get("host"), "127.0.0.1:" + std::to_string(server.server->port()));
  EXPECT_EQ(head.headers.get("x-scope-orgid"), "t1");
  EXPECT_EQ(head.content_length, 3U);
}

TEST(Client, GivesAnswersOfAnyStatusAsResults) {
  TestServer server;
  TestClient client(local(server.server->port()));
  const auto refused = client.post("/early", "x");
  ASSERT_TRUE(refused.ok());
  EXPECT_EQ(refused->status, 413);
  EXPECT_EQ(refused->body.view(), "too big");
}

TEST(Client, UnderstandsHeadAndChunkedAndEndOfConnection) {
  ScriptedServer server(
      {answers("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n"),
       answers("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
       answers("HTTP/1.0 200 OK\r\n\r\nuntil the end"),
       answers("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n")});
  TestClient client(local(server.port()), {.connections_max = 1});
  const auto head = client.ask({.method = "HEAD", .path = "/", .headers = {}, .body = {}});
  ASSERT_TRUE(head.ok());
  EXPECT_EQ(head->body.size(), 0U);
  EXPECT_EQ(head->headers.get("content-length"), "1000");
  for (const char* body : {"abc", "until the end", ""}) {
    // With repeating allowed, the client may notice the end of the last connection late.
    const auto answer = client.ask({.method = "GET", .path = "/", .headers = {}, .body = {}},
                                   std::chrono::seconds(10), true);
    ASSERT_TRUE(answer.ok()) << answer.error().message;
    EXPECT_EQ(answer->body.view(), body);
  }
}

TEST(Client, RunsRequestsSideBySideAndQueuesTheRest) {
  TestServer server;
  TestClient client(local(server.server->port()), {.connections_max = 4});
  for (int i = 0; i < 10; ++i)
    client.start({.method = "GET", .path = "/hold", .headers = {}, .body = {}});
  std::size_t released = 0;
  while (released < 10) {
    ASSERT_TRUE(eventually([&] { return server.handler.held() > 0; }));
    EXPECT_LE(server.handler.held(), 4U);
    released += server.handler.release();
  }
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(client.box->take().ok());
  EXPECT_LE(server.metric("spanway_http_connections_total"), 4);
}

// Requests of one share that are not answered hold connections: those of another are sent over the
// rest, or over at most half as many connections again, which are closed afterwards.
TEST(Client, AShareThatHangsDoesNotHoldUpTheOthers) {
  TestServer server;
  TestClient client(local(server.server->port()), {.connections_max = 4});
  for (int i = 0; i < 10; ++i) {
    client.start({.method = "GET", .path = "/hold", .headers = {}, .body = {}, .share = "hanging"});
  }
  ASSERT_TRUE(eventually([&] { return server.handler.held() == 2; }));
  for (int i = 0; i < 20; ++i) {
    client.start({.method = "GET", .path = "/echo", .headers = {}, .body = {}, .share = "good"});
  }
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(client.box->take().ok());
  EXPECT_EQ(server.handler.held(), 2U) << "the hanging share gets no more than before";
  EXPECT_LE(server.metric("spanway_http_connections_total"), 4 + 2);
  std::size_t released = 0;
  while (released < 10) {
    ASSERT_TRUE(eventually([&] { return server.handler.held() > 0; }));
    released += server.handler.release();
  }
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(client.box->take().ok());
  EXPECT_TRUE(eventually([&] { return server.metric("spanway_http_connections_open") <= 4; }));
}

// However many shares hang, together they hold connections_max at most, which others have besides.
TEST(Client, ManySharesThatHangLeaveConnectionsToTheOthers) {
  TestServer server;
  TestClient client(local(server.server->port()), {.connections_max = 4});
  const auto start_good = [&client] {
    client.start({.method = "GET", .path = "/echo", .headers = {}, .body = {}, .share = "good"});
  };
  start_good();
  ASSERT_TRUE(client.box->take().ok());
  for (int i = 0; i < 50; ++i) {
    client.start({.method = "GET",
                  .path = "/hold",
                  .headers = {},
                  .body = {},
                  .share = "hanging-" + std::to_string(i)});
  }
  ASSERT_TRUE(eventually([&] { return server.handler.held() == 4; }));
  for (int i = 0; i < 20; ++i) start_good();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(client.box->take().ok());
  EXPECT_EQ(server.handler.held(), 4U);
  std::size_t released = 0;
  while (released < 50) {
    ASSERT_TRUE(eventually([&] { return server.handler.held() > 0; }));
    released += server.handler.release();
  }
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(client.box->take().ok());
}

TEST(Client, RefusesRequestsWhenTooManyWait) {
  TestServer server;
  TestClient client(local(server.server->port()), {.connections_max = 1, .waiting_max = 2});
  for (int i = 0; i < 4; ++i)
    client.start({.method = "GET", .path = "/hold", .headers = {}, .body = {}});
  const auto refused = client.box->take();
  ASSERT_FALSE(refused.ok());
  EXPECT_STREQ(refused.error().reason, "client_queue_full");
  EXPECT_EQ(refused.error().refusal, Refusal::kTransient);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(eventually([&] { return server.handler.held() == 1; }));
    server.handler.release();
    EXPECT_TRUE(client.box->take().ok());
  }
}

TEST(Client, AnswersByTheDeadline) {
  TestServer server;
  TestClient client(local(server.server->port()), {.connections_max = 1});
  const auto hold = [] {
    return ClientRequest{.method = "GET", .path = "/hold", .headers = {}, .body = {}};
  };
  client.start(hold(), std::chrono::milliseconds(50));  // Waits for its answer.
  client.start(hold(), std::chrono::milliseconds(50));  // Waits for a connection.
  client.start(hold(), std::chrono::milliseconds(-1));  // Is late already.
  for (int i = 0; i < 3; ++i) {
    const auto late = client.box->take();
    ASSERT_FALSE(late.ok());
    EXPECT_EQ(late.error().code, Code::kDeadlineExceeded);
    EXPECT_EQ(late.error().refusal, Refusal::kTransient);
  }
  EXPECT_TRUE(client.get("/echo").ok()) << "the client still serves requests";
}

TEST(Client, ReportsAMissingListener) {
  std::uint16_t port = 0;
  {
    TestServer server;
    port = server.server->port();
  }
  TestClient client(local(port));
  const auto answer = client.get("/");
  ASSERT_FALSE(answer.ok());
  EXPECT_STREQ(answer.error().reason, "connect_failed");
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_EQ(answer.error().refusal, Refusal::kTransient);
}

TEST(Client, SaysWhenTheNameDoesNotExist) {
  TestClient client("http://no-such-host.invalid/");
  const auto answer = client.get("/");
  ASSERT_FALSE(answer.ok());
  EXPECT_STREQ(answer.error().reason, "resolve_failed");
}

TEST(Client, RefusesTooLargeAnswers) {
  const std::string body(2000, 'x');
  ScriptedServer server(
      {answers("HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n"),
       answers("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7d0\r\n" + body +
               "\r\n0\r\n\r\n"),
       answers("HTTP/1.0 200 OK\r\n\r\n" + body),
       answers("HTTP/1.1 200 OK\r\nx: " + std::string(100'000, 'y') + "\r\n\r\n")});
  TestClient client(local(server.port()), {.connections_max = 1, .response_bytes_max = 1000});
  for (const char* reason :
       {"response_too_large", "response_too_large", "response_too_large", "response_invalid"}) {
    const auto answer = client.get("/");
    ASSERT_FALSE(answer.ok());
    EXPECT_STREQ(answer.error().reason, reason);
    EXPECT_EQ(answer.error().code, Code::kUnavailable);
    EXPECT_EQ(answer.error().refusal, Refusal::kTransient);
  }
}

TEST(Client, RefusesAnswersThatAreNotHttp) {
  ScriptedServer server(
      {answers("SSH-2.0-OpenSSH\r\n\r\n"),
       answers("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"),
       answers("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n"), answers("")});
  TestClient client(local(server.port()), {.connections_max = 1});
  for (const char* reason :
       {"response_invalid", "connection_closed", "response_invalid", "connection_closed"}) {
    const auto answer = client.get("/");
    ASSERT_FALSE(answer.ok());
    EXPECT_STREQ(answer.error().reason, reason);
  }
}

constexpr const char* kEmptyAnswer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

// Answers one request, then reads the next and closes without a word.
ScriptedServer::Script answers_then_closes_on_the_next() {
  return [](int fd) {
    read_head(fd);
    write_all(fd, kEmptyAnswer);
    read_head(fd);
  };
}

TEST(Client, SendsAgainWhenAKeptConnectionWasClosed) {
  ScriptedServer server({answers_then_closes_on_the_next(), answers(kEmptyAnswer)});
  TestClient client(local(server.port()), {.connections_max = 1});
  ASSERT_TRUE(client.get("/").ok());
  const auto again = client.ask({.method = "GET", .path = "/", .headers = {}, .body = {}},
                                std::chrono::seconds(10), true);
  EXPECT_TRUE(again.ok()) << again.error().message;
}

TEST(Client, DoesNotSendAgainWhatIsNotIdempotent) {
  ScriptedServer server({answers_then_closes_on_the_next()});
  TestClient client(local(server.port()), {.connections_max = 1});
  ASSERT_TRUE(client.get("/").ok());
  const auto answer = client.post("/", "x");
  ASSERT_FALSE(answer.ok());
  EXPECT_STREQ(answer.error().reason, "connection_closed");
}

TEST(Client, SendsAgainOnlyOnce) {
  ScriptedServer server({answers_then_closes_on_the_next(), answers("")});
  TestClient client(local(server.port()), {.connections_max = 1});
  ASSERT_TRUE(client.get("/").ok());
  const auto answer = client.ask({.method = "GET", .path = "/", .headers = {}, .body = {}},
                                 std::chrono::seconds(10), true);
  ASSERT_FALSE(answer.ok());
  EXPECT_STREQ(answer.error().reason, "connection_closed");
}

TEST(Client, ClosesIdleConnections) {
  TestServer server;
  TestClient client(local(server.server->port()), {.idle_timeout = std::chrono::milliseconds(20)});
  ASSERT_TRUE(client.get("/echo").ok());
  EXPECT_TRUE(server.all_gone());
  EXPECT_TRUE(client.get("/echo").ok());
}

TEST(Client, DropsKeptConnectionsThatSpeakUnrequested) {
  ScriptedServer server({[](int fd) {
                           read_head(fd);
                           write_all(fd, std::string(kEmptyAnswer) + kEmptyAnswer);
                           wait_for_close(fd);
                         },
                         answers("HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n")});
  TestClient client(local(server.port()), {.connections_max = 1});
  ASSERT_TRUE(client.get("/").ok());
  const auto second = client.get("/");
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->status, 201) << "not the unsolicited answer";
}

TEST(Client, TakesAnAnswerThatComesBeforeTheRequestIsSent) {
  TestServer server;
  TestClient client(local(server.server->port()));
  const std::string body(20'000'000, 'x');
  const auto answer = client.post("/early", body);
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_EQ(answer->status, 413);
  EXPECT_TRUE(client.get("/echo").ok());
}

TEST(Client, RefusesMalformedRequests) {
  TestServer server;
  TestClient client(local(server.server->port()));
  ClientRequest split{.method = "GET", .path = "/", .headers = {}, .body = {}};
  split.headers.add("x", "a\r\nb: c");
  const Error error = client.ask(std::move(split)).error();
  EXPECT_STREQ(error.reason, "request_invalid");
  EXPECT_EQ(error.refusal, Refusal::kConfiguration) << "ours, so never the data's fault";
  for (const char* path : {"/a b", "/a\r\nb", "a", "http://b/"})
    EXPECT_STREQ(client.get(path).error().reason, "request_invalid") << path;
  EXPECT_STREQ(
      client.ask({.method = "GET /", .path = "/", .headers = {}, .body = {}}).error().reason,
      "request_invalid");
  EXPECT_EQ(server.handler.requests(), 0U);
}

TEST(Client, AnswersWhatIsUnderWayWhenItIsDestroyed) {
  TestServer server;
  TestClient client(local(server.server->port()), {.connections_max = 1});
  for (int i = 0; i < 3; ++i)
    client.start({.method = "GET", .path = "/hold", .headers = {}, .body = {}});
  ASSERT_TRUE(eventually([&] { return server.handler.held() == 1; }));
  client.client.reset();
  ASSERT_EQ(client.box->size(), 3U) << "before the destructor returns";
  for (int i = 0; i < 3; ++i) EXPECT_STREQ(client.box->take().error().reason, "client_closed");
}

TEST(Client, AnswersWhatIsUnderWayWhenThePoolHasStopped) {
  TestServer server;
  TestClient client(local(server.server->port()));
  client.start({.method = "GET", .path = "/hold", .headers = {}, .body = {}});
  ASSERT_TRUE(eventually([&] { return server.handler.held() == 1; }));
  client.pool.stop();
  client.start({.method = "GET", .path = "/hold", .headers = {}, .body = {}});
  client.client.reset();
  EXPECT_STREQ(client.box->take().error().reason, "client_closed");
  EXPECT_STREQ(client.box->take().error().reason, "client_closed");
}

TEST(Client, NeedsTlsForHttps) {
  IoPool pool("client", 1);
  auto url = Url::parse("https://localhost/");
  ASSERT_TRUE(url.ok());
  const auto client = Client::create(std::move(url).value(), {}, nullptr, pool);
  ASSERT_FALSE(client.ok());
  EXPECT_EQ(client.error().refusal, Refusal::kConfiguration);
}

}  // namespace
}  // namespace spanway::http
