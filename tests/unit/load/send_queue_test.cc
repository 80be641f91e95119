#include "services/load/send_queue.h"

#include <gtest/gtest.h>

#include <set>

namespace spanway::load {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Settlement = SendQueue::Settlement;

const SteadyTime kStart{seconds(1000)};

class SendQueueTest : public testing::Test {
 protected:
  SendQueue queue(QueueOptions options = {}) { return SendQueue(plan_, options, Random(1)); }

  // 10 requests, one every 100 ms.
  const Plan plan_{{.rate = 100, .duration = seconds(1), .batch = 10}, kStart};
  const Error unavailable_ = unavailable("later");
};

TEST_F(SendQueueTest, GivesRequestsWhenTheyAreDue) {
  SendQueue q = queue();
  EXPECT_EQ(q.wake_at(), kStart);
  EXPECT_EQ(q.next(kStart)->request, 0u);
  EXPECT_FALSE(q.next(kStart + milliseconds(99)).has_value());
  EXPECT_EQ(q.wake_at(), kStart + milliseconds(100));
  const auto second = q.next(kStart + milliseconds(150));
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->request, 1u);
  EXPECT_EQ(second->due, kStart + milliseconds(100));
}

TEST_F(SendQueueTest, CatchesUpAfterAPauseAndSendsEverything) {
  SendQueue q = queue();
  std::set<std::uint64_t> sent;
  while (const auto attempt = q.next(kStart + seconds(60))) {
    sent.insert(attempt->request);
    EXPECT_EQ(q.answered(attempt->request, nullptr, kStart + seconds(60)), Settlement::kDecided);
  }
  EXPECT_EQ(sent.size(), 10u);
  EXPECT_TRUE(q.done(kStart + seconds(60)));
}

TEST_F(SendQueueTest, SharesTheRequestsAmongWorkers) {
  std::set<std::uint64_t> sent;
  for (std::uint64_t worker = 0; worker < 3; ++worker) {
    SendQueue q = queue({.worker = worker, .workers = 3});
    while (const auto attempt = q.next(kStart + seconds(60))) {
      EXPECT_TRUE(sent.insert(attempt->request).second);
    }
  }
  EXPECT_EQ(sent.size(), 10u);
}

TEST_F(SendQueueTest, HoldsTheBoundOnUndecidedRequests) {
  SendQueue q = queue({.open_max = 2});
  const SteadyTime late = kStart + seconds(10);
  ASSERT_TRUE(q.next(late).has_value());
  ASSERT_TRUE(q.next(late).has_value());
  EXPECT_FALSE(q.next(late).has_value());
  EXPECT_EQ(q.wake_at(), std::nullopt);
  // One that waits for a retry still counts.
  EXPECT_EQ(q.answered(0, &unavailable_, late), Settlement::kRetryLater);
  EXPECT_FALSE(q.next(late).has_value());
  EXPECT_EQ(q.answered(1, nullptr, late), Settlement::kDecided);
  EXPECT_EQ(q.next(late)->request, 2u);
}

TEST_F(SendQueueTest, RetriesTransientRefusalsWithGrowingPauses) {
  SendQueue q = queue({.open_max = 1});
  SteadyTime now = kStart;
  auto attempt = q.next(now);
  Duration last{0};
  for (int i = 1; i <= 6; ++i) {
    EXPECT_EQ(attempt->number, i);
    EXPECT_EQ(attempt->due, kStart);
    ASSERT_EQ(q.answered(0, &unavailable_, now), Settlement::kRetryLater);
    const Duration pause = *q.wake_at() - now;
    // 100 ms doubling, of which jitter takes away half at most.
    const Duration step = milliseconds(100 << (i - 1));
    EXPECT_GE(pause, step / 2);
    EXPECT_LE(pause, step);
    EXPECT_FALSE(q.next(now + pause - Duration(1)).has_value());
    now += pause;
    attempt = q.next(now);
    ASSERT_TRUE(attempt.has_value());
    last = pause;
  }
  EXPECT_GT(last, milliseconds(500));
}

