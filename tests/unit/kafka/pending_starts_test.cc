#include "services/lib/kafka/pending_starts.h"

#include <gtest/gtest.h>

namespace spanway::kafka {
namespace {

using Partitions = std::vector<TopicPartition>;

TEST(PendingStarts, AFurtherAssignmentReplacesNoneThatWaits) {
  PendingStarts pending;
  const std::uint64_t first = pending.add({{"a", 0}, {"a", 1}});
  const std::uint64_t second = pending.add({{"b", 0}});
  EXPECT_EQ(pending.of(first), (Partitions{{"a", 0}, {"a", 1}}));
  EXPECT_EQ(pending.of(second), (Partitions{{"b", 0}}));
  pending.remove(pending.of(second));
  EXPECT_EQ(pending.of(first), (Partitions{{"a", 0}, {"a", 1}}));
  EXPECT_EQ(pending.size(), 2u);
}

TEST(PendingStarts, ARevocationLeavesTheOthers) {
  PendingStarts pending;
  const std::uint64_t lookup = pending.add({{"a", 0}, {"a", 1}});
  pending.remove({{"a", 0}, {"c", 7}});
  EXPECT_EQ(pending.of(lookup), (Partitions{{"a", 1}}));
}

TEST(PendingStarts, APartitionThatComesBackWaitsForItsNewLookup) {
  PendingStarts pending;
  const std::uint64_t before = pending.add({{"a", 0}});
  pending.remove({{"a", 0}});
  const std::uint64_t now = pending.add({{"a", 0}});
  EXPECT_TRUE(pending.of(before).empty()) << "another member may have committed meanwhile";
  EXPECT_EQ(pending.of(now), (Partitions{{"a", 0}}));
}

}  // namespace
}  // namespace spanway::kafka
