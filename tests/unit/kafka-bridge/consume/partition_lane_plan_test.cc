#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "services/kafka-bridge/consume/partition_lane.h"
#include "services/lib/base/check.h"
#include "tests/unit/kafka-bridge/consume/lane_fixture.h"

namespace spanway::kafka_bridge {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;

TEST(PartitionLane, PlansACutBeforeItIsSent) {
  LaneFixture fixture;
  fixture.options.batch_identity = true;
  fixture.begin(10);
  fixture.take(10, spans(0, 1));
  fixture.take(12, spans(1, 1), "acme");
  fixture.settle();
  EXPECT_FALSE(fixture.sent()) << "the plan is not committed yet";
  EXPECT_EQ(fixture.plans, 1);
  EXPECT_TRUE(fixture.lane->plan_pending());
  fixture.commit();
  ASSERT_TRUE(fixture.committed);
  EXPECT_EQ(fixture.committed->offset, 10) << "the offset does not move";
  EXPECT_EQ(fixture.committed->metadata, "spanway2:3,0-2");
  EXPECT_FALSE(fixture.lane->plan_pending());
  auto none = fixture.sent();
  auto acme = fixture.sent();
  ASSERT_TRUE(none && acme);
  EXPECT_EQ(none->batch.metadata.batch_id, "otel.traces:3:10-12");
  EXPECT_EQ(acme->batch.metadata.batch_id, "otel.traces:3:10-12:acme");
  fixture.ack(std::move(*none));
  fixture.ack(std::move(*acme));
  EXPECT_EQ(fixture.commit(), 13);
  EXPECT_EQ(fixture.committed->metadata, "");
}

TEST(PartitionLane, RepeatsThePlannedCutsExactlyAfterARestart) {
  struct Seen {
    std::string id;
    std::vector<std::string> names;
    bool operator==(const Seen&) const = default;
  };
  std::vector<Seen> before;
  std::vector<Seen> after;
  std::string metadata;
  {
    LaneFixture fixture;
    fixture.options.batch_identity = true;
    fixture.options.merge.items_max = 5;
    fixture.begin(0);
    for (int i = 0; i < 9; ++i) fixture.take(i, spans(i * 2, 2));
    fixture.settle();
    fixture.commit();
    metadata = fixture.committed->metadata;
    while (auto taken = fixture.sent()) {
      before.push_back({taken->batch.metadata.batch_id, span_names(taken->batch.payload.view())});
      taken->token.nack(busy());
    }
    EXPECT_EQ(before.size(), 5u);
  }
  LaneFixture fixture;
  fixture.options.batch_identity = true;
  fixture.options.merge.items_max = 100;  // Other limits, and more records at once.
  fixture.begin(0, metadata);
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(fixture.take(i, spans(i * 2, 2)));
  fixture.settle();
  for (std::size_t i = 0; i < before.size(); ++i) {
    auto taken = fixture.sent();
    ASSERT_TRUE(taken) << "planned cuts need no new commit";
    after.push_back({taken->batch.metadata.batch_id, span_names(taken->batch.payload.view())});
    fixture.ack(std::move(*taken));
  }
  EXPECT_EQ(after, before);
  EXPECT_FALSE(fixture.sent()) << "what was not planned before is planned now";
  fixture.commit();
  auto rest = fixture.sent();
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->batch.metadata.batch_id, "otel.traces:3:9-11");
}

TEST(PartitionLane, APlannedCutWhoseRecordsHaveGoneIsPassedOver) {
  LaneFixture fixture;
  fixture.options.batch_identity = true;
  fixture.begin(0, "spanway1:4,9");
  EXPECT_TRUE(fixture.take(7, spans(0, 1)));
  EXPECT_TRUE(fixture.take(9, spans(1, 1)));
  fixture.executor.run();
  auto taken = fixture.sent();
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->batch.metadata.batch_id, "otel.traces:3:7-9");
  fixture.ack(std::move(*taken));
  EXPECT_EQ(fixture.commit(), 10);
}

