#include "services/lib/pipeline/in_flight.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "services/lib/base/thread.h"

namespace spanway::pipeline {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(InFlight, CountsWhatEnteredAndHasNotLeft) {
  InFlight in_flight;
  EXPECT_TRUE(in_flight.enter());
  EXPECT_TRUE(in_flight.enter());
  EXPECT_EQ(in_flight.count(), 2U);
  in_flight.leave();
  EXPECT_EQ(in_flight.count(), 1U);
}

TEST(InFlight, ClosesAtOnceWhenIdle) {
  InFlight in_flight;
  EXPECT_TRUE(in_flight.close_and_wait(Deadline::never()));
  EXPECT_FALSE(in_flight.enter());
  EXPECT_EQ(in_flight.count(), 0U);
  EXPECT_TRUE(in_flight.close_and_wait(Deadline::never()));
}

TEST(InFlight, GivesUpAtTheDeadline) {
  InFlight in_flight;
  ASSERT_TRUE(in_flight.enter());
  EXPECT_FALSE(in_flight.close_and_wait(Deadline::after(system_clock(), milliseconds(1))));
  EXPECT_FALSE(in_flight.enter());
  in_flight.leave();
  EXPECT_TRUE(in_flight.close_and_wait(Deadline::after(system_clock(), milliseconds(1))));
}

TEST(InFlight, WaitsForTheLastOne) {
  InFlight in_flight;
  ASSERT_TRUE(in_flight.enter());
  ASSERT_TRUE(in_flight.enter());
  const std::jthread leaver = start_thread("leave", [&in_flight](const std::stop_token&) {
    in_flight.leave();
    in_flight.leave();
  });
  EXPECT_TRUE(in_flight.close_and_wait(Deadline::after(system_clock(), seconds(20))));
  EXPECT_EQ(in_flight.count(), 0U);
}

TEST(InFlight, NothingIsInFlightAfterItClosed) {
  InFlight in_flight;
  std::atomic<int> working{0};
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t)
    threads.push_back(start_thread("work", [&](const std::stop_token&) {
      while (in_flight.enter()) {
        ++working;
        --working;
        in_flight.leave();
      }
    }));
  EXPECT_TRUE(in_flight.close_and_wait(Deadline::after(system_clock(), seconds(20))));
  EXPECT_EQ(working, 0);
  threads.clear();
  EXPECT_EQ(in_flight.count(), 0U);
}

}  // namespace
}  // namespace spanway::pipeline
