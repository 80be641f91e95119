// Watches over HTTP/2 and TLS against our own server, which answers as an API server does.
#include "operator/k8s/streamed_watch.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <vector>

#include "operator/k8s/rest_client.h"
#include "services/lib/http/io_pool.h"
#include "services/lib/http/server.h"
#include "tests/fakes/eventually.h"
#include "tests/unit/http/test_certificates.h"

namespace spanway::kube {
namespace {

using fakes::eventually;

constexpr const char* kPodEvent =
    R"({"type":"ADDED","object":{"metadata":{"name":"a","namespace":"ns","resourceVersion":"8"}}})"
    "\n";

// Answers each request as `answer` says; no answer = the stream stays open.
class ApiHandler final : public http::Handler {
 public:
  using Answer = std::function<std::optional<http::Response>(const http::RequestHead&)>;
  explicit ApiHandler(Answer answer) : answer_(std::move(answer)) {}
  std::unique_ptr<http::BodyReader> on_request(const http::RequestHead& head,
                                               http::Responder responder) override {
    MutexLock lock(mutex_);
    heads_.push_back(head);
    if (auto response = answer_(head))
      responder.send(std::move(*response));
    else
      held_.push_back(std::move(responder));
    return nullptr;
  }
  std::size_t held() const {
    MutexLock lock(mutex_);
    return held_.size();
  }
  std::vector<http::RequestHead> heads() const {
    MutexLock lock(mutex_);
    return heads_;
  }

 private:
  const Answer answer_;
  mutable Mutex mutex_;
  std::vector<http::RequestHead> heads_ SPANWAY_GUARDED_BY(mutex_);
  std::vector<http::Responder> held_ SPANWAY_GUARDED_BY(mutex_);
};

// The callbacks of one watch, recorded. Thread-safe.
struct Reported {
  WatchCallbacks callbacks() {
    return {[this](WatchEvent event) {
              MutexLock lock(mutex);
              names.push_back(string_at(event.object, "metadata/name"));
              return names.size() < events_max;
            },
            [this](Status status) {
              MutexLock lock(mutex);
              ends.push_back(std::move(status));
            }};
  }
  Status end() {
    const bool came = eventually([this] {
      MutexLock lock(mutex);
      return !ends.empty();
    });
    EXPECT_TRUE(came);
    MutexLock lock(mutex);
    EXPECT_EQ(ends.size(), 1u);
    return came ? ends.front() : unavailable("the watch did not end");
  }
  Mutex mutex;
  std::size_t events_max = SIZE_MAX;
  std::vector<std::string> names SPANWAY_GUARDED_BY(mutex);
  std::vector<Status> ends SPANWAY_GUARDED_BY(mutex);
};

http::Response text(int status, const std::string& body) {
  return {.status = status, .headers = {}, .body = Bytes(body), .trailers = {}};
}

class StreamedWatchTest : public testing::Test {
 protected:
  void serve(ApiHandler::Answer answer, bool http2 = true) {
    const http::PemPair pair = ca_.issue("api", "DNS:localhost,IP:127.0.0.1");
    ServerTlsConfig files;
    files.certificate_file = folder_.write("server.pem", pair.certificate);
    files.key_file = folder_.write("server.key", pair.key);
    handler_ = std::make_unique<ApiHandler>(std::move(answer));
    http::ServerOptions options;
    options.name = server_name_;
    options.http2 = http2;
    options.limits.streams_max = 1000;
    auto server = http::Server::create(options, http::TlsServerContext::create(files).value(),
                                       pool_, *handler_, {log_, metrics_});
    ASSERT_TRUE(server.ok()) << server.error().message;
    server_ = std::move(*server);
    server_->start();
    config::Sources sources;
    sources.read_file = [this](const std::string&) -> std::optional<std::string> {
      MutexLock lock(mutex_);
      return token_;
    };
    CredentialSources credentials;
    credentials.token_file = "/token";
    credentials.ca_pem = ca_.certificate();
    access_ =
        std::move(Access::create({.server = "https://127.0.0.1:" + std::to_string(server_->port()),
                                  .name_space = {},
                                  .tls_server_name = {},
                                  .insecure_skip_tls_verify = false},
                                 credentials, sources, system_clock()))
            .value();
    client_ = std::move(RestClient::create(*access_, system_clock(), {log_, metrics_})).value();
  }
  double counted(const char* outcome) {
    return metrics_.value("spanway_kubernetes_requests_total",
                          {{"verb", "watch"}, {"outcome", outcome}});
  }

