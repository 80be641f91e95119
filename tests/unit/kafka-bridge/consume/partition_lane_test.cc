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

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
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

TEST(PartitionLane, SaysNoWhenEnoughIsInFlightAndTellsWhenThereIsRoom) {
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
      fixture.executor, fixture.mailbox, fixture.coalescer, fixture.letters, small,
      shares,           fixture.events,  fixture.ledger,    fixture.stalls,  fixture.random};
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

// --- Transient ---

TEST(PartitionLane, RetriesTransientRefusalsForEver) {
  LaneFixture fixture;
  fixture.begin();
  fixture.take(0, spans(0, 3));
  fixture.settle();
  for (int i = 0; i < 200; ++i) {
    auto taken = fixture.sent();
    ASSERT_TRUE(taken) << i;
    EXPECT_EQ(taken->batch.item_count, 3u);
    fixture.nack(std::move(*taken), busy());
    fixture.executor.advance(fixture.options.retry.max);
  }
  EXPECT_THAT(fixture.letters.letters, IsEmpty());
  EXPECT_FALSE(fixture.lane->state().stalled);
  fixture.ack(std::move(*fixture.sent()));
  EXPECT_EQ(fixture.commit(), 1);
}

TEST(PartitionLane, HonoursRetryAfter) {
  LaneFixture fixture;
  fixture.begin();
  fixture.take(0, spans(0, 1));
  fixture.settle();
  fixture.nack(std::move(*fixture.sent()), busy().with_retry_after(seconds(7)));
  fixture.executor.advance(milliseconds(6999));
  EXPECT_FALSE(fixture.sent());
  fixture.executor.advance(milliseconds(1));
  EXPECT_TRUE(fixture.sent());
}

TEST(PartitionLane, BacksOffMoreAndMore) {
  LaneFixture fixture;
  fixture.options.retry.max = seconds(2);
  fixture.begin();
  fixture.take(0, spans(0, 1));
  fixture.settle();
  fixture.destination([](const auto&) { return Status(busy()); });
  fixture.nack(std::move(*fixture.sent()), busy());
  fixture.executor.advance(seconds(100));
  EXPECT_GE(fixture.calls, 10);
  EXPECT_LE(fixture.calls, 40);
  EXPECT_TRUE(fixture.lane->state().stalled);
  EXPECT_THAT(fixture.lane->state().reason, HasSubstr("busy"));
}

// --- Data ---

TEST(PartitionLane, FindsTheCulpritAndDeliversTheRest) {
  LaneFixture fixture;
  fixture.begin(100);
  fixture.take(100, spans(0, 20));
  fixture.take(107, spans(20, 30));
  fixture.take(108, spans(50, 14), "", 0);
  fixture.destination([](const std::vector<std::string>& names) -> Status {
    for (const auto& name : names)
      if (name == "span-33") return bad_data();
    return {};
  });
  fixture.settle();
  ASSERT_EQ(fixture.letters.letters.size(), 1u);
  const DeadLetter& letter = fixture.letters.letters[0];
  EXPECT_THAT(span_names(letter.payload.view()), ElementsAre("span-33"));
  EXPECT_EQ(letter.origin, "otel.traces:3:107");
  EXPECT_EQ(letter.error, "cannot be stored");
  EXPECT_EQ(letter.cause, DeadLetterCause::kRefused);
  EXPECT_EQ(letter.attempts, 7u);  // 64, 32, 16, 8, 4, 2, 1
  EXPECT_EQ(letter.rejected, "");
  EXPECT_EQ(fixture.received.size(), 63u);
  EXPECT_EQ(std::set<std::string>(fixture.received.begin(), fixture.received.end()).size(), 63u);
  EXPECT_LE(fixture.calls, 14) << "about two for each halving";
  EXPECT_EQ(fixture.commit(), 109);
}

