#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "services/kafka-bridge/consume/consumer_group.h"
#include "services/lib/base/check.h"
#include "tests/unit/kafka-bridge/consume/group_fixture.h"

namespace spanway::kafka_bridge {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::IsEmpty;

TEST(ConsumerGroup, TheStatusShowsBatchesInFlightAndWhatTheyWaitFor) {
  GroupFixture fixture;
  fixture.begin();
  fixture.consumer->assign(fixture.p0, 5);
  fixture.put(fixture.p0, 5, 0);
  fixture.executor.advance(seconds(1));
  ASSERT_EQ(fixture.group->partitions().size(), 1u);
  ASSERT_EQ(fixture.group->partitions()[0].batches.size(), 1u);
  EXPECT_EQ(fixture.group->partitions()[0].committed, 5);
  const PartitionLane::BatchState batch = fixture.group->partitions()[0].batches[0];
  EXPECT_EQ(batch.offsets, (OffsetRange{5, 5}));
  EXPECT_EQ(batch.attempts, 1u);
  EXPECT_EQ(batch.waits_for, "answer");
  auto taken = fixture.sink.take(Duration::zero());
  ASSERT_TRUE(taken);
  taken->token.nack(busy().with_retry_after(seconds(20)));
  fixture.executor.advance(seconds(1));
  EXPECT_EQ(fixture.group->partitions()[0].batches[0].waits_for, "backoff");
  fixture.accept_all();
  fixture.executor.advance(seconds(30));
  EXPECT_THAT(fixture.group->partitions()[0].batches, IsEmpty());
  const GroupActivity activity = fixture.group->activity();
  EXPECT_EQ(activity.polls.count, 1u);
  EXPECT_EQ(activity.commits.count, 1u);
  EXPECT_EQ(activity.rebalances.count, 1u);
  EXPECT_TRUE(activity.commits.last > activity.polls.last);
}

TEST(ConsumerGroup, CountsARebalanceOnceForAllItsPartitions) {
  GroupFixture fixture;
  fixture.begin();
  fixture.consumer->assign({fixture.p0, fixture.p1});
  fixture.executor.advance(seconds(2));
  ASSERT_EQ(fixture.group->partitions().size(), 2u);
  EXPECT_EQ(fixture.group->activity().rebalances.count, 1u);
  fixture.consumer->listener.on_lost({fixture.p0, fixture.p1});
  fixture.executor.advance(seconds(2));
  EXPECT_EQ(fixture.group->activity().rebalances.count, 2u);
}

TEST(ConsumerGroup, LogsTheLeaderEpochOfAssignmentsAndCommits) {
  std::vector<std::string> lines;
  GroupFixture fixture;
  fixture.log = telemetry::Logger::create(
      {.level = telemetry::LogLevel::kDebug,
       .write = [&lines](std::string_view line) { lines.emplace_back(line); }});
  fixture.begin();
  fixture.accept_all();
  fixture.consumer->leader_epoch = 7;
  fixture.consumer->assign(fixture.p0, 5);
  fixture.put(fixture.p0, 5, 0);
  fixture.executor.advance(seconds(2));
  for (const char* text : {"Partition assigned", "Offset committed"}) {
    const auto matches = [text](const std::string& line) {
      return line.find(text) != std::string::npos &&
             line.find(" leader_epoch=7 ") != std::string::npos;
    };
    EXPECT_EQ(std::count_if(lines.begin(), lines.end(), matches), 1) << text;
  }
  fixture.group.reset();
}

TEST(ConsumerGroup, LogsAssignmentsCommitsAndStateChangesAtDebugLevelOnly) {
  for (const auto level : {telemetry::LogLevel::kDebug, telemetry::LogLevel::kInfo}) {
    std::string lines;
    GroupFixture fixture;
    fixture.log = telemetry::Logger::create(
        {.level = level, .write = [&lines](std::string_view line) { lines += line; }});
    fixture.begin();
    fixture.accept_all();
    fixture.consumer->assign(fixture.p0, 5);
    fixture.put(fixture.p0, 5, 0);
    fixture.executor.advance(seconds(2));
    fixture.revoke(fixture.p0);
    fixture.executor.run();
    for (const char* text :
         {"Partition assigned", "state=sending", "state=done", "Offset committed", "offset=6",
          "Partition revoked", "all_answered_and_committed=true"}) {
      EXPECT_EQ(lines.find(text) != std::string::npos, level == telemetry::LogLevel::kDebug)
          << text << " in " << lines;
    }
    fixture.group.reset();
  }
}

TEST(ConsumerGroup, ReportsTheLagAlsoWhileStalled) {
  GroupFixture fixture;
  fixture.begin();
  fixture.sink.answer_with(
      [](const auto&) -> Result<pipeline::Outcome> { return token_expired(); });
  fixture.consumer->assign(fixture.p0, 40);
  fixture.consumer->marks[fixture.p0] = {0, 100};
  const auto now =
      std::chrono::duration_cast<milliseconds>(fixture.clock.system_now().time_since_epoch())
          .count();
  fixture.put(fixture.p0, 40, 0, now);
  fixture.executor.advance(seconds(60));
  ASSERT_EQ(fixture.group->partitions().size(), 1u);
  EXPECT_EQ(fixture.group->partitions()[0].lag_messages, 60);
  EXPECT_NEAR(fixture.group->partitions()[0].lag_seconds, 60, 1.1);
  const telemetry::Labels labels = {{"topic", "otel.traces"}, {"partition", "0"}};
  EXPECT_EQ(fixture.metrics.value("spanway_kafka_bridge_lag_messages", labels), 60);
  EXPECT_NEAR(fixture.metrics.value("spanway_kafka_bridge_lag_seconds", labels), 60, 1.1);
  fixture.consumer->listener.on_lost({fixture.p0});
  EXPECT_EQ(fixture.metrics.expose().find("spanway_kafka_bridge_lag_messages{"), std::string::npos);
}

TEST(ConsumerGroup, NoLagMeansZeroSeconds) {
  AcceptingGroupFixture fixture;
  fixture.consumer->marks[fixture.p0] = {0, 1};
  fixture.put(fixture.p0, 0, 0, 1);
  fixture.executor.advance(seconds(3));
  ASSERT_EQ(fixture.group->partitions().size(), 1u);
  EXPECT_EQ(fixture.group->partitions()[0].lag_messages, 0);
  EXPECT_EQ(fixture.group->partitions()[0].lag_seconds, 0);
}

TEST(ConsumerGroup, AClockThatIsAheadDoesNotHideThatNothingMoves) {
  for (const bool ahead : {true, false}) {
    GroupFixture fixture;
    fixture.begin();
    fixture.sink.answer_with(
        [](const auto&) -> Result<pipeline::Outcome> { return token_expired(); });
    fixture.consumer->assign(fixture.p0, 40);
    fixture.consumer->marks[fixture.p0] = {0, 100};
    const auto now =
        std::chrono::duration_cast<milliseconds>(fixture.clock.system_now().time_since_epoch());
    fixture.put(fixture.p0, 40, 0, ahead ? (now + seconds(3600)).count() : 0);
    fixture.executor.advance(seconds(60));
    ASSERT_EQ(fixture.group->partitions().size(), 1u);
    EXPECT_NEAR(fixture.group->partitions()[0].lag_seconds, 60, 1.1);
  }
}

TEST(ConsumerGroup, WhatIsDeliveredAsItComesHasNoLagInSeconds) {
  AcceptingGroupFixture fixture;
  for (int i = 0; i < 30; ++i) {
    fixture.consumer->marks[fixture.p0] = {0, i + 2};  // One record is always on its way.
    fixture.put(fixture.p0, i, i);
    fixture.executor.advance(seconds(1));
    ASSERT_EQ(fixture.group->partitions().size(), 1u);
    EXPECT_EQ(fixture.group->partitions()[0].lag_seconds, 0);
  }
}

TEST(ConsumerGroup, MarkersAndDeletedRecordsAtTheEndOfTheLogAreNoLag) {
  GroupFixture fixture;
  fixture.begin();
  fixture.consumer->assign(fixture.p0, 0);
  fixture.consumer->marks[fixture.p0] = {0, 3};
  fixture.put(fixture.p0, 0, 0);
  fixture.executor.advance(milliseconds(10));
  auto taken = fixture.sink.take(Duration::zero());
  ASSERT_TRUE(taken);
  fixture.consumer->listener.on_end(fixture.p0, 3);
  fixture.executor.advance(seconds(2));
  EXPECT_EQ(fixture.committed(fixture.p0), -1) << "not before the records below are done";
  taken->token.ack();
  fixture.executor.advance(seconds(3));
  EXPECT_EQ(fixture.committed(fixture.p0), 3);
  EXPECT_EQ(fixture.group->partitions()[0].lag_messages, 0);
}

TEST(ConsumerGroup, EveryItemReadIsDeliveredDeadLetteredReleasedOrInFlight) {
  GroupFixture fixture;
  fixture.begin();
  const std::uint64_t bugs = bug_count();
  const auto count = [&](const char* name) {
    return fixture.metrics.value("spanway_kafka_bridge_" + std::string(name),
                                 {{"signal", "traces"}});
  };
  fixture.sink.answer_with([](const pipeline::Batch& batch) -> Result<pipeline::Outcome> {
    if (batch.metadata.tenant == "refused") return token_expired();
    const auto names = span_names(batch.payload.view());
    if (std::count(names.begin(), names.end(), "span-2") > 0) return bad_data();
    return pipeline::Outcome{batch.metadata.tenant == "partly" ? 1u : 0u, "one is too old"};
  });
  fixture.consumer->assign(fixture.p0, 0);
  fixture.consumer->put(fixture.p0, {0, 0, spans(0, 10), ""});
  fixture.consumer->put(fixture.p0, {1, 0, spans(10, 5), "refused"});
  fixture.consumer->put(fixture.p0, {2, 0, spans(15, 4), "partly"});
  fixture.consumer->put(fixture.p0, {3, 0, "this is no protobuf", ""});
  fixture.executor.advance(seconds(60));
  EXPECT_EQ(count("consumed_items_total"), 19);
  EXPECT_EQ(count("delivered_items_total"), 9 + 3);
  EXPECT_EQ(count("destination_rejected_items_total"), 1);
  EXPECT_EQ(count("dead_letter_items_total"), 1);
  EXPECT_EQ(count("in_flight_items"), 5);
  EXPECT_EQ(count("released_items_total"), 0);
  EXPECT_TRUE(fixture.group->items()[0].add_up());
  fixture.consumer->listener.on_lost({fixture.p0});
  fixture.executor.advance(seconds(2));
  EXPECT_EQ(count("in_flight_items"), 0);
  EXPECT_EQ(count("released_items_total"), 5);
  EXPECT_TRUE(fixture.group->items()[0].add_up());
  EXPECT_EQ(bug_count(), bugs) << last_bug_site();
}

}  // namespace
}  // namespace spanway::kafka_bridge
