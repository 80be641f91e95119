// Streams over HTTP/2 against our own server: it answers late or at once, the client shares
// connections, bounds silence and ends what is cancelled.
#include "services/lib/http/http2_client.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/unit/http/server_fixture.h"
#include "tests/unit/http/test_certificates.h"

namespace spanway::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// The callbacks of one stream, recorded. Thread-safe.
struct Outcome {
  bool take(std::string_view piece) {
    MutexLock lock(mutex);
    ++pieces;
    body.append(piece);
    return body.size() < bytes_max;
  }
  void end(Result<Response> with) {
    MutexLock lock(mutex);
    ends.push_back(std::move(with));
  }
  // The end, after at most 10 s.
  Result<Response> result() {
    const bool came = eventually([this] {
      MutexLock lock(mutex);
      return !ends.empty();
    });
    EXPECT_TRUE(came);
    MutexLock lock(mutex);
    EXPECT_EQ(ends.size(), 1u);
    if (!came) return unavailable("the stream did not end");
    return std::move(ends.front());
  }

  Mutex mutex;
  std::size_t bytes_max = SIZE_MAX;
  int pieces SPANWAY_GUARDED_BY(mutex) = 0;
  std::string body SPANWAY_GUARDED_BY(mutex);
  std::vector<Result<Response>> ends SPANWAY_GUARDED_BY(mutex);
};

std::string http_url(const TestServer& server) {
  return "http://127.0.0.1:" + std::to_string(server.server->port());
}

struct Streams {
  explicit Streams(const std::string& url, Http2ClientOptions options = {},
                   std::shared_ptr<TlsClientContext> tls = nullptr)
      : pool("streams", 1) {
    auto made = Http2Client::create(Url::parse(url).value(), options, std::move(tls), pool);
    EXPECT_TRUE(made.ok());
    client = std::move(made).value();
  }
  Http2Client::StreamId open(const std::shared_ptr<Outcome>& outcome, StreamRequest request) {
    return client->open(std::move(request),
                        {[outcome](std::string_view piece) { return outcome->take(piece); },
                         [outcome](Result<Response> end) { outcome->end(std::move(end)); }});
  }
  Result<Response> get(const std::string& path) {
    const auto outcome = std::make_shared<Outcome>();
    open(outcome, {.path = path, .headers = {}});
    return outcome->result();
  }

  IoPool pool;
  std::unique_ptr<Http2Client> client;
};

TEST(Http2Client, GivesTheBodyOfA200InPieces) {
  TestServer server;
  Streams streams(http_url(server));
  const auto outcome = std::make_shared<Outcome>();
  Headers headers;
  headers.add("authorization", "Bearer x");
  streams.open(outcome, {.path = "/big?watch=1", .headers = headers});
  const auto end = outcome->result();
  ASSERT_TRUE(end.ok()) << end.error().message;
  EXPECT_EQ(end->status, 200);
  EXPECT_TRUE(end->body.empty());
  MutexLock lock(outcome->mutex);
  EXPECT_EQ(outcome->body.size(), 1u << 20);
  EXPECT_GT(outcome->pieces, 1);
  EXPECT_EQ(server.handler.last_head().query, "watch=1");
  EXPECT_EQ(server.handler.last_head().headers.get("authorization"), "Bearer x");
  EXPECT_EQ(server.handler.last_head().protocol, Protocol::kHttp2);
}

TEST(Http2Client, KeepsTheBodyOfAnythingElse) {
  TestServer server;
  Streams streams(http_url(server));
  const auto end = streams.get("/early");
  ASSERT_TRUE(end.ok()) << end.error().message;
  EXPECT_EQ(end->status, 413);
  EXPECT_FALSE(end->body.empty());
}