  const std::string server_name_ = "api";
  Mutex mutex_;
  std::string token_ SPANWAY_GUARDED_BY(mutex_) = "first";
  http::TemporaryFolder folder_;
  http::TestCa ca_{"CA"};
  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  std::unique_ptr<ApiHandler> handler_;
  http::IoPool pool_{"api", 1};
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<Access> access_;
  std::unique_ptr<RestClient> client_;
};

TEST_F(StreamedWatchTest, ReportsEventsAndTheEnd) {
  serve([](const http::RequestHead&) { return text(200, kPodEvent); });
  Reported reported;
  const auto watch = client_->start_watch(
      kPods, {.name_space = "ns", .label_selector = "a=b", .resource_version = "7"},
      reported.callbacks());
  EXPECT_TRUE(reported.end().ok());
  EXPECT_EQ(reported.names, std::vector<std::string>{"a"});
  const http::RequestHead head = handler_->heads().at(0);
  EXPECT_EQ(head.protocol, http::Protocol::kHttp2);
  EXPECT_EQ(head.path, "/api/v1/namespaces/ns/pods");
  EXPECT_NE(head.query.find("watch=1"), std::string::npos);
  EXPECT_NE(head.query.find("resourceVersion=7"), std::string::npos);
  EXPECT_NE(head.query.find("labelSelector=a%3Db"), std::string::npos);
  EXPECT_EQ(head.headers.get("authorization"), "Bearer first");
  EXPECT_EQ(counted("ok"), 1);
}

TEST_F(StreamedWatchTest, ManyWatchesShareAConnectionAndAThread) {
  serve([](const http::RequestHead&) { return std::nullopt; });
  Reported reported;
  std::vector<std::unique_ptr<RunningWatch>> watches;
  const auto threads = [] {
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    return std::distance(begin(tasks), end(tasks));
  };
  const auto watch = [&](int number) {
    watches.push_back(client_->start_watch(kPods, {.name_space = "ns" + std::to_string(number)},
                                           reported.callbacks()));
  };
  // With the first comes the thread that resolves names.
  watch(0);
  ASSERT_TRUE(eventually([&] { return handler_->held() == 1; }));
  const auto before = threads();
  for (int i = 1; i < 600; ++i) watch(i);
  ASSERT_TRUE(eventually([&] { return handler_->held() == 600; }));
  EXPECT_EQ(metrics_.value("spanway_http_connections_open", {{"listener", server_name_}}), 1);
  EXPECT_EQ(threads(), before);
  watches.clear();
  MutexLock lock(reported.mutex);
  EXPECT_EQ(reported.ends.size(), 600u);
}

TEST_F(StreamedWatchTest, CancelEndsItOnce) {
  serve([](const http::RequestHead&) { return std::nullopt; });
  Reported reported;
  const auto watch = client_->start_watch(kPods, {}, reported.callbacks());
  ASSERT_TRUE(eventually([&] { return handler_->held() == 1; }));
  watch->cancel();
  watch->cancel();
  EXPECT_EQ(reported.end().error().code, Code::kCancelled);
}

TEST_F(StreamedWatchTest, AReaderThatHasEnoughEndsItWell) {
  serve([](const http::RequestHead&) {
    return text(200, std::string(kPodEvent) + kPodEvent + kPodEvent);
  });
  Reported reported;
  reported.events_max = 2;
  const auto watch = client_->start_watch(kPods, {}, reported.callbacks());
  EXPECT_TRUE(reported.end().ok());
  EXPECT_EQ(reported.names.size(), 2u);
}

TEST_F(StreamedWatchTest, ARefusalReturnsTheServersError) {
  serve([](const http::RequestHead&) {
    auto answer = text(429, R"({"kind":"Status","code":429,"message":"slow down"})");
    answer.headers.add("retry-after", "17");
    return answer;
  });
  Reported reported;
  const auto watch = client_->start_watch(kPods, {}, reported.callbacks());
  const Status end = reported.end();
  ASSERT_FALSE(end.ok());
  EXPECT_EQ(end.error().code, Code::kResourceExhausted);
  EXPECT_EQ(end.error().retry_after, std::chrono::seconds(17));
  EXPECT_NE(end.error().message.find("slow down"), std::string::npos);
  EXPECT_EQ(counted("RESOURCE_EXHAUSTED"), 1);
}

TEST_F(StreamedWatchTest, AnExpiredVersionIsOutOfRange) {
  serve([](const http::RequestHead&) {
    return text(200, R"({"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}})"
                     "\n");
  });
  Reported reported;
  const auto watch = client_->start_watch(kPods, {}, reported.callbacks());
  EXPECT_EQ(reported.end().error().code, Code::kOutOfRange);
}

TEST_F(StreamedWatchTest, AnExpiredTokenIsReadAgainOnce) {
  serve([this](const http::RequestHead& head) {
    MutexLock lock(mutex_);
    token_ = "second";
    return head.headers.get("authorization") == "Bearer second" ? text(200, kPodEvent)
                                                                : text(401, "{}");
  });
  Reported reported;
  const auto watch = client_->start_watch(kPods, {}, reported.callbacks());
  EXPECT_TRUE(reported.end().ok());
  EXPECT_EQ(handler_->heads().size(), 2u);
  EXPECT_EQ(counted("ok"), 1);
}

TEST_F(StreamedWatchTest, HalfAnEventAtTheEndIsAFailure) {
  serve([](const http::RequestHead&) { return text(200, R"({"type":"ADD)"); });
  Reported reported;
  const auto watch = client_->start_watch(kPods, {}, reported.callbacks());
  EXPECT_EQ(reported.end().error().code, Code::kUnavailable);
}

TEST_F(StreamedWatchTest, AServerWithoutHttp2IsWatchedOverHttp1) {
  serve([](const http::RequestHead&) { return text(200, kPodEvent); }, false);
  for (int i = 0; i < 2; ++i) {
    Reported reported;
    const auto watch = client_->start_watch(kPods, {}, reported.callbacks());
    const Status end = reported.end();
    EXPECT_TRUE(end.ok()) << end.error().message;
    EXPECT_EQ(reported.names, std::vector<std::string>{"a"});
  }
  EXPECT_EQ(handler_->heads().at(0).protocol, http::Protocol::kHttp11);
}

}  // namespace
}  // namespace spanway::kube
