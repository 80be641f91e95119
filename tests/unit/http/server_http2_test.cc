// HTTP/2 over real sockets, with nghttp2 as the peer and, for what it would not send, raw frames.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/http/http2_frames.h"
#include "tests/unit/http/http2_peer.h"
#include "tests/unit/http/server_fixture.h"

namespace spanway::http {
namespace {

using ::testing::Pair;

TEST(ServerHttp2, AnswersRequestsWithAndWithoutABody) {
  TestServer server;
  Http2Peer client(server.server->port());
  const auto post = client.request("POST", "/echo?x=1", "hello");
  const auto get = client.request("GET", "/echo");
  ASSERT_TRUE(client.run_until_closed(post));
  ASSERT_TRUE(client.run_until_closed(get));
  EXPECT_EQ(client.answer(post).status, 200);
  EXPECT_EQ(client.answer(post).body, "POST /echo ?x=1 hello");
  EXPECT_EQ(client.answer(post).headers.get("content-length"), "21");
  EXPECT_NE(client.answer(post).headers.get("date"), "");
  EXPECT_EQ(client.answer(get).body, "GET /echo ? ");
  EXPECT_EQ(
      server.metric("spanway_http_requests_total", {{"protocol", "http2"}, {"status", "2xx"}}), 2);
  EXPECT_TRUE(eventually([&] { return server.metric("spanway_http_streams_open") == 0; }));
}

TEST(ServerHttp2, PassesTheHandlerWhatItKnows) {
  TestServer server;
  Http2Peer client(server.server->port());
  Headers headers;
  headers.add("x-two", "1");
  headers.add("x-two", "2");
  headers.add("content-length", "2");
  client.run_until_closed(client.request("POST", "/a%20b?q=%20", "hi", headers));
  const RequestHead head = server.handler.last_head();
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.path, "/a b");
  EXPECT_EQ(head.query, "q=%20");
  EXPECT_EQ(head.headers.count("x-two"), 2U);
  EXPECT_EQ(head.headers.get("host"), "a");
  EXPECT_EQ(head.content_length, 2U);
  EXPECT_EQ(head.peer_address, "127.0.0.1");
  EXPECT_EQ(head.protocol, Protocol::kHttp2);
}

TEST(ServerHttp2, AnnouncesItsLimits) {
  TestServer server;
  Http2Peer client(server.server->port());
  client.run_until_closed(client.request("GET", "/echo"));
  EXPECT_EQ(client.setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS), 100U);
  EXPECT_EQ(client.setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE), 1024U * 1024);
  EXPECT_EQ(client.setting(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE), 8U * 1024);
}

TEST(ServerHttp2, TakesAndGivesLargeBodies) {
  TestServer server;
  Http2Peer client(server.server->port());
  const std::string body(3'000'000, 'x');
  const auto stream = client.request("POST", "/echo", body);
  ASSERT_TRUE(client.run_until_closed(stream));
  EXPECT_EQ(client.answer(stream).body, "POST /echo ? " + body);
}

TEST(ServerHttp2, SendsTrailersAfterTheBody) {
  TestServer server;
  Http2Peer client(server.server->port());
  const auto stream = client.request("POST", "/grpc", "x");
  ASSERT_TRUE(client.run_until_closed(stream));
  EXPECT_EQ(client.answer(stream).body.size(), 5U);
  EXPECT_EQ(client.answer(stream).trailers.get("grpc-status"), "0");
  EXPECT_EQ(client.answer(stream).headers.count("content-length"), 0U);
  EXPECT_EQ(client.answer(stream).closed, NGHTTP2_NO_ERROR);
}

TEST(ServerHttp2, SendsHeadersAloneWhenThereIsNothingElse) {
  TestServer server;
  Http2Peer client(server.server->port());
  const auto stream = client.request("POST", "/grpc-only", "x");
  ASSERT_TRUE(client.run_until_closed(stream));
  EXPECT_EQ(client.answer(stream).headers.get("grpc-status"), "12");
  EXPECT_TRUE(client.answer(stream).trailers.fields().empty());
  EXPECT_TRUE(client.answer(stream).ended);
}

