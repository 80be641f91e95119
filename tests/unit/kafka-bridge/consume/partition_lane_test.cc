#include "services/kafka-bridge/consume/partition_lane.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "services/lib/base/check.h"
#include "tests/unit/kafka-bridge/consume/lane_fixture.h"

namespace spanway::kafka_bridge {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// --- Joining and sending ---

TEST(PartitionLane, JoinsWhatComesWithinTheLinger) {
  LaneFixture fixture;
  fixture.begin();
  EXPECT_TRUE(fixture.take(0, spans(0, 2)));
  EXPECT_TRUE(fixture.take(1, spans(2, 3)));
  EXPECT_FALSE(fixture.sent()) << "the linger is not over";
  fixture.settle();
  auto taken = fixture.sent();
  ASSERT_TRUE(taken);
  EXPECT_THAT(span_names(taken->batch.payload.view()),
              ElementsAre("span-0", "span-1", "span-2", "span-3", "span-4"));
  EXPECT_EQ(taken->batch.item_count, 5u);
  EXPECT_EQ(taken->batch.signal, otlp::Signal::kTraces);
  EXPECT_EQ(taken->batch.metadata.batch_id, "");
  EXPECT_EQ(taken->batch.deadline.remaining(fixture.clock.now()), seconds(30));
  fixture.ack(std::move(*taken));
  EXPECT_EQ(fixture.commit(), 2);
  EXPECT_EQ(fixture.budget.used(), 0u);
  EXPECT_EQ(fixture.metric("spanway_kafka_bridge_delivered_items_total", {{"signal", "traces"}}),
            5);
}

TEST(PartitionLane, SendsAFullBatchAtOnce) {
  LaneFixture fixture;
  fixture.options.merge.items_max = 4;
  fixture.begin();
  fixture.take(0, spans(0, 3));
  fixture.take(1, spans(3, 3));
  auto taken = fixture.sent();
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->batch.item_count, 3u);
  EXPECT_EQ(fixture.commit(), 0) << "nothing is committed before it is answered";
  fixture.ack(std::move(*taken));
  EXPECT_EQ(fixture.commit(), 1);
}

TEST(PartitionLane, KeepsTenantsApartAndCommitsWhenAllAreDone) {
  LaneFixture fixture;
  fixture.begin();
  fixture.take(0, spans(0, 1), "acme");
  fixture.take(1, spans(1, 1), "umbrella");
  fixture.take(2, spans(2, 1), "acme");
  fixture.settle();
  auto acme = fixture.sent();
  auto umbrella = fixture.sent();
  ASSERT_TRUE(acme && umbrella);
  EXPECT_EQ(acme->batch.metadata.tenant, "acme");
  EXPECT_THAT(span_names(acme->batch.payload.view()), ElementsAre("span-0", "span-2"));
  EXPECT_EQ(umbrella->batch.metadata.tenant, "umbrella");
  fixture.ack(std::move(*acme));
  EXPECT_EQ(fixture.commit(), 0);
  fixture.ack(std::move(*umbrella));
  EXPECT_EQ(fixture.commit(), 3);
}

TEST(PartitionLane, KeepsSeveralBatchesInFlightAndCommitsInOrder) {
  LaneFixture fixture;
  fixture.options.merge.items_max = 1;
  fixture.options.max_in_flight = 3;
  fixture.begin();
  for (int i = 0; i < 4; ++i) fixture.take(i, spans(i, 1));
  auto a = fixture.sent();
  auto b = fixture.sent();
  auto c = fixture.sent();
  ASSERT_TRUE(a && b && c);
  EXPECT_FALSE(fixture.sent());
  fixture.ack(std::move(*c));
  fixture.ack(std::move(*b));
  EXPECT_EQ(fixture.commit(), 0);
  fixture.ack(std::move(*a));
  EXPECT_EQ(fixture.commit(), 3);
}

