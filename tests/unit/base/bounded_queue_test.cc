#include "services/lib/base/bounded_queue.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "services/lib/base/thread.h"

namespace spanway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(BoundedQueue, IsFirstInFirstOut) {
  BoundedQueue<int> queue(3);
  for (int i = 1; i <= 3; ++i) EXPECT_TRUE(queue.try_push(i));
  EXPECT_EQ(queue.size(), 3U);
  for (int i = 1; i <= 3; ++i) EXPECT_EQ(queue.pop_for(milliseconds(0)), i);
  EXPECT_EQ(queue.pop_for(milliseconds(0)), std::nullopt);
}

TEST(BoundedQueue, RefusesWhatIsTooMuchAndLeavesItAlone) {
  BoundedQueue<std::unique_ptr<int>> queue(1);
  auto first = std::make_unique<int>(1), second = std::make_unique<int>(2);
  EXPECT_TRUE(queue.try_push(first));
  EXPECT_EQ(first, nullptr);
  EXPECT_FALSE(queue.try_push(second));
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(*second, 2);
}

TEST(BoundedQueue, ClosedTakesNothingButGivesWhatItHas) {
  BoundedQueue<int> queue(2);
  int item = 1;
  EXPECT_TRUE(queue.try_push(item));
  queue.close();
  EXPECT_FALSE(queue.try_push(item));
  EXPECT_EQ(queue.pop_for(seconds(20)), 1);
  EXPECT_EQ(queue.pop_for(seconds(20)), std::nullopt);
}

TEST(BoundedQueue, CloseWakesEveryWaiter) {
  BoundedQueue<int> queue(1);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 3; ++t)
    threads.push_back(start_thread("pop", [&queue](const std::stop_token&) {
      EXPECT_EQ(queue.pop_for(seconds(60)), std::nullopt);
    }));
  queue.close();
  threads.clear();
}

TEST(BoundedQueue, ManyThreadsLoseNothing) {
  constexpr int kItems = 2000;
  BoundedQueue<int> queue(16);
  std::atomic<int> popped{0};
  std::atomic<long> sum{0};
  std::vector<std::jthread> consumers, producers;
  for (int t = 0; t < 2; ++t)
    consumers.push_back(start_thread("pop", [&](const std::stop_token&) {
      while (const auto item = queue.pop_for(seconds(20))) {
        ++popped;
        sum += *item;
      }
    }));
  for (int t = 0; t < 2; ++t)
    producers.push_back(start_thread("push", [&](const std::stop_token&) {
      for (int i = 1; i <= kItems; ++i) {
        int item = i;
        while (!queue.try_push(item)) std::this_thread::yield();
      }
    }));
  producers.clear();
  queue.close();
  consumers.clear();
  EXPECT_EQ(popped, 2 * kItems);
  EXPECT_EQ(sum, 2L * kItems * (kItems + 1) / 2);
}

}  // namespace
}  // namespace spanway
