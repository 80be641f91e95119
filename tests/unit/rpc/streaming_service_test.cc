// Server streaming against the real grpc++ client.
#include "services/lib/rpc/streaming_service.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "services/lib/base/mutex.h"
#include "services/lib/http/io_pool.h"
#include "tests/unit/rpc/client_call.h"

namespace spanway::rpc {
namespace {

constexpr char kPath[] = "/test.Query/Tail";

// Answers with the messages that the request's text asks for.
class Method final : public StreamingMethod {
 public:
  class Observer final : public http::StreamObserver {
   public:
    void on_writable() override {
      MutexLock lock(mutex_);
      ++writable_;
      changed_.notify_all();
    }
    void on_cancelled(http::CancelReason reason) override {
      MutexLock lock(mutex_);
      cancelled_ = reason;
      changed_.notify_all();
    }
    std::optional<http::CancelReason> wait_cancelled() {
      MutexLock lock(mutex_);
      changed_.wait_for(mutex_, std::chrono::seconds(10),
                        [this]() SPANWAY_REQUIRES(mutex_) { return cancelled_.has_value(); });
      return cancelled_;
    }
    bool wait_writable() {
      MutexLock lock(mutex_);
      const bool woken =
          changed_.wait_for(mutex_, std::chrono::seconds(10),
                            [this]() SPANWAY_REQUIRES(mutex_) { return writable_ > 0; });
      writable_ = 0;
      return woken;
    }

   private:
    Mutex mutex_;
    CondVar changed_;
    int writable_ SPANWAY_GUARDED_BY(mutex_) = 0;
    std::optional<http::CancelReason> cancelled_ SPANWAY_GUARDED_BY(mutex_);
  };

  void on_call(StreamingCall call) override {
    if (call.request() == "refuse")
      return call.refuse(configuration_error(Code::kPermissionDenied, "not yours"));
    auto observer = std::make_shared<Observer>();
    auto stream = call.start(observer);
    if (call.request() == "three") {
      for (const char* message : {"one", "", "three"}) stream.write(message);
      return stream.finish();
    }
    if (call.request() == "error") {
      stream.write("one");
      return stream.finish(unavailable("the store is gone"));
    }
    if (call.request() == "who") {
      stream.write(call.caller());
      return stream.finish();
    }
    if (call.request() == "metadata") {
      http::Headers trailers;
      trailers.add("coverage", "half");
      return stream.finish(std::move(trailers));
    }
    if (call.request() == "drop") return;
    MutexLock lock(mutex_);
    open_ = std::move(stream);
    observer_ = std::move(observer);
    changed_.notify_all();
  }
  std::pair<MessageStream, std::shared_ptr<Observer>> wait_open() {
    MutexLock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(mutex_, std::chrono::seconds(10),
                                  [this]()
                                      SPANWAY_REQUIRES(mutex_) { return observer_ != nullptr; }));
    return {std::move(open_), observer_};
  }
  Result<std::string> admit(const http::RequestHead&) override {
    MutexLock lock(mutex_);
    return caller_;
  }
  void set_caller(Result<std::string> caller) {
    MutexLock lock(mutex_);
    caller_ = std::move(caller);
  }