TEST(PartitionLane, WithOneInFlightTheNextWaitsForTheAnswer) {
  LaneFixture fixture;
  fixture.options.merge.items_max = 1;
  fixture.options.max_in_flight = 1;
  fixture.begin();
  EXPECT_TRUE(fixture.take(0, spans(0, 1)));
  EXPECT_TRUE(fixture.take(1, spans(1, 1)));
  fixture.settle();
  auto first = fixture.sent();
  ASSERT_TRUE(first);
  EXPECT_FALSE(fixture.sent());
  fixture.nack(std::move(*first), busy());
  EXPECT_FALSE(fixture.sent()) << "a retry does not let the next one pass";
  fixture.executor.advance(milliseconds(100));
  first = fixture.sent();
  ASSERT_TRUE(first);
  EXPECT_THAT(span_names(first->batch.payload.view()), ElementsAre("span-0"));
  fixture.ack(std::move(*first));
  auto second = fixture.sent();
  ASSERT_TRUE(second);
  EXPECT_THAT(span_names(second->batch.payload.view()), ElementsAre("span-1"));
  fixture.ack(std::move(*second));
  EXPECT_EQ(fixture.commit(), 2);
}

// --- Back-pressure ---

TEST(PartitionLane, SaysNoWhenEnoughIsInFlightAndReportsWhenThereIsRoom) {
  LaneFixture fixture;
  fixture.options.merge.items_max = 1;
  fixture.options.max_in_flight = 1;
  fixture.begin();
  EXPECT_TRUE(fixture.take(0, spans(0, 1)));   // In flight.
  EXPECT_TRUE(fixture.take(1, spans(1, 1)));   // Being filled; seals the first.
  EXPECT_FALSE(fixture.take(2, spans(2, 1)));  // Seals the second, which has to wait.
  EXPECT_FALSE(fixture.lane->wants_memory());
  EXPECT_EQ(fixture.rooms, 0);
  auto first = fixture.sent();
  ASSERT_TRUE(first);
  fixture.ack(std::move(*first));
  EXPECT_EQ(fixture.rooms, 1);
  EXPECT_TRUE(fixture.take(2, spans(2, 1)));
}

TEST(PartitionLane, TakesNoMoreThanItsShareOfTheMemory) {
  LaneFixture fixture;
  const std::string record = spans(0, 50);
  MemoryBudget small(record.size() * 6);  // Three quarters: two records, each twice.
  BudgetShares shares(small, {otlp::Signal::kTraces});
  const LaneDeps deps{
      fixture.executor, fixture.answers_on, fixture.coalescer, fixture.letters, small,
      shares,           fixture.events,     fixture.ledger,    fixture.stalls,  fixture.random};
  fixture.lane =
      std::make_unique<PartitionLane>(fixture.options, deps, fixture, kafka::StartPosition{0, ""});
  EXPECT_TRUE(fixture.take(0, record));
  EXPECT_TRUE(fixture.take(1, record));
  EXPECT_FALSE(fixture.take(2, record));
  EXPECT_TRUE(fixture.lane->wants_memory());
  EXPECT_LE(small.used(), small.limit() * 3 / 4);
  auto taken = fixture.sent();
  ASSERT_TRUE(taken) << "what is here goes out to make room";
  EXPECT_EQ(taken->batch.item_count, 100u);
  fixture.ack(std::move(*taken));
  EXPECT_EQ(small.used(), 0u);
  EXPECT_TRUE(fixture.take(2, record));
  fixture.lane.reset();
  EXPECT_EQ(small.used(), 0u);
}

TEST(PartitionLane, HoldsAPermitForEverythingItKeeps) {
  LaneFixture fixture;
  fixture.options.merge.items_max = 20;
  fixture.begin();
  std::size_t bytes = 0;
  for (int i = 0; i < 8; ++i) {
    const std::string record = spans(i * 10, 10);
    bytes += record.size();
    ASSERT_TRUE(fixture.take(i, record));
  }
  fixture.settle();
  EXPECT_GE(fixture.budget.used(), 2 * bytes) << "what is kept and what is sent";
  while (auto taken = fixture.sent()) fixture.ack(std::move(*taken));
  EXPECT_EQ(fixture.budget.used(), 0u);
}

// --- Partial success ---

