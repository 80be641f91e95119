// HTTP/1.1 over real sockets: requests, answers and framing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "tests/unit/http/http1_requests.h"

namespace spanway::http {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

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

TEST(ServerHttp1, PassesTheHandlerWhatItKnows) {
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

TEST(ServerHttp1, SendsContinueWhenExpectedAndOnlyForARequestedBody) {
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

}  // namespace
}  // namespace spanway::http
