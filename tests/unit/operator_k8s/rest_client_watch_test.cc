// Watches over HTTP/1.1: what a server without HTTP/2 gets.
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <string>
#include <vector>

#include "operator/k8s/status_error.h"
#include "services/lib/base/thread.h"
#include "tests/unit/operator_k8s/rest_client_fixture.h"

namespace spanway::kube {
namespace {

using fakes::ApiReply;
using fakes::ApiRequest;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr char kEventA[] = R"({"type":"ADDED","object":{"metadata":{"name":"a"}}})";
constexpr char kEventB[] = R"({"type":"DELETED","object":{"metadata":{"name":"b"}}})";

TEST_F(RestClientTest, WatchJoinsSplitEvents) {
  serve([](const ApiRequest&, ApiReply& reply) {
    const std::string text = std::string(kEventA) + "\n" + kEventB + "\n";
    reply.start_stream();
    reply.chunk(text.substr(0, 20));
    reply.chunk(text.substr(20, 60));
    reply.chunk(text.substr(80));
    reply.end_stream();
  });
  std::vector<std::string> seen;
  const auto status = client_->watch(kPods,
                                     {.name_space = "ns",
                                      .label_selector = "a=b",
                                      .field_selector = {},
                                      .resource_version = "42",
                                      .timeout = seconds(321)},
                                     {}, [&](const WatchEvent& event) {
                                       seen.push_back(string_at(event.object, "metadata/name"));
                                       return true;
                                     });
  EXPECT_TRUE(status.ok()) << status.error().message;
  EXPECT_EQ(seen, (std::vector<std::string>{"a", "b"}));
  const ApiRequest request = server_->requests().at(0);
  EXPECT_EQ(request.path, "/api/v1/namespaces/ns/pods");
  EXPECT_EQ(request.query,
            "watch=1&allowWatchBookmarks=true&timeoutSeconds=321&resourceVersion=42"
            "&labelSelector=a%3Db");
}

TEST_F(RestClientTest, AnEventComesBeforeTheNextIsWritten) {
  std::latch first_seen(1);
  serve([&](const ApiRequest&, ApiReply& reply) {
    reply.start_stream();
    reply.chunk(std::string(kEventA) + "\n");
    first_seen.wait();
    reply.chunk(std::string(kEventB) + "\n");
    reply.end_stream();
  });
  int count = 0;
  EXPECT_TRUE(client_
                  ->watch(kPods, {}, {},
                          [&](const WatchEvent&) {
                            if (++count == 1) first_seen.count_down();
                            return true;
                          })
                  .ok());
  EXPECT_EQ(count, 2);
}

TEST_F(RestClientTest, ARefusedWatchReturnsTheServersError) {
  std::atomic<int> count{0};
  serve([&](const ApiRequest&, ApiReply& reply) {
    if (count++ == 0) return reply.answer(410, R"({"reason":"Expired"})");
    reply.answer(429, "{}", {{"Retry-After", "4"}});
  });
  const auto all = [](const WatchEvent&) { return true; };
  EXPECT_EQ(client_->watch(kPods, {}, {}, all).error().code, Code::kOutOfRange);
  const auto busy = client_->watch(kPods, {}, {}, all);
  EXPECT_EQ(busy.error().code, Code::kResourceExhausted);
  EXPECT_EQ(busy.error().retry_after, seconds(4));
}

TEST_F(RestClientTest, AnErrorEventEndsTheWatch) {
  serve([](const ApiRequest&, ApiReply& reply) {
    reply.start_stream();
    reply.chunk(R"({"type":"ERROR","object":{"code":410,"reason":"Expired"}})"
                "\n");
    reply.hold();
  });
  const auto status = client_->watch(kPods, {}, {}, [](const WatchEvent&) { return true; });
  EXPECT_EQ(status.error().code, Code::kOutOfRange);
  EXPECT_EQ(counted("watch", "OUT_OF_RANGE"), 1);
}

TEST_F(RestClientTest, AWatchWithAnExpiredTokenIsRepeatedWithTheNewOne) {
  serve([this](const ApiRequest& request, ApiReply& reply) {
    if (request.header("authorization") != "Bearer second") {
      token_holder_ = "second";
      return reply.answer(401, "{}");
    }
    reply.start_stream();
    reply.chunk(std::string(kEventA) + "\n");
    reply.end_stream();
  });
  int count = 0;
  EXPECT_TRUE(client_->watch(kPods, {}, {}, [&](const WatchEvent&) { return ++count > 0; }).ok());
  EXPECT_EQ(count, 1);
}

TEST_F(RestClientTest, ASilentWatchEnds) {
  serve([](const ApiRequest&, ApiReply& reply) {
    reply.start_stream();
    reply.chunk(std::string(kEventA) + "\n");
    reply.hold();
  });
  int count = 0;
  WatchOptions options;
  options.silence_max = milliseconds(150);
  const auto status =
      client_->watch(kPods, options, {}, [&](const WatchEvent&) { return ++count > 0; });
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Code::kDeadlineExceeded);
  EXPECT_EQ(count, 1);
}

TEST_F(RestClientTest, AWatchThatEndsInsideAnEventFails) {
  serve([](const ApiRequest& request, ApiReply& reply) {
    reply.start_stream();
    if (request.path.find("pods") != std::string::npos) return reply.drop();
    reply.chunk("{\"type\":\"ADD");
    reply.end_stream();
  });
  const auto all = [](const WatchEvent&) { return true; };
  EXPECT_EQ(client_->watch(kPods, {}, {}, all).error().code, Code::kUnavailable);
  EXPECT_EQ(client_->watch(kJobs, {}, {}, all).error().code, Code::kUnavailable);
}

TEST_F(RestClientTest, AWatchStopsOnRequest) {
  std::latch watching(1);
  serve([&](const ApiRequest&, ApiReply& reply) {
    reply.start_stream();
    reply.chunk(std::string(kEventA) + "\n");
    reply.hold();
  });
  std::stop_source source;
  const auto stopper = start_thread("stopper", [&](const std::stop_token&) {
    watching.wait();
    source.request_stop();
  });
  const auto start = system_clock().now();
  const auto status = client_->watch(kPods, {}, source.get_token(), [&](const WatchEvent&) {
    watching.count_down();
    return true;
  });
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Code::kCancelled);
  EXPECT_LT(system_clock().now() - start, seconds(5));
}