TEST(PartitionLane, FindsAllCulprits) {
  LaneFixture fixture;
  fixture.begin();
  fixture.take(0, spans(0, 100));
  const std::set<std::string> bad = {"span-0", "span-1", "span-50", "span-99"};
  fixture.destination([&bad](const std::vector<std::string>& names) -> Status {
    for (const auto& name : names)
      if (bad.count(name) > 0) return bad_data();
    return {};
  });
  fixture.settle();
  fixture.executor.advance(seconds(5));  // Nothing comes behind the last one to confirm it.
  EXPECT_EQ(fixture.letters.letters.size(), 4u);
  EXPECT_EQ(fixture.received.size(), 96u);
  EXPECT_EQ(fixture.commit(), 1);
}

TEST(PartitionLane, DoesNotCommitBeforeTheDeadLetterIsWritten) {
  LaneFixture fixture;
  fixture.begin();
  fixture.take(0, spans(0, 1));
  fixture.letters.hold = true;
  fixture.destination([](const auto&) -> Status { return bad_data(); });
  fixture.settle();
  fixture.executor.advance(kUnprovenWait + minutes(1));
  ASSERT_EQ(fixture.letters.held.size(), 1u);
  EXPECT_EQ(fixture.commit(), 0);
  fixture.letters.held[0].second(ok_status());
  fixture.executor.run();
  EXPECT_EQ(fixture.commit(), 1);
}

TEST(PartitionLane, StallsWhileDeadLettersCannotBeWritten) {
  LaneFixture fixture;
  fixture.begin();
  fixture.take(0, spans(0, 1));
  fixture.letters.answer = Status(configuration_error(Code::kNotFound, "no such topic"));
  fixture.destination([](const auto&) -> Status { return bad_data(); });
  fixture.settle();
  fixture.executor.advance(kUnprovenWait + minutes(1));
  const int calls = fixture.calls;
  fixture.executor.advance(minutes(10));
  EXPECT_GT(fixture.letters.tries, 10);
  EXPECT_TRUE(fixture.lane->state().stalled);
  EXPECT_THAT(fixture.lane->state().reason, HasSubstr("no such topic"));
  EXPECT_FALSE(fixture.take(1, spans(1, 1)));
  EXPECT_EQ(fixture.commit(), 0);
  EXPECT_EQ(fixture.calls, calls) << "the verdict is known: the item is not sent again";
  fixture.letters.answer = ok_status();
  fixture.executor.advance(fixture.options.retry.max);
  EXPECT_FALSE(fixture.lane->state().stalled);
  EXPECT_EQ(fixture.rooms, 1);
  EXPECT_EQ(fixture.commit(), 1);
  ASSERT_EQ(fixture.letters.letters.size(), 1u);
  EXPECT_THAT(span_names(fixture.letters.letters[0].payload.view()), ElementsAre("span-0"));
}

// The commit waits for the letter; nothing else of the partition does.
TEST(PartitionLane, ADeadLetterThatCannotBeWrittenStallsOnlyItsTenant) {
  LaneFixture fixture;
  fixture.options.merge.items_max = 1;
  fixture.begin();
  fixture.letters.answer = Status(configuration_error(Code::kNotFound, "no such topic"));
  fixture.destination([](const std::vector<std::string>& names) -> Status {
    if (names[0] == "span-0") return bad_data();
    return {};
  });
  const auto tenant = [](int i) { return i % 3 == 0 ? "bad" : "good"; };
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(fixture.take(i, spans(i, 1), tenant(i)));
  ASSERT_TRUE(fixture.take(3, spans(3, 1), "bad")) << "shows that span-0 alone is refused";
  fixture.executor.advance(minutes(1));
  ASSERT_GT(fixture.letters.tries, 0);
  for (int i = 4; i < 300; ++i) {
    ASSERT_TRUE(fixture.take(i, spans(i, 1), tenant(i))) << i;
    fixture.settle();
  }
  EXPECT_EQ(fixture.received.size(), 200u + 1u) << "all of the other tenant";
  EXPECT_EQ(fixture.commit(), 0);
  EXPECT_FALSE(fixture.lane->state().stalled);
  std::vector<StallStatus> statuses;
  fixture.lane->add_failing(statuses);
  ASSERT_EQ(statuses.size(), 1u);
  EXPECT_EQ(statuses[0].tenant, "bad");
  EXPECT_THAT(statuses[0].reason, HasSubstr("no such topic"));
  fixture.letters.answer = ok_status();
  fixture.executor.advance(minutes(2));
  ASSERT_EQ(fixture.rewinds.size(), 1u);
  for (int i = static_cast<int>(fixture.rewinds[0]); i < 300; ++i) {
    ASSERT_TRUE(fixture.take(i, spans(i, 1), tenant(i))) << i;
    fixture.settle();
  }
  EXPECT_EQ(fixture.received.size(), 299u);
  EXPECT_EQ(std::set<std::string>(fixture.received.begin(), fixture.received.end()).size(), 299u);
  EXPECT_EQ(fixture.letters.letters.size(), 1u);
  EXPECT_EQ(fixture.commit(), 300);
}