TEST(ServerHttp2, SendsTrailersWithoutABody) {
  TestServer server;
  Http2Peer client(server.server->port());
  const auto stream = client.request("POST", "/trailers", "x");
  ASSERT_TRUE(client.run_until_closed(stream));
  EXPECT_EQ(client.answer(stream).body, "");
  EXPECT_EQ(client.answer(stream).trailers.get("grpc-status"), "3");
}

TEST(ServerHttp2, AnswersHeadWithoutABody) {
  TestServer server;
  Http2Peer client(server.server->port());
  const auto stream = client.request("HEAD", "/big");
  ASSERT_TRUE(client.run_until_closed(stream));
  EXPECT_EQ(client.answer(stream).headers.get("content-length"), "1048576");
  EXPECT_EQ(client.answer(stream).body, "");
}

TEST(ServerHttp2, SendsContinueWhenExpected) {
  TestServer server;
  Http2Peer client(server.server->port());
  Headers headers;
  headers.add("expect", "100-continue");
  const auto stream = client.request("POST", "/echo", "abc", headers);
  ASSERT_TRUE(client.run_until_closed(stream));
  EXPECT_EQ(client.answer(stream).interim, std::vector<int>{100});
  EXPECT_EQ(client.answer(stream).status, 200);
}

TEST(ServerHttp2, AnswersWith500WhenTheResponderIsDropped) {
  TestServer server;
  Http2Peer client(server.server->port());
  const auto stream = client.request("GET", "/drop");
  ASSERT_TRUE(client.run_until_closed(stream));
  EXPECT_EQ(client.answer(stream).status, 500);
}

TEST(ServerHttp2, TakesAnswersFromOtherThreadsInAnyOrder) {
  TestServer server;
  Http2Peer client(server.server->port());
  std::vector<std::int32_t> held;
  for (int i = 0; i < 50; ++i) held.push_back(client.request("GET", "/hold"));
  const auto quick = client.request("GET", "/echo");
  ASSERT_TRUE(client.run_until_closed(quick));
  ASSERT_TRUE(eventually([&] { return server.handler.held() == 50; }));
  server.handler.release();
  for (const auto stream : held) {
    ASSERT_TRUE(client.run_until_closed(stream));
    EXPECT_EQ(client.answer(stream).body, "released");
  }
}

TEST(ServerHttp2, RefusesMalformedPaths) {
  TestServer server;
  Http2Peer client(server.server->port());
  for (const char* path : {"/%zz", "/%00", "/a#b", "/a b"}) {
    const auto stream = client.request("GET", path);
    ASSERT_TRUE(client.run_until_closed(stream));
    const bool refused = client.answer(stream).status == 400 ||
                         client.answer(stream).closed == NGHTTP2_PROTOCOL_ERROR;
    EXPECT_TRUE(refused) << path;
  }
  EXPECT_EQ(server.handler.requests(), 0U);
}

TEST(ServerHttp2, RefusesAHostThatContradictsTheAuthority) {
  TestServer server;
  Http2Peer client(server.server->port());
  Headers headers;
  headers.add("host", "b");
  const auto stream = client.request("GET", "/echo", std::nullopt, headers);
  ASSERT_TRUE(client.run_until_closed(stream));
  EXPECT_EQ(client.answer(stream).status, 400);
}

TEST(ServerHttp2, RefusesTooManyOrTooBigHeaders) {
  TestServer server;
  Http2Peer client(server.server->port());
  Headers many;
  for (int i = 0; i < 65; ++i) many.add("x-" + std::to_string(i), "y");
  Headers big;
  big.add("x", std::string(9000, 'y'));
  Headers just_right;
  just_right.add("x", std::string(7000, 'y'));
  for (const auto& [headers, status] :
       {std::pair(many, 431), std::pair(big, 431), std::pair(just_right, 200)}) {
    const auto stream = client.request("GET", "/echo", std::nullopt, headers);
    ASSERT_TRUE(client.run_until_closed(stream));
    EXPECT_EQ(client.answer(stream).status, status);
  }
}

