// HTTP/2 against peers that attack or break the protocol, over real sockets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/http/http2_frames.h"
#include "tests/unit/http/http2_peer.h"
#include "tests/unit/http/server_fixture.h"

namespace spanway::http {
namespace {

// ---- Hostile peers.

TEST(ServerHttp2, EndsConnectionsThatResetRapidly) {
  TestServer server;
  const auto client = raw_http2(server);
  const std::string reset = std::string("\0\0\0\x08", 4);
  std::size_t sent = 0;
  for (std::uint32_t i = 0; i < 50'000; ++i, ++sent) {
    const std::uint32_t stream = 2 * i + 1;
    if (!client->send(frame(NGHTTP2_HEADERS, kEndStream | kEndHeaders, stream, kGetBlock) +
                      frame(NGHTTP2_RST_STREAM, 0, stream, reset)))
      break;
  }
  EXPECT_TRUE(server.all_gone());
  EXPECT_LT(server.handler.requests(), 2'000U);
}

TEST(ServerHttp2, BoundsTheAnswersOwedToResetStreams) {
  TestServer server;
  Http2Peer client(server.server->port());
  for (int i = 0; i < 600; ++i) {
    const auto stream = client.request("GET", "/hold");
    client.reset(stream);
    client.run_until([&] { return true; });
  }
  const auto refused_stream = client.request("GET", "/echo");
  ASSERT_TRUE(client.run_until_closed(refused_stream));
  EXPECT_EQ(client.answer(refused_stream).closed, NGHTTP2_REFUSED_STREAM);
  EXPECT_EQ(server.handler.held(), 201U);
  server.handler.release();
  const auto next = client.request("GET", "/echo");
  ASSERT_TRUE(client.run_until_closed(next));
  EXPECT_EQ(client.answer(next).status, 200);
}

TEST(ServerHttp2, BoundsTheAnswersThatThePeerDoesNotTake) {
  TestServer server;
  Http2Peer client(server.server->port(), {.window_bytes = 0});
  std::vector<std::int32_t> streams;
  for (int i = 0; i < 20; ++i) {
    streams.push_back(client.request("GET", "/big"));
    // An answer's head comes without a window; a refused stream is closed.
    ASSERT_TRUE(client.run_until([&] {
      const Http2Answer& answer = client.answer(streams.back());
      return answer.status == 200 || answer.closed;
    }));
  }
  EXPECT_EQ(client.answer(streams[15]).status, 200);
  EXPECT_EQ(client.answer(streams[19]).closed, NGHTTP2_REFUSED_STREAM);
}

TEST(ServerHttp2, EndsConnectionsThatFloodContinuations) {
  TestServer server;
  const auto client = raw_http2(server);
  client->send(frame(NGHTTP2_HEADERS, kEndStream, 1, kGetBlock));
  const std::string field = literal("x", std::string(1000, 'y'));
  for (int i = 0; i < 10'000 && client->send(frame(NGHTTP2_CONTINUATION, 0, 1, field)); ++i) {
  }
  EXPECT_TRUE(server.all_gone());
  EXPECT_EQ(server.handler.requests(), 0U);
}

TEST(ServerHttp2, EndsConnectionsThatSendAHeaderBomb) {
  TestServer server;
  const auto client = raw_http2(server);
  // One field of 3.9 KiB goes into the dynamic table; then it is named again and again.
  std::string bomb = kGetBlock + "\x40" + literal("x", std::string(3900, 'y')).substr(1);
  bomb += std::string(10'000, '\xbe');
  client->send(frame(NGHTTP2_HEADERS, kEndStream | kEndHeaders, 1, bomb));
  EXPECT_EQ(goaway_error(client->receive_all()), NGHTTP2_ENHANCE_YOUR_CALM);
  EXPECT_EQ(server.handler.requests(), 0U);
  EXPECT_EQ(server.metric("spanway_http_connections_cut_total", {{"reason", "headers_too_big"}}),
            1);
}

TEST(ServerHttp2, EndsConnectionsThatFloodWithFramesThatDoNothing) {
  const std::string settings = frame(NGHTTP2_SETTINGS, 0, 0, "");
  const std::string ping = frame(NGHTTP2_PING, 0, 0, "12345678");
  const std::string priority = frame(NGHTTP2_PRIORITY, 0, 3, std::string("\0\0\0\1\5", 5));
  const std::string empty_data = frame(NGHTTP2_DATA, 0, 1, "");
  const std::string unknown = frame(0xee, 0, 0, "abc");
  const std::string window = frame(NGHTTP2_WINDOW_UPDATE, 0, 1, std::string("\0\0\0\1", 4));
  const std::string post_block = literal(":method", "POST") + literal(":scheme", "http") +
                                 literal(":path", "/echo") + literal(":authority", "a");
  for (const std::string& flood : {settings, ping, priority, empty_data, unknown, window}) {
    TestServer server;
    const auto client = raw_http2(server);
    client->send(frame(NGHTTP2_HEADERS, kEndHeaders, 1, post_block));
    std::string many;
    for (int i = 0; i < 1000; ++i) many += flood;
    bool open = true;
    for (int i = 0; open && i < 100; ++i) open = client->send(many);
    EXPECT_TRUE(server.all_gone()) << "frame type " << int{flood[3]};
    EXPECT_EQ(server.handler.readers(), 0U);
  }
}

TEST(ServerHttp2, AnswersPingsOfABusyClient) {
  TestServer server;
  Http2Peer client(server.server->port());
  // More pings than the allowance, each earned by a request, as gRPC clients do.
  for (int i = 0; i < 1500; ++i) {
    client.ping();
    ASSERT_TRUE(client.run_until_closed(client.request("GET", "/echo")));
  }
  EXPECT_TRUE(client.run_until([&] { return client.pings_answered() == 1500; }));
}

TEST(ServerHttp2, EndsConnectionsThatMakeTheServerReset) {
  TestServer server;
  const auto client = raw_http2(server);
  // Each request is followed by a frame that only the server can answer with RST_STREAM.
  const std::string zero_window = std::string("\0\0\0\0", 4);
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    const std::uint32_t stream = 2 * i + 1;
    if (!client->send(frame(NGHTTP2_HEADERS, kEndHeaders, stream, kGetBlock) +
                      frame(NGHTTP2_WINDOW_UPDATE, 0, stream, zero_window)))
      break;
  }
  EXPECT_TRUE(server.all_gone());
  EXPECT_LT(server.handler.requests(), 5'000U);
}

struct Malformed {
  const char* name;
  std::string bytes;
};

TEST(ServerHttp2, RefusesMalformedFramesWithoutCallingTheHandler) {
  const auto headers = [](const std::string& block) {
    return frame(NGHTTP2_HEADERS, kEndStream | kEndHeaders, 1, block);
  };
  const std::string get = literal(":method", "GET");
  const std::string scheme = literal(":scheme", "http");
  const std::string path = literal(":path", "/echo");
  const std::vector<Malformed> all{
      {"no path", headers(get + scheme)},
      {"empty path", headers(get + scheme + literal(":path", ""))},
      {"no method", headers(scheme + path)},
      {"two paths", headers(get + scheme + path + path)},
      {"unknown pseudo field", headers(kGetBlock + literal(":x", "y"))},
      {"pseudo field after a field", headers(get + scheme + literal("x", "y") + path)},
      {"upper-case name", headers(kGetBlock + literal("X-Y", "z"))},
      {"NUL in a value", headers(kGetBlock + literal("x", std::string("a\0b", 3)))},
      {"line end in a value", headers(kGetBlock + literal("x", "a\r\nb: c"))},
      {"connection field", headers(kGetBlock + literal("connection", "close"))},
      {"chunked", headers(kGetBlock + literal("transfer-encoding", "chunked"))},
      {"two lengths",
       headers(kGetBlock + literal("content-length", "0") + literal("content-length", "0"))},
      {"length without a body", headers(kGetBlock + literal("content-length", "5"))},
      {"broken HPACK", headers("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")},
      {"huge string", headers(std::string("\x00\x01x\x7f\xff\xff\xff\xff\x0f", 9))},
      {"even stream", frame(NGHTTP2_HEADERS, kEndStream | kEndHeaders, 2, kGetBlock)},
      {"data on an idle stream", frame(NGHTTP2_DATA, kEndStream, 1, "abc")},
      {"continuation alone", frame(NGHTTP2_CONTINUATION, kEndHeaders, 1, kGetBlock)},
      {"frame above the limit", frame(NGHTTP2_DATA, 0, 1, std::string(70'000, 'x'))},
      {"HTTP/1.1 inside", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
  };
  for (const Malformed& malformed : all) {
    TestServer server;
    const auto client = raw_http2(server);
    client->send(malformed.bytes);
    EXPECT_TRUE(refused(*client)) << malformed.name;
    EXPECT_EQ(server.handler.requests(), 0U) << malformed.name;
  }
}

TEST(ServerHttp2, ResetsAStreamWhoseBodyContradictsItsLength) {
  TestServer server;
  Http2Peer client(server.server->port());
  Headers headers;
  headers.add("content-length", "3");
  for (const char* body : {"ab", "abcd"}) {
    const auto stream = client.request("POST", "/echo", body, headers);
    ASSERT_TRUE(client.run_until_closed(stream));
    EXPECT_EQ(client.answer(stream).closed, NGHTTP2_PROTOCOL_ERROR);
  }
  EXPECT_TRUE(eventually([&] { return server.handler.readers() == 0; }));
}

TEST(ServerHttp2, IsRefusedWhereOnlyHttp1IsSpoken) {
  ServerOptions options;
  options.http2 = false;
  TestServer server(options);
  RawClient client(server.server->port());
  client.send(kPreface);
  EXPECT_EQ(client.receive_all(), "");
}

}  // namespace
}  // namespace spanway::http