// --- Configuration ---

TEST(PartitionLane, AnExpiredTokenStallsAndNeverBecomesADeadLetter) {
  LaneFixture fixture;
  fixture.options.merge.items_max = 1;
  fixture.begin();
  bool expired = true;
  fixture.destination([&expired](const auto&) -> Status {
    if (expired) return token_expired();
    return {};
  });
  for (int i = 0; i < 4; ++i) fixture.take(i, spans(i, 1));
  fixture.settle();
  EXPECT_TRUE(fixture.lane->state().stalled);
  EXPECT_THAT(fixture.lane->state().reason, HasSubstr("token expired"));
  EXPECT_FALSE(fixture.take(4, spans(4, 1)));
  fixture.executor.advance(hours(24));
  EXPECT_THAT(fixture.letters.letters, IsEmpty());
  EXPECT_THAT(fixture.received, IsEmpty());
  EXPECT_EQ(fixture.commit(), 0);
  EXPECT_EQ(fixture.lane->state().stalled_for / hours(1), 24);
  expired = false;
  fixture.executor.advance(fixture.options.retry.stalled_max);
  EXPECT_FALSE(fixture.lane->state().stalled);
  EXPECT_EQ(fixture.rooms, 1);
  std::sort(fixture.received.begin(), fixture.received.end());
  EXPECT_THAT(fixture.received, ElementsAre("span-0", "span-1", "span-2", "span-3"));
  EXPECT_EQ(fixture.commit(), 4);
}

TEST(PartitionLane, ProbesAStallWithOneBatchAtATime) {
  LaneFixture fixture;
  fixture.options.merge.items_max = 1;
  fixture.options.max_in_flight = 4;
  fixture.begin();
  for (int i = 0; i < 4; ++i) fixture.take(i, spans(i, 1));
  fixture.settle();
  for (int i = 0; i < 4; ++i) fixture.nack(std::move(*fixture.sent()), token_expired());
  int probes = 0;
  const SteadyTime end = fixture.clock.now() + minutes(10);
  while (fixture.clock.now() < end) {
    fixture.executor.advance(milliseconds(500));
    if (auto probe = fixture.sent()) {
      ++probes;
      EXPECT_FALSE(fixture.sent()) << "one at a time";
      fixture.nack(std::move(*probe), token_expired());
    }
  }
  EXPECT_GE(probes, 20) << "at least every 30 s";
  EXPECT_LE(probes, 50);
}

TEST(PartitionLane, AProbeThatFailsOtherwiseKeepsTheStall) {
  LaneFixture fixture;
  fixture.begin();
  fixture.take(0, spans(0, 1));
  fixture.settle();
  fixture.nack(std::move(*fixture.sent()), token_expired());
  fixture.executor.advance(seconds(1));
  fixture.nack(std::move(*fixture.sent()), busy());
  EXPECT_TRUE(fixture.lane->state().stalled);
  fixture.executor.advance(seconds(30));
  fixture.ack(std::move(*fixture.sent()));
  EXPECT_FALSE(fixture.lane->state().stalled);
  EXPECT_EQ(fixture.commit(), 1);
}

