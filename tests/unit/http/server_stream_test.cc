// Answers whose body is written while it is sent, over real sockets and both protocols.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/base/mutex.h"
#include "tests/unit/http/http2_peer.h"
#include "tests/unit/http/server_fixture.h"

namespace spanway::http {
namespace {

using Write = ResponseStream::Write;

// The writer of one streamed answer, driven by the test.
class Writer final : public StreamObserver {
 public:
  void begin(ResponseStream stream) {
    MutexLock lock(mutex_);
    stream_ = std::move(stream);
  }
  void on_writable() override {
    MutexLock lock(mutex_);
    if (!endless_.empty()) pour();
  }
  void on_cancelled(CancelReason reason) override {
    MutexLock lock(mutex_);
    cancelled_ = reason;
  }
  Write write(std::string_view chunk) {
    MutexLock lock(mutex_);
    return stream_.write(chunk);
  }
  void finish(Headers trailers = {}) {
    MutexLock lock(mutex_);
    stream_.finish(std::move(trailers));
  }
  void abort() {
    MutexLock lock(mutex_);
    stream_.abort();
  }
  // Writes this chunk as often as it is taken, until the stream is cancelled.
  void write_endlessly(std::string chunk) {
    MutexLock lock(mutex_);
    endless_ = std::move(chunk);
    pour();
  }
  std::size_t taken_bytes() const {
    MutexLock lock(mutex_);
    return taken_;
  }
  std::optional<CancelReason> cancelled() const {
    MutexLock lock(mutex_);
    return cancelled_;
  }

 private:
  void pour() SPANWAY_REQUIRES(mutex_) {
    while (stream_.write(endless_) == Write::kTaken) taken_ += endless_.size();
  }
  mutable Mutex mutex_;
  ResponseStream stream_ SPANWAY_GUARDED_BY(mutex_);
  std::string endless_ SPANWAY_GUARDED_BY(mutex_);
  std::size_t taken_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::optional<CancelReason> cancelled_ SPANWAY_GUARDED_BY(mutex_);
};

// Streams every answer; "/deadline" and "/late" with one that has passed soon, "/late" with
// trailers.
class StreamHandler final : public Handler {
 public:
  std::unique_ptr<BodyReader> on_request(const RequestHead& head, Responder responder) override {
    auto writer = std::make_shared<Writer>();
    Response response;
    response.headers.add("content-type", "text/plain");
    StreamOptions options{.buffer_bytes_max = kBufferBytes};
    if (head.path == "/late") options.deadline_trailers.add("status", "late");
    if (head.path == "/deadline" || head.path == "/late")
      options.deadline = Deadline::after(system_clock(), std::chrono::milliseconds(50));
    writer->begin(responder.start_stream(std::move(response), writer, options));
    MutexLock lock(mutex_);
    writers_.push_back(std::move(writer));
    return nullptr;
  }
  // The writer of the n-th request, once it has arrived.
  std::shared_ptr<Writer> writer(std::size_t n = 0) {
    EXPECT_TRUE(eventually([this, n] {
      MutexLock lock(mutex_);
      return writers_.size() > n;
    }));
    MutexLock lock(mutex_);
    return writers_.at(n);
  }
  static constexpr std::size_t kBufferBytes = 16 * 1024;

