// HTTP/2 over real sockets, with nghttp2 as the peer and, for what it would not send, raw frames.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/http/http2_client.h"
#include "tests/unit/http/server_fixture.h"

namespace spanway::http {
namespace {

using ::testing::Pair;

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

ServerOptions with_limits(ServerLimits limits) {
  ServerOptions options;
  options.limits = limits;
  return options;
}

std::string frame(unsigned char type, unsigned char flags, std::uint32_t stream,
                  std::string_view payload) {
  const std::size_t size = payload.size();
  std::string out;
  for (const std::size_t shift : {16U, 8U, 0U}) out.push_back(static_cast<char>(size >> shift));
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  for (const unsigned shift : {24U, 16U, 8U, 0U}) out.push_back(static_cast<char>(stream >> shift));
  out += payload;
  return out;
}

// An HPACK literal without indexing and without Huffman.
std::string literal(std::string_view name, std::string_view value) {
  const auto length = [](std::size_t size) {
    std::string out;
    if (size < 127) {
      out.push_back(static_cast<char>(size));
      return out;
    }
    out.push_back(127);
    size -= 127;
    for (; size >= 128; size /= 128) out.push_back(static_cast<char>(128 + size % 128));
    out.push_back(static_cast<char>(size));
    return out;
  };
  return std::string(1, '\0') + length(name.size()) + std::string(name) + length(value.size()) +
         std::string(value);
}

const std::string kGetBlock = literal(":method", "GET") + literal(":scheme", "http") +
                              literal(":path", "/echo") + literal(":authority", "a");

constexpr unsigned char kEndStream = 0x1;
constexpr unsigned char kEndHeaders = 0x4;

// A connection that speaks raw frames; the preface and SETTINGS are sent.
std::unique_ptr<RawClient> raw_http2(TestServer& server) {
  auto client = std::make_unique<RawClient>(server.server->port());
  client->send(std::string(kPreface) + frame(NGHTTP2_SETTINGS, 0, 0, ""));
  return client;
}

struct SeenFrame {
  int type = 0;
  std::string payload;
};

std::vector<SeenFrame> frames_in(std::string_view bytes) {
  std::vector<SeenFrame> found;
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
  while (bytes.size() >= 9) {
    const std::size_t size = (std::size_t{byte(0)} << 16) + (std::size_t{byte(1)} << 8) + byte(2);
    if (bytes.size() < 9 + size) break;
    found.push_back({byte(3), std::string(bytes.substr(9, size))});
    bytes.remove_prefix(9 + size);
  }
  return found;
}

// The error code of the last GOAWAY in what a server sent.
std::optional<std::uint32_t> goaway_error(std::string_view bytes) {
  std::optional<std::uint32_t> found;
  for (const SeenFrame& seen : frames_in(bytes)) {
    if (seen.type != NGHTTP2_GOAWAY || seen.payload.size() < 8) continue;
    std::uint32_t error = 0;
    for (std::size_t i = 4; i < 8; ++i)
      error = error * 256 + static_cast<unsigned char>(seen.payload[i]);
    found = error;
  }
  return found;
}

// Reads until the server has reset a stream, said goodbye or closed.
bool refused(RawClient& client) {
  std::string all;
  while (true) {
    const std::string some = client.receive_some();
    if (some.empty()) return true;
    all += some;
    for (const SeenFrame& seen : frames_in(all))
      if (seen.type == NGHTTP2_RST_STREAM || seen.type == NGHTTP2_GOAWAY) return true;
  }
}

TEST(ServerHttp2, AnswersRequestsWithAndWithoutABody) {
  TestServer server;
  Http2Client client(server.server->port());
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

TEST(ServerHttp2, TellsTheHandlerWhatItKnows) {
  TestServer server;
  Http2Client client(server.server->port());
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
  Http2Client client(server.server->port());
  client.run_until_closed(client.request("GET", "/echo"));
  EXPECT_EQ(client.setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS), 100U);
  EXPECT_EQ(client.setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE), 1024U * 1024);
  EXPECT_EQ(client.setting(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE), 8U * 1024);
}

TEST(ServerHttp2, TakesAndGivesLargeBodies) {
  TestServer server;
  Http2Client client(server.server->port());
  const std::string body(3'000'000, 'x');
  const auto stream = client.request("POST", "/echo", body);
  ASSERT_TRUE(client.run_until_closed(stream));
  EXPECT_EQ(client.answer(stream).body, "POST /echo ? " + body);
}

TEST(ServerHttp2, SendsTrailersAfterTheBody) {
  TestServer server;
  Http2Client client(server.server->port());
  const auto stream = client.request("POST", "/grpc", "x");
  ASSERT_TRUE(client.run_until_closed(stream));
  EXPECT_EQ(client.answer(stream).body.size(), 5U);
  EXPECT_EQ(client.answer(stream).trailers.get("grpc-status"), "0");
  EXPECT_EQ(client.answer(stream).headers.count("content-length"), 0U);
  EXPECT_EQ(client.answer(stream).closed, NGHTTP2_NO_ERROR);
}

TEST(ServerHttp2, SendsHeadersAloneWhenThereIsNothingElse) {
  TestServer server;
  Http2Client client(server.server->port());
  const auto stream = client.request("POST", "/grpc-only", "x");
  ASSERT_TRUE(client.run_until_closed(stream));
  EXPECT_EQ(client.answer(stream).headers.get("grpc-status"), "12");
  EXPECT_TRUE(client.answer(stream).trailers.fields().empty());
  EXPECT_TRUE(client.answer(stream).ended);
}

TEST(ServerHttp2, SendsTrailersWithoutABody) {
  TestServer server;
  Http2Client client(server.server->port());
  const auto stream = client.request("POST", "/trailers", "x");
  ASSERT_TRUE(client.run_until_closed(stream));
  EXPECT_EQ(client.answer(stream).body, "");
  EXPECT_EQ(client.answer(stream).trailers.get("grpc-status"), "3");
}

TEST(ServerHttp2, AnswersHeadWithoutABody) {
  TestServer server;
  Http2Client client(server.server->port());
  const auto stream = client.request("HEAD", "/big");
  ASSERT_TRUE(client.run_until_closed(stream));
  EXPECT_EQ(client.answer(stream).headers.get("content-length"), "1048576");
  EXPECT_EQ(client.answer(stream).body, "");
}

TEST(ServerHttp2, SendsContinueWhenAsked) {
  TestServer server;
  Http2Client client(server.server->port());
  Headers headers;
  headers.add("expect", "100-continue");
  const auto stream = client.request("POST", "/echo", "abc", headers);
  ASSERT_TRUE(client.run_until_closed(stream));
  EXPECT_EQ(client.answer(stream).interim, std::vector<int>{100});
  EXPECT_EQ(client.answer(stream).status, 200);
}

TEST(ServerHttp2, AnswersWith500WhenTheResponderIsDropped) {
  TestServer server;
  Http2Client client(server.server->port());
  const auto stream = client.request("GET", "/drop");
  ASSERT_TRUE(client.run_until_closed(stream));
  EXPECT_EQ(client.answer(stream).status, 500);
}

TEST(ServerHttp2, TakesAnswersFromOtherThreadsInAnyOrder) {
  TestServer server;
  Http2Client client(server.server->port());
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
  Http2Client client(server.server->port());
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
  Http2Client client(server.server->port());
  Headers headers;
  headers.add("host", "b");
  const auto stream = client.request("GET", "/echo", std::nullopt, headers);
  ASSERT_TRUE(client.run_until_closed(stream));
  EXPECT_EQ(client.answer(stream).status, 400);
}

TEST(ServerHttp2, RefusesTooManyOrTooBigHeaders) {
  TestServer server;
  Http2Client client(server.server->port());
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
  Http2Client client(server.server->port());
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
  Http2Client client(server.server->port());
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
  Http2Client client(server.server->port());
  const auto stream = client.request("POST", "/early", std::string(50'000, 'x'));
  ASSERT_TRUE(client.run_until_closed(stream));
  EXPECT_EQ(client.answer(stream).status, 413);
  EXPECT_EQ(server.metric("spanway_http_connections_cut_total", {{"reason", "rest_too_big"}}), 0);
}

// ---- Time.

TEST(ServerHttp2, AbortsStreamsWhoseBodyDoesNotCome) {
  TestServer server(with_limits({.request_timeout = std::chrono::milliseconds(50)}));
  Http2Client client(server.server->port());
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
  Http2Client client(server.server->port());
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
  Http2Client client(server.server->port(), {.window_bytes = 0});
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
  Http2Client client(server.server->port());
  const auto held = client.request("GET", "/hold");
  ASSERT_TRUE(eventually([&] { return server.handler.held() == 1; }));
  Http2Client other(server.server->port());
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
  Http2Client client(server.server->port());
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
  Http2Client client(server.server->port(),
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
  Http2Client client(server.server->port());
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
  Http2Client client(server.server->port());
  client.request("GET", "/hold");
  EXPECT_TRUE(client.run_until_disconnected());
  EXPECT_EQ(server.metric("spanway_http_connections_cut_total", {{"reason", "drain"}}), 1);
}

TEST(ServerHttp2, DrainsOnStopAndTakesNoNewStreams) {
  TestServer server;
  Http2Client client(server.server->port());
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
  Http2Client client(server.server->port());
  const auto stream = client.request("POST", "/echo", "abc", {}, true);
  ASSERT_TRUE(client.run_until([&] { return server.handler.body_bytes() == 3; }));
  client.reset(stream);
  EXPECT_TRUE(eventually([&] { return server.handler.abandoned() == 1; }));
  EXPECT_EQ(server.handler.readers(), 0U);
}

TEST(ServerHttp2, DestroysTheReaderWhenTheConnectionDies) {
  TestServer server;
  {
    Http2Client client(server.server->port());
    client.request("POST", "/echo", "abc", {}, true);
    client.request("GET", "/hold");
    ASSERT_TRUE(eventually([&] { return server.handler.held() == 1; }));
  }
  EXPECT_TRUE(eventually([&] { return server.handler.abandoned() == 1; }));
  EXPECT_TRUE(eventually([&] { return server.metric("spanway_http_streams_open") == 0; }));
  EXPECT_EQ(server.handler.release(), 1U) << "answers after the client has gone";
}

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
  Http2Client client(server.server->port());
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
  Http2Client client(server.server->port(), {.window_bytes = 0});
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
  Http2Client client(server.server->port());
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
  Http2Client client(server.server->port());
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
