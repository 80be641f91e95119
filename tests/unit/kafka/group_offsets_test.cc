#include "services/lib/kafka/group_offsets.h"

#include <gtest/gtest.h>

namespace spanway::kafka {
namespace {

constexpr int kUnknownTopic = 3;  // The brokers' UNKNOWN_TOPIC_OR_PARTITION.
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
      << "a signal was added to the destination: an old topic is not delivered from its start";
}

TEST(GroupOffsets, ARecreatedTopicCountsOnlyAfterItWasRead) {
  const std::atomic<bool> stopping{false};
  StartMarkers markers({}, stopping);
  GroupOffsets offsets(nullptr, {}, {"a"}, markers, stopping);
  EXPECT_TRUE(offsets.observe({{"a", "id-1", 2, 0}}).empty());
  EXPECT_TRUE(offsets.observe({{"a", "id-2", 2, 0}}).empty())
      << "nothing was read of the first one";
}

TEST(GroupOffsets, KnowsWhichLostPartitionsAreOfADeletedTopic) {
  const std::atomic<bool> stopping{false};
  StartMarkers markers({}, stopping);
  GroupOffsets offsets(nullptr, {}, {"a", "b", "c"}, markers, stopping);
  const std::vector<native::TopicDescription> topics = {
      {"a", "", 0, kUnknownTopic}, {"b", "id-b", 2, 0}, {"c", "", 0, kUnknownTopic}};
  EXPECT_EQ(offsets.deleted({{"a", 0}, {"a", 1}, {"b", 0}}, topics), "a");
  EXPECT_EQ(offsets.deleted({{"c", 0}, {"a", 1}}, topics), "a,c");
  EXPECT_EQ(offsets.deleted({{"b", 0}, {"b", 1}}, topics), "");
}

}  // namespace
}  // namespace spanway::kafka
