#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "services/kafka-bridge/consume/partition_lane.h"
#include "services/lib/base/check.h"
#include "tests/unit/kafka-bridge/consume/lane_fixture.h"

namespace spanway::kafka_bridge {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::IsEmpty;

// One refused tenant: the others of its partition continue, however long it takes, and the commit
// says what is done beyond it.
TEST(PartitionLane, ARefusedTenantStallsAloneAndTheOthersContinue) {
  LaneFixture fixture;
  fixture.options.merge.items_max = 2;
  fixture.begin();
  bool refused = true;
  fixture.sink.answer_with([&](const pipeline::Batch& batch) -> Result<pipeline::Outcome> {
    if (refused && batch.metadata.tenant == "evil") {
      return configuration_error(Code::kPermissionDenied, "no such tenant");
    }
    const auto names = span_names(batch.payload.view());
    fixture.received.insert(fixture.received.end(), names.begin(), names.end());
    return pipeline::Outcome{};
  });
  for (int i = 0; i < 3000; ++i) {
    ASSERT_TRUE(fixture.take(i, spans(i, 1), i % 3 == 0 ? "evil" : "good")) << i;
    fixture.executor.advance(milliseconds(10));
  }
  fixture.settle();
  EXPECT_EQ(fixture.received.size(), 2000u);
  EXPECT_FALSE(fixture.lane->state().stalled);
  EXPECT_LT(fixture.budget.used(), 4u * 4096) << "what is held back left memory";
  EXPECT_EQ(fixture.commit(), 0);
  const std::string note = fixture.committed->metadata;
  EXPECT_THAT(fixture.letters.letters, IsEmpty());
  // A restart does not repeat the others.
  fixture.lane->drain();
  fixture.executor.run();
  fixture.commit();
  LaneFixture second;
  second.options.merge.items_max = 2;
  second.begin(fixture.committed->offset, fixture.committed->metadata);
  second.destination([](const auto&) -> Status { return {}; });
  for (int i = 0; i < 3010; ++i) {
    ASSERT_TRUE(second.take(i, spans(i, 1), i % 3 == 0 ? "evil" : "good")) << i;
    second.settle();
  }
  EXPECT_EQ(second.received.size(), 1010u) << "the tenant's, and what is new";
  EXPECT_EQ(second.commit(), 3010);
  EXPECT_EQ(second.committed->metadata, "");
}

TEST(PartitionLane, WhatWasHeldBackIsReadAgainOnceAfterTheStall) {
  LaneFixture fixture;
  fixture.options.merge.items_max = 2;
  fixture.begin();
  bool refused = true;
  fixture.sink.answer_with([&](const pipeline::Batch& batch) -> Result<pipeline::Outcome> {
    if (refused && batch.metadata.tenant == "evil") return token_expired();
    const auto names = span_names(batch.payload.view());
    fixture.received.insert(fixture.received.end(), names.begin(), names.end());
    return pipeline::Outcome{};
  });
  const auto tenant = [](int i) { return i % 3 == 0 ? "evil" : "good"; };
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(fixture.take(i, spans(i, 1), tenant(i))) << i;
    fixture.settle();
  }
  fixture.executor.advance(seconds(20));
  refused = false;
  fixture.executor.advance(minutes(2));
  ASSERT_EQ(fixture.rewinds.size(), 1u);
  for (int i = static_cast<int>(fixture.rewinds[0]); i < 310; ++i) {
    ASSERT_TRUE(fixture.take(i, spans(i, 1), tenant(i))) << i;
    fixture.settle();
  }
  EXPECT_EQ(fixture.received.size(), 310u);
  EXPECT_EQ(std::set<std::string>(fixture.received.begin(), fixture.received.end()).size(), 310u);
  EXPECT_EQ(fixture.commit(), 310);
  EXPECT_EQ(fixture.committed->metadata, "");
}

TEST(PartitionLane, WithoutTenantsALongStallLeavesMemoryToo) {
  LaneFixture fixture;
  fixture.options.merge.items_max = 1;
  fixture.begin();
  bool refused = true;
  fixture.destination([&refused](const auto&) -> Status {
    if (refused) return token_expired();
    return {};
  });
  int next = 0;
  while (next < 100 && fixture.take(next, spans(next, 1))) ++next;
  fixture.settle();
  EXPECT_LE(next, 12) << "nothing else is there to be read";
  fixture.executor.advance(minutes(1));
  EXPECT_TRUE(fixture.lane->state().stalled);
  EXPECT_FALSE(fixture.take(next, spans(next, 1)));
  refused = false;
  fixture.executor.advance(minutes(1));
  const int from = fixture.rewinds.empty() ? next : static_cast<int>(fixture.rewinds.back());
  for (int i = from; i < 40; ++i) {
    ASSERT_TRUE(fixture.take(i, spans(i, 1))) << i;
    fixture.settle();
  }
  EXPECT_EQ(fixture.received.size(), 40u);
  EXPECT_EQ(fixture.commit(), 40);
}

