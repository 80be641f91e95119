#include "services/lib/http/io_pool.h"

#include <gtest/gtest.h>

#include <atomic>

#include "tests/unit/http/server_fixture.h"

namespace spanway::http {
namespace {

TEST(IoPool, RunsFunctionsInOrderOnTheThreadRequested) {
  IoPool pool("test", 2);
  EXPECT_EQ(pool.size(), 2U);
  std::vector<int> seen;
  std::atomic<int> done{0};
  for (int i = 0; i < 100; ++i)
    pool.executor(1).post([&, i] {
      if (pool.executor(1).on_thread() && !pool.executor(0).on_thread()) seen.push_back(i);
      ++done;
    });
  ASSERT_TRUE(eventually([&] { return done == 100; }));
  ASSERT_EQ(seen.size(), 100U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(seen[static_cast<std::size_t>(i)], i);
  EXPECT_FALSE(pool.executor(0).on_thread());
  EXPECT_EQ(&pool.executor(0), &pool.executor(2)) << "modulo size";
}

TEST(IoPool, FiresTimersAndLeavesCancelledOnesAlone) {
  IoPool pool("test", 1);
  std::atomic<int> fired{0};
  std::atomic<bool> cancelled_ran{false};
  Timer timer =
      pool.executor(0).post_after(std::chrono::milliseconds(5), [&] { cancelled_ran = true; });
  timer.cancel();
  pool.executor(0).post_after(std::chrono::milliseconds(10), [&] { ++fired; });
  ASSERT_TRUE(eventually([&] { return fired == 1; }));
  EXPECT_FALSE(cancelled_ran);
}

TEST(IoPool, DestroysFunctionsThatNoLongerRun) {
  auto held = std::make_shared<int>(1);
  {
    IoPool pool("test", 1);
    pool.executor(0).post_after(std::chrono::hours(1), [held] {});
    pool.stop();
    pool.executor(0).post([held] {});
    pool.stop();
  }
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace spanway::http