TEST_F(RestClientTest, AWatchEndsWhenTheReaderHasEnough) {
  serve([](const ApiRequest&, ApiReply& reply) {
    reply.start_stream();
    while (!reply.dropped()) reply.chunk(std::string(kEventA) + "\n");
  });
  int count = 0;
  EXPECT_TRUE(client_->watch(kPods, {}, {}, [&](const WatchEvent&) { return ++count < 5; }).ok());
  EXPECT_EQ(count, 5);
}

// A reader that is slow must not fill memory: the server feels it and stops sending.
TEST_F(RestClientTest, ASlowReaderHoldsTheServerBack) {
  std::atomic<std::size_t> sent{0};
  std::latch enough(1);
  const std::string event =
      R"({"type":"ADDED","object":{"metadata":{"name":")" + std::string(60'000, 'x') + "\"}}}\n";
  constexpr int kEvents = 400;  // 24 MB.
  serve([&](const ApiRequest&, ApiReply& reply) {
    reply.start_stream();
    for (int i = 0; i < kEvents; ++i) {
      reply.chunk(event);
      sent += event.size();
    }
    reply.end_stream();
  });
  int count = 0;
  std::size_t sent_while_blocked = 0;
  const auto status = client_->watch(kPods, {}, {}, [&](const WatchEvent&) {
    if (++count == 1) {
      // Wait until the server makes no more headway.
      std::size_t before = 0;
      do {
        before = sent;
        Mutex mutex;
        CondVar never;
        MutexLock lock(mutex);
        never.wait_for(mutex, milliseconds(200));
      } while (sent != before);
      sent_while_blocked = sent;
    }
    return true;
  });
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(count, kEvents);
  EXPECT_LT(sent_while_blocked, event.size() * kEvents) << "everything was read in advance";
}

}  // namespace
}  // namespace spanway::kube
