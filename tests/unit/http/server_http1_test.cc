// HTTP/1.1 over real sockets.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <regex>

#include "tests/unit/http/server_fixture.h"

namespace spanway::http {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string ask(TestServer& server, std::string_view request) {
  RawClient client(server.server->port());
  client.send(request);
  return client.receive_all();
}

std::string get(std::string_view target, std::string_view more = "") {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n" + std::string(more) + "\r\n";
}

std::size_t count(std::string_view text, std::string_view what) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string_view::npos; ++at) ++found;
  return found;
}

ServerOptions with_limits(ServerLimits limits) {
  ServerOptions options;
  options.limits = limits;
  return options;
}

TEST(ServerHttp1, AnswersWithLengthAndDate) {
  TestServer server;
  const std::string answer = ask(server, get("/echo?x=1", "Connection: close\r\n"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("content-length: 15\r\n"));
  EXPECT_TRUE(std::regex_search(
      answer,
      std::regex("date: [A-Z][a-z]{2}, \\d{2} [A-Z][a-z]{2} \\d{4} \\d{2}:\\d{2}:\\d{2} GMT")));
  EXPECT_THAT(answer, HasSubstr("connection: close\r\n"));
  EXPECT_THAT(answer, EndsWith("GET /echo ?x=1 "));
}

TEST(ServerHttp1, KeepsTheConnectionForTheNextRequest) {
  TestServer server;
  RawClient client(server.server->port());
  for (int i = 0; i < 3; ++i) {
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    EXPECT_THAT(client.receive_until("abc"), HasSubstr("200 OK"));
  }
  EXPECT_EQ(server.metric("spanway_http_connections_total"), 1);
  EXPECT_EQ(
      server.metric("spanway_http_requests_total", {{"protocol", "http1"}, {"status", "2xx"}}), 3);
}

TEST(ServerHttp1, TellsTheHandlerWhatItKnows) {
  TestServer server;
  ask(server,
      "POST /a%20b?q=%20 HTTP/1.1\r\nHost: a\r\nX-Two: 1\r\nX-Two: 2\r\nContent-Length: 2\r\n"
      "Connection: close\r\n\r\nhi");
  const RequestHead head = server.handler.last_head();
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.path, "/a b");
  EXPECT_EQ(head.query, "q=%20");
  EXPECT_EQ(head.headers.count("x-two"), 2U);
  EXPECT_EQ(head.content_length, 2U);
  EXPECT_EQ(head.peer_address, "127.0.0.1");
  EXPECT_EQ(head.protocol, Protocol::kHttp11);
  EXPECT_FALSE(head.tls);
}

TEST(ServerHttp1, TakesAThousandPipelinedRequestsInOrder) {
  TestServer server;
  RawClient client(server.server->port());
  std::string requests;
  for (int i = 0; i < 1000; ++i)
    requests += get("/echo?" + std::to_string(i), i == 999 ? "Connection: close\r\n" : "");
  client.send(requests);
  const std::string answers = client.receive_all();
  std::size_t at = 0;
  for (int i = 0; i < 1000 && at != std::string::npos; ++i)
    at = answers.find("?" + std::to_string(i) + " ", at);
  EXPECT_NE(at, std::string::npos);
  EXPECT_EQ(count(answers, "HTTP/1.1 200"), 1000U);
  EXPECT_EQ(server.handler.requests(), 1000U);
}

TEST(ServerHttp1, ReadsChunkedBodies) {
  TestServer server;
  RawClient client(server.server->port());
  client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel");
  client.send("lo\r\n6;x=y\r\n world\r\n0\r\nTrailer: t\r\n\r\n" +
              get("/echo", "Connection: close\r\n"));
  const std::string answer = client.receive_all();
  EXPECT_THAT(answer, HasSubstr("POST /echo ? hello world"));
  EXPECT_THAT(answer, EndsWith("GET /echo ? "));
}