TEST_F(SendQueueTest, WaitsAsLongAsTheReceiverAsks) {
  SendQueue q = queue({.open_max = 1});
  q.next(kStart);
  const Error busy = unavailable("busy").with_retry_after(milliseconds(7000));
  EXPECT_EQ(q.answered(0, &busy, kStart), Settlement::kRetryLater);
  EXPECT_EQ(q.wake_at(), kStart + seconds(7));
}

TEST_F(SendQueueTest, RetriesNothingElse) {
  for (const Error& error :
       {invalid_argument("x"), data_error(Code::kResourceExhausted, "x"),
        configuration_error(Code::kUnauthenticated, "x"), unknown_error(Code::kInternal, "x")}) {
    SendQueue q = queue();
    q.next(kStart);
    EXPECT_EQ(q.answered(0, &error, kStart), Settlement::kDecided) << to_string(error.refusal);
  }
}

TEST_F(SendQueueTest, GivesUpWhenTheNextTryWouldComeTooLate) {
  SendQueue q = queue({.retry = {.retry_for = seconds(5)}});
  q.next(kStart);
  EXPECT_EQ(q.answered(0, &unavailable_, kStart + milliseconds(4999)), Settlement::kDecided);
  q.next(kStart + milliseconds(100));
  const Error long_wait = unavailable("busy").with_retry_after(milliseconds(6000));
  EXPECT_EQ(q.answered(1, &long_wait, kStart + milliseconds(100)), Settlement::kDecided);
}

TEST_F(SendQueueTest, StoppedSendsOnlyRetries) {
  SendQueue q = queue({.open_max = 2});
  q.next(kStart);
  q.answered(0, &unavailable_, kStart);
  q.stop();
  EXPECT_FALSE(q.done(kStart));
  const auto retry = q.next(kStart + seconds(1));
  ASSERT_TRUE(retry.has_value());
  EXPECT_EQ(retry->request, 0u);
  EXPECT_FALSE(q.next(kStart + seconds(1)).has_value());
  q.answered(0, nullptr, kStart + seconds(1));
  EXPECT_TRUE(q.done(kStart + seconds(1)));
  EXPECT_EQ(q.unsent_from(), 1u);
}

TEST_F(SendQueueTest, GivenUpRequestsAreUnknownAfterwards) {
  SendQueue q = queue();
  q.next(kStart);
  q.next(kStart + seconds(1));
  q.answered(1, &unavailable_, kStart + seconds(1));
  EXPECT_EQ(q.give_up().size(), 2u);
  EXPECT_EQ(q.answered(0, nullptr, kStart + seconds(1)), Settlement::kUnknown);
  EXPECT_EQ(q.answered(1, nullptr, kStart + seconds(1)), Settlement::kUnknown);
}

TEST_F(SendQueueTest, WithoutARateSendsAsSoonAsThereIsRoomUntilTheEnd) {
  const Plan plan({.rate = 0, .duration = seconds(1), .batch = 10}, kStart);
  SendQueue q(plan, {.open_max = 1}, Random(1));
  const auto first = q.next(kStart + milliseconds(10));
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->due, kStart + milliseconds(10));
  EXPECT_FALSE(q.next(kStart + milliseconds(10)).has_value());
  EXPECT_TRUE(q.full());
  q.answered(0, nullptr, kStart + milliseconds(20));
  EXPECT_EQ(q.wake_at(), std::nullopt);
  EXPECT_EQ(q.next(kStart + milliseconds(20))->request, 1u);
  q.answered(1, nullptr, kStart + seconds(1));
  EXPECT_FALSE(q.next(kStart + seconds(1)).has_value());
  EXPECT_TRUE(q.done(kStart + seconds(1)));
}

}  // namespace
}  // namespace spanway::load
