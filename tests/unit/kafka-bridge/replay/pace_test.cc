#include "services/kafka-bridge/replay/pace.h"

#include <gtest/gtest.h>

#include <vector>

#include "services/lib/base/random.h"

namespace spanway::kafka_bridge {
namespace {

using std::chrono::seconds;

TEST(Pace, ItemsAreWaitedForBeforeTheyAreSent) {
  const SteadyTime start{seconds(100)};
  Pace pace(10, start);
  EXPECT_EQ(pace.take(20, start), seconds(2));
  EXPECT_EQ(pace.take(10, start + seconds(2)), seconds(1));
}

TEST(Pace, TimeThatWasNotUsedIsNotMadeUpFor) {
  const SteadyTime start{seconds(100)};
  Pace pace(10, start);
  EXPECT_EQ(pace.take(10, start + seconds(50)), Duration::zero());
  EXPECT_EQ(pace.take(10, start + seconds(50)), seconds(1));
}

TEST(Pace, ARecordThatWouldTakeForEverIsNoOverflow) {
  const SteadyTime start{seconds(100)};
  Pace pace(1e-9, start);
  EXPECT_GT(pace.take(1'000'000'000, start), std::chrono::hours(24 * 365));
}

// Between any two records as well as from the start.
TEST(Pace, NoIntervalHasMoreItemsThanTheRateAllows) {
  constexpr double kRate = 1000;
  Random random(7);
  const SteadyTime start{seconds(1)};
  Pace pace(kRate, start);
  struct Sent {
    SteadyTime at;
    double items;
  };
  std::vector<Sent> sent = {{start, 0}};
  SteadyTime now = start;
  for (int i = 0; i < 300; ++i) {
    now += std::chrono::milliseconds(random.next() % 50);  // Reading and the answer.
    const std::uint64_t items = 1 + random.next() % 60;
    now += pace.take(items, now);
    sent.push_back({now, static_cast<double>(items)});
  }
  for (std::size_t first = 0; first < sent.size(); ++first) {
    double items = 0;
    for (std::size_t last = first + 1; last < sent.size(); ++last) {
      items += sent[last].items;
      const double allowed =
          kRate * std::chrono::duration<double>(sent[last].at - sent[first].at).count();
      ASSERT_LE(items, allowed + 1e-3) << first << " to " << last;
    }
  }
}

}  // namespace
}  // namespace spanway::kafka_bridge