TEST(ServerHttp1, ReadsARequestThatComesByteByByte) {
  TestServer server;
  RawClient client(server.server->port());
  const std::string request =
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
      "3\r\nabc\r\n2;e=\"x\"\r\nde\r\n0\r\n\r\n";
  for (const char c : request) client.send({&c, 1});
  EXPECT_THAT(client.receive_all(), EndsWith("POST /echo ? abcde"));
}

TEST(ServerHttp1, AnswersHeadWithoutABody) {
  TestServer server;
  RawClient client(server.server->port());
  client.send("HEAD /big HTTP/1.1\r\nHost: a\r\n\r\n" + get("/echo", "Connection: close\r\n"));
  const std::string answer = client.receive_all();
  EXPECT_THAT(answer, HasSubstr("content-length: 1048576\r\n"));
  EXPECT_LT(answer.size(), 1000U);
  EXPECT_THAT(answer, EndsWith("GET /echo ? "));
}

TEST(ServerHttp1, ServesHttp10) {
  TestServer server;
  const std::string answer = ask(server, "GET /echo HTTP/1.0\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("200 OK"));
  EXPECT_THAT(answer, HasSubstr("connection: close"));
}

TEST(ServerHttp1, SendsContinueWhenAskedAndOnlyForAWantedBody) {
  TestServer server;
  const std::string head =
      " HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
  RawClient client(server.server->port());
  client.send("POST /echo" + head);
  EXPECT_THAT(client.receive_until("\r\n\r\n"), StartsWith("HTTP/1.1 100 Continue\r\n\r\n"));
  client.send("abc");
  EXPECT_THAT(client.receive_until("abc"), HasSubstr("200 OK"));
  const std::string refused = ask(server, "POST /early" + head);
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(refused, HasSubstr("connection: close"));
}

TEST(ServerHttp1, SendsLargeAnswersToSlowReaders) {
  TestServer server;
  RawClient client(server.server->port(), 4096);
  client.send(get("/big", "Connection: close\r\n"));
  std::string all;
  while (true) {
    const std::string some = client.receive_some(8192);
    if (some.empty()) break;
    all += some;
  }
  EXPECT_EQ(all.size() - (all.find("\r\n\r\n") + 4), 1U << 20);
}

TEST(ServerHttp1, AnswersAHalfClosedConnection) {
  TestServer server;
  RawClient client(server.server->port());
  client.send(get("/hold"));
  client.end_sending();
  ASSERT_TRUE(eventually([&] { return server.handler.held() == 1; }));
  server.handler.release();
  EXPECT_THAT(client.receive_all(), HasSubstr("released"));
}

TEST(ServerHttp1, AnswersWith500WhenTheResponderIsDropped) {
  TestServer server;
  EXPECT_THAT(ask(server, get("/drop", "Connection: close\r\n")),
              StartsWith("HTTP/1.1 500 Internal Server Error\r\n"));
}

// ---- Framing.

struct Framing {
  const char* name;
  std::string request;
  const char* status;
};

std::string post(std::string_view fields, std::string_view body = "abc") {
  return "POST /echo HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

std::vector<Framing> hostile_framings() {
  const std::string smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
  return {
      {"both lengths", post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
       "400"},
      {"both lengths, other order",
       post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n"), "400"},
      {"two lengths", post("Content-Length: 3\r\nContent-Length: 4\r\n"), "400"},
      {"two equal lengths", post("Content-Length: 3\r\nContent-Length: 3\r\n"), "400"},
      {"list of lengths", post("Content-Length: 3, 3\r\n"), "400"},
      {"signed length", post("Content-Length: +3\r\n"), "400"},
      {"negative length", post("Content-Length: -3\r\n"), "400"},
      {"huge length", post("Content-Length: 99999999999999999999999\r\n"), "400"},
      {"hexadecimal length", post("Content-Length: 0x3\r\n"), "400"},
      {"space before colon", post("Content-Length : 3\r\n"), "400"},
      {"unknown coding", post("Transfer-Encoding: xchunked\r\n"), "501"},
      {"coding after chunked", post("Transfer-Encoding: chunked, identity\r\n"), "501"},
      {"coding before chunked", post("Transfer-Encoding: gzip, chunked\r\n"), "501"},
      {"chunked twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
       "400"},
      {"coding in 1.0",
       "POST /echo HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
      {"no host", "GET / HTTP/1.1\r\n\r\n", "400"},
      {"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
      {"folded field", "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", "400"},
      {"folded first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "400"},
      {"bare LF", "GET / HTTP/1.1\nHost: a\n\n", "400"},
      {"bare LF in a field", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", "400"},
      {"bare CR in a field", "GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", "400"},
      {"NUL in a value", std::string("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", 28), "400"},
      {"empty field name", "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", "400"},
      {"HTTP/0.9", "GET /\r\n\r\n", "400"},
      {"HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "400"},
      {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", "400"},
      {"CONNECT", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "501"},
      {"broken escape", get("/%zz"), "400"},
      {"truncated escape", get("/a%2"), "400"},
      {"NUL escape", get("/a%00b"), "400"},
      {"fragment", get("/a#b"), "400"},
      {"relative target", get("a"), "400"},
      {"unknown expectation", post("Expect: magic\r\nContent-Length: 3\r\n"), "417"},
      {"negative chunk", post("Transfer-Encoding: chunked\r\n", "-1\r\nabc\r\n"), "400"},
      {"chunk size overflow",
       post("Transfer-Encoding: chunked\r\n", "11111111111111111\r\nabc\r\n"), "400"},
      {"chunk longer than its size",
       post("Transfer-Encoding: chunked\r\n", "1\r\nabc\r\n" + smuggled), "400"},
      {"chunk size with LF", post("Transfer-Encoding: chunked\r\n", "3\nabc\r\n0\r\n\r\n"), "400"},
      {"no chunk size", post("Transfer-Encoding: chunked\r\n", "\r\nabc\r\n0\r\n\r\n"), "400"},
  };
}

TEST(ServerHttp1, AnswersHostileFramingWithAnErrorAndCloses) {
  TestServer server;
  for (const Framing& framing : hostile_framings()) {
    const std::string answer = ask(server, framing.request);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 " + std::string(framing.status))) << framing.name;
    EXPECT_THAT(answer, HasSubstr("connection: close\r\n")) << framing.name;
    EXPECT_THAT(answer, Not(HasSubstr("smuggled"))) << framing.name;
    EXPECT_EQ(count(answer, "HTTP/1.1 "), 1U) << framing.name << ": " << answer;
  }
  EXPECT_TRUE(server.all_gone());
  EXPECT_TRUE(eventually([&] { return server.metric("spanway_http_streams_open") == 0; }));
  EXPECT_EQ(server.handler.readers(), 0U);
}

TEST(ServerHttp1, TakesUnusualButCorrectFraming) {
  TestServer server;
  for (const std::string request :
       {"\r\nGET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET http://example.org/echo?q HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost:\r\ncontent-length:3\r\nconnection: Close\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\nConnection: close\r\n\r\n"
        "00003\r\nabc\r\n0\r\n\r\n"}) {
    EXPECT_THAT(ask(server, request), StartsWith("HTTP/1.1 200")) << request;
  }
}

TEST(ServerHttp1, RefusesTooBigHeads) {
  TestServer server;
  const std::string start = "GET /echo HTTP/1.1\r\nHost: a\r\n";
  EXPECT_THAT(ask(server, start + "X: " + std::string(9000, 'y') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(ask(server, "GET /" + std::string(100'000, 'y')), StartsWith("HTTP/1.1 431"));
  std::string many = start;
  for (int i = 0; i < 64; ++i) many += "X: y\r\n";
  EXPECT_THAT(ask(server, many + "\r\n"), StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(ask(server, start + "Connection: close\r\nX: " + std::string(8000, 'y') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 200"));
}

TEST(ServerHttp1, RefusesAnEndlessChunkExtension) {
  TestServer server;
  RawClient client(server.server->port());
  client.send(post("Transfer-Encoding: chunked\r\n", "3;"));
  const std::string extension(16 * 1024, 'x');
  for (int i = 0; i < 64 && client.send(extension); ++i) {
  }
  EXPECT_THAT(client.receive_all(), StartsWith("HTTP/1.1 400"));
}

// ---- Early answers.

TEST(ServerHttp1, KeepsTheConnectionWhenTheRestOfARefusedBodyIsShort) {
  TestServer server;
  RawClient client(server.server->port());
  client.send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
  EXPECT_THAT(client.receive_until("too big"), StartsWith("HTTP/1.1 413"));
  client.send(std::string(1000, 'x') + get("/echo", "Connection: close\r\n"));
  EXPECT_THAT(client.receive_all(), EndsWith("GET /echo ? "));
}

TEST(ServerHttp1, ClosesWhenTheRestOfARefusedBodyIsLong) {
  TestServer server;
  RawClient client(server.server->port());
  client.send("POST /stop HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n" +
              std::string(20, 'x'));
  const std::string answer = client.receive_until("enough");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(answer, HasSubstr("connection: close"));
  const std::string megabyte(1 << 20, 'x');
  bool open = true;
  for (int i = 0; open && i < 100; ++i) open = client.send(megabyte);
  EXPECT_FALSE(open);
  EXPECT_LT(server.handler.body_bytes(), 1000U);
}

// ---- Time.

TEST(ServerHttp1, AbortsSlowHeads) {
  TestServer server(with_limits({.header_timeout = std::chrono::milliseconds(50)}));
  RawClient silent(server.server->port());
  RawClient slow(server.server->port());
  slow.send("GET / HTTP/1.1\r\nHos");
  EXPECT_TRUE(silent.closed_within(std::chrono::seconds(5)));
  EXPECT_THAT(slow.receive_all(), StartsWith("HTTP/1.1 408"));
  EXPECT_GE(server.metric("spanway_http_connections_cut_total", {{"reason", "header_timeout"}}), 2);
}

TEST(ServerHttp1, AbortsSlowBodiesAndDestroysTheReader) {
  TestServer server(with_limits({.request_timeout = std::chrono::milliseconds(50)}));
  RawClient client(server.server->port());
  client.send(post("Content-Length: 10\r\n", "abc"));
  EXPECT_THAT(client.receive_all(), StartsWith("HTTP/1.1 408"));
  EXPECT_EQ(server.handler.abandoned(), 1U);
  EXPECT_EQ(server.handler.readers(), 0U);
}

TEST(ServerHttp1, ClosesIdleConnectionsWithoutAWord) {
  TestServer server(with_limits({.idle_timeout = std::chrono::milliseconds(50)}));
  RawClient client(server.server->port());
  client.send(get("/echo"));
  EXPECT_THAT(client.receive_all(), EndsWith("GET /echo ? "));
}

TEST(ServerHttp1, AbortsPeersThatDoNotReadTheirAnswer) {
  TestServer server(with_limits({.idle_timeout = std::chrono::milliseconds(100)}));
  RawClient client(server.server->port(), 4096);
  std::string requests;
  for (int i = 0; i < 64; ++i) requests += get("/big");
  client.send(requests);
  EXPECT_TRUE(eventually([&] {
    return server.metric("spanway_http_connections_cut_total", {{"reason", "write_stall"}}) == 1;
  }));
  EXPECT_TRUE(server.all_gone());
}

TEST(ServerHttp1, EndsOldConnectionsAfterTheirRequest) {
  TestServer server(with_limits({.connection_age_max = std::chrono::milliseconds(30)}));
  RawClient busy(server.server->port());
  busy.send(get("/hold"));
  ASSERT_TRUE(eventually([&] { return server.handler.held() == 1; }));
  // Two lives one after the other are longer than one, jitter included.
  for (int i = 0; i < 2; ++i) {
    RawClient idle(server.server->port());
    idle.send(get("/echo"));
    EXPECT_THAT(idle.receive_all(), EndsWith("GET /echo ? "));
  }
  server.handler.release();
  EXPECT_THAT(busy.receive_all(), HasSubstr("connection: close\r\n"));
}

// ---- Peers that go away, caps, the end.

TEST(ServerHttp1, DestroysTheReaderWhenThePeerGoesAway) {
  TestServer server;
  {
    RawClient client(server.server->port());
    client.send(post("Content-Length: 10\r\n", "abc"));
    ASSERT_TRUE(eventually([&] { return server.handler.body_bytes() == 3; }));
  }
  EXPECT_TRUE(eventually([&] { return server.handler.abandoned() == 1; }));
  EXPECT_TRUE(server.all_gone());
}

TEST(ServerHttp1, AnswersAfterTheConnectionDiedDoNothing) {
  TestServer server;
  {
    RawClient client(server.server->port());
    client.send(get("/hold"));
    ASSERT_TRUE(eventually([&] { return server.handler.held() == 1; }));
  }
  EXPECT_EQ(server.handler.release(), 1U);
  EXPECT_THAT(ask(server, get("/echo", "Connection: close\r\n")), HasSubstr("200 OK"));
}

TEST(ServerHttp1, RefusesConnectionsBeyondTheCaps) {
  TestServer server(with_limits({.connections_max = 2}));
  RawClient first(server.server->port());
  first.send(get("/hold"));
  RawClient second(server.server->port());
  second.send(get("/hold"));
  ASSERT_TRUE(eventually([&] { return server.handler.held() == 2; }));
  RawClient third(server.server->port());
  EXPECT_TRUE(third.closed_within(std::chrono::seconds(5)));
  EXPECT_EQ(
      server.metric("spanway_http_connections_refused_total", {{"reason", "connections_max"}}), 1);
  EXPECT_EQ(server.handler.release(), 2U);
  EXPECT_THAT(first.receive_until("released"), HasSubstr("200 OK"));
  EXPECT_THAT(ask(server, get("/echo", "Connection: close\r\n")), HasSubstr("200 OK"));
}

TEST(ServerHttp1, TheLongestIdleConnectionMakesRoomAtTheLimit) {
  TestServer server(with_limits({.connections_max = 3}));
  RawClient oldest(server.server->port());
  ASSERT_TRUE(eventually([&] { return server.metric("spanway_http_connections_open") == 1; }));
  RawClient younger(server.server->port());
  ASSERT_TRUE(eventually([&] { return server.metric("spanway_http_connections_open") == 2; }));
  RawClient busy(server.server->port());
  busy.send(get("/hold"));
  ASSERT_TRUE(eventually([&] { return server.handler.held() == 1; }));
  RawClient fresh(server.server->port());
  fresh.send(get("/echo"));
  EXPECT_THAT(fresh.receive_until("/echo ? "), HasSubstr("200 OK"));
  EXPECT_TRUE(oldest.closed_within(std::chrono::seconds(5)));
  EXPECT_EQ(server.metric("spanway_http_connections_cut_total", {{"reason", "evicted"}}), 1);
  younger.send(get("/echo"));
  EXPECT_THAT(younger.receive_until("/echo ? "), HasSubstr("200 OK"));
  EXPECT_EQ(server.handler.release(), 1U);
  EXPECT_THAT(busy.receive_until("released"), HasSubstr("200 OK"));
}

TEST(ServerHttp1, AnIdleConnectionOfAnotherThreadMakesRoom) {
  TestServer server(with_limits({.connections_max = 3}), nullptr, 3);
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 30; ++i) {
    clients.push_back(std::make_unique<RawClient>(server.server->port()));
    clients.back()->send(get("/echo"));
    EXPECT_THAT(clients.back()->receive_until("/echo ? "), HasSubstr("200 OK")) << i;
  }
  EXPECT_LE(server.metric("spanway_http_connections_open"), 3);
  EXPECT_EQ(server.metric("spanway_http_connections_refused_total"), 0);
}

TEST(ServerHttp1, ConnectionsAreChargedAndMakeRoomForEachOther) {
  MemoryBudget memory(64 * 1024);  // A few connections.
  ServerOptions options;
  options.connection_memory = &memory;
  TestServer server(options);
  RawClient first(server.server->port());
  first.send(get("/echo"));
  EXPECT_THAT(first.receive_until("/echo ? "), HasSubstr("200 OK"));
  EXPECT_GT(memory.used(), 4 * 1024u);
  for (int i = 0; i < 10; ++i) {
    RawClient other(server.server->port());
    other.send(get("/echo", "Connection: close\r\n"));
    EXPECT_THAT(other.receive_all(), HasSubstr("200 OK"));
  }
  std::vector<std::unique_ptr<RawClient>> many;
  for (int i = 0; i < 10; ++i) {
    many.push_back(std::make_unique<RawClient>(server.server->port()));
    many.back()->send(get("/echo"));
    EXPECT_THAT(many.back()->receive_until("/echo ? "), HasSubstr("200 OK"));
  }
  EXPECT_LE(memory.peak(), memory.limit());
  EXPECT_TRUE(first.closed_within(std::chrono::seconds(5)));
  EXPECT_GT(server.metric("spanway_http_connections_cut_total", {{"reason", "evicted"}}), 0);
  many.clear();
  EXPECT_TRUE(eventually([&] { return memory.used() == 0; }));
}

TEST(ServerHttp1, KeepsLittleOfWhatIsSentAheadOfAnAnswer) {
  MemoryBudget memory(1 << 20);
  ServerOptions options;
  options.connection_memory = &memory;
  TestServer server(options);
  RawClient pipelining(server.server->port());
  std::string ahead = get("/hold");
  while (ahead.size() < 128 * 1024) ahead += get("/echo");
  pipelining.send(ahead);
  ASSERT_TRUE(eventually([&] { return server.handler.held() == 1; }));
  EXPECT_LT(memory.peak(), 40 * 1024u);
  EXPECT_EQ(server.handler.release(), 1U);
  EXPECT_THAT(pipelining.receive_until("/echo ? "), HasSubstr("200 OK"));
}

TEST(ServerHttp1, ShedsTheNewestConnections) {
  TestServer server;
  RawClient first(server.server->port());
  ASSERT_TRUE(eventually([&] { return server.metric("spanway_http_connections_open") == 1; }));
  RawClient second(server.server->port());
  ASSERT_TRUE(eventually([&] { return server.metric("spanway_http_connections_open") == 2; }));
  server.server->shed_connections();
  EXPECT_TRUE(second.closed_within(std::chrono::seconds(5)));
  EXPECT_EQ(server.metric("spanway_http_connections_cut_total", {{"reason", "memory"}}), 1);
  first.send(get("/echo", "Connection: close\r\n"));
  EXPECT_THAT(first.receive_all(), HasSubstr("200 OK"));
}

TEST(ServerHttp1, RefusesTooManyConnectionsOfOnePeer) {
  TestServer server(with_limits({.connections_per_peer_max = 1}));
  RawClient first(server.server->port());
  first.send(get("/hold"));
  ASSERT_TRUE(eventually([&] { return server.handler.held() == 1; }));
  RawClient second(server.server->port());
  EXPECT_TRUE(second.closed_within(std::chrono::seconds(5)));
  EXPECT_EQ(
      server.metric("spanway_http_connections_refused_total", {{"reason", "connections_per_peer"}}),
      1);
}

TEST(ServerHttp1, DrainsWhatIsUnderWay) {
  TestServer server;
  RawClient idle(server.server->port());
  idle.send(get("/echo"));
  idle.receive_until("/echo ? ");
  RawClient busy(server.server->port());
  busy.send(get("/hold"));
  ASSERT_TRUE(eventually([&] { return server.handler.held() == 1; }));
  server.server->stop_accepting();
  EXPECT_TRUE(idle.closed_within(std::chrono::seconds(5)));
  EXPECT_FALSE(server.server->drain(Deadline::after(system_clock(), std::chrono::milliseconds(1))))
      << "a request was still under way";
  EXPECT_TRUE(busy.closed_within(std::chrono::seconds(5)));
}

TEST(ServerHttp1, DrainEndsWhenTheLastAnswerIsGone) {
  TestServer server;
  RawClient busy(server.server->port());
  busy.send(get("/hold"));
  ASSERT_TRUE(eventually([&] { return server.handler.held() == 1; }));
  server.server->stop_accepting();
  server.handler.release();
  EXPECT_TRUE(server.server->drain(Deadline::after(system_clock(), std::chrono::seconds(10))));
  EXPECT_THAT(busy.receive_all(), HasSubstr("connection: close\r\n"));
}

TEST(ServerHttp1, DestructionAbortsWhatIsOpen) {
  auto server = std::make_unique<TestServer>();
  RawClient client(server->server->port());
  client.send(get("/hold"));
  ASSERT_TRUE(eventually([&] { return server->handler.held() == 1; }));
  server->server.reset();
  EXPECT_TRUE(client.closed_within(std::chrono::seconds(5)));
  EXPECT_EQ(server->handler.release(), 1U);
}

TEST(ServerHttp1, DestructionWorksWhenThePoolHasStopped) {
  TestServer server;
  RawClient client(server.server->port());
  client.send(get("/hold"));
  RawClient half(server.server->port());
  half.send(post("Content-Length: 10\r\n", "abc"));
  ASSERT_TRUE(
      eventually([&] { return server.handler.held() == 1 && server.handler.body_bytes() == 3; }));
  server.pool.stop();
  server.server.reset();
  EXPECT_EQ(server.handler.abandoned(), 1U);
  EXPECT_EQ(server.handler.readers(), 0U);
}

TEST(ServerHttp1, WaitsWhenThereAreNoFileDescriptors) {
  TestServer server;
  RawClient first(server.server->port());
  ASSERT_TRUE(eventually([&] { return server.metric("spanway_http_connections_open") == 1; }));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const auto errors = [&] {
    return server.metric("spanway_http_connections_refused_total", {{"reason", "accept_error"}});
  };
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const rlimit none{.rlim_cur = 3, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const SteadyTime start = system_clock().now();
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server.server->port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_TRUE(eventually([&] { return errors() >= 3; }));
  EXPECT_GE(system_clock().now() - start, std::chrono::milliseconds(200)) << "it does not spin";
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(eventually([&] { return server.metric("spanway_http_connections_open") == 2; }));
  ::close(socket);
}

TEST(ServerHttp1, SharesThePortBetweenThreadsAndRefusesATakenOne) {
  TestServer server({}, nullptr, 3);
  for (int i = 0; i < 20; ++i)
    EXPECT_THAT(ask(server, get("/echo", "Connection: close\r\n")), HasSubstr("200 OK"));
  ServerOptions options;
  options.port = server.server->port();
  const auto second =
      Server::create(options, nullptr, server.pool, server.handler, {server.log, server.metrics});
  ASSERT_FALSE(second.ok());
  EXPECT_STREQ(second.error().reason, "http_listen");
}

TEST(ServerHttp1, IsRefusedWhereOnlyHttp2IsSpoken) {
  ServerOptions options;
  options.http1 = false;
  TestServer server(options);
  EXPECT_EQ(ask(server, get("/echo")), "");
  EXPECT_EQ(server.metric("spanway_http_connections_refused_total", {{"reason", "protocol"}}), 1);
}

}  // namespace
}  // namespace spanway::http