TEST(ServerHttp2, RefusesTooManyOrTooBigHeadersOfGrpcAsGrpcDoes) {
  TestServer server;
  Http2Peer client(server.server->port());
  // The type may come before or behind what is too much.
  Headers early;
  early.add("content-type", "application/grpc");
  early.add("x", std::string(9000, 'y'));
  Headers late;
  for (int i = 0; i < 40; ++i) late.add("x-" + std::to_string(i), std::string(900, 'y'));
  late.add("content-type", "application/grpc+proto");
  for (const Headers& headers : {early, late}) {
    const auto stream = client.request("POST", "/echo", std::nullopt, headers);
    ASSERT_TRUE(client.run_until_closed(stream));
    const auto& answer = client.answer(stream);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.headers.get("content-type"), "application/grpc");
    EXPECT_EQ(answer.headers.get("grpc-status"), "8");
    EXPECT_THAT(std::string(answer.headers.get("grpc-message")),
                testing::HasSubstr("limit of 8192 bytes"));
  }
  EXPECT_EQ(server.handler.requests(), 0U);
}

// ---- Early answers.

TEST(ServerHttp2, ResetsTheStreamWhenTheRestOfARefusedBodyIsLong) {
  TestServer server;
  Http2Peer client(server.server->port());
  for (const char* path : {"/early", "/stop"}) {
    const auto stream = client.request("POST", path, std::string(10'000'000, 'x'));
    ASSERT_TRUE(client.run_until_closed(stream));
    EXPECT_EQ(client.answer(stream).status, 413) << path;
    EXPECT_TRUE(client.answer(stream).ended) << path;
    EXPECT_EQ(client.answer(stream).closed, NGHTTP2_NO_ERROR) << path;
  }
  const auto next = client.request("GET", "/echo");
  ASSERT_TRUE(client.run_until_closed(next));
  EXPECT_EQ(client.answer(next).status, 200) << "the connection stays open";
  EXPECT_EQ(server.handler.readers(), 0U);
}

