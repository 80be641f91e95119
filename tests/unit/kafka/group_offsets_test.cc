#include "services/lib/kafka/group_offsets.h"

#include <gtest/gtest.h>

namespace spanway::kafka {
namespace {

constexpr auto kLatest = ConsumerConfig::StartFrom::kLatest;
constexpr auto kEarliest = ConsumerConfig::StartFrom::kEarliest;

TEST(GroupOffsets, LatestHoldsForANewGroup) {
  EXPECT_FALSE(begins_at_log_start(kLatest, {}));
  EXPECT_FALSE(begins_at_log_start(kLatest, {.complete = true}));
  EXPECT_TRUE(begins_at_log_start(kEarliest, {}));
}

TEST(GroupOffsets, APartitionThatCameLaterIsReadFromItsBeginning) {
  EXPECT_TRUE(begins_at_log_start(kLatest, {.has_commit = true}));
}

TEST(GroupOffsets, ATopicThatWasMissingOrWasReadBeforeIsReadFromItsBeginning) {
  EXPECT_TRUE(begins_at_log_start(kLatest, {.known = true}));
}

TEST(GroupOffsets, ATopicThatCameLaterIsReadFromItsBeginningIfNothingOfItWasDeleted) {
  EXPECT_TRUE(begins_at_log_start(kLatest, {.group_has_commit = true, .complete = true}));
  EXPECT_FALSE(begins_at_log_start(kLatest, {.group_has_commit = true}))
      << "a signal was added to the destination: an old topic is not delivered whole";
}

TEST(GroupOffsets, ARecreatedTopicCountsOnlyAfterItWasRead) {
  const std::atomic<bool> stopping{false};
  GroupOffsets offsets(nullptr, {}, {"a"}, stopping);
  EXPECT_TRUE(offsets.observe({{"a", "id-1", 2, 0}}).empty());
  EXPECT_TRUE(offsets.observe({{"a", "id-2", 2, 0}}).empty())
      << "nothing was read of the first one";
}

}  // namespace
}  // namespace spanway::kafka