TEST(Http2Client, ManyStreamsShareAConnectionUpToTheServersLimit) {
  ServerOptions options;
  options.limits.streams_max = 20;
  TestServer server(options);
  Streams streams(http_url(server));
  std::vector<std::shared_ptr<Outcome>> outcomes;
  for (int i = 0; i < 50; ++i) {
    outcomes.push_back(std::make_shared<Outcome>());
    streams.open(outcomes.back(), {.path = "/hold", .headers = {}});
  }
  ASSERT_TRUE(eventually([&] { return server.handler.held() == 50; }));
  EXPECT_EQ(streams.client->connections(), 3u);
  EXPECT_EQ(server.metric("spanway_http_connections_open"), 3);
  server.handler.release();
  for (const auto& outcome : outcomes) EXPECT_TRUE(outcome->result().ok());
}

TEST(Http2Client, WaitingStreamsEndWhenNoFurtherConnectionOpens) {
  ServerOptions options;
  options.limits.streams_max = 1;
  options.limits.connections_max = 1;
  TestServer server(options);
  Streams streams(http_url(server));
  const auto first = std::make_shared<Outcome>();
  streams.open(first, {.path = "/hold", .headers = {}});
  ASSERT_TRUE(eventually([&] { return server.handler.held() == 1; }));
  const auto end = streams.get("/echo");
  ASSERT_FALSE(end.ok());
  EXPECT_EQ(end.error().code, Code::kUnavailable) << "to be retried with a back-off";
  server.handler.release();
  EXPECT_TRUE(first->result().ok());
}

TEST(Http2Client, AReaderThatHasEnoughEndsItsStreamAlone) {
  TestServer server;
  Streams streams(http_url(server));
  const auto other = std::make_shared<Outcome>();
  streams.open(other, {.path = "/hold", .headers = {}});
  const auto outcome = std::make_shared<Outcome>();
  outcome->bytes_max = 1;
  streams.open(outcome, {.path = "/big", .headers = {}});
  const auto end = outcome->result();
  ASSERT_TRUE(end.ok()) << end.error().message;
  EXPECT_EQ(end->status, 200);
  {
    MutexLock lock(outcome->mutex);
    EXPECT_EQ(outcome->pieces, 1);
  }
  ASSERT_TRUE(eventually([&] { return server.handler.release() == 1; }));
  EXPECT_TRUE(other->result().ok());
}

TEST(Http2Client, CancelEndsAStreamOnceAndFreesItsPlace) {
  ServerOptions options;
  options.limits.streams_max = 1;
  TestServer server(options);
  Streams streams(http_url(server), {.connections_max = 1});
  const auto first = std::make_shared<Outcome>();
  const auto id = streams.open(first, {.path = "/hold", .headers = {}});
  ASSERT_TRUE(eventually([&] { return server.handler.held() == 1; }));
  const auto second = std::make_shared<Outcome>();
  streams.open(second, {.path = "/echo", .headers = {}});
  streams.client->cancel(id);
  streams.client->cancel(id);
  const auto end = first->result();
  ASSERT_FALSE(end.ok());
  EXPECT_EQ(end.error().code, Code::kCancelled);
  EXPECT_TRUE(second->result().ok());
}

TEST(Http2Client, SilenceHasABoundBeforeAndAfterTheHead) {
  TestServer server;
  Streams streams(http_url(server));
  const auto outcome = std::make_shared<Outcome>();
  streams.open(outcome, {.path = "/hold", .headers = {}, .head_timeout = milliseconds(50)});
  const auto end = outcome->result();
  ASSERT_FALSE(end.ok());
  EXPECT_EQ(end.error().code, Code::kDeadlineExceeded);
  EXPECT_TRUE(streams.get("/echo").ok()) << "the connection is still good";
}

TEST(Http2Client, AClosedConnectionEndsItsStreamsAndTheNextOpensAnother) {
  auto server = std::make_unique<TestServer>();
  ServerOptions same_port;
  same_port.port = server->server->port();
  Streams streams(http_url(*server));
  const auto outcome = std::make_shared<Outcome>();
  streams.open(outcome, {.path = "/hold", .headers = {}});
  ASSERT_TRUE(eventually([&] { return server->handler.held() == 1; }));
  server.reset();
  const auto end = outcome->result();
  ASSERT_FALSE(end.ok());
  EXPECT_EQ(end.error().code, Code::kUnavailable);
  TestServer next(same_port);
  const auto again = streams.get("/echo");
  EXPECT_TRUE(again.ok()) << again.error().message;
}