TEST(PartitionLane, PartialSuccessIsNotRetriedAndLeavesACopy) {
  LaneFixture fixture;
  fixture.begin(7);
  fixture.take(7, spans(0, 6));
  fixture.take(8, spans(6, 4));
  fixture.settle();
  fixture.ack(std::move(*fixture.sent()), {2, "two were too old"});
  EXPECT_FALSE(fixture.sent());
  ASSERT_EQ(fixture.letters.letters.size(), 1u);
  const DeadLetter& letter = fixture.letters.letters[0];
  EXPECT_EQ(letter.rejected, "2/10");
  EXPECT_EQ(letter.error, "two were too old");
  EXPECT_EQ(letter.origin, "otel.traces:3:7-8");
  EXPECT_EQ(span_names(letter.payload.view()).size(), 10u);
  EXPECT_EQ(fixture.metric("spanway_kafka_bridge_destination_rejected_items_total",
                           {{"signal", "traces"}}),
            2);
  EXPECT_EQ(fixture.metric("spanway_kafka_bridge_delivered_items_total", {{"signal", "traces"}}),
            8);
  EXPECT_EQ(fixture.commit(), 9);
}

TEST(PartitionLane, PartialSuccessIsOnlyCountedWhenConfigured) {
  LaneFixture fixture;
  fixture.options.copy_partial = false;
  fixture.begin();
  fixture.take(0, spans(0, 3));
  fixture.settle();
  fixture.ack(std::move(*fixture.sent()), {1, "one was too old"});
  EXPECT_THAT(fixture.letters.letters, IsEmpty());
  EXPECT_EQ(fixture.commit(), 1);
}

TEST(PartitionLane, AWarningWithoutRejectedItemsIsASuccess) {
  LaneFixture fixture;
  fixture.begin();
  fixture.take(0, spans(0, 3));
  fixture.settle();
  fixture.ack(std::move(*fixture.sent()), {0, "deprecated"});
  EXPECT_THAT(fixture.letters.letters, IsEmpty());
  EXPECT_EQ(fixture.commit(), 1);
}

// --- Records of others ---

TEST(PartitionLane, AnUndecodableRecordBecomesADeadLetterAndThePartitionMovesOn) {
  LaneFixture fixture;
  fixture.begin();
  EXPECT_TRUE(fixture.take(0, spans(0, 1)));
  EXPECT_TRUE(fixture.take(1, "this is no protobuf"));
  EXPECT_TRUE(fixture.take(2, spans(1, 1)));
  fixture.destination([](const auto&) -> Status { return {}; });
  fixture.settle();
  EXPECT_THAT(fixture.received, ElementsAre("span-0", "span-1"));
  ASSERT_EQ(fixture.letters.letters.size(), 1u);
  EXPECT_EQ(fixture.letters.letters[0].payload.view(), "this is no protobuf");
  EXPECT_EQ(fixture.letters.letters[0].origin, "otel.traces:3:1");
  EXPECT_EQ(fixture.letters.letters[0].cause, DeadLetterCause::kUndecodable);
  EXPECT_EQ(fixture.commit(), 3);
}

TEST(PartitionLane, InvalidItemsOfAForeignRecordAreKeptAsideAndTheOthersDelivered) {
  LaneFixture fixture;
  fixture.begin();
  const std::string record =
      fakes::otlp_request_of({fakes::otlp_span(1, 1, "span-0/"),
                              fakes::otlp_span(std::string(16, '\0'), "12345678", "span-1/"),
                              fakes::otlp_span(2, 2, "span-2/")});
  fixture.take(0, record);
  fixture.destination([](const auto&) -> Status { return {}; });
  fixture.settle();
  EXPECT_THAT(fixture.received, ElementsAre("span-0", "span-2"));
  ASSERT_EQ(fixture.letters.letters.size(), 1u);
  EXPECT_EQ(fixture.letters.letters[0].payload.view(), record);
  EXPECT_EQ(fixture.letters.letters[0].rejected, "1/3");
  EXPECT_EQ(fixture.letters.letters[0].cause, DeadLetterCause::kInvalidItems);
  EXPECT_EQ(fixture.commit(), 1);
}

TEST(PartitionLane, EmptyRecordsAreStepsOnTheWay) {
  LaneFixture fixture;
  fixture.begin();
  EXPECT_TRUE(fixture.take(0, ""));
  fixture.settle();
  EXPECT_FALSE(fixture.sent());
  EXPECT_THAT(fixture.letters.letters, IsEmpty());
  EXPECT_EQ(fixture.commit(), 1);
}

// --- Draining ---

