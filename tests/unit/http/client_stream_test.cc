// Answers that the client reads while they arrive, from a server that sends what the test says.
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "services/lib/base/mutex.h"
#include "tests/unit/http/client_fixture.h"
#include "tests/unit/http/server_fixture.h"

namespace spanway::http {
namespace {

// Thread-safe.
class Collector final : public ResponseObserver {
 public:
  void on_head(int status, const Headers& headers) override {
    MutexLock lock(mutex_);
    status_ = status;
    type_ = std::string(headers.get("content-type"));
  }
  bool on_data(std::string_view data) override {
    MutexLock lock(mutex_);
    body_ += data;
    return body_.size() < take_;
  }
  void on_end(Status status) override {
    MutexLock lock(mutex_);
    EXPECT_FALSE(end_.has_value()) << "called twice";
    end_ = std::move(status);
  }
  // Holds back from this many bytes on.
  void take(std::size_t bytes) {
    MutexLock lock(mutex_);
    take_ = bytes;
  }
  std::string body() const {
    MutexLock lock(mutex_);
    return body_;
  }
  int status() const {
    MutexLock lock(mutex_);
    return status_;
  }
  std::string type() const {
    MutexLock lock(mutex_);
    return type_;
  }
  bool wait_for(const std::string& body) {
    return eventually([&] { return this->body() == body; });
  }
  // The end; an error with reason "test_timeout" when there was none.
  Status wait_end() {
    eventually([this] {
      MutexLock lock(mutex_);
      return end_.has_value();
    });
    MutexLock lock(mutex_);
    return end_ ? *end_ : Status(unavailable("no end").with_reason("test_timeout"));
  }

 private:
  mutable Mutex mutex_;
  int status_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::string type_ SPANWAY_GUARDED_BY(mutex_);
  std::string body_ SPANWAY_GUARDED_BY(mutex_);
  std::size_t take_ SPANWAY_GUARDED_BY(mutex_) = std::string::npos;
  std::optional<Status> end_ SPANWAY_GUARDED_BY(mutex_);
};

// Streams every answer to the writer that the test holds.
class OneStream final : public Handler {
 public:
  class Observer final : public StreamObserver {
   public:
    explicit Observer(OneStream& owner) : owner_(owner) {}
    void on_writable() override { owner_.pour(); }
    void on_cancelled(CancelReason reason) override {
      MutexLock lock(owner_.mutex_);
      owner_.cancelled_ = reason;
    }

   private:
    OneStream& owner_;
  };
  std::unique_ptr<BodyReader> on_request(const RequestHead&, Responder responder) override {
    Response head;
    head.status = 203;
    head.headers.add("content-type", "text/x-lines");
    auto stream = responder.start_stream(std::move(head), std::make_shared<Observer>(*this));
    MutexLock lock(mutex_);
    stream_ = std::move(stream);
    ++requests_;
    return nullptr;
  }
  void write(std::string_view text) {
    ASSERT_TRUE(eventually([this] {
      MutexLock lock(mutex_);
      return static_cast<bool>(stream_);
    }));
    MutexLock lock(mutex_);
    EXPECT_EQ(stream_.write(text), ResponseStream::Write::kTaken);
  }
  void finish() {
    MutexLock lock(mutex_);
    stream_.finish();
    stream_ = ResponseStream();
  }
  void abort() {
    MutexLock lock(mutex_);
    stream_.abort();
  }
  // Writes until `bytes` in all were taken, then finishes.
  void pour(std::size_t bytes) {
    write("x");
    MutexLock lock(mutex_);
    left_ = bytes - 1;
    fill();
  }
  std::size_t left() const {
    MutexLock lock(mutex_);
    return left_;
  }
  std::optional<CancelReason> cancelled() const {
    MutexLock lock(mutex_);
    return cancelled_;
  }