 private:
  Mutex mutex_;
  std::vector<std::shared_ptr<Writer>> writers_ SPANWAY_GUARDED_BY(mutex_);
};

class StreamedAnswer : public testing::Test {
 protected:
  explicit StreamedAnswer(ServerLimits limits = {}) { start(limits); }
  void start(ServerLimits limits) {
    ServerOptions options;
    options.name = "test";
    options.limits = limits;
    options.connection_memory = &memory_;
    server_ = Server::create(options, nullptr, pool_, handler_, {log_, metrics_}).value();
    server_->start();
  }
  std::uint16_t port() const { return server_->port(); }
  bool cancelled(Writer& writer, CancelReason reason) {
    return eventually([&] { return writer.cancelled() == reason; });
  }

  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  MemoryBudget memory_{64 << 20};
  StreamHandler handler_;
  IoPool pool_{"http", 1};
  std::unique_ptr<Server> server_;
};

constexpr std::string_view kGet = "GET /stream HTTP/1.1\r\nhost: a\r\n\r\n";

TEST_F(StreamedAnswer, Http1SendsEachChunkAsItIsWrittenAndKeepsTheConnection) {
  RawClient client(port());
  for (std::size_t request = 0; request < 2; ++request) {
    client.send(kGet);
    const auto writer = handler_.writer(request);
    const std::string head = client.receive_until("\r\n\r\n");
    EXPECT_NE(head.find("transfer-encoding: chunked\r\n"), std::string::npos) << head;
    EXPECT_EQ(head.find("content-length"), std::string::npos) << head;
    EXPECT_EQ(writer->write("one"), Write::kTaken);
    EXPECT_EQ(client.receive_until("one\r\n"), "3\r\none\r\n");
    EXPECT_EQ(writer->write("another"), Write::kTaken);
    EXPECT_EQ(client.receive_until("another\r\n"), "7\r\nanother\r\n");
    Headers trailers;
    trailers.add("checksum", "12");
    writer->finish(std::move(trailers));
    EXPECT_EQ(client.receive_until("\r\n\r\n"), "0\r\nchecksum: 12\r\n\r\n");
    EXPECT_EQ(writer->cancelled(), std::nullopt);
  }
}

TEST_F(StreamedAnswer, Http10EndsWithTheConnectionAndHasNoChunks) {
  RawClient client(port());
  client.send("GET /stream HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
  const auto writer = handler_.writer();
  writer->write("one ");
  const std::string first = client.receive_until("one ");
  EXPECT_EQ(first.find("transfer-encoding"), std::string::npos);
  EXPECT_NE(first.find("connection: close\r\n"), std::string::npos);
  writer->write("two");
  writer->finish();
  EXPECT_EQ(client.receive_all(), "two");
}

TEST_F(StreamedAnswer, HeadHasNoBodyAndItsWriterLearnsIt) {
  RawClient client(port());
  client.send("HEAD /stream HTTP/1.1\r\nhost: a\r\n\r\n");
  EXPECT_TRUE(cancelled(*handler_.writer(), CancelReason::kNoBody));
  EXPECT_EQ(handler_.writer()->write("x"), Write::kCancelled);
  client.receive_until("\r\n\r\n");
  client.send(kGet);
  handler_.writer(1)->write("the next answer");
  EXPECT_NE(client.receive_until("the next answer").find("HTTP/1.1 200"), std::string::npos);

  Http2Peer http2(port());
  const std::int32_t stream = http2.request("HEAD", "/stream");
  ASSERT_TRUE(http2.run_until_closed(stream));
  EXPECT_TRUE(http2.answer(stream).ended);
  EXPECT_EQ(http2.answer(stream).body, "");
  EXPECT_TRUE(cancelled(*handler_.writer(2), CancelReason::kNoBody));
}

TEST_F(StreamedAnswer, Http2SendsDataAsItIsWrittenAndTrailersAtTheEnd) {
  Http2Peer client(port());
  const std::int32_t stream = client.request("GET", "/stream");
  ASSERT_TRUE(client.run_until([&] { return client.answer(stream).status == 200; }));
  const auto writer = handler_.writer();
  for (const std::string expected : {"one", "onetwo"}) {
    writer->write(expected.substr(expected.size() - 3));
    ASSERT_TRUE(client.run_until([&] { return client.answer(stream).body == expected; }));
  }
  EXPECT_FALSE(client.answer(stream).ended);
  EXPECT_EQ(client.answer(stream).headers.find("content-length"), std::nullopt);
  Headers trailers;
  trailers.add("grpc-status", "0");
  writer->finish(std::move(trailers));
  ASSERT_TRUE(client.run_until_closed(stream));
  EXPECT_TRUE(client.answer(stream).ended);
  EXPECT_EQ(client.answer(stream).trailers.get("grpc-status"), "0");
  EXPECT_EQ(client.answer(stream).closed, 0u);
}

TEST_F(StreamedAnswer, Http1ReaderOfOneByteAtATimeHoldsBackTheWriter) {
  RawClient client(port(), 4096);
  client.send(kGet);
  const auto writer = handler_.writer();
  writer->write_endlessly(std::string(1000, 'x'));
  std::size_t read = 0;
  for (; read < 5000; ++read) ASSERT_EQ(client.receive_some(1).size(), 1u);
  // Bytes taken and not read lie in the buffer, in one batch of output and in the sockets.
  EXPECT_LT(memory_.peak(), 200u * 1024);
  EXPECT_LT(writer->taken_bytes(), 8u << 20);
  EXPECT_EQ(writer->cancelled(), std::nullopt);
}

TEST_F(StreamedAnswer, Http2WindowHoldsBackTheWriter) {
  Http2Peer client(port(), {.receive_buffer_bytes = 0, .window_bytes = 1, .send_settings = true});
  const std::int32_t stream = client.request("GET", "/stream");
  const auto writer = handler_.writer();
  writer->write_endlessly(std::string(1000, 'x'));
  ASSERT_TRUE(client.run_until([&] { return client.answer(stream).body.size() >= 200; }));
  EXPECT_LT(memory_.peak(), 200u * 1024);
  EXPECT_LE(writer->taken_bytes(), client.answer(stream).body.size() + 100'000);
}

TEST_F(StreamedAnswer, AClosedHttp1ConnectionCancelsIt) {
  {
    RawClient client(port());
    client.send(kGet);
    handler_.writer()->write("one");
    client.receive_until("one");
  }
  EXPECT_TRUE(cancelled(*handler_.writer(), CancelReason::kPeerGone));
  EXPECT_EQ(handler_.writer()->write("two"), Write::kCancelled);
}

TEST_F(StreamedAnswer, AnHttp2ResetCancelsItAndNoOther) {
  Http2Peer client(port());
  const std::int32_t first = client.request("GET", "/stream");
  const std::int32_t second = client.request("GET", "/stream");
  ASSERT_TRUE(client.run_until([&] { return client.answer(second).status == 200; }));
  client.reset(first);
  client.flush();
  EXPECT_TRUE(cancelled(*handler_.writer(0), CancelReason::kPeerGone));
  handler_.writer(1)->write("still here");
  ASSERT_TRUE(client.run_until([&] { return client.answer(second).body == "still here"; }));
  EXPECT_EQ(handler_.writer(1)->cancelled(), std::nullopt);
}

TEST_F(StreamedAnswer, TheDeadlineCancelsItAndThePeerDoesNotTakeItForComplete) {
  RawClient http1(port());
  http1.send("GET /deadline HTTP/1.1\r\nhost: a\r\n\r\n");
  EXPECT_TRUE(cancelled(*handler_.writer(0), CancelReason::kDeadline));
  EXPECT_EQ(http1.receive_all().find("0\r\n\r\n"), std::string::npos);

  Http2Peer http2(port());
  const std::int32_t stream = http2.request("GET", "/deadline");
  ASSERT_TRUE(http2.run_until_closed(stream));
  EXPECT_FALSE(http2.answer(stream).ended);
  EXPECT_EQ(http2.answer(stream).closed, std::uint32_t{NGHTTP2_CANCEL});
  EXPECT_TRUE(cancelled(*handler_.writer(1), CancelReason::kDeadline));
}

TEST_F(StreamedAnswer, TheDeadlineOfAnHttp2AnswerMayHaveTrailers) {
  Http2Peer http2(port());
  const std::int32_t stream = http2.request("GET", "/late");
  ASSERT_TRUE(http2.run_until_closed(stream));
  EXPECT_TRUE(http2.answer(stream).ended);
  EXPECT_EQ(http2.answer(stream).closed, std::uint32_t{NGHTTP2_NO_ERROR});
  EXPECT_EQ(http2.answer(stream).trailers.get("status"), "late");
  EXPECT_TRUE(cancelled(*handler_.writer(0), CancelReason::kDeadline));
  EXPECT_EQ(handler_.writer(0)->write("more"), Write::kCancelled);

  RawClient http1(port());
  http1.send("GET /late HTTP/1.1\r\nhost: a\r\n\r\n");
  EXPECT_TRUE(cancelled(*handler_.writer(1), CancelReason::kDeadline));
  EXPECT_EQ(http1.receive_all().find("0\r\n\r\n"), std::string::npos);
}

TEST_F(StreamedAnswer, AnAbortIsNotTakenForTheEnd) {
  RawClient http1(port());
  http1.send(kGet);
  handler_.writer(0)->write("half");
  http1.receive_until("half\r\n");
  handler_.writer(0)->abort();
  EXPECT_EQ(http1.receive_all(), "");

  Http2Peer http2(port());
  const std::int32_t stream = http2.request("GET", "/stream");
  ASSERT_TRUE(http2.run_until([&] { return http2.answer(stream).status == 200; }));
  handler_.writer(1)->abort();
  ASSERT_TRUE(http2.run_until_closed(stream));
  EXPECT_FALSE(http2.answer(stream).ended);
  EXPECT_EQ(http2.answer(stream).closed, std::uint32_t{NGHTTP2_INTERNAL_ERROR});
}

TEST_F(StreamedAnswer, OutlivesTheServer) {
  RawClient client(port());
  client.send(kGet);
  const auto writer = handler_.writer();
  server_.reset();
  EXPECT_EQ(writer->cancelled(), CancelReason::kConnectionEnded);
  EXPECT_EQ(writer->write("x"), Write::kCancelled);
  writer->finish();
  EXPECT_EQ(memory_.used(), 0u);
}

class StreamedAnswerWithShortTimeouts : public StreamedAnswer {
 protected:
  static ServerLimits short_timeouts() {
    ServerLimits limits;
    limits.idle_timeout = std::chrono::milliseconds(100);
    return limits;
  }
  StreamedAnswerWithShortTimeouts() : StreamedAnswer(short_timeouts()) {}
};

TEST_F(StreamedAnswerWithShortTimeouts, AWriterMayBeSilentForLongerThanAPeerMay) {
  RawClient http1(port());
  http1.send(kGet);
  Http2Peer http2(port());
  const std::int32_t stream = http2.request("GET", "/stream");
  ASSERT_TRUE(http2.run_until([&] { return http2.answer(stream).status == 200; }));
  // When this one has been closed for its silence, the others have been silent for as long.
  RawClient idle(port());
  idle.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  handler_.writer(2)->finish();
  EXPECT_TRUE(idle.closed_within(std::chrono::seconds(10)));
  handler_.writer(0)->write("late");
  handler_.writer(1)->write("late");
  EXPECT_NE(http1.receive_until("late").find("4\r\nlate"), std::string::npos);
  EXPECT_TRUE(http2.run_until([&] { return http2.answer(stream).body == "late"; }));
}

TEST_F(StreamedAnswerWithShortTimeouts, AStreamThatThePeerDoesNotReadIsAborted) {
  Http2Peer client(port(), {.receive_buffer_bytes = 0, .window_bytes = 0, .send_settings = true});
  const std::int32_t stream = client.request("GET", "/stream");
  handler_.writer()->write("never taken");
  ASSERT_TRUE(client.run_until_closed(stream));
  EXPECT_EQ(client.answer(stream).closed, std::uint32_t{NGHTTP2_CANCEL});
  EXPECT_TRUE(cancelled(*handler_.writer(), CancelReason::kConnectionEnded));
}

}  // namespace
}  // namespace spanway::http