// Frames written by hand, for what our own server never does. One connection.
class ScriptedHttp2Server {
 public:
  ScriptedHttp2Server() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const general = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener_, general, size), 0);
    EXPECT_EQ(::listen(listener_, 1), 0);
    EXPECT_EQ(::getsockname(listener_, general, &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~ScriptedHttp2Server() {
    ::close(connection_);
    ::close(listener_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  void accept() { connection_ = ::accept(listener_, nullptr, nullptr); }
  void frame(unsigned char type, unsigned char flags, unsigned char stream, std::string_view body) {
    const unsigned char head[9] = {
        0, 0, static_cast<unsigned char>(body.size()), type, flags, 0, 0, 0, stream};
    std::string bytes(reinterpret_cast<const char*>(head), sizeof(head));
    bytes.append(body);
    EXPECT_EQ(::send(connection_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // Sends SETTINGS, which the client waits for, then reads until the client's HEADERS.
  void take_request() {
    frame(4, 0, 0, "");
    constexpr std::size_t kPreface = 24;
    constexpr std::size_t kFrameHead = 9;
    std::string in;
    std::size_t at = kPreface;
    char buffer[4096];
    while (true) {
      while (in.size() >= at + kFrameHead) {
        if (in[at + 3] == 1) return;
        at += kFrameHead + static_cast<unsigned char>(in[at + 2]);
      }
      const ssize_t got = ::recv(connection_, buffer, sizeof(buffer), 0);
      ASSERT_GT(got, 0);
      in.append(buffer, static_cast<std::size_t>(got));
    }
  }

 private:
  int listener_;
  int connection_ = -1;
  std::uint16_t port_ = 0;
};

TEST(Http2Client, BytesArriveWhileTheAnswerContinues) {
  ScriptedHttp2Server server;
  Streams streams(server.url());
  const auto outcome = std::make_shared<Outcome>();
  streams.open(outcome, {.path = "/watch", .headers = {}});
  server.accept();
  server.take_request();
  const auto body_is = [&](const char* text) {
    return eventually([&] {
      MutexLock lock(outcome->mutex);
      return outcome->body == text;
    });
  };
  constexpr unsigned char kEndHeaders = 4;
  constexpr unsigned char kEndStream = 1;
  server.frame(1, kEndHeaders, 1, "\x88");  // :status 200
  server.frame(0, 0, 1, "one");
  EXPECT_TRUE(body_is("one"));
  server.frame(0, 0, 1, "two");
  EXPECT_TRUE(body_is("onetwo"));
  server.frame(0, kEndStream, 1, "");
  const auto end = outcome->result();
  ASSERT_TRUE(end.ok()) << end.error().message;
}

TEST(Http2Client, AStreamWithoutItsEndHasFailed) {
  ScriptedHttp2Server server;
  Streams streams(server.url());
  const auto outcome = std::make_shared<Outcome>();
  streams.open(outcome, {.path = "/watch", .headers = {}});
  server.accept();
  server.take_request();
  server.frame(1, 4, 1, "\x88");
  server.frame(3, 0, 1, std::string("\0\0\0\x02", 4));  // RST_STREAM INTERNAL_ERROR
  const auto end = outcome->result();
  ASSERT_FALSE(end.ok());
  EXPECT_EQ(end.error().code, Code::kUnavailable);
  EXPECT_STREQ(end.error().reason, "stream_reset");
}

TEST(Http2Client, AConnectionThatDoesNotAnswerAPingIsClosed) {
  ScriptedHttp2Server server;
  Streams streams(server.url(), {.ping_after = Duration(0), .ping_timeout = Duration(1)});
  const auto outcome = std::make_shared<Outcome>();
  streams.open(outcome, {.path = "/watch", .headers = {}});
  server.accept();
  server.take_request();
  const auto end = outcome->result();
  ASSERT_FALSE(end.ok());
  EXPECT_EQ(end.error().code, Code::kUnavailable);
  EXPECT_STREQ(end.error().reason, "connection_dead");
}

TEST(Http2Client, ARefusedConnectionIsUnavailable) {
  std::string url;
  {
    const TestServer server;
    url = http_url(server);
  }
  Streams streams(url);
  const auto end = streams.get("/echo");
  ASSERT_FALSE(end.ok());
  EXPECT_EQ(end.error().code, Code::kUnavailable);
  EXPECT_NE(end.error().message.find("127.0.0.1"), std::string::npos);
}

TEST(Http2Client, ItsEndEndsEveryStream) {
  TestServer server;
  const auto outcome = std::make_shared<Outcome>();
  {
    Streams streams(http_url(server));
    streams.open(outcome, {.path = "/hold", .headers = {}});
    ASSERT_TRUE(eventually([&] { return server.handler.held() == 1; }));
  }
  MutexLock lock(outcome->mutex);
  ASSERT_EQ(outcome->ends.size(), 1u);
  EXPECT_EQ(outcome->ends.front().error().code, Code::kCancelled);
}

// One authority's server with the material of the client in memory.
struct Secured {
  Secured() {
    const PemPair server = ca.issue("server", "DNS:localhost,IP:127.0.0.1");
    files.certificate_file = folder.write("server.pem", server.certificate);
    files.key_file = folder.write("server.key", server.key);
    files.client_ca_file = folder.write("ca.pem", ca.certificate());
    const PemPair client = ca.issue("operator", "DNS:operator");
    pem = {.ca = ca.certificate(),
           .certificate = client.certificate,
           .key = Secret(client.key),
           .server_name = {}};
  }
  TemporaryFolder folder;
  TestCa ca{"CA"};
  ServerTlsConfig files;
  TlsClientPem pem;
};

TEST(Http2Client, SpeaksHttp2OverTlsWithMaterialInMemory) {
  Secured secured;
  TestServer server({}, TlsServerContext::create(secured.files).value());
  Streams streams("https://127.0.0.1:" + std::to_string(server.server->port()), {},
                  TlsClientContext::create(secured.pem).value());
  const auto outcome = std::make_shared<Outcome>();
  streams.open(outcome, {.path = "/cn", .headers = {}});
  const auto end = outcome->result();
  ASSERT_TRUE(end.ok()) << end.error().message;
  MutexLock lock(outcome->mutex);
  EXPECT_EQ(outcome->body, "operator");
  EXPECT_EQ(server.handler.last_head().protocol, Protocol::kHttp2);
}

TEST(Http2Client, AServerWithoutHttp2IsNamed) {
  Secured secured;
  ServerOptions options;
  options.http2 = false;
  TestServer server(options, TlsServerContext::create(secured.files).value());
  Streams streams("https://127.0.0.1:" + std::to_string(server.server->port()), {},
                  TlsClientContext::create(secured.pem).value());
  const auto end = streams.get("/echo");
  ASSERT_FALSE(end.ok());
  EXPECT_STREQ(end.error().reason, "no_http2");
}

TEST(Http2Client, ACertificateOfAnotherAuthorityIsRefused) {
  Secured secured;
  TestServer server({}, TlsServerContext::create(secured.files).value());
  TestCa other{"other CA"};
  secured.pem.ca = other.certificate();
  Streams streams("https://127.0.0.1:" + std::to_string(server.server->port()), {},
                  TlsClientContext::create(secured.pem).value());
  const auto end = streams.get("/echo");
  ASSERT_FALSE(end.ok());
  EXPECT_EQ(end.error().code, Code::kUnavailable);
  EXPECT_NE(end.error().message.find("certificate"), std::string::npos);
}

}  // namespace
}  // namespace spanway::http
