#include "services/lib/http/server/stream_body.h"

#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <string>

namespace spanway::http {
namespace {

using State = StreamBody::State;
using Write = ResponseStream::Write;

class Observer final : public StreamObserver {
 public:
  void on_writable() override { ++writable; }
  void on_cancelled(CancelReason reason) override { cancelled = reason; }
  int writable = 0;
  std::optional<CancelReason> cancelled;
};

class StreamBodyTest : public testing::Test {
 protected:
  std::shared_ptr<StreamBody> body(std::size_t buffer_bytes, Headers deadline_trailers = {}) {
    return std::make_shared<StreamBody>(
        observer_,
        StreamOptions{.buffer_bytes_max = buffer_bytes,
                      .deadline_trailers = std::move(deadline_trailers)},
        account_, [this] { ++resumed_; });
  }
  // Reads as a session that has room for `size` bytes.
  std::string read(StreamBody& body, std::size_t size, State& state) {
    std::string text(size, '\0');
    text.resize(body.read(text, state));
    return text;
  }
  const std::shared_ptr<Observer> observer_ = std::make_shared<Observer>();
  const StreamAccount account_ = std::make_shared<std::atomic<std::size_t>>(0);
  int resumed_ = 0;
};

TEST_F(StreamBodyTest, KeepsTheOrderAndSaysWhenAllIsRead) {
  const auto shared = body(100);
  ResponseStream stream(shared);
  EXPECT_EQ(stream.write("one "), Write::kTaken);
  Bytes two(std::string_view("two"));
  EXPECT_EQ(stream.write(two), Write::kTaken);
  stream.finish();
  State state = State::kAborted;
  EXPECT_EQ(read(*shared, 2, state), "on");
  EXPECT_EQ(state, State::kOpen);
  EXPECT_EQ(read(*shared, 100, state), "e two");
  EXPECT_EQ(state, State::kComplete);
}

TEST_F(StreamBodyTest, TakesNoMoreThanItsBoundAndSaysWhenThereIsRoom) {
  const auto shared = body(10);
  ResponseStream stream(shared);
  EXPECT_EQ(stream.write("12345678"), Write::kTaken);
  EXPECT_EQ(stream.write("90a"), Write::kFull);
  State state = State::kOpen;
  EXPECT_EQ(read(*shared, 1, state), "1");
  EXPECT_EQ(observer_->writable, 0) << "only at half of the bound";
  EXPECT_EQ(read(*shared, 4, state), "2345");
  EXPECT_EQ(observer_->writable, 1);
  EXPECT_EQ(stream.write("90a"), Write::kTaken);
}

TEST_F(StreamBodyTest, AChunkAboveTheBoundIsTakenAlone) {
  const auto shared = body(4);
  ResponseStream stream(shared);
  EXPECT_EQ(stream.write("much too large"), Write::kTaken);
  EXPECT_EQ(stream.write("x"), Write::kFull);
  EXPECT_EQ(account_->load(), 14u);
}

TEST_F(StreamBodyTest, AnEmptyStreamIsResumedOnce) {
  const auto shared = body(100);
  ResponseStream stream(shared);
  stream.write("before anything is read");
  EXPECT_EQ(resumed_, 0);
  State state = State::kOpen;
  read(*shared, 100, state);
  EXPECT_EQ(read(*shared, 100, state), "");
  stream.write("a");
  stream.write("b");
  EXPECT_EQ(resumed_, 1);
  EXPECT_EQ(read(*shared, 100, state), "ab");
}

TEST_F(StreamBodyTest, TheWholeBoundIsAccountedForFromTheStart) {
  {
    const auto one = body(1000);
    const auto two = body(500);
    EXPECT_EQ(account_->load(), 1500u);
    one->cancel(CancelReason::kPeerGone);
    EXPECT_EQ(account_->load(), 500u);
  }
  EXPECT_EQ(account_->load(), 0u);
}

TEST_F(StreamBodyTest, ACancelledStreamTakesNothingAndReportsOnce) {
  const auto shared = body(100);
  ResponseStream stream(shared);
  stream.write("lost");
  shared->cancel(CancelReason::kDeadline);
  EXPECT_EQ(observer_->cancelled, CancelReason::kDeadline);
  shared->cancel(CancelReason::kPeerGone);
  EXPECT_EQ(observer_->cancelled, CancelReason::kDeadline);
  EXPECT_EQ(stream.write("more"), Write::kCancelled);
  EXPECT_TRUE(stream.cancelled());
}

TEST_F(StreamBodyTest, TheDeadlineEndsItBehindTheChunkThatHasBegun) {
  Headers late;
  late.add("status", "late");
  const auto shared = body(100'000, late);
  ResponseStream stream(shared);
  const std::string first(5000, 'a');
  stream.write(first);
  stream.write(std::string(5000, 'b'));
  State state = State::kOpen;
  EXPECT_EQ(read(*shared, 2000, state).size(), 2000u);
  EXPECT_TRUE(shared->expire());
  EXPECT_EQ(observer_->cancelled, CancelReason::kDeadline);
  EXPECT_EQ(stream.write("more"), Write::kCancelled);
  EXPECT_TRUE(stream.cancelled());
  stream.finish();
  EXPECT_EQ(read(*shared, 100'000, state), std::string(3000, 'a')) << "and none of the next one";
  EXPECT_EQ(state, State::kComplete);
  EXPECT_EQ(shared->take_trailers().get("status"), "late");
  EXPECT_EQ(shared->deadline(), SteadyTime::max());
  EXPECT_FALSE(shared->expire()) << "once";
}

TEST_F(StreamBodyTest, TheDeadlineWakesAReaderThatWaits) {
  Headers late;
  late.add("status", "late");
  const auto shared = body(100, late);
  State state = State::kOpen;
  EXPECT_EQ(read(*shared, 10, state), "");
  EXPECT_EQ(state, State::kOpen);
  EXPECT_TRUE(shared->expire());
  EXPECT_EQ(resumed_, 1);
  EXPECT_EQ(read(*shared, 10, state), "");
  EXPECT_EQ(state, State::kComplete);
}

TEST_F(StreamBodyTest, WithoutTrailersForItTheDeadlineEndsNothing) {
  const auto shared = body(100);
  EXPECT_FALSE(shared->expire());
  EXPECT_EQ(observer_->cancelled, std::nullopt);
}

TEST_F(StreamBodyTest, AWriterThatHasEndedTheStreamGetsNoMoreCallbacks) {
  const auto finished = body(100);
  ResponseStream(finished).finish();
  finished->cancel(CancelReason::kPeerGone);
  EXPECT_EQ(observer_->cancelled, std::nullopt);
  EXPECT_EQ(observer_.use_count(), 1) << "the observer was kept";
}

TEST_F(StreamBodyTest, AnUnfinishedStreamThatIsDroppedIsAborted) {
  const auto shared = body(100);
  {
    ResponseStream stream(shared);
    stream.write("half");
  }
  State state = State::kOpen;
  EXPECT_EQ(read(*shared, 100, state), "");
  EXPECT_EQ(state, State::kAborted);
}

}  // namespace
}  // namespace spanway::http