// An expired key can be answered as if the data were wrong: only an acceptance ends a stall.
TEST(PartitionLane, AProbeRefusedForItsDataKeepsTheStallUntilAnotherBatchPasses) {
  LaneFixture fixture;
  fixture.begin();
  fixture.take(0, spans(0, 1));
  fixture.settle();
  fixture.nack(std::move(*fixture.sent()), token_expired());
  fixture.destination([](const std::vector<std::string>& names) -> Status {
    if (names[0] == "span-0") return bad_data();
    return {};
  });
  fixture.executor.advance(minutes(10));
  EXPECT_TRUE(fixture.lane->state().stalled);
  EXPECT_THAT(fixture.letters.letters, IsEmpty());
  fixture.take(1, spans(1, 1));
  fixture.executor.advance(minutes(1));
  EXPECT_FALSE(fixture.lane->state().stalled);
  EXPECT_EQ(fixture.letters.letters.size(), 1u);
  EXPECT_THAT(fixture.received, ElementsAre("span-1"));
  EXPECT_EQ(fixture.commit(), 2);
}

// An outage of 400s in a stream without other traffic costs no item, unless it lasts.
TEST(PartitionLane, AShortOutageInAQuietStreamWritesNoDeadLetter) {
  LaneFixture fixture;
  fixture.begin();
  bool refused = true;
  fixture.destination([&refused](const auto&) -> Status {
    if (refused) return bad_data();
    return {};
  });
  fixture.take(0, spans(0, 1));
  fixture.settle();
  fixture.executor.advance(kUnprovenWait - minutes(1));
  EXPECT_TRUE(fixture.lane->state().stalled);
  EXPECT_THAT(fixture.letters.letters, IsEmpty());
  refused = false;
  fixture.executor.advance(minutes(1));
  EXPECT_THAT(fixture.letters.letters, IsEmpty());
  EXPECT_THAT(fixture.received, ElementsAre("span-0"));
  EXPECT_EQ(fixture.commit(), 1);
}

TEST(PartitionLane, ItemsThatAreRefusedTogetherInAQuietStreamNeverBecomeDeadLetters) {
  LaneFixture fixture;
  fixture.begin();
  fixture.destination([](const auto&) -> Status { return bad_data(); });
  fixture.take(0, spans(0, 10));
  fixture.settle();
  fixture.executor.advance(hours(5));
  EXPECT_THAT(fixture.letters.letters, IsEmpty());
  EXPECT_TRUE(fixture.lane->state().stalled);
  EXPECT_EQ(fixture.commit(), 0);
}

// --- Evidence ---

// One of many fails, for whatever reason: it alone becomes a dead letter, and nothing stalls.
TEST(PartitionLane, WhatFailsAloneInAStreamBecomesADeadLetterWhateverTheKind) {
  const Error late = transient_error(Code::kDeadlineExceeded, "no answer within 30 s");
  for (const Error& error : {busy(), late, token_expired(), bad_data(), broken()}) {
    LaneFixture fixture;
    fixture.options.merge.items_max = 8;
    fixture.begin();
    fixture.destination([&error](const std::vector<std::string>& names) -> Status {
      for (const auto& name : names)
        if (name == "span-13") return error;
      return {};
    });
    int offset = 0;
    for (int second = 0; second < 1200; ++second) {
      ASSERT_TRUE(fixture.take(offset, spans(offset * 8, 8))) << error.message;
      ++offset;
      fixture.executor.advance(seconds(1));
    }
    ASSERT_EQ(fixture.letters.letters.size(), 1u) << error.message;
    EXPECT_THAT(span_names(fixture.letters.letters[0].payload.view()), ElementsAre("span-13"));
    EXPECT_EQ(fixture.received.size(), static_cast<std::size_t>(offset * 8 - 1)) << error.message;
    EXPECT_EQ(std::set<std::string>(fixture.received.begin(), fixture.received.end()).size(),
              fixture.received.size());
    EXPECT_EQ(fixture.commit(), offset) << error.message;
    EXPECT_FALSE(fixture.lane->state().stalled);
  }
}