// A tenant whose requests are not answered holds all slots: after a second the other tenants of the
// partition are delivered beside it, although none of its requests has ended, and what is read of
// it stays in Kafka.
TEST(PartitionLane, ATenantThatHangsLeavesTheSlotsToTheOthers) {
  LaneFixture fixture;
  fixture.options.merge.items_max = 1;
  fixture.begin();
  std::set<std::string> delivered;
  std::size_t hanging = 0;
  std::vector<fakes::SinkRecorder::Taken> unanswered;
  const auto answer_others = [&] {
    while (auto taken = fixture.sent()) {
      if (taken->batch.metadata.tenant != "good") {
        ++hanging;
        unanswered.push_back(std::move(*taken));
        continue;
      }
      for (const auto& name : span_names(taken->batch.payload.view())) delivered.insert(name);
      fixture.ack(std::move(*taken));
    }
  };
  int next = 0;
  const auto read = [&](int end) {
    while (next < end &&
           fixture.take(next, spans(next, 1), next < 40 && next % 2 == 0 ? "hangs" : "good")) {
      ++next;
      fixture.settle();
      answer_others();
    }
  };
  read(400);
  EXPECT_LT(next, 40) << "until it is known that the tenant hangs, reading waits for its slots";
  for (int i = 0; i < 4; ++i) {
    fixture.executor.advance(milliseconds(500));
    answer_others();
    read(400);
  }
  EXPECT_EQ(next, 400);
  EXPECT_EQ(delivered.size(), 380u) << "all of the other tenant's";
  EXPECT_EQ(hanging, fixture.options.max_in_flight);
  const auto tenants = fixture.lane->tenants();
  ASSERT_EQ(tenants.size(), 1u);
  EXPECT_EQ(tenants[0].tenant, "hangs");
  EXPECT_EQ(tenants[0].in_flight, fixture.options.max_in_flight);
  EXPECT_EQ(tenants[0].waiting, 1u);
  EXPECT_TRUE(tenants[0].slow && tenants[0].left_in_kafka && !tenants[0].stalled);
  EXPECT_GE(tenants[0].unanswered, seconds(2));
  // Once it is answered the rest of it is read again, each item once.
  while (!unanswered.empty()) {
    for (auto& taken : std::exchange(unanswered, {})) {
      for (const auto& name : span_names(taken.batch.payload.view())) delivered.insert(name);
      fixture.ack(std::move(taken));
    }
    answer_others();
  }
  fixture.sink.answer_with([&](const pipeline::Batch& batch) -> Result<pipeline::Outcome> {
    for (const auto& name : span_names(batch.payload.view())) {
      EXPECT_TRUE(delivered.insert(name).second) << name;
    }
    return pipeline::Outcome{};
  });
  fixture.executor.advance(seconds(2));
  ASSERT_FALSE(fixture.rewinds.empty());
  for (auto i = static_cast<int>(fixture.rewinds.back()); i < 410; ++i) {
    ASSERT_TRUE(fixture.take(i, spans(i, 1), i < 40 && i % 2 == 0 ? "hangs" : "good")) << i;
    fixture.settle();
  }
  EXPECT_EQ(delivered.size(), 410u);
  EXPECT_EQ(fixture.commit(), 410);
  EXPECT_EQ(fixture.committed->metadata, "");
}

// A restart repeats nothing that is done behind a batch that fails.
TEST(PartitionLane, ARestartRepeatsOnlyWhatWasNotDone) {
  LaneFixture fixture;
  fixture.options.merge.items_max = 1;
  fixture.begin();
  fixture.destination([](const std::vector<std::string>& names) -> Status {
    if (names[0] == "span-0") return busy().with_retry_after(seconds(60));
    return {};
  });
  for (int i = 0; i < 3000; ++i) {
    ASSERT_TRUE(fixture.take(i, spans(i, 1))) << "a batch that fails stops nothing: " << i;
    fixture.settle();
  }
  EXPECT_EQ(fixture.received.size(), 2999u);
  EXPECT_EQ(fixture.commit(), 0);
  EXPECT_EQ(fixture.committed->metadata, "spanway2:3000,0-0");
  LaneFixture second;
  second.begin(0, fixture.committed->metadata);
  second.destination([](const auto&) -> Status { return {}; });
  for (int i = 0; i < 3001; ++i) ASSERT_TRUE(second.take(i, spans(i, 1)));
  second.settle();
  EXPECT_THAT(second.received, ::testing::UnorderedElementsAre("span-0", "span-3000"));
  EXPECT_EQ(second.commit(), 3001);
}

TEST(PartitionLane, TheLastRecordsOfAStreamShowThatOneOfThemIsRefusedAlone) {
  LaneFixture fixture;
  fixture.begin();
  fixture.take(0, spans(0, 1));
  fixture.settle();
  fixture.take(1, spans(1, 1));
  fixture.settle();
  auto slow = fixture.sent();
  auto behind = fixture.sent();
  ASSERT_TRUE(slow && behind);
  fixture.ack(std::move(*behind));  // While the destination has the first one.
  fixture.nack(std::move(*slow), bad_data());
  for (int tries = 0; tries < 3 && fixture.letters.letters.empty(); ++tries) {
    fixture.executor.advance(kEvidenceWait);
    if (auto again = fixture.sent()) fixture.nack(std::move(*again), bad_data());
  }
  EXPECT_EQ(fixture.letters.letters.size(), 1U);
  EXPECT_EQ(fixture.commit(), 2);
}

}  // namespace
}  // namespace spanway::kafka_bridge
