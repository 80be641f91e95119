#include "operator/cache/work_queue.h"

#include <gtest/gtest.h>

#include <latch>
#include <vector>

#include "services/lib/base/thread.h"
#include "tests/fakes/manual_clock.h"

namespace spanway::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const ObjectKey kA{"ns", "a"};
const ObjectKey kB{"ns", "b"};

class WorkQueueTest : public testing::Test {
 protected:
  // How long until `key` comes, by steps of a millisecond.
  Duration wait_for(const ObjectKey& key, Duration timeout = seconds(2000),
                    Duration step = milliseconds(1)) {
    const SteadyTime start = clock_.now();
    while (clock_.now() - start <= timeout) {
      if (const auto next = queue_.try_next()) {
        EXPECT_EQ(*next, key);
        queue_.done(*next);
        return clock_.now() - start;
      }
      clock_.advance(step);
    }
    ADD_FAILURE() << "never";
    return Duration::max();
  }

  fakes::ManualClock clock_;
  WorkQueue queue_{clock_};
};

TEST_F(WorkQueueTest, AKeyWaitsOnce) {
  queue_.add(kA);
  queue_.add(kB);
  queue_.add(kA);
  EXPECT_EQ(queue_.waiting(), 2U);
  EXPECT_EQ(queue_.try_next(), kA);
  EXPECT_EQ(queue_.try_next(), kB);
  EXPECT_EQ(queue_.try_next(), std::nullopt);
}

TEST_F(WorkQueueTest, NamespacesTakeTurns) {
  for (int i = 0; i < 5; ++i) queue_.add({"crowded", std::to_string(i)});
  queue_.add({"other", "x"});
  EXPECT_EQ(queue_.try_next()->name_space, "crowded");
  EXPECT_EQ(queue_.try_next()->name_space, "other");
  EXPECT_EQ(queue_.try_next()->name_space, "crowded");
}

TEST_F(WorkQueueTest, ANamespaceThatHangsLeavesWorkersToTheOthers) {
  const ObjectKey healthy{"healthy", "h"};
  for (int i = 0; i < 6; ++i) queue_.add({"hangs", std::to_string(i)});
  // Nothing is known of it yet: both workers try.
  const ObjectKey first = *queue_.try_next();
  const ObjectKey second = *queue_.try_next();
  queue_.add(healthy);
  queue_.add_timed_out(first);
  queue_.done(first);
  EXPECT_EQ(queue_.try_next(), healthy);
  queue_.done(healthy);
  queue_.add_timed_out(second);
  queue_.done(second);
  const auto slow = queue_.try_next();
  ASSERT_TRUE(slow.has_value());
  EXPECT_EQ(slow->name_space, "hangs");
  EXPECT_EQ(queue_.try_next(), std::nullopt) << "one worker for all that hang";
  queue_.add(healthy);
  EXPECT_EQ(queue_.try_next(), healthy);
  queue_.done(*slow);
  EXPECT_EQ(queue_.try_next()->name_space, "hangs");
}

TEST_F(WorkQueueTest, ATimedOutKeyBacksOffBySecondsUpToAMinute) {
  for (const int expected : {1, 2, 4, 8, 16, 32, 60, 60}) {
    queue_.add_timed_out(kA);
    EXPECT_EQ(wait_for(kA, seconds(100), milliseconds(100)), Duration(seconds(expected)));
  }
  queue_.forget(kA);
  queue_.add_timed_out(kA);
  EXPECT_EQ(wait_for(kA, seconds(100), milliseconds(100)), Duration(seconds(1)));
}

TEST_F(WorkQueueTest, ANamespaceIsHealthyAgainWhenATimedOutKeySucceeds) {
  queue_.add_timed_out(kA);
  queue_.forget(kB);  // Wrote nothing, perhaps.
  queue_.add(kB);
  const ObjectKey c{"ns", "c"};
  queue_.add(c);
  EXPECT_EQ(queue_.try_next(), kB);
  EXPECT_EQ(queue_.try_next(), std::nullopt);
  queue_.forget(kA);
  EXPECT_EQ(queue_.try_next(), c);
}

TEST_F(WorkQueueTest, ASlowNamespaceIsServedWhileOthersAreBusy) {
  const ObjectKey slow{"hangs", "x"};
  queue_.add_timed_out(slow);
  clock_.advance(seconds(1));
  int others = 0;
  for (; others < 100; ++others) {
    queue_.add(kA);
    const auto key = queue_.try_next();
    ASSERT_TRUE(key.has_value());
    queue_.done(*key);
    if (*key == slow) break;
  }
  EXPECT_LT(others, 10);
}

TEST_F(WorkQueueTest, NoTwoWorkersHaveTheSameKey) {
  queue_.add(kA);
  ASSERT_EQ(queue_.try_next(), kA);
  queue_.add(kA);
  queue_.add(kA);
  EXPECT_EQ(queue_.try_next(), std::nullopt);
  queue_.done(kA);
  EXPECT_EQ(queue_.try_next(), kA);
  queue_.done(kA);
  EXPECT_EQ(queue_.try_next(), std::nullopt);
}