// Clouds answer an expired key as 400.
TEST(PartitionLane, WhatFailsTogetherStallsWhateverTheKind) {
  for (const Error& error : {busy(), token_expired(), bad_data(), broken()}) {
    LaneFixture fixture;
    fixture.options.merge.items_max = 8;
    fixture.begin();
    bool expired = false;
    fixture.destination([&](const auto&) -> Status {
      if (expired) return error;
      return {};
    });
    int offset = 0;
    for (int step = 0; step < 200; ++step) {
      if (step == 20) expired = true;
      while (offset < step * 10 && fixture.take(offset, spans(offset * 8, 8))) ++offset;
      fixture.executor.advance(seconds(1));
    }
    EXPECT_THAT(fixture.letters.letters, IsEmpty()) << error.message;
    EXPECT_TRUE(fixture.lane->state().stalled) << error.message;
    EXPECT_THAT(fixture.lane->state().reason, HasSubstr(error.message));
    const int calls = fixture.calls;
    fixture.executor.advance(minutes(10));
    EXPECT_LE(fixture.calls - calls, 20 * 16) << "probes, with back-off";
    EXPECT_THAT(fixture.letters.letters, IsEmpty()) << error.message;
    expired = false;
    fixture.executor.advance(minutes(5));
    EXPECT_THAT(fixture.letters.letters, IsEmpty()) << error.message;
    EXPECT_FALSE(fixture.lane->state().stalled);
  }
}

TEST(PartitionLane, AFailingBatchIsNamedWhileOthersPass) {
  LaneFixture fixture;
  fixture.options.merge.items_max = 1;
  fixture.begin();
  fixture.destination([](const std::vector<std::string>& names) -> Status {
    if (names[0] == "span-0") return busy().with_retry_after(seconds(20));
    return {};
  });
  for (int i = 0; i < 60; ++i) {
    fixture.take(i, spans(i, 1));
    fixture.executor.advance(seconds(1));
  }
  std::vector<StallStatus> statuses;
  fixture.lane->add_failing(statuses);
  ASSERT_EQ(statuses.size(), 1u);
  EXPECT_EQ(statuses[0].scope, StallStatus::Scope::kRecord);
  EXPECT_THAT(statuses[0].reason, HasSubstr("busy"));
  EXPECT_FALSE(fixture.lane->state().stalled);
}

// --- Held back ---