TEST(PartitionLane, DrainingWaitsForWhatIsInFlightAndForgetsTheRest) {
  LaneFixture fixture;
  fixture.options.merge.items_max = 1;
  fixture.options.max_in_flight = 2;
  fixture.begin();
  fixture.take(0, spans(0, 1));
  fixture.take(1, spans(1, 1));
  fixture.take(2, spans(2, 1));
  auto a = fixture.sent();
  auto b = fixture.sent();
  ASSERT_TRUE(a && b);
  fixture.lane->drain();
  fixture.executor.run();
  EXPECT_EQ(fixture.drained, 0);
  EXPECT_FALSE(fixture.take(3, spans(3, 1)));
  fixture.ack(std::move(*b));
  EXPECT_EQ(fixture.drained, 0);
  fixture.ack(std::move(*a));
  EXPECT_EQ(fixture.drained, 1);
  EXPECT_FALSE(fixture.sent()) << "what was not in flight stays in Kafka";
  EXPECT_EQ(fixture.commit(), 2);
  fixture.executor.advance(minutes(5));
  EXPECT_EQ(fixture.drained, 1);
}

TEST(PartitionLane, DrainingDoesNotWaitForRetriesNorForAStall) {
  for (const Error& error : {busy(), token_expired(), broken()}) {
    LaneFixture fixture;
    fixture.begin();
    fixture.take(0, spans(0, 1));
    fixture.settle();
    fixture.nack(std::move(*fixture.sent()), error);
    fixture.lane->drain();
    fixture.executor.run();
    EXPECT_EQ(fixture.drained, 1) << error.message;
    fixture.executor.advance(minutes(5));
    EXPECT_FALSE(fixture.sent()) << error.message;
    EXPECT_EQ(fixture.commit(), 0);
  }
}

TEST(PartitionLane, ARefusalWhileDrainingEndsTheWait) {
  LaneFixture fixture;
  fixture.begin();
  fixture.take(0, spans(0, 4));
  fixture.settle();
  auto taken = fixture.sent();
  fixture.lane->drain();
  fixture.nack(std::move(*taken), bad_data());
  EXPECT_EQ(fixture.drained, 1);
  EXPECT_EQ(fixture.commit(), 0);
}

TEST(PartitionLane, AnswersAfterItsEndAreIgnored) {
  LaneFixture fixture;
  fixture.begin();
  fixture.take(0, spans(0, 4));
  fixture.settle();
  auto taken = fixture.sent();
  fixture.lane.reset();
  EXPECT_EQ(fixture.budget.used(), 0u);
  fixture.ack(std::move(*taken));
  fixture.executor.advance(minutes(1));
}

// The last commit names the delivered items of a halved batch.
TEST(PartitionLane, ARevocationInTheMidstOfAHalvedBatchRepeatsNothing) {
  for (const bool identity : {false, true}) {
    LaneFixture fixture;
    fixture.options.batch_identity = identity;
    fixture.begin();
    fixture.take(0, spans(0, 4));
    fixture.take(1, spans(4, 4), "acme");
    fixture.take(2, "this is no protobuf");
    fixture.take(3, spans(8, 4));
    int calls = 0;
    fixture.sink.answer_with([&](const pipeline::Batch& batch) -> Result<pipeline::Outcome> {
      const auto names = span_names(batch.payload.view());
      if (++calls > 4) {
        fixture.lane->drain();
        return busy();
      }
      if (std::count(names.begin(), names.end(), "span-1") > 0) return bad_data();
      fixture.received.insert(fixture.received.end(), names.begin(), names.end());
      return pipeline::Outcome{};
    });
    fixture.settle();
    fixture.commit();  // The plan.
    fixture.executor.advance(seconds(30));
    fixture.lane->drain();
    fixture.executor.run();
    EXPECT_EQ(fixture.drained, 1);
    EXPECT_GT(fixture.received.size(), 0u);
    EXPECT_LT(fixture.received.size(), 11u);
    fixture.commit();
    ASSERT_TRUE(fixture.committed);
    LaneFixture second;
    second.options.batch_identity = identity;
    second.begin(fixture.committed->offset, fixture.committed->metadata);
    second.destination([](const auto&) -> Status { return {}; });
    for (int i = static_cast<int>(fixture.committed->offset); i < 4; ++i) {
      if (i == 2) {
        ASSERT_TRUE(second.take(i, "this is no protobuf"));
      } else {
        ASSERT_TRUE(second.take(i, spans(4 * i - (i > 2 ? 4 : 0), 4), i == 1 ? "acme" : ""));
      }
    }
    second.settle();
    second.commit();
    second.executor.run();
    std::vector<std::string> all = fixture.received;
    all.insert(all.end(), second.received.begin(), second.received.end());
    for (const auto* letters : {&fixture.letters.letters, &second.letters.letters}) {
      for (const DeadLetter& letter : *letters) {
        const auto names = span_names(letter.payload.view());
        all.insert(all.end(), names.begin(), names.end());
      }
    }
    std::sort(all.begin(), all.end());
    EXPECT_EQ(std::count(all.begin(), all.end(), "<broken>"), 1) << "one letter of the record";
    EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), all.size());
    EXPECT_EQ(all.size(), 13u) << fixture.committed->metadata;
    EXPECT_EQ(second.commit(), 4);
  }
}

