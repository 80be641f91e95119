#include "services/lib/runtime/admin_server.h"

#include <gtest/gtest.h>

#include <atomic>

#include "tests/unit/runtime/raw_http.h"

namespace spanway::runtime {
namespace {

class AdminServerTest : public testing::Test {
 protected:
  std::unique_ptr<AdminServer> create(std::uint16_t metrics_port = 0) {
    auto server =
        AdminServer::create({.host = "127.0.0.1", .port = 0, .metrics_port = metrics_port},
                            {.readiness =
                                 [this] {
                                   return ready_ ? Service::Readiness{true, limit_}
                                                 : Service::Readiness{false, "waiting for Kafka"};
                                 },
                             .status_json = [] { return std::string("{\"kafka\":\"up\"}"); },
                             .config_yaml = [] { return std::string("password: \"***\"\n"); }},
                            pool_, telemetry_);
    EXPECT_TRUE(server.ok()) << (server.ok() ? "" : server.error().message);
    return server.ok() ? std::move(*server) : nullptr;
  }
  static bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  }

  std::atomic<bool> ready_ = true;
  std::string limit_;  // Set before the first request.
  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  telemetry::Telemetry telemetry_{log_, metrics_};
  http::IoPool pool_{"admin", 1};
};

TEST_F(AdminServerTest, AnswersEveryPage) {
  const auto server = create();
  ASSERT_NE(server, nullptr);
  const auto get = [&server](const std::string& path) {
    return raw_http(server->port(), "GET", path);
  };
  for (const char* path : {"/healthz", "/livez", "/readyz"}) {
    EXPECT_TRUE(get(path).starts_with("HTTP/1.1 200 ")) << get(path);
    EXPECT_TRUE(get(path).ends_with("\r\n\r\nok\n")) << get(path);
  }
  EXPECT_TRUE(has(get("/metrics"), "text/plain; version=0.0.4"));
  EXPECT_TRUE(has(get("/metrics"), "\nspanway_build_info{version=\""));
  EXPECT_TRUE(get("/configz").ends_with("password: \"***\"\n"));
  EXPECT_TRUE(has(get("/statusz"), "application/json"));
  EXPECT_TRUE(get("/statusz").ends_with("{\"kafka\":\"up\"}\n"));
  EXPECT_EQ(server->metrics_port(), 0);
}

TEST_F(AdminServerTest, SaysWhyItIsNotReadyButLives) {
  const auto server = create();
  ASSERT_NE(server, nullptr);
  ready_ = false;
  const std::string answer = raw_http(server->port(), "GET", "/readyz");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 ")) << answer;
  EXPECT_TRUE(answer.ends_with("not ready: waiting for Kafka\n")) << answer;
  EXPECT_TRUE(raw_http(server->port(), "GET", "/livez").starts_with("HTTP/1.1 200 "));
}

TEST_F(AdminServerTest, NamesWhatIsDegradedAlthoughItIsReady) {
  const auto server = create();
  ASSERT_NE(server, nullptr);
  limit_ = "degraded: zipkin";
  const std::string answer = raw_http(server->port(), "GET", "/readyz");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\nok: degraded: zipkin\n")) << answer;
}

TEST_F(AdminServerTest, AnswersHeadWithoutABody) {
  const auto server = create();
  ASSERT_NE(server, nullptr);
  const std::string answer = raw_http(server->port(), "HEAD", "/healthz");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
}

TEST_F(AdminServerTest, RefusesOtherMethodsAndPaths) {
  const auto server = create();
  ASSERT_NE(server, nullptr);
  const std::string post = raw_http(server->port(), "POST", "/healthz");
  EXPECT_TRUE(post.starts_with("HTTP/1.1 405 ")) << post;
  EXPECT_TRUE(has(post, "allow: GET, HEAD") || has(post, "Allow: GET, HEAD")) << post;
  const std::string unknown = raw_http(server->port(), "GET", "/a%22b");
  EXPECT_TRUE(unknown.starts_with("HTTP/1.1 404 ")) << unknown;
  EXPECT_TRUE(has(unknown, "application/json")) << unknown;
  EXPECT_TRUE(has(unknown, "\"path\":\"/a\\\"b\"}")) << unknown;
}

TEST_F(AdminServerTest, ServesMetricsAloneOnASecondPort) {
  // A free port: taken and given back.
  const std::uint16_t free_port = [this] {
    const auto server = create();
    return server == nullptr ? std::uint16_t{0} : server->port();
  }();
  const auto server = create(free_port);
  ASSERT_NE(server, nullptr);
  ASSERT_EQ(server->metrics_port(), free_port);
  EXPECT_TRUE(has(raw_http(free_port, "GET", "/metrics"), "spanway_build_info"));
  EXPECT_TRUE(raw_http(free_port, "GET", "/configz").starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(has(raw_http(server->port(), "GET", "/metrics"), "spanway_build_info"));
}

TEST_F(AdminServerTest, TakenPortIsAnError) {
  const auto first = create();
  ASSERT_NE(first, nullptr);
  const auto second =
      AdminServer::create({.host = "127.0.0.1", .port = first->port()}, {}, pool_, telemetry_);
  EXPECT_FALSE(second.ok());
}

TEST_F(AdminServerTest, StopsTwice) {
  const auto server = create();
  ASSERT_NE(server, nullptr);
  const std::uint16_t port = server->port();
  server->stop();
  server->stop();
  EXPECT_EQ(raw_http(port, "GET", "/healthz"), "");
}

}  // namespace
}  // namespace spanway::runtime
