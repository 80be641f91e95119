#include "services/kafka-bridge/consume/consumer_group.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "services/lib/base/check.h"
#include "tests/unit/kafka-bridge/consume/group_fixture.h"

namespace spanway::kafka_bridge {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(ConsumerGroup, ReadsTheTopicsOfItsSignals) {
  GroupFixture fixture;
  fixture.config.consumer.signals = {"logs", "traces"};
  fixture.begin();
  EXPECT_THAT(fixture.topics, ElementsAre("otel.traces", "otel.logs"));
  EXPECT_TRUE(fixture.consumer->started);
}

TEST(ConsumerGroup, DeliversAndCommitsEverySecond) {
  GroupFixture fixture;
  fixture.begin();
  fixture.consumer->assign(fixture.p0, 5);
  fixture.consumer->assign(fixture.p1, 0);
  fixture.put(fixture.p0, 5, 0);
  fixture.put(fixture.p1, 0, 1);
  fixture.executor.advance(milliseconds(10));
  auto a = fixture.sink.take(Duration::zero());
  auto b = fixture.sink.take(Duration::zero());
  ASSERT_TRUE(a && b);
  a->token.ack();
  b->token.ack();
  EXPECT_EQ(fixture.committed(fixture.p0), -1);
  fixture.executor.advance(seconds(1));
  EXPECT_EQ(fixture.committed(fixture.p0), 6);
  EXPECT_EQ(fixture.committed(fixture.p1), 1);
  EXPECT_EQ(fixture.consumer->commits, 1) << "one request for all partitions";
  fixture.executor.advance(seconds(10));
  EXPECT_EQ(fixture.consumer->commits, 1) << "nothing new, nothing to commit";
}

TEST(ConsumerGroup, PartitionsShareARequest) {
  GroupFixture fixture;
  fixture.config.consumer.batch.linger = milliseconds(5);
  fixture.begin();
  fixture.consumer->assign(fixture.p0, 0);
  fixture.consumer->assign(fixture.p1, 0);
  fixture.put(fixture.p0, 0, 0);
  fixture.put(fixture.p1, 0, 1);
  fixture.executor.advance(milliseconds(10));
  auto taken = fixture.sink.take(Duration::zero());
  ASSERT_TRUE(taken);
  EXPECT_THAT(span_names(taken->batch.payload.view()), ElementsAre("span-0", "span-1"));
  EXPECT_EQ(fixture.sink.sent(), 1u);
  taken->token.ack();
  fixture.executor.advance(seconds(1));
  EXPECT_EQ(fixture.committed(fixture.p0), 1);
  EXPECT_EQ(fixture.committed(fixture.p1), 1);
}

TEST(ConsumerGroup, NearTheMemoryLimitPartitionsArePausedUntilThereIsRoom) {
  GroupFixture fixture;
  fixture.begin();
  fixture.consumer->assign(fixture.p0, 0);
  fixture.consumer->assign(fixture.p1, 0);
  fixture.gate.measured(250u << 20, false);
  fixture.group->shed_load();
  EXPECT_THAT(fixture.consumer->paused, ElementsAre(fixture.p0, fixture.p1));
  fixture.executor.advance(seconds(5));
  EXPECT_THAT(fixture.consumer->paused, ElementsAre(fixture.p0, fixture.p1));
  fixture.gate.measured(100u << 20, true);
  fixture.executor.advance(seconds(2));
  EXPECT_THAT(fixture.consumer->paused, IsEmpty());
}

TEST(ConsumerGroup, RepeatsACommitThatFailed) {
  AcceptingGroupFixture fixture;
  fixture.consumer->commit_answer = Status(unavailable("rebalancing"));
  fixture.put(fixture.p0, 0, 0);
  fixture.executor.advance(seconds(3));
  EXPECT_EQ(fixture.committed(fixture.p0), -1);
  fixture.consumer->commit_answer = ok_status();
  fixture.executor.advance(seconds(1));
  EXPECT_EQ(fixture.committed(fixture.p0), 1);
}

TEST(ConsumerGroup, ACommitWithoutAnAnswerDoesNotStopTheNext) {
  AcceptingGroupFixture fixture;
  fixture.consumer->hold_commits = true;
  fixture.put(fixture.p0, 0, 0);
  fixture.executor.advance(seconds(5));
  EXPECT_EQ(fixture.consumer->pending_commits.size(), 1u) << "one at a time";
  fixture.consumer->hold_commits = false;
  fixture.executor.advance(seconds(10));
  EXPECT_EQ(fixture.committed(fixture.p0), 1);
}

TEST(ConsumerGroup, RevokedPartitionsAreFinishedAndCommittedBeforeTheyGo) {
  GroupFixture fixture;
  fixture.begin();
  fixture.consumer->assign(fixture.p0, 0);
  fixture.consumer->assign(fixture.p1, 0);
  fixture.put(fixture.p0, 0, 0);
  fixture.executor.advance(milliseconds(10));
  auto taken = fixture.sink.take(Duration::zero());
  ASSERT_TRUE(taken);
  fixture.revoke(fixture.p0);
  fixture.executor.advance(seconds(1));
  EXPECT_FALSE(fixture.revoked);
  taken->token.ack();
  fixture.executor.run();
  EXPECT_TRUE(fixture.revoked);
  EXPECT_EQ(fixture.committed(fixture.p0), 1);
  fixture.executor.advance(seconds(1));
  ASSERT_EQ(fixture.group->partitions().size(), 1u);
  EXPECT_EQ(fixture.group->partitions()[0].partition, fixture.p1);
}

TEST(ConsumerGroup, RevocationDoesNotWaitForEver) {
  BatchInFlightFixture fixture;
  fixture.revoke(fixture.p0);
  fixture.executor.advance(fixture.config.destination.timeout);
  EXPECT_FALSE(fixture.revoked) << "the destination may still answer";
  fixture.executor.advance(seconds(5));
  EXPECT_TRUE(fixture.revoked);
  EXPECT_EQ(fixture.committed(fixture.p0), -1) << "what is not answered is not committed";
  fixture.in_flight->token.ack();  // Too late: the partition belongs to another member.
  fixture.executor.advance(seconds(5));
  EXPECT_EQ(fixture.committed(fixture.p0), -1);
  EXPECT_EQ(fixture.budget.used(), 0u);
}

// Kafka refuses a commit while the members join anew.
TEST(ConsumerGroup, TheLastCommitOfARevocationIsRepeatedUntilKafkaTakesIt) {
  AcceptingGroupFixture fixture;
  fixture.put(fixture.p0, 0, 0);
  fixture.consumer->commit_answer = Status(unavailable("rebalance in progress"));
  fixture.executor.advance(milliseconds(10));
  fixture.revoke(fixture.p0);
  fixture.executor.advance(seconds(9));
  EXPECT_FALSE(fixture.revoked) << "another member would deliver it again";
  fixture.consumer->commit_answer = ok_status();
  fixture.executor.advance(milliseconds(200));
  EXPECT_TRUE(fixture.revoked);
  EXPECT_EQ(fixture.committed(fixture.p0), 1);
}

TEST(ConsumerGroup, ALastCommitThatKafkaNeverTakesEndsInTime) {
  AcceptingGroupFixture fixture;
  fixture.put(fixture.p0, 0, 0);
  fixture.consumer->commit_answer = Status(unavailable("rebalance in progress"));
  fixture.executor.advance(milliseconds(10));
  fixture.drain(seconds(2));
  fixture.executor.advance(milliseconds(2900));
  EXPECT_FALSE(fixture.drained);
  fixture.executor.advance(milliseconds(100));
  EXPECT_EQ(fixture.drained, false);
  EXPECT_TRUE(fixture.consumer->closed);
}

TEST(ConsumerGroup, ALastCommitThatKafkaRefusesForGoodIsNotRepeated) {
  AcceptingGroupFixture fixture;
  fixture.put(fixture.p0, 0, 0);
  fixture.consumer->commit_answer =
      Status(configuration_error(Code::kPermissionDenied, "not authorised"));
  fixture.executor.advance(milliseconds(10));
  fixture.drain(seconds(20));
  fixture.executor.run();
  EXPECT_EQ(fixture.drained, false);
}

TEST(ConsumerGroup, ALateAnswerToALastCommitEndsNoOtherRevocation) {
  AcceptingGroupFixture fixture;
  fixture.consumer->assign(fixture.p1, 0);
  fixture.put(fixture.p0, 0, 0);
  fixture.put(fixture.p1, 0, 1);
  fixture.executor.advance(milliseconds(10));
  fixture.consumer->hold_commits = true;
  fixture.revoke(fixture.p0);
  fixture.executor.advance(seconds(10));
  EXPECT_TRUE(fixture.revoked);
  fixture.drain(seconds(20));
  fixture.executor.run();
  ASSERT_EQ(fixture.consumer->pending_commits.size(), 2u);
  fixture.consumer->pending_commits[0].done(ok_status());
  fixture.executor.run();
  EXPECT_FALSE(fixture.drained);
  fixture.consumer->pending_commits[1].done(ok_status());
  EXPECT_EQ(fixture.drained, true);
}

TEST(ConsumerGroup, LostPartitionsCommitNothing) {
  AcceptingGroupFixture fixture;
  fixture.put(fixture.p0, 0, 0);
  fixture.executor.advance(milliseconds(10));
  fixture.consumer->listener.on_lost({fixture.p0});
  fixture.executor.advance(seconds(5));
  EXPECT_EQ(fixture.committed(fixture.p0), -1);
  EXPECT_THAT(fixture.group->partitions(), IsEmpty());
}

TEST(ConsumerGroup, DrainFinishesCommitsAndLeaves) {
  BatchInFlightFixture fixture;
  fixture.drain(seconds(20));
  fixture.executor.advance(seconds(2));
  EXPECT_FALSE(fixture.drained);
  EXPECT_FALSE(fixture.consumer->closed);
  fixture.acknowledge();
  EXPECT_EQ(fixture.drained, true);
  EXPECT_EQ(fixture.committed(fixture.p0), 1);
  EXPECT_TRUE(fixture.consumer->closed);
}

TEST(ConsumerGroup, DrainWithoutPartitionsIsImmediate) {
  GroupFixture fixture;
  fixture.begin();
  fixture.drain(seconds(20));
  EXPECT_EQ(fixture.drained, true);
  EXPECT_TRUE(fixture.consumer->closed);
}

TEST(ConsumerGroup, DrainGivesUpInTimeAndSaysSo) {
  BatchInFlightFixture fixture;
  fixture.drain(seconds(3));
  fixture.executor.advance(seconds(3));
  EXPECT_EQ(fixture.drained, false);
  EXPECT_TRUE(fixture.consumer->closed);
  fixture.acknowledge();
}

TEST(ConsumerGroup, ShutdownTakesOverFromARevocation) {
  BatchInFlightFixture fixture;
  fixture.revoke(fixture.p0);
  fixture.drain(seconds(20));
  fixture.acknowledge();
  EXPECT_EQ(fixture.drained, true);
  EXPECT_EQ(fixture.committed(fixture.p0), 1);
}

TEST(ConsumerGroup, ARebalanceDuringShutdownDoesNotReplaceIt) {
  BatchInFlightFixture fixture;
  fixture.drain(seconds(20));
  fixture.revoke(fixture.p0);
  fixture.consumer->assign(fixture.p1, 0);
  fixture.put(fixture.p1, 0, 1);
  fixture.executor.advance(milliseconds(10));
  EXPECT_EQ(fixture.sink.sent(), 1u) << "nothing more is read";
  fixture.acknowledge();
  EXPECT_EQ(fixture.drained, true);
  EXPECT_EQ(fixture.committed(fixture.p0), 1);
}

TEST(ConsumerGroup, ShutdownDoesNotWaitForPartitionsThatAreLost) {
  BatchInFlightFixture fixture;
  fixture.drain(seconds(20));
  fixture.consumer->listener.on_lost({fixture.p0});
  fixture.executor.run();
  EXPECT_TRUE(fixture.drained.has_value());
}

TEST(ConsumerGroup, CountsLostRecordsAndContinues) {
  AcceptingGroupFixture fixture(10);
  fixture.consumer->listener.on_gap(fixture.p0, 10, 110, 100);
  fixture.put(fixture.p0, 110, 0);
  fixture.executor.advance(seconds(1));
  EXPECT_EQ(fixture.metrics.value("spanway_kafka_bridge_lost_records_total"), 100);
  EXPECT_EQ(fixture.committed(fixture.p0), 111);
}

TEST(ConsumerGroup, ATopicMadeAnewIsReadFromItsNewBeginning) {
  GroupFixture fixture;
  fixture.begin();
  fixture.consumer->assign(fixture.p0, 1000);
  fixture.put(fixture.p0, 1000, 0);
  fixture.executor.advance(milliseconds(10));
  auto old = fixture.sink.take(Duration::zero());
  fixture.consumer->listener.on_gap(fixture.p0, 1001, 0, 0);
  fixture.put(fixture.p0, 0, 1);
  fixture.executor.advance(milliseconds(10));
  auto fresh = fixture.sink.take(Duration::zero());
  ASSERT_TRUE(old && fresh);
  old->token.ack();
  fresh->token.ack();
  fixture.executor.advance(seconds(1));
  EXPECT_EQ(fixture.committed(fixture.p0), 1);
  EXPECT_EQ(fixture.metrics.value("spanway_kafka_bridge_offset_resets_total"), 1);
}

TEST(ConsumerGroup, PausesOnlyWhatStallsForLongAndReportsWhy) {
  GroupFixture fixture;
  fixture.begin();
  bool expired = true;
  fixture.sink.answer_with([&expired](const auto&) -> Result<pipeline::Outcome> {
    if (expired) return token_expired();
    return pipeline::Outcome{};
  });
  fixture.consumer->assign(fixture.p0, 0);
  fixture.put(fixture.p0, 0, 0);
  fixture.executor.advance(seconds(20));
  EXPECT_THAT(fixture.consumer->paused, IsEmpty());
  ASSERT_EQ(fixture.group->partitions().size(), 1u);
  EXPECT_TRUE(fixture.group->partitions()[0].stalled);
  EXPECT_THAT(fixture.group->partitions()[0].reason, HasSubstr("token expired"));
  EXPECT_EQ(fixture.metrics.value("spanway_kafka_bridge_stalled_partitions"), 1);
  fixture.executor.advance(seconds(20));
  EXPECT_THAT(fixture.consumer->paused, ElementsAre(fixture.p0));
  expired = false;
  fixture.executor.advance(seconds(31));
  EXPECT_THAT(fixture.consumer->paused, IsEmpty());
  EXPECT_EQ(fixture.metrics.value("spanway_kafka_bridge_stalled_partitions"), 0);
  EXPECT_EQ(fixture.committed(fixture.p0), 1);
}

TEST(ConsumerGroup, CountsWhatTheLogHasLost) {
  AcceptingGroupFixture fixture(159);
  fixture.consumer->listener.on_gap(fixture.p0, 159, 100, 59);
  fixture.put(fixture.p0, 100, 0);
  fixture.executor.advance(seconds(1));
  EXPECT_EQ(fixture.sink.sent(), 1u);
  EXPECT_EQ(fixture.committed(fixture.p0), 101);
  EXPECT_EQ(fixture.metrics.value("spanway_kafka_bridge_truncated_records_total"), 59);
  EXPECT_EQ(fixture.metrics.value("spanway_kafka_bridge_lost_records_total"), 0);
  EXPECT_EQ(fixture.group->lost_records(), 59u);
}

TEST(ConsumerGroup, ReadsAgainWhenMemoryMayBeFree) {
  AcceptingGroupFixture fixture;
  auto other = fixture.budget.try_acquire(fixture.budget.limit());
  fixture.put(fixture.p0, 0, 0);
  fixture.executor.advance(seconds(1));
  EXPECT_EQ(fixture.sink.sent(), 0u);
  other->release();
  fixture.executor.advance(seconds(1));
  EXPECT_EQ(fixture.sink.sent(), 1u);
}

TEST(ConsumerGroup, PlansOfManyCutsShareOneCommit) {
  GroupFixture fixture;
  fixture.config.consumer.batch_identity = true;
  fixture.config.consumer.batch.items_max = 1;
  fixture.config.consumer.batch.linger = milliseconds(5);
  fixture.begin();
  fixture.consumer->assign(fixture.p0, 0);
  fixture.consumer->hold_commits = true;
  for (int i = 0; i < 5; ++i) fixture.put(fixture.p0, i, i);
  fixture.executor.advance(milliseconds(10));
  ASSERT_EQ(fixture.consumer->pending_commits.size(), 1u);
  EXPECT_EQ(fixture.sink.sent(), 0u) << "nothing is sent before its plan is committed";
  fixture.consumer->pending_commits[0].done(ok_status());
  fixture.executor.run();
  EXPECT_GE(fixture.sink.sent(), 1u);
  ASSERT_LE(fixture.consumer->pending_commits.size(), 2u);
  fixture.consumer->hold_commits = false;
  if (fixture.consumer->pending_commits.size() == 2) {
    fixture.consumer->pending_commits[1].done(ok_status());
  }
  fixture.executor.advance(seconds(1));
  EXPECT_EQ(fixture.sink.sent(), 5u);
}

TEST(ConsumerGroup, AFencedMemberIsFatal) {
  GroupFixture fixture;
  fixture.begin();
  EXPECT_TRUE(fixture.group->fatal().ok());
  fixture.consumer->listener.on_fatal(configuration_error(Code::kAborted, "fenced"));
  ASSERT_FALSE(fixture.group->fatal().ok());
  EXPECT_EQ(fixture.group->fatal().error().message, "fenced");
}

TEST(ConsumerGroup, PartitionsBeyondThePlanTakeTheirPrefetchFromTheBudget) {
  GroupFixture fixture;
  fixture.config.consumer.kafka.partitions_max = 1;
  fixture.begin();
  fixture.consumer->assign(fixture.p0, 0);
  EXPECT_EQ(fixture.budget.used(), 0u);
  fixture.consumer->assign(fixture.p1, 0);
  EXPECT_EQ(fixture.budget.used(), 2u << 20);
  fixture.consumer->listener.on_lost({fixture.p1});
  EXPECT_EQ(fixture.budget.used(), 0u);
}

}  // namespace
}  // namespace spanway::kafka_bridge