 private:
  void pour() {
    MutexLock lock(mutex_);
    fill();
  }
  void fill() SPANWAY_REQUIRES(mutex_) {
    if (left_ == 0) return;
    while (left_ > 0) {
      const std::string chunk(std::min<std::size_t>(left_, 10'000), 'x');
      if (stream_.write(chunk) != ResponseStream::Write::kTaken) return;
      left_ -= chunk.size();
    }
    stream_.finish();
  }
  mutable Mutex mutex_;
  ResponseStream stream_ SPANWAY_GUARDED_BY(mutex_);
  std::size_t left_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::size_t requests_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::optional<CancelReason> cancelled_ SPANWAY_GUARDED_BY(mutex_);
};

class ClientStreamTest : public testing::Test {
 protected:
  ClientStreamTest() {
    ServerOptions options;
    options.name = "test";
    server_ = Server::create(options, nullptr, pool_, handler_, {log_, metrics_}).value();
    server_->start();
    client_ = std::make_unique<TestClient>("http://127.0.0.1:" + std::to_string(server_->port()));
  }
  ClientStream get(Duration timeout = std::chrono::seconds(30)) {
    return client_->client->stream({.method = "GET", .path = "/x", .headers = {}, .body = {}},
                                   Deadline::after(system_clock(), timeout), true, collector_);
  }
  double connections() {
    return metrics_.value("spanway_http_connections_total", {{"listener", "test"}});
  }

  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  OneStream handler_;
  IoPool pool_{"http", 1};
  std::unique_ptr<Server> server_;
  std::shared_ptr<Collector> collector_ = std::make_shared<Collector>();
  std::unique_ptr<TestClient> client_;
};

TEST_F(ClientStreamTest, ReadsAnAnswerWhileItArrivesAndKeepsTheConnection) {
  for (int i = 0; i < 2; ++i) {
    collector_ = std::make_shared<Collector>();
    const ClientStream stream = get();
    handler_.write("one ");
    EXPECT_TRUE(collector_->wait_for("one "));
    EXPECT_EQ(collector_->status(), 203);
    EXPECT_EQ(collector_->type(), "text/x-lines");
    handler_.write("two");
    EXPECT_TRUE(collector_->wait_for("one two"));
    handler_.finish();
    EXPECT_TRUE(collector_->wait_end().ok());
  }
  EXPECT_EQ(connections(), 1);
}

TEST_F(ClientStreamTest, AnObserverThatTakesNoMoreHoldsBackTheServer) {
  constexpr std::size_t kBytes = 64u << 20;
  collector_->take(1);
  ClientStream stream = get();
  handler_.pour(kBytes);
  ASSERT_TRUE(eventually([this] { return !collector_->body().empty(); }));
  // The rest lies in the server's buffer and in the sockets; most of it is not written.
  EXPECT_GT(handler_.left(), kBytes / 2);
  EXPECT_LE(collector_->body().size(), 256u << 10);
  collector_->take(std::string::npos);
  stream.resume();
  EXPECT_TRUE(collector_->wait_end().ok());
  EXPECT_EQ(collector_->body().size(), kBytes);
}

TEST_F(ClientStreamTest, AnAnswerThatEndedWhileItWasHeldBackIsDeliveredWhole) {
  collector_->take(1);
  ClientStream stream = get();
  handler_.write("one");
  ASSERT_TRUE(collector_->wait_for("one"));
  handler_.write("two");
  handler_.finish();
  collector_->take(std::string::npos);
  stream.resume();
  EXPECT_TRUE(collector_->wait_end().ok());
  EXPECT_EQ(collector_->body(), "onetwo");
}

TEST_F(ClientStreamTest, CancelReachesTheServerAndTheObserver) {
  ClientStream stream = get();
  handler_.write("one");
  ASSERT_TRUE(collector_->wait_for("one"));
  stream.cancel();
  const Status end = collector_->wait_end();
  ASSERT_FALSE(end.ok());
  EXPECT_EQ(end.error().code, Code::kCancelled);
  EXPECT_TRUE(eventually([this] { return handler_.cancelled() == CancelReason::kPeerGone; }));
}

TEST_F(ClientStreamTest, DroppingTheStreamCancelsIt) {
  { const ClientStream stream = get(); }
  EXPECT_FALSE(collector_->wait_end().ok());
}

TEST_F(ClientStreamTest, AnAbortedAnswerIsNotTakenForComplete) {
  const ClientStream stream = get();
  handler_.write("half");
  ASSERT_TRUE(collector_->wait_for("half"));
  handler_.abort();
  const Status end = collector_->wait_end();
  ASSERT_FALSE(end.ok());
  EXPECT_STREQ(end.error().reason, "connection_closed");
}

TEST_F(ClientStreamTest, TheDeadlineEndsIt) {
  const ClientStream stream = get(std::chrono::milliseconds(200));
  const Status end = collector_->wait_end();
  ASSERT_FALSE(end.ok());
  EXPECT_EQ(end.error().code, Code::kDeadlineExceeded);
}

TEST_F(ClientStreamTest, TheEndOfTheClientEndsIt) {
  ClientStream stream = get();
  client_.reset();
  EXPECT_FALSE(collector_->wait_end().ok());
  stream.resume();
  stream.cancel();
}

}  // namespace
}  // namespace spanway::http