TEST(ServerHttp2, TakesTheShortRestOfARefusedBody) {
  TestServer server;
  Http2Peer client(server.server->port());
  const auto stream = client.request("POST", "/early", std::string(50'000, 'x'));
  ASSERT_TRUE(client.run_until_closed(stream));
  EXPECT_EQ(client.answer(stream).status, 413);
  EXPECT_EQ(server.metric("spanway_http_connections_cut_total", {{"reason", "rest_too_big"}}), 0);
}

// ---- Time.

TEST(ServerHttp2, AbortsStreamsWhoseBodyDoesNotCome) {
  TestServer server(with_limits({.request_timeout = std::chrono::milliseconds(50)}));
  Http2Peer client(server.server->port());
  const auto stream = client.request("POST", "/echo", "abc", {}, true);
  ASSERT_TRUE(client.run_until_closed(stream));
  EXPECT_EQ(client.answer(stream).closed, NGHTTP2_CANCEL);
  EXPECT_EQ(server.handler.abandoned(), 1U);
  const auto next = client.request("GET", "/echo");
  ASSERT_TRUE(client.run_until_closed(next));
  EXPECT_EQ(client.answer(next).status, 200);
}

TEST(ServerHttp2, DoesNotTimeTheHandler) {
  TestServer server(with_limits({.request_timeout = std::chrono::milliseconds(20)}));
  Http2Peer client(server.server->port());
  const auto held = client.request("POST", "/hold", "abc");
  ASSERT_TRUE(client.run_until([&] { return server.handler.held() == 1; }));
  // Another stream is aborted by the same limit meanwhile.
  ASSERT_TRUE(client.run_until_closed(client.request("POST", "/echo", "abc", {}, true)));
  server.handler.release();
  ASSERT_TRUE(client.run_until_closed(held));
  EXPECT_EQ(client.answer(held).body, "released");
}

TEST(ServerHttp2, AbortsStreamsThatDoNotTakeTheirAnswer) {
  TestServer server(with_limits({.idle_timeout = std::chrono::milliseconds(50)}));
  Http2Peer client(server.server->port(), {.window_bytes = 0});
  const auto stream = client.request("GET", "/big");
  ASSERT_TRUE(client.run_until_closed(stream));
  EXPECT_EQ(client.answer(stream).closed, NGHTTP2_CANCEL);
  EXPECT_EQ(server.metric("spanway_http_connections_cut_total", {{"reason", "write_stall"}}), 1);
}

TEST(ServerHttp2, EndsIdleConnectionsByGoaway) {
  TestServer server(with_limits({.idle_timeout = std::chrono::milliseconds(50)}));
  const auto client = raw_http2(server);
  EXPECT_EQ(goaway_error(client->receive_all()), NGHTTP2_NO_ERROR);
  EXPECT_TRUE(server.all_gone());
}

TEST(ServerHttp2, AConnectionWithAStreamIsNotIdle) {
  TestServer server(with_limits({.idle_timeout = std::chrono::milliseconds(20)}));
  Http2Peer client(server.server->port());
  const auto held = client.request("GET", "/hold");
  ASSERT_TRUE(eventually([&] { return server.handler.held() == 1; }));
  Http2Peer other(server.server->port());
  EXPECT_TRUE(eventually([&] { return server.metric("spanway_http_connections_open") == 1; }));
  server.handler.release();
  ASSERT_TRUE(client.run_until_closed(held));
  EXPECT_EQ(client.answer(held).body, "released");
}

TEST(ServerHttp2, StreamsAndTheirHeadersAreCharged) {
  MemoryBudget memory(1 << 20);
  ServerOptions options;
  options.connection_memory = &memory;
  TestServer server(options);
  Http2Peer client(server.server->port());
  std::vector<std::int32_t> held;
  for (int i = 0; i < 50; ++i) held.push_back(client.request("GET", "/hold"));
  ASSERT_TRUE(client.run_until([&] { return server.handler.held() == 50; }));
  EXPECT_TRUE(eventually([&] { return memory.used() > 80 * 1024; }));
  server.handler.release();
  for (const auto stream : held) ASSERT_TRUE(client.run_until_closed(stream));
  EXPECT_TRUE(eventually([&] { return memory.used() < 64 * 1024; }));
}

TEST(ServerHttp2, AbortsPeersThatDoNotReadTheSocket) {
  TestServer server(with_limits({.idle_timeout = std::chrono::milliseconds(100)}));
  Http2Peer client(server.server->port(),
                   {.receive_buffer_bytes = 4096, .window_bytes = 0x7fffffff});
  client.send_raw(frame(NGHTTP2_WINDOW_UPDATE, 0, 0, std::string("\x70\0\0\0", 4)));
  for (int i = 0; i < 20; ++i) client.request("GET", "/big");
  EXPECT_TRUE(server.all_gone());
  EXPECT_EQ(server.metric("spanway_http_streams_open"), 0);
}

TEST(ServerHttp2, AbortsHalfSentHeaders) {
  TestServer server(with_limits({.header_timeout = std::chrono::milliseconds(50)}));
  const auto client = raw_http2(server);
  client->send(frame(NGHTTP2_HEADERS, kEndStream, 1, kGetBlock));  // END_HEADERS never comes.
  EXPECT_EQ(goaway_error(client->receive_all()), NGHTTP2_ENHANCE_YOUR_CALM);
  EXPECT_EQ(server.metric("spanway_http_connections_cut_total", {{"reason", "header_timeout"}}), 1);
}

TEST(ServerHttp2, AbortsConnectionsWithoutSettings) {
  TestServer server(with_limits({.header_timeout = std::chrono::milliseconds(50)}));
  RawClient half(server.server->port());
  half.send(kPreface.substr(0, 10));
  RawClient silent(server.server->port());
  silent.send(kPreface);
  EXPECT_TRUE(half.closed_within(std::chrono::seconds(5)));
  EXPECT_EQ(goaway_error(silent.receive_all()), NGHTTP2_SETTINGS_TIMEOUT);
}

TEST(ServerHttp2, DrainsOldConnectionsInTwoSteps) {
  TestServer server(with_limits({.connection_age_max = std::chrono::milliseconds(50)}));
  Http2Peer client(server.server->port());
  const auto stream = client.request("GET", "/hold");
  ASSERT_TRUE(client.run_until([&] { return client.goaways().size() == 2; }));
  EXPECT_THAT(client.goaways()[0], Pair(0x7fffffff, NGHTTP2_NO_ERROR));
  EXPECT_THAT(client.goaways()[1], Pair(stream, NGHTTP2_NO_ERROR));
  server.handler.release();
  ASSERT_TRUE(client.run_until_closed(stream));
  EXPECT_EQ(client.answer(stream).body, "released");
  EXPECT_TRUE(client.run_until_disconnected());
}

TEST(ServerHttp2, AbortsOldConnectionsAfterTheGrace) {
  TestServer server(with_limits({.connection_age_max = std::chrono::milliseconds(30),
                                 .connection_age_grace = std::chrono::milliseconds(30)}));
  Http2Peer client(server.server->port());
  client.request("GET", "/hold");
  EXPECT_TRUE(client.run_until_disconnected());
  EXPECT_EQ(server.metric("spanway_http_connections_cut_total", {{"reason", "drain"}}), 1);
}

TEST(ServerHttp2, DrainsOnStopAndTakesNoNewStreams) {
  TestServer server;
  Http2Peer client(server.server->port());
  const auto held = client.request("GET", "/hold");
  ASSERT_TRUE(client.run_until([&] { return server.handler.held() == 1; }));
  server.server->stop_accepting();
  ASSERT_TRUE(client.run_until([&] { return client.goaways().size() == 2; }));
  server.handler.release();
  ASSERT_TRUE(client.run_until_closed(held));
  EXPECT_EQ(client.answer(held).body, "released");
  EXPECT_TRUE(client.run_until_disconnected());
  EXPECT_TRUE(server.server->drain(Deadline::after(system_clock(), std::chrono::seconds(5))));
}

TEST(ServerHttp2, DrainDoesNotWaitForAPeerThatDoesNotAnswerPings) {
  TestServer server;
  const auto client = raw_http2(server);
  client->send(frame(NGHTTP2_HEADERS, kEndStream | kEndHeaders, 1, kGetBlock));
  ASSERT_TRUE(eventually([&] { return server.handler.requests() == 1; }));
  server.server->stop_accepting();
  EXPECT_EQ(goaway_error(client->receive_all()), NGHTTP2_NO_ERROR);
}

// ---- Peers that go away.

TEST(ServerHttp2, DestroysTheReaderWhenThePeerResets) {
  TestServer server;
  Http2Peer client(server.server->port());
  const auto stream = client.request("POST", "/echo", "abc", {}, true);
  ASSERT_TRUE(client.run_until([&] { return server.handler.body_bytes() == 3; }));
  client.reset(stream);
  EXPECT_TRUE(eventually([&] { return server.handler.abandoned() == 1; }));
  EXPECT_EQ(server.handler.readers(), 0U);
}

TEST(ServerHttp2, DestroysTheReaderWhenTheConnectionDies) {
  TestServer server;
  {
    Http2Peer client(server.server->port());
    client.request("POST", "/echo", "abc", {}, true);
    client.request("GET", "/hold");
    ASSERT_TRUE(eventually([&] { return server.handler.held() == 1; }));
  }
  EXPECT_TRUE(eventually([&] { return server.handler.abandoned() == 1; }));
  EXPECT_TRUE(eventually([&] { return server.metric("spanway_http_streams_open") == 0; }));
  EXPECT_EQ(server.handler.release(), 1U) << "answers after the client has gone";
}

}  // namespace
}  // namespace spanway::http
