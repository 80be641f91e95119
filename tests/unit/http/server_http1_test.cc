// HTTP/1.1 over real sockets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

TEST(ServerHttp1, TakesAThousandPipelinedRequestsInOrder) {
  TestServer server;
  RawClient client(server.server->port());
  std::string requests;
  for (int i = 0; i < 1000; ++i)
    requests += get("/echo", i == 999 ? "Connection: close\r\nX: 1\r\n" : "");
  client.send(requests);
  const std::string answers = client.receive_all();
  std::size_t count = 0;
  for (std::size_t at = 0; (at = answers.find("HTTP/1.1 200", at)) != std::string::npos; ++at)
    ++count;
  EXPECT_EQ(count, 1000U);
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

}  // namespace
}  // namespace spanway::http
