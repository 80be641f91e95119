#include "services/load/counting_sink.h"

#include <gtest/gtest.h>

#include <future>

#include "services/load/item_id.h"
#include "services/load/request_template.h"
#include "tests/fakes/manual_clock.h"

namespace spanway::load {
namespace {

using otlp::Signal;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Answer = Result<pipeline::Outcome>;

constexpr std::uint64_t kRun = make_run(3);

class CountingSinkTest : public testing::Test {
 protected:
  Answer send(std::uint64_t run, std::uint64_t first, Signal signal = Signal::kTraces) {
    Random random(1);
    const RequestTemplate request(signal, {.items = 10, .item_bytes = 200}, random);
    const auto due = static_cast<std::uint64_t>(clock_.system_now().time_since_epoch().count());
    clock_.advance(milliseconds(20));
    return send(signal, request.stamp(run, first, due));
  }
  Answer send(Signal signal, Bytes payload) {
    pipeline::Batch batch;
    batch.signal = signal;
    batch.payload = std::move(payload);
    std::promise<Answer> promise;
    auto future = promise.get_future();
    sink_.send(std::move(batch), pipeline::AckToken([&promise](Answer answer) {
                 promise.set_value(std::move(answer));
               }));
    return future.get();
  }
  bool reports(const std::string& part) const {
    return sink_.report_json().find(part) != std::string::npos;
  }

  fakes::ManualClock clock_;
  http::IoPool pool_{"test-io", 1};
  CountingSink sink_{{}, pool_, clock_, Random(1)};
};

TEST_F(CountingSinkTest, CountsEveryItemOnce) {
  EXPECT_TRUE(send(kRun, 1).ok());
  EXPECT_TRUE(send(kRun, 11, Signal::kLogs).ok());
  EXPECT_TRUE(send(kRun, 21, Signal::kMetrics).ok());
  EXPECT_TRUE(send(kRun, 6).ok());  // 6 to 15: all seen before.
  const auto presence = sink_.presence_of(kRun);
  EXPECT_EQ(presence.received, 40u);
  EXPECT_EQ(presence.unique, 30u);
  EXPECT_EQ(presence.latency.count(), 40u);
  EXPECT_EQ(presence.latency.max(), milliseconds(20));
  EXPECT_EQ(sink_.count_in(kRun, 1, 30), 30u);
  EXPECT_EQ(sink_.count_in(kRun, 31, 30), 0u);
  EXPECT_TRUE(reports("\"received\":40,\"unique\":30,\"duplicates\":10,\"foreign\":0"));
}

TEST_F(CountingSinkTest, KeepsRunsApart) {
  EXPECT_TRUE(send(kRun, 1).ok());
  EXPECT_TRUE(send(make_run(4), 1).ok());
  EXPECT_EQ(sink_.presence_of(kRun).unique, 10u);
  EXPECT_EQ(sink_.presence_of(make_run(4)).unique, 10u);
  EXPECT_EQ(sink_.presence_of(make_run(5)).unique, 0u);
  EXPECT_TRUE(reports("\"duplicates\":0"));
}

TEST_F(CountingSinkTest, NumbersAndRunsBeyondItsBoundsAreForeign) {
  EXPECT_TRUE(send(kRun, SeenSet::kNumberMax - 4).ok());  // The last five are too large.
  EXPECT_TRUE(reports("\"received\":5,"));
  EXPECT_TRUE(reports("\"foreign\":5,"));
  for (std::uint64_t run = 100; run < 400; ++run) EXPECT_TRUE(send(make_run(run), 1).ok());
  EXPECT_EQ(sink_.presence_of(make_run(399)).unique, 0u);
  EXPECT_EQ(sink_.presence_of(make_run(100)).unique, 10u);
}

TEST_F(CountingSinkTest, RefusesGarbage) {
  const Answer answer = send(Signal::kTraces, Bytes("\x0a\xff"));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kInvalidArgument);
  EXPECT_TRUE(reports("\"malformed\":1"));
}

TEST_F(CountingSinkTest, FailsWhenConfiguredAndCountsNothingThen) {
  sink_.set_behaviour({.fail_code = Code::kUnavailable});
  Answer answer = send(kRun, 1);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_EQ(answer.error().refusal, Refusal::kTransient);
  sink_.set_behaviour({.fail_code = Code::kResourceExhausted});
  EXPECT_EQ(send(kRun, 1).error().refusal, Refusal::kData);
  sink_.set_behaviour({.fail_code = Code::kResourceExhausted, .retry_after = milliseconds(70)});
  answer = send(kRun, 1);
  EXPECT_EQ(answer.error().refusal, Refusal::kTransient);
  EXPECT_EQ(answer.error().retry_after, milliseconds(70));
  EXPECT_EQ(sink_.presence_of(kRun).received, 0u);
  EXPECT_TRUE(reports("\"refused\":3"));
}

TEST_F(CountingSinkTest, FailsTheShareOfRequestsThatIsRequested) {
  sink_.set_behaviour({.fail_code = Code::kUnavailable, .fail_ratio = 0.25});
  int failed = 0;
  for (std::uint64_t i = 0; i < 400; ++i) failed += send(kRun, 1 + 10 * i).ok() ? 0 : 1;
  EXPECT_NEAR(failed, 100, 40);
}

TEST_F(CountingSinkTest, AnswersLateWhenConfigured) {
  sink_.set_behaviour({.delay = milliseconds(30)});
  const SteadyTime before = system_clock().now();
  EXPECT_TRUE(send(kRun, 1).ok());
  EXPECT_GE(system_clock().now() - before, milliseconds(30));
  EXPECT_TRUE(sink_.drain(Deadline::after(system_clock(), seconds(5))));
  EXPECT_EQ(send(kRun, 1).error().code, Code::kUnavailable);
}

TEST_F(CountingSinkTest, ForgetsEverythingAtAReset) {
  EXPECT_TRUE(send(kRun, 1).ok());
  sink_.reset();
  EXPECT_EQ(sink_.presence_of(kRun).received, 0u);
  EXPECT_TRUE(reports("\"received\":0,\"unique\":0"));
}

}  // namespace
}  // namespace spanway::load
