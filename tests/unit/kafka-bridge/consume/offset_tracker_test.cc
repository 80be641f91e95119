#include "services/kafka-bridge/consume/offset_tracker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "services/lib/base/check.h"
#include "services/lib/base/random.h"

namespace spanway::kafka_bridge {
namespace {

TEST(OffsetTracker, BeginsAtTheCommittedOffset) {
  const OffsetTracker tracker(42);
  EXPECT_EQ(tracker.position(), 42);
  EXPECT_TRUE(tracker.idle());
  EXPECT_FALSE(tracker.oldest_timestamp_ms().has_value());
}

TEST(OffsetTracker, CommitsOnlyTheContiguousPrefix) {
  OffsetTracker tracker(0);
  const auto a = tracker.begin(0, 9, 100);
  const auto b = tracker.begin(10, 19, 200);
  const auto c = tracker.begin(20, 29, 300);
  tracker.finish(c);
  tracker.finish(b);
  EXPECT_EQ(tracker.position(), 0);
  EXPECT_EQ(tracker.open_runs(), 1u) << "what is done takes no memory";
  tracker.finish(a);
  EXPECT_EQ(tracker.position(), 30);
  EXPECT_TRUE(tracker.idle());
}

TEST(OffsetTracker, StopsAtTheFirstUnfinishedRun) {
  OffsetTracker tracker(0);
  const auto a = tracker.begin(0, 0, 0);
  tracker.begin(1, 1, 0);
  const auto c = tracker.begin(2, 2, 0);
  tracker.finish(a);
  tracker.finish(c);
  EXPECT_EQ(tracker.position(), 1);
}

TEST(OffsetTracker, GapsBelongToTheRunBehindThem) {
  OffsetTracker tracker(100);
  const auto a = tracker.begin(105, 110, 0);  // 100 to 104 were compacted away.
  EXPECT_EQ(tracker.position(), 100);
  const auto b = tracker.begin(200, 200, 0);
  tracker.finish(a);
  EXPECT_EQ(tracker.position(), 111);
  tracker.finish(b);
  EXPECT_EQ(tracker.position(), 201);
}

TEST(OffsetTracker, ReportsTheOldestUnfinishedTimestamp) {
  OffsetTracker tracker(0);
  const auto a = tracker.begin(0, 0, 1000);
  const auto b = tracker.begin(1, 1, 500);
  EXPECT_EQ(tracker.oldest_timestamp_ms(), 1000);
  tracker.finish(b);
  EXPECT_EQ(tracker.oldest_timestamp_ms(), 1000);
  tracker.finish(a);
  EXPECT_FALSE(tracker.oldest_timestamp_ms().has_value());
}

TEST(OffsetTracker, ListsWhatIsNotFinished) {
  OffsetTracker tracker(0);
  const auto a = tracker.begin(0, 3, 0);
  const auto b = tracker.begin(4, 7, 0);
  tracker.begin(9, 12, 0);
  tracker.finish(b);
  EXPECT_EQ(tracker.open(), (std::vector<OffsetRange>{{0, 3}, {9, 12}}));
  EXPECT_EQ(tracker.end(), 13);
  tracker.finish(a);
  EXPECT_EQ(tracker.open(), (std::vector<OffsetRange>{{9, 12}}));
}

TEST(OffsetTracker, PassesOverWhatNeedsNothing) {
  OffsetTracker tracker(0);
  tracker.skip_to(5);
  EXPECT_EQ(tracker.position(), 5);
  const auto a = tracker.begin(7, 9, 0);
  tracker.skip_to(20);
  EXPECT_EQ(tracker.position(), 5);
  tracker.finish(a);
  EXPECT_EQ(tracker.position(), 20);
}

TEST(OffsetTracker, CountsABugForRunsItDoesNotKnow) {
  OffsetTracker tracker(0);
  const auto a = tracker.begin(0, 0, 0);
  const auto bugs = bug_count();
  tracker.finish(a + 1);
  tracker.finish(a);
  tracker.finish(a);
  EXPECT_EQ(bug_count(), bugs + 2);
  EXPECT_EQ(tracker.position(), 1);
}

TEST(OffsetTracker, EmptyRunsAndGoingBackAreOurOwnMistakes) {
  OffsetTracker tracker(10);
  tracker.begin(10, 20, 0);
  EXPECT_DEATH(tracker.begin(20, 25, 0), "first >");
  EXPECT_DEATH(tracker.begin(30, 29, 0), "first <= last");
}

// Against a model that keeps every offset.
TEST(OffsetTracker, AgreesWithANaiveModelInAnyOrder) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Random random(seed);
    const auto start = static_cast<std::int64_t>(random.next_below(1000));
    OffsetTracker tracker(start);
    std::map<std::int64_t, bool> finished;  // By taken offset.
    struct Open {
      OffsetTracker::Run run;
      std::int64_t first, last;
    };
    std::vector<Open> open;
    std::int64_t next = start;
    for (int step = 0; step < 300; ++step) {
      if (open.empty() || random.next_below(2) == 0) {
        const auto first = next + static_cast<std::int64_t>(random.next_below(3));
        const auto last = first + static_cast<std::int64_t>(random.next_below(5));
        open.push_back({tracker.begin(first, last, 0), first, last});
        for (std::int64_t o = first; o <= last; ++o) finished[o] = false;
        next = last + 1;
      } else {
        const std::size_t i = random.next_below(open.size());
        tracker.finish(open[i].run);
        for (std::int64_t o = open[i].first; o <= open[i].last; ++o) finished[o] = true;
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(i));
      }
      std::int64_t expected = start;
      for (const auto& [offset, done] : finished) {
        if (!done) break;
        expected = offset + 1;
      }
      ASSERT_EQ(tracker.position(), expected) << "seed " << seed << " step " << step;
    }
  }
}

}  // namespace
}  // namespace spanway::kafka_bridge