// One refused tenant: the others of its partition go on, however long it takes, and the commit says
// what is done beyond it.
TEST(PartitionLane, ARefusedTenantStallsAloneAndTheOthersGoOn) {
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

// What is done behind a batch that fails is not repeated by a restart.
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

// --- Unknown ---

TEST(PartitionLane, ABrokenDestinationLosesNothingAndFillsNoDeadLetterTopic) {
  LaneFixture fixture;
  fixture.options.merge.items_max = 40;
  fixture.begin();
  bool is_broken = true;
  fixture.destination([&is_broken](const auto&) -> Status {
    if (is_broken) return broken();
    return {};
  });
  for (int i = 0; i < 6; ++i) fixture.take(i, spans(i * 20, 20));
  fixture.settle();
  fixture.executor.advance(hours(12));
  EXPECT_THAT(fixture.letters.letters, IsEmpty());
  EXPECT_THAT(fixture.received, IsEmpty());
  EXPECT_LE(fixture.calls, 3 * 12 * 3600 / 15) << "with back-off";
  is_broken = false;
  fixture.executor.advance(hours(1));
  EXPECT_THAT(fixture.letters.letters, IsEmpty());
  EXPECT_EQ(fixture.received.size(), 120u);
  EXPECT_EQ(std::set<std::string>(fixture.received.begin(), fixture.received.end()).size(), 120u);
  EXPECT_EQ(fixture.commit(), 6);
}

TEST(PartitionLane, WhatFailsAloneWhileItsNeighboursPassBecomesADeadLetter) {
  LaneFixture fixture;
  fixture.begin();
  fixture.take(0, spans(0, 32));
  fixture.destination([](const std::vector<std::string>& names) -> Status {
    for (const auto& name : names)
      if (name == "span-13") return broken();
    return {};
  });
  fixture.settle();
  fixture.executor.advance(hours(1));
  ASSERT_EQ(fixture.letters.letters.size(), 1u);
  EXPECT_THAT(span_names(fixture.letters.letters[0].payload.view()), ElementsAre("span-13"));
  EXPECT_EQ(fixture.letters.letters[0].cause, DeadLetterCause::kUnknown);
  EXPECT_GE(fixture.letters.letters[0].attempts, 5u);
  EXPECT_EQ(fixture.received.size(), 31u);
  EXPECT_EQ(fixture.commit(), 1);
}

TEST(PartitionLane, TwoUnknownCulpritsInBothHalvesAreFoundToo) {
  LaneFixture fixture;
  fixture.begin();
  fixture.take(0, spans(0, 16));
  fixture.destination([](const std::vector<std::string>& names) -> Status {
    for (const auto& name : names)
      if (name == "span-2" || name == "span-11") return broken();
    return {};
  });
  fixture.settle();
  fixture.executor.advance(hours(3));
  EXPECT_EQ(fixture.letters.letters.size(), 2u);
  EXPECT_EQ(fixture.received.size(), 14u);
  EXPECT_EQ(fixture.commit(), 1);
}

TEST(PartitionLane, AnotherTenantsSuccessIsNoEvidence) {
  LaneFixture fixture;
  fixture.options.merge.items_max = 1;
  fixture.begin();
  fixture.sink.answer_with([](const pipeline::Batch& batch) -> Result<pipeline::Outcome> {
    if (batch.metadata.tenant == "broken") return broken();
    return pipeline::Outcome{};
  });
  fixture.take(0, spans(0, 1), "broken");
  for (int i = 1; i < 5; ++i) fixture.take(i, spans(i, 1), "fine");
  fixture.settle();
  fixture.executor.advance(hours(5));
  EXPECT_THAT(fixture.letters.letters, IsEmpty());
  EXPECT_EQ(fixture.commit(), 0);
}

// One item, alone, in a lane that sends one batch at a time: only the next batch can show whether
// the item or the destination is to blame.
TEST(PartitionLane, InOrderedDeliveryOneNeighbourMayPassToJudgeTheCulprit) {
  LaneFixture fixture;
  fixture.options.merge.items_max = 1;
  fixture.options.max_in_flight = 1;
  fixture.begin();
  fixture.destination([](const std::vector<std::string>& names) -> Status {
    if (names[0] == "span-0") return broken();
    return {};
  });
  fixture.take(0, spans(0, 1));
  fixture.take(1, spans(1, 1));
  fixture.settle();
  fixture.executor.advance(minutes(10));
  ASSERT_EQ(fixture.letters.letters.size(), 1u);
  EXPECT_THAT(fixture.received, ElementsAre("span-1"));
  EXPECT_EQ(fixture.commit(), 2);
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

TEST(PartitionLane, PartialSuccessIsOnlyCountedWhenToldSo) {
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

// What was delivered of a halved batch stands in the last commit.
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

TEST(PartitionLane, TellsTheOldestTimestampAlsoOfWhatItRefused) {
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

// --- Batch identity ---

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
  EXPECT_EQ(fixture.committed->offset, 10) << "the offset stands still";
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
      fixture.executor, fixture.mailbox, fixture.coalescer, fixture.letters, small,
      shares,           fixture.events,  fixture.ledger,    fixture.stalls,  fixture.random};
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
  fixture.begin(5, "somebody else's metadata");
  fixture.take(5, spans(0, 1));
  fixture.settle();
  EXPECT_EQ(fixture.commit(), 5);
  EXPECT_EQ(fixture.committed->metadata, "spanway2:1,0-0");
  EXPECT_TRUE(fixture.sent());
}

// --- Everything at once ---

// Random records, refusals of all kinds, a restart: nothing is lost, nothing but the culprits
// becomes a dead letter, commits never run ahead.
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