 private:
  Mutex mutex_;
  Result<std::string> caller_ SPANWAY_GUARDED_BY(mutex_) = std::string();
  CondVar changed_;
  MessageStream open_ SPANWAY_GUARDED_BY(mutex_);
  std::shared_ptr<Observer> observer_ SPANWAY_GUARDED_BY(mutex_);
};

// One service on a port of its own, with a client.
struct ServedService {
  ServedService(StreamingServiceOptions options, StreamingMethod& method, MemoryBudget& budget,
                http::IoPool& pool, telemetry::Telemetry telemetry)
      : service(options, budget, system_clock()) {
    service.add(kPath, method);
    http::ServerOptions server_options;
    server_options.name = "test";
    server = http::Server::create(server_options, nullptr, pool, service, telemetry).value();
    server->start();
    stub = std::make_unique<grpc::GenericStub>(grpc::CreateChannel(
        "127.0.0.1:" + std::to_string(server->port()), grpc::InsecureChannelCredentials()));
  }
  StreamingService service;
  std::unique_ptr<http::Server> server;
  std::unique_ptr<grpc::GenericStub> stub;
};

class StreamingServiceTest : public testing::Test {
 protected:
  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  MemoryBudget budget_{1 << 20};
  Method method_;
  http::IoPool pool_{"test-io", 1};
  ServedService server_{{.message_bytes_max = 1000}, method_, budget_, pool_, {log_, metrics_}};
  ServedService short_{
      {.deadline_max = std::chrono::seconds(3)}, method_, budget_, pool_, {log_, metrics_}};
};

TEST_F(StreamingServiceTest, SendsEveryMessageAndThenOk) {
  ClientCall call(*server_.stub, kPath, "three");
  EXPECT_TRUE(call.wait().ok());
  EXPECT_EQ(call.wait_messages(3), (std::vector<std::string>{"one", "", "three"}));
}

TEST_F(StreamingServiceTest, AMessageArrivesBeforeTheNextIsWritten) {
  ClientCall call(*server_.stub, kPath, "hold");
  auto [stream, observer] = method_.wait_open();
  for (const std::size_t count : {1u, 2u}) {
    EXPECT_EQ(stream.write("message"), MessageStream::Write::kTaken);
    EXPECT_EQ(call.wait_messages(count).size(), count);
  }
  stream.finish();
  EXPECT_TRUE(call.wait().ok());
}

TEST_F(StreamingServiceTest, AnErrorAfterMessagesKeepsItsStatus) {
  ClientCall call(*server_.stub, kPath, "error");
  const grpc::Status status = call.wait();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(status.error_message(), "the store is gone");
  EXPECT_FALSE(status.error_details().empty()) << "RetryInfo";
  EXPECT_EQ(call.wait_messages(1).size(), 1u);
}

TEST_F(StreamingServiceTest, RefusesWithoutAMessage) {
  ClientCall refused(*server_.stub, kPath, "refuse");
  EXPECT_EQ(refused.wait().error_code(), grpc::StatusCode::PERMISSION_DENIED);
  ClientCall unknown(*server_.stub, "/test.Query/Other", "three");
  EXPECT_EQ(unknown.wait().error_code(), grpc::StatusCode::UNIMPLEMENTED);
  ClientCall large(*server_.stub, kPath, std::string(2000, 'x'));
  EXPECT_EQ(large.wait().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(StreamingServiceTest, AStreamThatIsDroppedIsNotTakenForComplete) {
  ClientCall call(*server_.stub, kPath, "drop");
  EXPECT_EQ(call.wait().error_code(), grpc::StatusCode::INTERNAL);
}

TEST_F(StreamingServiceTest, TheClientsCancelReachesTheMethod) {
  ClientCall call(*server_.stub, kPath, "hold");
  auto [stream, observer] = method_.wait_open();
  stream.write("one");
  call.wait_messages(1);
  call.cancel();
  EXPECT_EQ(observer->wait_cancelled(), http::CancelReason::kPeerGone);
  EXPECT_EQ(stream.write("two"), MessageStream::Write::kCancelled);
  EXPECT_EQ(call.wait().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(StreamingServiceTest, TheDeadlineCancelsTheMethod) {
  ClientCall call(*server_.stub, kPath, "hold", std::chrono::seconds(2));
  auto [stream, observer] = method_.wait_open();
  ASSERT_NE(observer, nullptr);
  EXPECT_TRUE(observer->wait_cancelled().has_value());
  // By the client's clock or by ours, whichever was first.
  EXPECT_EQ(call.wait().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(StreamingServiceTest, TheServicesOwnDeadlineReachesTheClientAsItsStatus) {
  ClientCall call(*short_.stub, kPath, "hold", std::chrono::minutes(1));
  auto [stream, observer] = method_.wait_open();
  ASSERT_NE(observer, nullptr);
  stream.write("one");
  EXPECT_EQ(observer->wait_cancelled(), http::CancelReason::kDeadline);
  const grpc::Status status = call.wait();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(status.error_message(), "the deadline passed before the answer was complete");
  EXPECT_EQ(call.wait_messages(1).size(), 1u) << "what came before it is there";
  EXPECT_EQ(stream.write("two"), MessageStream::Write::kCancelled);
}

TEST_F(StreamingServiceTest, ACallerIsAdmittedBeforeItsRequestIsRead) {
  method_.set_caller(std::string("a"));
  ClientCall admitted(*server_.stub, kPath, "who");
  EXPECT_TRUE(admitted.wait().ok());
  EXPECT_EQ(admitted.wait_messages(1), std::vector<std::string>{"a"});
  method_.set_caller(configuration_error(Code::kUnauthenticated, "no token"));
  ClientCall refused(*server_.stub, kPath, std::string(2000, 'x'));
  EXPECT_EQ(refused.wait().error_code(), grpc::StatusCode::UNAUTHENTICATED) << "not its size";
}

TEST_F(StreamingServiceTest, TheEndMayHaveMetadata) {
  ClientCall call(*server_.stub, kPath, "metadata");
  EXPECT_TRUE(call.wait().ok());
  EXPECT_EQ(call.trailer("coverage"), "half");
}

TEST_F(StreamingServiceTest, AManyTimesFullBufferLosesNothing) {
  ClientCall call(*server_.stub, kPath, "hold");
  auto [stream, observer] = method_.wait_open();
  const std::string message(10'000, 'm');
  for (int i = 0; i < 500; ++i) {
    MessageStream::Write written = stream.write(message);
    while (written == MessageStream::Write::kFull) {
      ASSERT_TRUE(observer->wait_writable());
      written = stream.write(message);
    }
    ASSERT_EQ(written, MessageStream::Write::kTaken);
  }
  stream.finish();
  EXPECT_TRUE(call.wait().ok());
  const auto messages = call.wait_messages(500);
  ASSERT_EQ(messages.size(), 500u);
  for (const std::string& got : messages) EXPECT_TRUE(got == message);
}

}  // namespace
}  // namespace spanway::rpc
