// Each end of a connection or stream that is no answer: one line with peer, stream and reason, and
// one count if the server ended it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/unit/http/http2_frames.h"
#include "tests/unit/http/http2_peer.h"
#include "tests/unit/http/server_fixture.h"

namespace spanway::http {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kAborted = "spanway_http_connections_cut_total";

// Gives up each streamed answer after its first bytes.
class AbortingHandler final : public Handler {
 public:
  std::unique_ptr<BodyReader> on_request(const RequestHead&, Responder responder) override {
    struct Ignoring final : StreamObserver {
      void on_writable() override {}
      void on_cancelled(CancelReason) override {}
    };
    ResponseStream stream = responder.start_stream({}, std::make_shared<Ignoring>(), {});
    stream.write("some");
    stream.abort();
    return nullptr;
  }
};

class ServerAborts : public testing::Test {
 protected:
  TestServer start(ServerLimits limits = {}) {
    return TestServer(with_limits(limits), nullptr, 1, lines_.logger(telemetry::LogLevel::kDebug));
  }
  // The line, once it is there.
  std::string line(std::string_view part) {
    EXPECT_TRUE(eventually([&] { return !lines_.with(part).empty(); })) << part;
    const auto found = lines_.with(part);
    return found.empty() ? "" : found[0];
  }
  LogLines lines_;
};

TEST_F(ServerAborts, AnAnswerThatItsHandlerAbortsIsNotThePeersReset) {
  const telemetry::Logger log = lines_.logger(telemetry::LogLevel::kDebug);
  telemetry::Metrics metrics;
  AbortingHandler handler;
  IoPool pool("http", 1);
  ServerOptions options;
  options.name = "test";
  const auto server = Server::create(options, nullptr, pool, handler, {log, metrics}).value();
  server->start();
  Http2Peer client(server->port());
  const auto stream = client.request("GET", "/");
  ASSERT_TRUE(client.run_until_closed(stream));
  EXPECT_EQ(client.answer(stream).closed, NGHTTP2_INTERNAL_ERROR);
  const telemetry::Labels labels = {{"listener", "test"}, {"reason", "handler_aborted"}};
  EXPECT_EQ(metrics.value(kAborted, labels), 1);
  EXPECT_THAT(line("reason=handler_aborted"), HasSubstr("Stream aborted"));
  EXPECT_THAT(line("reason=handler_aborted"), HasSubstr("peer=127.0.0.1 stream=1"));

  RawClient http1(server->port());
  http1.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  http1.receive_all();
  EXPECT_EQ(metrics.value(kAborted, labels), 2);
  EXPECT_THAT(lines_.with("reset by the peer"), IsEmpty());
}

TEST_F(ServerAborts, AStreamThatNghttp2ResetsIsAProtocolError) {
  TestServer server = start();
  const auto client = raw_http2(server);
  client->send(frame(NGHTTP2_HEADERS, kEndStream | kEndHeaders, 1,
                     kGetBlock + literal("connection", "close")));
  EXPECT_THAT(line("reason=protocol_error"), HasSubstr("Stream aborted"));
  EXPECT_THAT(line("reason=protocol_error"), HasSubstr("peer=127.0.0.1 stream=1"));
  EXPECT_EQ(server.metric(kAborted, {{"reason", "protocol_error"}}), 1);
  EXPECT_THAT(lines_.with("reset by the peer"), IsEmpty());
}

TEST_F(ServerAborts, AConnectionThatNghttp2EndsIsAProtocolError) {
  TestServer server = start();
  const auto client = raw_http2(server);
  client->send(frame(NGHTTP2_DATA, kEndStream, 1, "abc"));
  EXPECT_THAT(line("reason=protocol_error"), HasSubstr("Connection aborted"));
  EXPECT_EQ(server.metric(kAborted, {{"reason", "protocol_error"}}), 1);
}

TEST_F(ServerAborts, AResetOfThePeerIsLoggedAndNotCounted) {
  TestServer server = start();
  Http2Peer client(server.server->port());
  const auto stream = client.request("GET", "/hold");
  ASSERT_TRUE(client.run_until([&] { return server.handler.held() == 1; }));
  client.reset(stream);
  client.flush();
  EXPECT_THAT(line("Stream reset by the peer"), HasSubstr("peer=127.0.0.1 stream=1 error_code=8"));
  EXPECT_THAT(lines_.with("aborted"), IsEmpty());
}

TEST_F(ServerAborts, ARefusedStreamIsCounted) {
  TestServer server = start();
  Http2Peer client(server.server->port(), {.window_bytes = 0});
  std::int32_t stream = 0;
  for (int i = 0; i < 20; ++i) {
    stream = client.request("GET", "/big");
    ASSERT_TRUE(client.run_until(
        [&] { return client.answer(stream).status == 200 || client.answer(stream).closed; }));
  }
  ASSERT_EQ(client.answer(stream).closed, NGHTTP2_REFUSED_STREAM);
  EXPECT_THAT(line("reason=refused_stream"), HasSubstr("Stream aborted"));
  EXPECT_GE(server.metric(kAborted, {{"reason", "refused_stream"}}), 1);
  EXPECT_THAT(lines_.with("reset by the peer"), IsEmpty());
}

TEST_F(ServerAborts, ThePeersEndWithinARequestIsLogged) {
  TestServer server = start();
  {
    RawClient client(server.server->port());
    client.send("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc");
    ASSERT_TRUE(eventually([&] { return server.handler.body_bytes() == 3; }));
    client.end_sending();
    EXPECT_THAT(line("Peer closed the connection"), HasSubstr("peer=127.0.0.1 stream=1"));
  }
  EXPECT_TRUE(server.all_gone());
}

TEST_F(ServerAborts, TheEndOfTheDrainIsCounted) {
  TestServer server = start();
  RawClient busy(server.server->port());
  busy.send("GET /hold HTTP/1.1\r\nhost: a\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return server.handler.held() == 1; }));
  server.server->stop_accepting();
  EXPECT_FALSE(server.server->drain(Deadline::after(system_clock(), Duration::zero())));
  EXPECT_EQ(server.metric(kAborted, {{"reason", "drain"}}), 1);
  EXPECT_THAT(line("reason=drain"), HasSubstr("Connection aborted"));
}

TEST_F(ServerAborts, ARefusedConnectionIsLoggedWithItsPeer) {
  TestServer server = start({.connections_max = 1});
  RawClient busy(server.server->port());
  busy.send("GET /hold HTTP/1.1\r\nhost: a\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return server.handler.held() == 1; }));
  RawClient second(server.server->port());
  EXPECT_THAT(line("Connection refused"), HasSubstr("peer=127.0.0.1 reason=connections_max"));
}

}  // namespace
}  // namespace spanway::http