TEST(PartitionLane, APlannedCutEndsBeforeTheNextRecordWhenItsLastHasGone) {
  LaneFixture fixture;
  fixture.options.batch_identity = true;
  fixture.begin(0, "spanway1:4");
  EXPECT_TRUE(fixture.take(3, spans(0, 1)));
  fixture.settle();
  EXPECT_FALSE(fixture.sent()) << "no linger: the cut is not complete";
  EXPECT_TRUE(fixture.take(5, spans(1, 1)));
  auto taken = fixture.sent();
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->batch.metadata.batch_id, "otel.traces:3:3-3");
}

// Another tenant of the range is settled: what is left of the range is all of this one's batch.
TEST(PartitionLane, AWholeBatchOfAPartlySettledRangeKeepsItsName) {
  LaneFixture first;
  first.options.batch_identity = true;
  first.begin(10);
  first.take(10, spans(0, 1));
  first.take(12, spans(1, 2), "acme");
  first.settle();
  first.commit();
  auto none = first.sent();
  auto acme = first.sent();
  ASSERT_TRUE(none && acme);
  first.ack(std::move(*none));
  first.commit();
  LaneFixture second;
  second.options.batch_identity = true;
  second.begin(first.committed->offset, first.committed->metadata);
  second.take(10, spans(0, 1));
  second.take(12, spans(1, 2), "acme");
  second.settle();
  second.commit();
  auto again = second.sent();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->batch.metadata.batch_id, acme->batch.metadata.batch_id);
  EXPECT_FALSE(second.sent());
}

TEST(PartitionLane, HalvesHaveNamesThatARepetitionFindsAgain) {
  LaneFixture fixture;
  fixture.options.batch_identity = true;
  fixture.begin(0, "spanway1:0");
  std::vector<std::string> ids;
  fixture.sink.answer_with([&ids](const pipeline::Batch& batch) -> Result<pipeline::Outcome> {
    ids.push_back(batch.metadata.batch_id);
    if (batch.item_count > 2) return bad_data();
    return pipeline::Outcome{};
  });
  fixture.take(0, spans(0, 4));
  fixture.executor.run();
  EXPECT_THAT(ids,
              ElementsAre("otel.traces:3:0-0", "otel.traces:3:0-0~0+2", "otel.traces:3:0-0~2+2"));
}

TEST(PartitionLane, LanesThatRepeatPlannedCutsDoNotWaitForEachOthersMemory) {
  LaneFixture fixture;
  fixture.options.batch_identity = true;
  const std::string record = spans(0, 50);
  MemoryBudget small(record.size() * 13);  // Three quarters: less than five records, each twice.
  BudgetShares shares(small, {otlp::Signal::kTraces});
  const LaneDeps deps{
      fixture.executor, fixture.answers_on, fixture.coalescer, fixture.letters, small,
      shares,           fixture.events,     fixture.ledger,    fixture.stalls,  fixture.random};
  fixture.sink.answer_with([](const auto&) { return pipeline::Outcome{}; });
  LaneOptions other = fixture.options;
  other.partition = 4;
  const kafka::StartPosition start{0, "spanway1:3"};  // Four records in one cut.
  struct Host final : LaneHost {
    void on_room() override {}
    void on_plan() override {}
    void on_drained() override {}
    void on_rewind(std::int64_t offset) override { next = offset; }
    std::int64_t next = 0;
  };
  Host hosts[2];
  PartitionLane first(fixture.options, deps, hosts[0], start);
  PartitionLane second(other, deps, hosts[1], start);
  PartitionLane* lanes[2] = {&first, &second};
  for (int step = 0; step < 200; ++step) {
    for (int i = 0; i < 2; ++i) {
      kafka::RecordView view;
      view.offset = hosts[i].next;
      view.value = record;
      if (view.offset < 4 && lanes[i]->take(view)) ++hosts[i].next;
    }
    fixture.executor.advance(milliseconds(100));
  }
  EXPECT_EQ(fixture.sink.items(), 400u) << "both cuts, each once";
  EXPECT_LE(small.peak(), small.limit());
}

TEST(PartitionLane, AForeignPlanIsNotFollowed) {
  LaneFixture fixture;
  fixture.options.batch_identity = true;
  fixture.begin(5, "foreign metadata");
  fixture.take(5, spans(0, 1));
  fixture.settle();
  EXPECT_EQ(fixture.commit(), 5);
  EXPECT_EQ(fixture.committed->metadata, "spanway2:1,0-0");
  EXPECT_TRUE(fixture.sent());
}

}  // namespace
}  // namespace spanway::kafka_bridge
