#include "services/lib/base/loop.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <semaphore>

#include "services/lib/base/thread.h"

namespace spanway {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Waits until everything posted before has run.
void flush(Loop& loop) {
  std::binary_semaphore done{0};
  loop.post([&done] { done.release(); });
  ASSERT_TRUE(done.try_acquire_for(seconds(20)));
}

TEST(Loop, RunsFunctionsInOrderOnItsThread) {
  Loop loop("test");
  std::vector<int> order;
  bool on_thread = false;
  for (int i = 0; i < 100; ++i)
    loop.post([&, i] {
      order.push_back(i);
      on_thread = loop.on_thread();
    });
  flush(loop);
  ASSERT_EQ(order.size(), 100U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_TRUE(on_thread);
  EXPECT_FALSE(loop.on_thread());
}

TEST(Loop, RunsTimersInTheOrderOfTheirTimes) {
  Loop loop("test");
  std::vector<int> order;
  std::binary_semaphore done{0};
  loop.post([&] {
    loop.post_after(milliseconds(30), [&] {
      order.push_back(3);
      done.release();
    });
    loop.post_after(milliseconds(10), [&] { order.push_back(1); });
    loop.post_after(milliseconds(20), [&] { order.push_back(2); });
  });
  ASSERT_TRUE(done.try_acquire_for(seconds(20)));
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(Loop, TimersDoNotRunEarly) {
  Loop loop("test");
  std::promise<SteadyTime> ran;
  const SteadyTime start = system_clock().now();
  loop.post_after(milliseconds(20), [&ran] { ran.set_value(system_clock().now()); });
  EXPECT_GE(ran.get_future().get() - start, milliseconds(20));
}

TEST(Loop, CancelledTimerDoesNotRun) {
  Loop loop("test");
  bool ran = false;
  std::binary_semaphore done{0};
  loop.post([&] {
    Timer timer = loop.post_after(milliseconds(1), [&ran] { ran = true; });
    EXPECT_TRUE(static_cast<bool>(timer));
    timer.cancel();
    EXPECT_FALSE(static_cast<bool>(timer));
    loop.post_after(milliseconds(20), [&done] { done.release(); });
  });
  ASSERT_TRUE(done.try_acquire_for(seconds(20)));
  EXPECT_FALSE(ran);
}

TEST(Loop, EarlierTimerWakesALoopThatWaitsForALaterOne) {
  Loop loop("test");
  loop.post_after(hours(1), [] { ADD_FAILURE(); });
  flush(loop);
  std::binary_semaphore done{0};
  loop.post_after(milliseconds(1), [&done] { done.release(); });
  EXPECT_TRUE(done.try_acquire_for(seconds(20)));
}

TEST(Loop, StopDestroysWhatHasNotRun) {
  auto held = std::make_shared<int>(1);
  Loop loop("test");
  loop.post_after(hours(1), [held] { ADD_FAILURE(); });
  loop.stop();
  EXPECT_EQ(held.use_count(), 1);
  loop.post([held] { ADD_FAILURE(); });
  EXPECT_FALSE(static_cast<bool>(loop.post_after(Duration::zero(), [held] { ADD_FAILURE(); })));
  EXPECT_EQ(held.use_count(), 1);
  loop.stop();
}

TEST(Loop, FunctionMayPostWhenItIsDestroyed) {
  struct PostsOnDestruction {
    explicit PostsOnDestruction(Loop& to) : loop(to) {}
    ~PostsOnDestruction() {
      loop.post([] {});
    }
    Loop& loop;
  };
  Loop loop("test");
  loop.post_after(hours(1), [held = std::make_shared<PostsOnDestruction>(loop)] {});
  loop.stop();
}

// Stops at every moment of the loop's life: a missed wake-up would hang here.
TEST(Loop, StopsSoonAfterItsStart) {
  for (int i = 0; i < 2000; ++i) {
    Loop loop("test");
    if (i % 2 == 0) loop.post([] {});
  }
}

TEST(Loop, TakesFunctionsFromManyThreads) {
  Loop loop("test");
  int count = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.push_back(start_thread("post", [&](const std::stop_token&) {
        for (int i = 0; i < 1000; ++i) loop.post([&count] { ++count; });
      }));
  }
  flush(loop);
  EXPECT_EQ(count, 4000);
}

}  // namespace
}  // namespace spanway