// --- Lag ---

TEST(PartitionLane, ReportsTheOldestTimestampAlsoOfWhatItRefused) {
  LaneFixture fixture;
  fixture.options.merge.items_max = 1;
  fixture.options.max_in_flight = 1;
  fixture.begin();
  EXPECT_FALSE(fixture.lane->state().oldest_timestamp_ms.has_value());
  fixture.take(0, spans(0, 1), "", 5000);
  EXPECT_EQ(fixture.lane->state().oldest_timestamp_ms, 5000);
  fixture.settle();
  fixture.nack(std::move(*fixture.sent()), token_expired());
  EXPECT_EQ(fixture.lane->state().oldest_timestamp_ms, 5000);
  EXPECT_TRUE(fixture.take(1, spans(1, 1), "", 6000));
  fixture.executor.advance(seconds(1));
  fixture.ack(std::move(*fixture.sent()));
  EXPECT_EQ(fixture.lane->state().oldest_timestamp_ms, 6000);
}

// --- Everything at once ---

// Random records, refusals of all kinds, a restart: nothing is lost, nothing but the refused
// items becomes a dead letter, commits never run ahead.
TEST(PartitionLane, LosesNothingUnderRandomRefusals) {
  const std::uint64_t bugs = bug_count();
  for (std::uint64_t seed = 1; seed <= 16; ++seed) {
    LaneFixture fixture;
    Random random(seed);
    fixture.options.merge.items_max = 1 + random.next_below(40);
    fixture.options.max_in_flight = 1 + random.next_below(8);
    fixture.options.batch_identity = random.next_below(2) == 0;
    fixture.begin();
    std::set<std::string> bad;
    std::vector<std::pair<std::int64_t, std::string>> log;
    int next_span = 0;
    for (std::int64_t offset = 0; offset < 60; ++offset) {
      const int count = static_cast<int>(random.next_below(6));
      log.emplace_back(offset, count > 0 ? spans(next_span, count) : "");
      if (count > 0 && random.next_below(20) == 0) bad.insert("span-" + std::to_string(next_span));
      next_span += count;
    }
    fixture.destination([&](const std::vector<std::string>& names) -> Status {
      switch (random.next_below(8)) {
        case 0:
          return busy();
        case 1:
          return token_expired();
        default:
          break;
      }
      for (const auto& name : names)
        if (bad.count(name) > 0) return bad_data();
      return {};
    });
    std::size_t at = 0;
    for (int step = 0; step < 5000 && fixture.lane->state().committed < 60; ++step) {
      while (at < log.size() && fixture.take(log[at].first, log[at].second)) ++at;
      fixture.executor.advance(milliseconds(500));
      fixture.commit();
    }
    EXPECT_EQ(fixture.lane->state().committed, 60) << "seed " << seed;
    EXPECT_EQ(fixture.letters.letters.size(), bad.size()) << "seed " << seed;
    EXPECT_EQ(fixture.received.size() + bad.size(), static_cast<std::size_t>(next_span))
        << "seed " << seed;
    EXPECT_EQ(fixture.budget.used(), 0u) << "seed " << seed;
  }
  EXPECT_EQ(bug_count(), bugs) << last_bug_site();
}

}  // namespace
}  // namespace spanway::kafka_bridge
