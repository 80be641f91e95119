// A peer that goes away before it is answered, over real sockets and both protocols.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/base/mutex.h"
#include "tests/unit/http/http2_peer.h"
#include "tests/unit/http/server_fixture.h"

namespace spanway::http {
namespace {

// Keeps every responder until the test answers, and counts the peers that went away before.
class WaitingHandler final : public Handler {
 public:
  std::unique_ptr<BodyReader> on_request(const RequestHead&, Responder responder) override {
    responder.on_peer_gone([this] {
      MutexLock lock(mutex_);
      ++gone_;
    });
    MutexLock lock(mutex_);
    waiting_.push_back(std::move(responder));
    return nullptr;
  }
  bool wait_for_requests(std::size_t count) {
    return eventually([this, count] {
      MutexLock lock(mutex_);
      return waiting_.size() >= count;
    });
  }
  bool wait_for_gone(int count) {
    return eventually([this, count] { return gone() >= count; });
  }
  int gone() const {
    MutexLock lock(mutex_);
    return gone_;
  }
  void answer(std::size_t n) {
    MutexLock lock(mutex_);
    Response response;
    response.body = Bytes("here it is");
    waiting_.at(n).send(std::move(response));
  }

 private:
  mutable Mutex mutex_;
  std::vector<Responder> waiting_ SPANWAY_GUARDED_BY(mutex_);
  int gone_ SPANWAY_GUARDED_BY(mutex_) = 0;
};

class PeerGone : public testing::Test {
 protected:
  PeerGone() {
    ServerOptions options;
    options.name = "test";
    server_ = Server::create(options, nullptr, pool_, handler_, {log_, metrics_}).value();
    server_->start();
  }
  std::uint16_t port() const { return server_->port(); }

  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  WaitingHandler handler_;
  IoPool pool_{"http", 1};
  std::unique_ptr<Server> server_;
};

constexpr std::string_view kGet = "GET /slow HTTP/1.1\r\nhost: a\r\n\r\n";

TEST_F(PeerGone, AClosedHttp1ConnectionIsReported) {
  {
    RawClient client(port());
    client.send(kGet);
    ASSERT_TRUE(handler_.wait_for_requests(1));
    EXPECT_EQ(handler_.gone(), 0);
  }
  EXPECT_TRUE(handler_.wait_for_gone(1));
  handler_.answer(0);  // Goes nowhere.
}

TEST_F(PeerGone, APeerThatStaysGetsItsAnswerAndTheNextOne) {
  RawClient client(port());
  client.send(kGet);
  // The next request arrives while the first one is answered.
  client.send(kGet);
  ASSERT_TRUE(handler_.wait_for_requests(1));
  handler_.answer(0);
  client.receive_until("here it is");
  ASSERT_TRUE(handler_.wait_for_requests(2));
  handler_.answer(1);
  client.receive_until("here it is");
  EXPECT_EQ(handler_.gone(), 0);
}

TEST_F(PeerGone, AnHttp2ResetIsReportedForItsStreamAlone) {
  Http2Peer client(port());
  const std::int32_t first = client.request("GET", "/slow");
  const std::int32_t second = client.request("GET", "/slow");
  client.flush();
  ASSERT_TRUE(handler_.wait_for_requests(2));
  client.reset(first);
  client.flush();
  EXPECT_TRUE(handler_.wait_for_gone(1));
  handler_.answer(1);
  ASSERT_TRUE(client.run_until([&] { return client.answer(second).body == "here it is"; }));
  EXPECT_EQ(handler_.gone(), 1);
}

TEST_F(PeerGone, TheEndOfAnHttp2ConnectionIsReportedForEachStream) {
  {
    Http2Peer client(port());
    client.request("GET", "/slow");
    client.request("GET", "/slow");
    client.flush();
    ASSERT_TRUE(handler_.wait_for_requests(2));
  }
  EXPECT_TRUE(handler_.wait_for_gone(2));
}

TEST_F(PeerGone, TheEndOfTheServerIsReported) {
  RawClient client(port());
  client.send(kGet);
  ASSERT_TRUE(handler_.wait_for_requests(1));
  server_.reset();
  EXPECT_EQ(handler_.gone(), 1);
}

}  // namespace
}  // namespace spanway::http