TEST_F(WorkQueueTest, OfSeveralTimesTheEarliestWins) {
  queue_.add_after(kA, seconds(10));
  queue_.add_after(kA, seconds(5));
  queue_.add_after(kA, seconds(20));
  clock_.advance(seconds(5) - milliseconds(1));
  EXPECT_EQ(queue_.try_next(), std::nullopt);
  clock_.advance(milliseconds(1));
  EXPECT_EQ(queue_.try_next(), kA);
  queue_.done(kA);
  clock_.advance(seconds(60));
  EXPECT_EQ(queue_.try_next(), std::nullopt) << "the later times are gone";
  queue_.add_after(kB, Duration::zero());
  EXPECT_EQ(queue_.try_next(), kB);
}

TEST_F(WorkQueueTest, RetriesDoubleUntilForgotten) {
  for (const auto expected : {5, 10, 20, 40, 80}) {
    queue_.add_rate_limited(kA);
    EXPECT_EQ(wait_for(kA), milliseconds(expected));
  }
  queue_.forget(kA);
  queue_.add_rate_limited(kA);
  EXPECT_EQ(wait_for(kA), milliseconds(5));
}

TEST_F(WorkQueueTest, RetriesNeverWaitLongerThanAMinute) {
  for (int i = 0; i < 100; ++i) {
    queue_.add_rate_limited(kA);
    EXPECT_LE(wait_for(kA, seconds(61), seconds(1)), seconds(60));
  }
  queue_.add_rate_limited(kA);
  EXPECT_EQ(wait_for(kA, seconds(61), seconds(1)), seconds(60));
}

TEST_F(WorkQueueTest, AServerThatAsksForAPauseGetsItWithinBounds) {
  // Retry-After: 0 must not become a loop.
  for (const auto expected : {5, 10, 20}) {
    queue_.add_rate_limited(kA, Duration::zero());
    EXPECT_EQ(wait_for(kA), milliseconds(expected));
  }
  queue_.add_rate_limited(kA, seconds(3));
  EXPECT_EQ(wait_for(kA), seconds(3));
  queue_.add_rate_limited(kA, std::chrono::hours(1));
  EXPECT_EQ(wait_for(kA, seconds(61), seconds(1)), seconds(60));
}

TEST_F(WorkQueueTest, AllRetriesTogetherAreTenASecond) {
  for (int i = 0; i < 120; ++i) queue_.add_rate_limited({"ns", std::to_string(i)});
  clock_.advance(milliseconds(5));
  int at_once = 0;
  while (queue_.try_next()) ++at_once;
  EXPECT_EQ(at_once, 100) << "the burst";
  clock_.advance(seconds(1) - milliseconds(5));
  int in_a_second = 0;
  while (queue_.try_next()) ++in_a_second;
  EXPECT_EQ(in_a_second, 10);
  clock_.advance(seconds(1));
  while (queue_.try_next()) ++in_a_second;
  EXPECT_EQ(in_a_second, 20);
}

TEST_F(WorkQueueTest, CloseWakesWaitingWorkers) {
  std::latch started(2);
  std::vector<std::jthread> workers;
  for (int i = 0; i < 2; ++i)
    workers.push_back(start_thread("worker", [&](const std::stop_token&) {
      started.count_down();
      EXPECT_EQ(queue_.next(), std::nullopt);
    }));
  started.wait();
  queue_.close();
  workers.clear();
  queue_.add(kA);
  queue_.add_after(kA, milliseconds(1));
  EXPECT_EQ(queue_.try_next(), std::nullopt);
  EXPECT_EQ(queue_.next(), std::nullopt);
}

TEST(WorkQueueThreads, AWaitingWorkerGetsTheFirstDueKey) {
  WorkQueue queue(system_clock());
  queue.add_after(kA, std::chrono::hours(1));
  std::latch got(1);
  const auto worker = start_thread("worker", [&](const std::stop_token&) {
    EXPECT_EQ(queue.next(), kB);
    got.count_down();
  });
  queue.add_after(kB, milliseconds(20));
  got.wait();
}

TEST(WorkQueueThreads, EveryKeyIsHandledAfterItsLastAdd) {
  WorkQueue queue(system_clock());
  constexpr int kKeys = 20;
  std::vector<std::atomic<int>> added(kKeys);
  std::vector<std::atomic<int>> handled(kKeys);
  std::vector<std::atomic<int>> holders(kKeys);
  std::vector<std::jthread> workers;
  for (int i = 0; i < 4; ++i)
    workers.push_back(start_thread("worker", [&](const std::stop_token&) {
      while (const auto key = queue.next()) {
        const auto index = static_cast<std::size_t>(std::stoi(key->name));
        EXPECT_EQ(++holders[index], 1);
        handled[index] = added[index].load();
        --holders[index];
        queue.done(*key);
      }
    }));
  for (int round = 1; round <= 200; ++round)
    for (int i = 0; i < kKeys; ++i) {
      added[static_cast<std::size_t>(i)] = round;
      queue.add({"ns", std::to_string(i)});
    }
  for (std::size_t i = 0; i < kKeys; ++i)
    while (handled[i] != 200) std::this_thread::yield();
  queue.close();
}

}  // namespace
}  // namespace spanway::kube
