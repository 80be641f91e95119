// HTTP/1.1 over real sockets: the life of connections. Early answers, timeouts, limits, drain.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/http/http1_requests.h"

namespace spanway::http {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

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
  EXPECT_TRUE(eventually([&] { return memory.used() > 4 * 1024u; }));  // After the answer.
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

// Probes, meshes and load balancers keep such connections; a stop does not wait until they time
// out.
TEST(ServerHttp1, DrainEndsConnectionsThatHaveSentNothing) {
  TestServer server(with_limits({.header_timeout = std::chrono::minutes(5)}));
  RawClient silent(server.server->port());
  RawClient partial(server.server->port());
  partial.send("PR");  // A preface of HTTP/2 or a method.
  ASSERT_TRUE(eventually([&] { return server.metric("spanway_http_connections_open") == 2; }));
  server.server->stop_accepting();
  EXPECT_TRUE(server.server->drain(Deadline::after(system_clock(), std::chrono::seconds(60))));
  EXPECT_TRUE(silent.closed_within(std::chrono::seconds(5)));
  EXPECT_TRUE(partial.closed_within(std::chrono::seconds(5)));
  EXPECT_EQ(server.metric("spanway_http_connections_cut_total", {{"reason", "drain"}}), 2);
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
