#include "services/kafka-bridge/partition_lane.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "services/lib/base/check.h"
#include "tests/unit/kafka-bridge/lane_bench.h"

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
  LaneBench bench;
  bench.begin();
  EXPECT_TRUE(bench.take(0, spans(0, 2)));
  EXPECT_TRUE(bench.take(1, spans(2, 3)));
  EXPECT_FALSE(bench.sent()) << "the linger is not over";
  bench.settle();
  auto taken = bench.sent();
  ASSERT_TRUE(taken);
  EXPECT_THAT(span_names(taken->batch.payload.view()),
              ElementsAre("span-0", "span-1", "span-2", "span-3", "span-4"));
  EXPECT_EQ(taken->batch.item_count, 5u);
  EXPECT_EQ(taken->batch.signal, otlp::Signal::kTraces);
  EXPECT_EQ(taken->batch.metadata.batch_id, "");
  EXPECT_EQ(taken->batch.deadline.remaining(bench.clock.now()), seconds(30));
  bench.ack(std::move(*taken));
  EXPECT_EQ(bench.commit(), 2);
  EXPECT_EQ(bench.budget.used(), 0u);
  EXPECT_EQ(bench.metric("spanway_kafka_bridge_delivered_items_total", {{"signal", "traces"}}), 5);
}

TEST(PartitionLane, SendsAFullBatchAtOnce) {
  LaneBench bench;
  bench.options.merge.items_max = 4;
  bench.begin();
  bench.take(0, spans(0, 3));
  bench.take(1, spans(3, 3));
  auto taken = bench.sent();
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->batch.item_count, 3u);
  EXPECT_EQ(bench.commit(), 0) << "nothing is committed before it is answered";
  bench.ack(std::move(*taken));
  EXPECT_EQ(bench.commit(), 1);
}

TEST(PartitionLane, KeepsTenantsApartAndCommitsWhenAllAreDone) {
  LaneBench bench;
  bench.begin();
  bench.take(0, spans(0, 1), "acme");
  bench.take(1, spans(1, 1), "umbrella");
  bench.take(2, spans(2, 1), "acme");
  bench.settle();
  auto acme = bench.sent();
  auto umbrella = bench.sent();
  ASSERT_TRUE(acme && umbrella);
  EXPECT_EQ(acme->batch.metadata.tenant, "acme");
  EXPECT_THAT(span_names(acme->batch.payload.view()), ElementsAre("span-0", "span-2"));
  EXPECT_EQ(umbrella->batch.metadata.tenant, "umbrella");
  bench.ack(std::move(*acme));
  EXPECT_EQ(bench.commit(), 0);
  bench.ack(std::move(*umbrella));
  EXPECT_EQ(bench.commit(), 3);
}

TEST(PartitionLane, KeepsSeveralBatchesInFlightAndCommitsInOrder) {
  LaneBench bench;
  bench.options.merge.items_max = 1;
  bench.options.max_in_flight = 3;
  bench.begin();
  for (int i = 0; i < 4; ++i) bench.take(i, spans(i, 1));
  auto a = bench.sent();
  auto b = bench.sent();
  auto c = bench.sent();
  ASSERT_TRUE(a && b && c);
  EXPECT_FALSE(bench.sent());
  bench.ack(std::move(*c));
  bench.ack(std::move(*b));
  EXPECT_EQ(bench.commit(), 0);
  bench.ack(std::move(*a));
  EXPECT_EQ(bench.commit(), 3);
}

TEST(PartitionLane, WithOneInFlightTheNextWaitsForTheAnswer) {
  LaneBench bench;
  bench.options.merge.items_max = 1;
  bench.options.max_in_flight = 1;
  bench.begin();
  EXPECT_TRUE(bench.take(0, spans(0, 1)));
  EXPECT_TRUE(bench.take(1, spans(1, 1)));
  bench.settle();
  auto first = bench.sent();
  ASSERT_TRUE(first);
  EXPECT_FALSE(bench.sent());
  bench.nack(std::move(*first), busy());
  EXPECT_FALSE(bench.sent()) << "a retry does not let the next one pass";
  bench.executor.advance(milliseconds(100));
  first = bench.sent();
  ASSERT_TRUE(first);
  EXPECT_THAT(span_names(first->batch.payload.view()), ElementsAre("span-0"));
  bench.ack(std::move(*first));
  auto second = bench.sent();
  ASSERT_TRUE(second);
  EXPECT_THAT(span_names(second->batch.payload.view()), ElementsAre("span-1"));
  bench.ack(std::move(*second));
  EXPECT_EQ(bench.commit(), 2);
}

// --- Back-pressure ---

TEST(PartitionLane, SaysNoWhenEnoughIsInFlightAndTellsWhenThereIsRoom) {
  LaneBench bench;
  bench.options.merge.items_max = 1;
  bench.options.max_in_flight = 1;
  bench.begin();
  EXPECT_TRUE(bench.take(0, spans(0, 1)));   // In flight.
  EXPECT_TRUE(bench.take(1, spans(1, 1)));   // Being filled; seals the first.
  EXPECT_FALSE(bench.take(2, spans(2, 1)));  // Seals the second, which has to wait.
  EXPECT_FALSE(bench.lane->wants_memory());
  EXPECT_EQ(bench.rooms, 0);
  auto first = bench.sent();
  ASSERT_TRUE(first);
  bench.ack(std::move(*first));
  EXPECT_EQ(bench.rooms, 1);
  EXPECT_TRUE(bench.take(2, spans(2, 1)));
}

TEST(PartitionLane, TakesNoMoreThanItsShareOfTheMemory) {
  LaneBench bench;
  const std::string record = spans(0, 50);
  MemoryBudget small(record.size() * 6);  // Three quarters: two records, each twice.
  BudgetShares shares(small, {otlp::Signal::kTraces});
  const LaneDeps deps{bench.executor, bench.mailbox, bench.shipper, bench.letters, small,
                      shares,         bench.events,  bench.ledger,  bench.stalls,  bench.random};
  bench.lane =
      std::make_unique<PartitionLane>(bench.options, deps, bench, kafka::StartPosition{0, ""});
  EXPECT_TRUE(bench.take(0, record));
  EXPECT_TRUE(bench.take(1, record));
  EXPECT_FALSE(bench.take(2, record));
  EXPECT_TRUE(bench.lane->wants_memory());
  EXPECT_LE(small.used(), small.limit() * 3 / 4);
  auto taken = bench.sent();
  ASSERT_TRUE(taken) << "what is here goes out to make room";
  EXPECT_EQ(taken->batch.item_count, 100u);
  bench.ack(std::move(*taken));
  EXPECT_EQ(small.used(), 0u);
  EXPECT_TRUE(bench.take(2, record));
  bench.lane.reset();
  EXPECT_EQ(small.used(), 0u);
}

TEST(PartitionLane, HoldsAPermitForEverythingItKeeps) {
  LaneBench bench;
  bench.options.merge.items_max = 20;
  bench.begin();
  std::size_t bytes = 0;
  for (int i = 0; i < 8; ++i) {
    const std::string record = spans(i * 10, 10);
    bytes += record.size();
    ASSERT_TRUE(bench.take(i, record));
  }
  bench.settle();
  EXPECT_GE(bench.budget.used(), 2 * bytes) << "what is kept and what is sent";
  while (auto taken = bench.sent()) bench.ack(std::move(*taken));
  EXPECT_EQ(bench.budget.used(), 0u);
}

// --- Transient ---

TEST(PartitionLane, RetriesTransientRefusalsForEver) {
  LaneBench bench;
  bench.begin();
  bench.take(0, spans(0, 3));
  bench.settle();
  for (int i = 0; i < 200; ++i) {
    auto taken = bench.sent();
    ASSERT_TRUE(taken) << i;
    EXPECT_EQ(taken->batch.item_count, 3u);
    bench.nack(std::move(*taken), busy());
    bench.executor.advance(bench.options.retry.max);
  }
  EXPECT_THAT(bench.letters.letters, IsEmpty());
  EXPECT_FALSE(bench.lane->state().stalled);
  bench.ack(std::move(*bench.sent()));
  EXPECT_EQ(bench.commit(), 1);
}

TEST(PartitionLane, HonoursRetryAfter) {
  LaneBench bench;
  bench.begin();
  bench.take(0, spans(0, 1));
  bench.settle();
  bench.nack(std::move(*bench.sent()), busy().with_retry_after(seconds(7)));
  bench.executor.advance(milliseconds(6999));
  EXPECT_FALSE(bench.sent());
  bench.executor.advance(milliseconds(1));
  EXPECT_TRUE(bench.sent());
}

TEST(PartitionLane, BacksOffMoreAndMore) {
  LaneBench bench;
  bench.options.retry.max = seconds(2);
  bench.begin();
  bench.take(0, spans(0, 1));
  bench.settle();
  bench.destination([](const auto&) { return Status(busy()); });
  bench.nack(std::move(*bench.sent()), busy());
  bench.executor.advance(seconds(100));
  EXPECT_GE(bench.calls, 10);
  EXPECT_LE(bench.calls, 40);
  EXPECT_TRUE(bench.lane->state().stalled);
  EXPECT_THAT(bench.lane->state().reason, HasSubstr("busy"));
}

// --- Data ---

TEST(PartitionLane, FindsTheCulpritAndDeliversTheRest) {
  LaneBench bench;
  bench.begin(100);
  bench.take(100, spans(0, 20));
  bench.take(107, spans(20, 30));
  bench.take(108, spans(50, 14), "", 0);
  bench.destination([](const std::vector<std::string>& names) -> Status {
    for (const auto& name : names)
      if (name == "span-33") return bad_data();
    return {};
  });
  bench.settle();
  ASSERT_EQ(bench.letters.letters.size(), 1u);
  const DeadLetter& letter = bench.letters.letters[0];
  EXPECT_THAT(span_names(letter.payload.view()), ElementsAre("span-33"));
  EXPECT_EQ(letter.origin, "otel.traces:3:107");
  EXPECT_EQ(letter.error, "cannot be stored");
  EXPECT_EQ(letter.cause, DeadLetterCause::kRefused);
  EXPECT_EQ(letter.attempts, 7u);  // 64, 32, 16, 8, 4, 2, 1
  EXPECT_EQ(letter.rejected, "");
  EXPECT_EQ(bench.received.size(), 63u);
  EXPECT_EQ(std::set<std::string>(bench.received.begin(), bench.received.end()).size(), 63u);
  EXPECT_LE(bench.calls, 14) << "about two for each halving";
  EXPECT_EQ(bench.commit(), 109);
}

TEST(PartitionLane, FindsAllCulprits) {
  LaneBench bench;
  bench.begin();
  bench.take(0, spans(0, 100));
  const std::set<std::string> bad = {"span-0", "span-1", "span-50", "span-99"};
  bench.destination([&bad](const std::vector<std::string>& names) -> Status {
    for (const auto& name : names)
      if (bad.count(name) > 0) return bad_data();
    return {};
  });
  bench.settle();
  bench.executor.advance(seconds(5));  // Nothing comes behind the last one to confirm it.
  EXPECT_EQ(bench.letters.letters.size(), 4u);
  EXPECT_EQ(bench.received.size(), 96u);
  EXPECT_EQ(bench.commit(), 1);
}

TEST(PartitionLane, DoesNotCommitBeforeTheDeadLetterIsWritten) {
  LaneBench bench;
  bench.begin();
  bench.take(0, spans(0, 1));
  bench.letters.hold = true;
  bench.destination([](const auto&) -> Status { return bad_data(); });
  bench.settle();
  bench.executor.advance(kUnprovenWait + minutes(1));
  ASSERT_EQ(bench.letters.held.size(), 1u);
  EXPECT_EQ(bench.commit(), 0);
  bench.letters.held[0].second(ok_status());
  bench.executor.run();
  EXPECT_EQ(bench.commit(), 1);
}

TEST(PartitionLane, StallsWhileDeadLettersCannotBeWritten) {
  LaneBench bench;
  bench.begin();
  bench.take(0, spans(0, 1));
  bench.letters.answer = Status(configuration_error(Code::kNotFound, "no such topic"));
  bench.destination([](const auto&) -> Status { return bad_data(); });
  bench.settle();
  bench.executor.advance(kUnprovenWait + minutes(1));
  const int calls = bench.calls;
  bench.executor.advance(minutes(10));
  EXPECT_GT(bench.letters.tries, 10);
  EXPECT_TRUE(bench.lane->state().stalled);
  EXPECT_THAT(bench.lane->state().reason, HasSubstr("no such topic"));
  EXPECT_FALSE(bench.take(1, spans(1, 1)));
  EXPECT_EQ(bench.commit(), 0);
  EXPECT_EQ(bench.calls, calls) << "the verdict is known: the item is not sent again";
  bench.letters.answer = ok_status();
  bench.executor.advance(bench.options.retry.max);
  EXPECT_FALSE(bench.lane->state().stalled);
  EXPECT_EQ(bench.rooms, 1);
  EXPECT_EQ(bench.commit(), 1);
  ASSERT_EQ(bench.letters.letters.size(), 1u);
  EXPECT_THAT(span_names(bench.letters.letters[0].payload.view()), ElementsAre("span-0"));
}

// The commit waits for the letter; nothing else of the partition does.
TEST(PartitionLane, ADeadLetterThatCannotBeWrittenStallsOnlyItsTenant) {
  LaneBench bench;
  bench.options.merge.items_max = 1;
  bench.begin();
  bench.letters.answer = Status(configuration_error(Code::kNotFound, "no such topic"));
  bench.destination([](const std::vector<std::string>& names) -> Status {
    if (names[0] == "span-0") return bad_data();
    return {};
  });
  const auto tenant = [](int i) { return i % 3 == 0 ? "bad" : "good"; };
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(bench.take(i, spans(i, 1), tenant(i)));
  ASSERT_TRUE(bench.take(3, spans(3, 1), "bad")) << "shows that span-0 alone is refused";
  bench.executor.advance(minutes(1));
  ASSERT_GT(bench.letters.tries, 0);
  for (int i = 4; i < 300; ++i) {
    ASSERT_TRUE(bench.take(i, spans(i, 1), tenant(i))) << i;
    bench.settle();
  }
  EXPECT_EQ(bench.received.size(), 200u + 1u) << "all of the other tenant";
  EXPECT_EQ(bench.commit(), 0);
  EXPECT_FALSE(bench.lane->state().stalled);
  std::vector<StallStatus> statuses;
  bench.lane->add_failing(statuses);
  ASSERT_EQ(statuses.size(), 1u);
  EXPECT_EQ(statuses[0].tenant, "bad");
  EXPECT_THAT(statuses[0].reason, HasSubstr("no such topic"));
  bench.letters.answer = ok_status();
  bench.executor.advance(minutes(2));
  ASSERT_EQ(bench.rewinds.size(), 1u);
  for (int i = static_cast<int>(bench.rewinds[0]); i < 300; ++i) {
    ASSERT_TRUE(bench.take(i, spans(i, 1), tenant(i))) << i;
    bench.settle();
  }
  EXPECT_EQ(bench.received.size(), 299u);
  EXPECT_EQ(std::set<std::string>(bench.received.begin(), bench.received.end()).size(), 299u);
  EXPECT_EQ(bench.letters.letters.size(), 1u);
  EXPECT_EQ(bench.commit(), 300);
}

// --- Configuration ---

TEST(PartitionLane, AnExpiredTokenStallsAndNeverBecomesADeadLetter) {
  LaneBench bench;
  bench.options.merge.items_max = 1;
  bench.begin();
  bool expired = true;
  bench.destination([&expired](const auto&) -> Status {
    if (expired) return token_expired();
    return {};
  });
  for (int i = 0; i < 4; ++i) bench.take(i, spans(i, 1));
  bench.settle();
  EXPECT_TRUE(bench.lane->state().stalled);
  EXPECT_THAT(bench.lane->state().reason, HasSubstr("token expired"));
  EXPECT_FALSE(bench.take(4, spans(4, 1)));
  bench.executor.advance(hours(24));
  EXPECT_THAT(bench.letters.letters, IsEmpty());
  EXPECT_THAT(bench.received, IsEmpty());
  EXPECT_EQ(bench.commit(), 0);
  EXPECT_EQ(bench.lane->state().stalled_for / hours(1), 24);
  expired = false;
  bench.executor.advance(bench.options.retry.stalled_max);
  EXPECT_FALSE(bench.lane->state().stalled);
  EXPECT_EQ(bench.rooms, 1);
  std::sort(bench.received.begin(), bench.received.end());
  EXPECT_THAT(bench.received, ElementsAre("span-0", "span-1", "span-2", "span-3"));
  EXPECT_EQ(bench.commit(), 4);
}

TEST(PartitionLane, ProbesAStallWithOneBatchAtATime) {
  LaneBench bench;
  bench.options.merge.items_max = 1;
  bench.options.max_in_flight = 4;
  bench.begin();
  for (int i = 0; i < 4; ++i) bench.take(i, spans(i, 1));
  bench.settle();
  for (int i = 0; i < 4; ++i) bench.nack(std::move(*bench.sent()), token_expired());
  int probes = 0;
  const SteadyTime end = bench.clock.now() + minutes(10);
  while (bench.clock.now() < end) {
    bench.executor.advance(milliseconds(500));
    if (auto probe = bench.sent()) {
      ++probes;
      EXPECT_FALSE(bench.sent()) << "one at a time";
      bench.nack(std::move(*probe), token_expired());
    }
  }
  EXPECT_GE(probes, 20) << "at least every 30 s";
  EXPECT_LE(probes, 50);
}

TEST(PartitionLane, AProbeThatFailsOtherwiseKeepsTheStall) {
  LaneBench bench;
  bench.begin();
  bench.take(0, spans(0, 1));
  bench.settle();
  bench.nack(std::move(*bench.sent()), token_expired());
  bench.executor.advance(seconds(1));
  bench.nack(std::move(*bench.sent()), busy());
  EXPECT_TRUE(bench.lane->state().stalled);
  bench.executor.advance(seconds(30));
  bench.ack(std::move(*bench.sent()));
  EXPECT_FALSE(bench.lane->state().stalled);
  EXPECT_EQ(bench.commit(), 1);
}

// An expired key can be answered as if the data were wrong: only an acceptance ends a stall.
TEST(PartitionLane, AProbeRefusedForItsDataKeepsTheStallUntilAnotherBatchPasses) {
  LaneBench bench;
  bench.begin();
  bench.take(0, spans(0, 1));
  bench.settle();
  bench.nack(std::move(*bench.sent()), token_expired());
  bench.destination([](const std::vector<std::string>& names) -> Status {
    if (names[0] == "span-0") return bad_data();
    return {};
  });
  bench.executor.advance(minutes(10));
  EXPECT_TRUE(bench.lane->state().stalled);
  EXPECT_THAT(bench.letters.letters, IsEmpty());
  bench.take(1, spans(1, 1));
  bench.executor.advance(minutes(1));
  EXPECT_FALSE(bench.lane->state().stalled);
  EXPECT_EQ(bench.letters.letters.size(), 1u);
  EXPECT_THAT(bench.received, ElementsAre("span-1"));
  EXPECT_EQ(bench.commit(), 2);
}

// An outage of 400s in a stream without other traffic costs no item, unless it lasts.
TEST(PartitionLane, AShortOutageInAQuietStreamWritesNoDeadLetter) {
  LaneBench bench;
  bench.begin();
  bool refused = true;
  bench.destination([&refused](const auto&) -> Status {
    if (refused) return bad_data();
    return {};
  });
  bench.take(0, spans(0, 1));
  bench.settle();
  bench.executor.advance(kUnprovenWait - minutes(1));
  EXPECT_TRUE(bench.lane->state().stalled);
  EXPECT_THAT(bench.letters.letters, IsEmpty());
  refused = false;
  bench.executor.advance(minutes(1));
  EXPECT_THAT(bench.letters.letters, IsEmpty());
  EXPECT_THAT(bench.received, ElementsAre("span-0"));
  EXPECT_EQ(bench.commit(), 1);
}

TEST(PartitionLane, ItemsThatAreRefusedTogetherInAQuietStreamNeverBecomeDeadLetters) {
  LaneBench bench;
  bench.begin();
  bench.destination([](const auto&) -> Status { return bad_data(); });
  bench.take(0, spans(0, 10));
  bench.settle();
  bench.executor.advance(hours(5));
  EXPECT_THAT(bench.letters.letters, IsEmpty());
  EXPECT_TRUE(bench.lane->state().stalled);
  EXPECT_EQ(bench.commit(), 0);
}

// --- Evidence ---

// One of many fails, for whatever reason: it alone becomes a dead letter, and nothing stalls.
TEST(PartitionLane, WhatFailsAloneInAStreamBecomesADeadLetterWhateverTheKind) {
  const Error late = transient_error(Code::kDeadlineExceeded, "no answer within 30 s");
  for (const Error& error : {busy(), late, token_expired(), bad_data(), broken()}) {
    LaneBench bench;
    bench.options.merge.items_max = 8;
    bench.begin();
    bench.destination([&error](const std::vector<std::string>& names) -> Status {
      for (const auto& name : names)
        if (name == "span-13") return error;
      return {};
    });
    int offset = 0;
    for (int second = 0; second < 1200; ++second) {
      ASSERT_TRUE(bench.take(offset, spans(offset * 8, 8))) << error.message;
      ++offset;
      bench.executor.advance(seconds(1));
    }
    ASSERT_EQ(bench.letters.letters.size(), 1u) << error.message;
    EXPECT_THAT(span_names(bench.letters.letters[0].payload.view()), ElementsAre("span-13"));
    EXPECT_EQ(bench.received.size(), static_cast<std::size_t>(offset * 8 - 1)) << error.message;
    EXPECT_EQ(std::set<std::string>(bench.received.begin(), bench.received.end()).size(),
              bench.received.size());
    EXPECT_EQ(bench.commit(), offset) << error.message;
    EXPECT_FALSE(bench.lane->state().stalled);
  }
}

// Clouds answer an expired key as 400.
TEST(PartitionLane, WhatFailsTogetherStallsWhateverTheKind) {
  for (const Error& error : {busy(), token_expired(), bad_data(), broken()}) {
    LaneBench bench;
    bench.options.merge.items_max = 8;
    bench.begin();
    bool expired = false;
    bench.destination([&](const auto&) -> Status {
      if (expired) return error;
      return {};
    });
    int offset = 0;
    for (int step = 0; step < 200; ++step) {
      if (step == 20) expired = true;
      while (offset < step * 10 && bench.take(offset, spans(offset * 8, 8))) ++offset;
      bench.executor.advance(seconds(1));
    }
    EXPECT_THAT(bench.letters.letters, IsEmpty()) << error.message;
    EXPECT_TRUE(bench.lane->state().stalled) << error.message;
    EXPECT_THAT(bench.lane->state().reason, HasSubstr(error.message));
    const int calls = bench.calls;
    bench.executor.advance(minutes(10));
    EXPECT_LE(bench.calls - calls, 20 * 16) << "probes, with back-off";
    EXPECT_THAT(bench.letters.letters, IsEmpty()) << error.message;
    expired = false;
    bench.executor.advance(minutes(5));
    EXPECT_THAT(bench.letters.letters, IsEmpty()) << error.message;
    EXPECT_FALSE(bench.lane->state().stalled);
  }
}

TEST(PartitionLane, AFailingBatchIsNamedWhileOthersPass) {
  LaneBench bench;
  bench.options.merge.items_max = 1;
  bench.begin();
  bench.destination([](const std::vector<std::string>& names) -> Status {
    if (names[0] == "span-0") return busy().with_retry_after(seconds(20));
    return {};
  });
  for (int i = 0; i < 60; ++i) {
    bench.take(i, spans(i, 1));
    bench.executor.advance(seconds(1));
  }
  std::vector<StallStatus> statuses;
  bench.lane->add_failing(statuses);
  ASSERT_EQ(statuses.size(), 1u);
  EXPECT_EQ(statuses[0].scope, StallStatus::Scope::kRecord);
  EXPECT_THAT(statuses[0].reason, HasSubstr("busy"));
  EXPECT_FALSE(bench.lane->state().stalled);
}

// --- Held back ---

// One refused tenant: the others of its partition go on, however long it takes, and the commit says
// what is done beyond it.
TEST(PartitionLane, ARefusedTenantStallsAloneAndTheOthersGoOn) {
  LaneBench bench;
  bench.options.merge.items_max = 2;
  bench.begin();
  bool refused = true;
  bench.sink.answer_with([&](const pipeline::Batch& batch) -> Result<pipeline::Outcome> {
    if (refused && batch.metadata.tenant == "evil") {
      return configuration_error(Code::kPermissionDenied, "no such tenant");
    }
    const auto names = span_names(batch.payload.view());
    bench.received.insert(bench.received.end(), names.begin(), names.end());
    return pipeline::Outcome{};
  });
  for (int i = 0; i < 3000; ++i) {
    ASSERT_TRUE(bench.take(i, spans(i, 1), i % 3 == 0 ? "evil" : "good")) << i;
    bench.executor.advance(milliseconds(10));
  }
  bench.settle();
  EXPECT_EQ(bench.received.size(), 2000u);
  EXPECT_FALSE(bench.lane->state().stalled);
  EXPECT_LT(bench.budget.used(), 4u * 4096) << "what is held back left memory";
  EXPECT_EQ(bench.commit(), 0);
  const std::string note = bench.committed->metadata;
  EXPECT_THAT(bench.letters.letters, IsEmpty());
  // A restart does not repeat the others.
  bench.lane->drain();
  bench.executor.run();
  bench.commit();
  LaneBench second;
  second.options.merge.items_max = 2;
  second.begin(bench.committed->offset, bench.committed->metadata);
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
  LaneBench bench;
  bench.options.merge.items_max = 2;
  bench.begin();
  bool refused = true;
  bench.sink.answer_with([&](const pipeline::Batch& batch) -> Result<pipeline::Outcome> {
    if (refused && batch.metadata.tenant == "evil") return token_expired();
    const auto names = span_names(batch.payload.view());
    bench.received.insert(bench.received.end(), names.begin(), names.end());
    return pipeline::Outcome{};
  });
  const auto tenant = [](int i) { return i % 3 == 0 ? "evil" : "good"; };
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(bench.take(i, spans(i, 1), tenant(i))) << i;
    bench.settle();
  }
  bench.executor.advance(seconds(20));
  refused = false;
  bench.executor.advance(minutes(2));
  ASSERT_EQ(bench.rewinds.size(), 1u);
  for (int i = static_cast<int>(bench.rewinds[0]); i < 310; ++i) {
    ASSERT_TRUE(bench.take(i, spans(i, 1), tenant(i))) << i;
    bench.settle();
  }
  EXPECT_EQ(bench.received.size(), 310u);
  EXPECT_EQ(std::set<std::string>(bench.received.begin(), bench.received.end()).size(), 310u);
  EXPECT_EQ(bench.commit(), 310);
  EXPECT_EQ(bench.committed->metadata, "");
}

TEST(PartitionLane, WithoutTenantsALongStallLeavesMemoryToo) {
  LaneBench bench;
  bench.options.merge.items_max = 1;
  bench.begin();
  bool refused = true;
  bench.destination([&refused](const auto&) -> Status {
    if (refused) return token_expired();
    return {};
  });
  int next = 0;
  while (next < 100 && bench.take(next, spans(next, 1))) ++next;
  bench.settle();
  EXPECT_LE(next, 12) << "nothing else is there to be read";
  bench.executor.advance(minutes(1));
  EXPECT_TRUE(bench.lane->state().stalled);
  EXPECT_FALSE(bench.take(next, spans(next, 1)));
  refused = false;
  bench.executor.advance(minutes(1));
  const int from = bench.rewinds.empty() ? next : static_cast<int>(bench.rewinds.back());
  for (int i = from; i < 40; ++i) {
    ASSERT_TRUE(bench.take(i, spans(i, 1))) << i;
    bench.settle();
  }
  EXPECT_EQ(bench.received.size(), 40u);
  EXPECT_EQ(bench.commit(), 40);
}

// What is done behind a batch that fails is not repeated by a restart.
TEST(PartitionLane, ARestartRepeatsOnlyWhatWasNotDone) {
  LaneBench bench;
  bench.options.merge.items_max = 1;
  bench.begin();
  bench.destination([](const std::vector<std::string>& names) -> Status {
    if (names[0] == "span-0") return busy().with_retry_after(seconds(60));
    return {};
  });
  for (int i = 0; i < 3000; ++i) {
    ASSERT_TRUE(bench.take(i, spans(i, 1))) << "a batch that fails stops nothing: " << i;
    bench.settle();
  }
  EXPECT_EQ(bench.received.size(), 2999u);
  EXPECT_EQ(bench.commit(), 0);
  EXPECT_EQ(bench.committed->metadata, "spanway2:3000,0-0");
  LaneBench second;
  second.begin(0, bench.committed->metadata);
  second.destination([](const auto&) -> Status { return {}; });
  for (int i = 0; i < 3001; ++i) ASSERT_TRUE(second.take(i, spans(i, 1)));
  second.settle();
  EXPECT_THAT(second.received, ::testing::UnorderedElementsAre("span-0", "span-3000"));
  EXPECT_EQ(second.commit(), 3001);
}

// --- Unknown ---

TEST(PartitionLane, ABrokenDestinationLosesNothingAndFillsNoDeadLetterTopic) {
  LaneBench bench;
  bench.options.merge.items_max = 40;
  bench.begin();
  bool is_broken = true;
  bench.destination([&is_broken](const auto&) -> Status {
    if (is_broken) return broken();
    return {};
  });
  for (int i = 0; i < 6; ++i) bench.take(i, spans(i * 20, 20));
  bench.settle();
  bench.executor.advance(hours(12));
  EXPECT_THAT(bench.letters.letters, IsEmpty());
  EXPECT_THAT(bench.received, IsEmpty());
  EXPECT_LE(bench.calls, 3 * 12 * 3600 / 15) << "with back-off";
  is_broken = false;
  bench.executor.advance(hours(1));
  EXPECT_THAT(bench.letters.letters, IsEmpty());
  EXPECT_EQ(bench.received.size(), 120u);
  EXPECT_EQ(std::set<std::string>(bench.received.begin(), bench.received.end()).size(), 120u);
  EXPECT_EQ(bench.commit(), 6);
}

TEST(PartitionLane, WhatFailsAloneWhileItsNeighboursPassBecomesADeadLetter) {
  LaneBench bench;
  bench.begin();
  bench.take(0, spans(0, 32));
  bench.destination([](const std::vector<std::string>& names) -> Status {
    for (const auto& name : names)
      if (name == "span-13") return broken();
    return {};
  });
  bench.settle();
  bench.executor.advance(hours(1));
  ASSERT_EQ(bench.letters.letters.size(), 1u);
  EXPECT_THAT(span_names(bench.letters.letters[0].payload.view()), ElementsAre("span-13"));
  EXPECT_EQ(bench.letters.letters[0].cause, DeadLetterCause::kUnknown);
  EXPECT_GE(bench.letters.letters[0].attempts, 5u);
  EXPECT_EQ(bench.received.size(), 31u);
  EXPECT_EQ(bench.commit(), 1);
}

TEST(PartitionLane, TwoUnknownCulpritsInBothHalvesAreFoundToo) {
  LaneBench bench;
  bench.begin();
  bench.take(0, spans(0, 16));
  bench.destination([](const std::vector<std::string>& names) -> Status {
    for (const auto& name : names)
      if (name == "span-2" || name == "span-11") return broken();
    return {};
  });
  bench.settle();
  bench.executor.advance(hours(3));
  EXPECT_EQ(bench.letters.letters.size(), 2u);
  EXPECT_EQ(bench.received.size(), 14u);
  EXPECT_EQ(bench.commit(), 1);
}

TEST(PartitionLane, AnotherTenantsSuccessIsNoEvidence) {
  LaneBench bench;
  bench.options.merge.items_max = 1;
  bench.begin();
  bench.sink.answer_with([](const pipeline::Batch& batch) -> Result<pipeline::Outcome> {
    if (batch.metadata.tenant == "broken") return broken();
    return pipeline::Outcome{};
  });
  bench.take(0, spans(0, 1), "broken");
  for (int i = 1; i < 5; ++i) bench.take(i, spans(i, 1), "fine");
  bench.settle();
  bench.executor.advance(hours(5));
  EXPECT_THAT(bench.letters.letters, IsEmpty());
  EXPECT_EQ(bench.commit(), 0);
}

// One item, alone, in a lane that sends one batch at a time: only the next batch can show whether
// the item or the destination is to blame.
TEST(PartitionLane, InOrderedDeliveryOneNeighbourMayPassToJudgeTheCulprit) {
  LaneBench bench;
  bench.options.merge.items_max = 1;
  bench.options.max_in_flight = 1;
  bench.begin();
  bench.destination([](const std::vector<std::string>& names) -> Status {
    if (names[0] == "span-0") return broken();
    return {};
  });
  bench.take(0, spans(0, 1));
  bench.take(1, spans(1, 1));
  bench.settle();
  bench.executor.advance(minutes(10));
  ASSERT_EQ(bench.letters.letters.size(), 1u);
  EXPECT_THAT(bench.received, ElementsAre("span-1"));
  EXPECT_EQ(bench.commit(), 2);
}

// --- Partial success ---

TEST(PartitionLane, PartialSuccessIsNotRetriedAndLeavesACopy) {
  LaneBench bench;
  bench.begin(7);
  bench.take(7, spans(0, 6));
  bench.take(8, spans(6, 4));
  bench.settle();
  bench.ack(std::move(*bench.sent()), {2, "two were too old"});
  EXPECT_FALSE(bench.sent());
  ASSERT_EQ(bench.letters.letters.size(), 1u);
  const DeadLetter& letter = bench.letters.letters[0];
  EXPECT_EQ(letter.rejected, "2/10");
  EXPECT_EQ(letter.error, "two were too old");
  EXPECT_EQ(letter.origin, "otel.traces:3:7-8");
  EXPECT_EQ(span_names(letter.payload.view()).size(), 10u);
  EXPECT_EQ(
      bench.metric("spanway_kafka_bridge_destination_rejected_items_total", {{"signal", "traces"}}),
      2);
  EXPECT_EQ(bench.metric("spanway_kafka_bridge_delivered_items_total", {{"signal", "traces"}}), 8);
  EXPECT_EQ(bench.commit(), 9);
}

TEST(PartitionLane, PartialSuccessIsOnlyCountedWhenToldSo) {
  LaneBench bench;
  bench.options.copy_partial = false;
  bench.begin();
  bench.take(0, spans(0, 3));
  bench.settle();
  bench.ack(std::move(*bench.sent()), {1, "one was too old"});
  EXPECT_THAT(bench.letters.letters, IsEmpty());
  EXPECT_EQ(bench.commit(), 1);
}

TEST(PartitionLane, AWarningWithoutRejectedItemsIsASuccess) {
  LaneBench bench;
  bench.begin();
  bench.take(0, spans(0, 3));
  bench.settle();
  bench.ack(std::move(*bench.sent()), {0, "deprecated"});
  EXPECT_THAT(bench.letters.letters, IsEmpty());
  EXPECT_EQ(bench.commit(), 1);
}

// --- Records of others ---

TEST(PartitionLane, AnUndecodableRecordBecomesADeadLetterAndThePartitionMovesOn) {
  LaneBench bench;
  bench.begin();
  EXPECT_TRUE(bench.take(0, spans(0, 1)));
  EXPECT_TRUE(bench.take(1, "this is no protobuf"));
  EXPECT_TRUE(bench.take(2, spans(1, 1)));
  bench.destination([](const auto&) -> Status { return {}; });
  bench.settle();
  EXPECT_THAT(bench.received, ElementsAre("span-0", "span-1"));
  ASSERT_EQ(bench.letters.letters.size(), 1u);
  EXPECT_EQ(bench.letters.letters[0].payload.view(), "this is no protobuf");
  EXPECT_EQ(bench.letters.letters[0].origin, "otel.traces:3:1");
  EXPECT_EQ(bench.letters.letters[0].cause, DeadLetterCause::kUndecodable);
  EXPECT_EQ(bench.commit(), 3);
}

TEST(PartitionLane, InvalidItemsOfAForeignRecordAreKeptAsideAndTheOthersDelivered) {
  LaneBench bench;
  bench.begin();
  const std::string record =
      fakes::otlp_request_of({fakes::otlp_span(1, 1, "span-0/"),
                              fakes::otlp_span(std::string(16, '\0'), "12345678", "span-1/"),
                              fakes::otlp_span(2, 2, "span-2/")});
  bench.take(0, record);
  bench.destination([](const auto&) -> Status { return {}; });
  bench.settle();
  EXPECT_THAT(bench.received, ElementsAre("span-0", "span-2"));
  ASSERT_EQ(bench.letters.letters.size(), 1u);
  EXPECT_EQ(bench.letters.letters[0].payload.view(), record);
  EXPECT_EQ(bench.letters.letters[0].rejected, "1/3");
  EXPECT_EQ(bench.letters.letters[0].cause, DeadLetterCause::kInvalidItems);
  EXPECT_EQ(bench.commit(), 1);
}

TEST(PartitionLane, EmptyRecordsAreStepsOnTheWay) {
  LaneBench bench;
  bench.begin();
  EXPECT_TRUE(bench.take(0, ""));
  bench.settle();
  EXPECT_FALSE(bench.sent());
  EXPECT_THAT(bench.letters.letters, IsEmpty());
  EXPECT_EQ(bench.commit(), 1);
}

// --- Draining ---

TEST(PartitionLane, DrainingWaitsForWhatIsInFlightAndForgetsTheRest) {
  LaneBench bench;
  bench.options.merge.items_max = 1;
  bench.options.max_in_flight = 2;
  bench.begin();
  bench.take(0, spans(0, 1));
  bench.take(1, spans(1, 1));
  bench.take(2, spans(2, 1));
  auto a = bench.sent();
  auto b = bench.sent();
  ASSERT_TRUE(a && b);
  bench.lane->drain();
  bench.executor.run();
  EXPECT_EQ(bench.drained, 0);
  EXPECT_FALSE(bench.take(3, spans(3, 1)));
  bench.ack(std::move(*b));
  EXPECT_EQ(bench.drained, 0);
  bench.ack(std::move(*a));
  EXPECT_EQ(bench.drained, 1);
  EXPECT_FALSE(bench.sent()) << "what was not in flight stays in Kafka";
  EXPECT_EQ(bench.commit(), 2);
  bench.executor.advance(minutes(5));
  EXPECT_EQ(bench.drained, 1);
}

TEST(PartitionLane, DrainingDoesNotWaitForRetriesNorForAStall) {
  for (const Error& error : {busy(), token_expired(), broken()}) {
    LaneBench bench;
    bench.begin();
    bench.take(0, spans(0, 1));
    bench.settle();
    bench.nack(std::move(*bench.sent()), error);
    bench.lane->drain();
    bench.executor.run();
    EXPECT_EQ(bench.drained, 1) << error.message;
    bench.executor.advance(minutes(5));
    EXPECT_FALSE(bench.sent()) << error.message;
    EXPECT_EQ(bench.commit(), 0);
  }
}

TEST(PartitionLane, ARefusalWhileDrainingEndsTheWait) {
  LaneBench bench;
  bench.begin();
  bench.take(0, spans(0, 4));
  bench.settle();
  auto taken = bench.sent();
  bench.lane->drain();
  bench.nack(std::move(*taken), bad_data());
  EXPECT_EQ(bench.drained, 1);
  EXPECT_EQ(bench.commit(), 0);
}

TEST(PartitionLane, AnswersAfterItsEndAreIgnored) {
  LaneBench bench;
  bench.begin();
  bench.take(0, spans(0, 4));
  bench.settle();
  auto taken = bench.sent();
  bench.lane.reset();
  EXPECT_EQ(bench.budget.used(), 0u);
  bench.ack(std::move(*taken));
  bench.executor.advance(minutes(1));
}

// What was delivered of a halved batch stands in the last commit.
TEST(PartitionLane, ARevocationInTheMidstOfAHalvedBatchRepeatsNothing) {
  for (const bool identity : {false, true}) {
    LaneBench bench;
    bench.options.batch_identity = identity;
    bench.begin();
    bench.take(0, spans(0, 4));
    bench.take(1, spans(4, 4), "acme");
    bench.take(2, "this is no protobuf");
    bench.take(3, spans(8, 4));
    int calls = 0;
    bench.sink.answer_with([&](const pipeline::Batch& batch) -> Result<pipeline::Outcome> {
      const auto names = span_names(batch.payload.view());
      if (++calls > 4) {
        bench.lane->drain();
        return busy();
      }
      if (std::count(names.begin(), names.end(), "span-1") > 0) return bad_data();
      bench.received.insert(bench.received.end(), names.begin(), names.end());
      return pipeline::Outcome{};
    });
    bench.settle();
    bench.commit();  // The plan.
    bench.executor.advance(seconds(30));
    bench.lane->drain();
    bench.executor.run();
    EXPECT_EQ(bench.drained, 1);
    EXPECT_GT(bench.received.size(), 0u);
    EXPECT_LT(bench.received.size(), 11u);
    bench.commit();
    ASSERT_TRUE(bench.committed);
    LaneBench second;
    second.options.batch_identity = identity;
    second.begin(bench.committed->offset, bench.committed->metadata);
    second.destination([](const auto&) -> Status { return {}; });
    for (int i = static_cast<int>(bench.committed->offset); i < 4; ++i) {
      if (i == 2) {
        ASSERT_TRUE(second.take(i, "this is no protobuf"));
      } else {
        ASSERT_TRUE(second.take(i, spans(4 * i - (i > 2 ? 4 : 0), 4), i == 1 ? "acme" : ""));
      }
    }
    second.settle();
    second.commit();
    second.executor.run();
    std::vector<std::string> all = bench.received;
    all.insert(all.end(), second.received.begin(), second.received.end());
    for (const auto* letters : {&bench.letters.letters, &second.letters.letters}) {
      for (const DeadLetter& letter : *letters) {
        const auto names = span_names(letter.payload.view());
        all.insert(all.end(), names.begin(), names.end());
      }
    }
    std::sort(all.begin(), all.end());
    EXPECT_EQ(std::count(all.begin(), all.end(), "<broken>"), 1) << "one letter of the record";
    EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), all.size());
    EXPECT_EQ(all.size(), 13u) << bench.committed->metadata;
    EXPECT_EQ(second.commit(), 4);
  }
}

// --- Lag ---

TEST(PartitionLane, TellsTheOldestTimestampAlsoOfWhatItRefused) {
  LaneBench bench;
  bench.options.merge.items_max = 1;
  bench.options.max_in_flight = 1;
  bench.begin();
  EXPECT_FALSE(bench.lane->state().oldest_timestamp_ms.has_value());
  bench.take(0, spans(0, 1), "", 5000);
  EXPECT_EQ(bench.lane->state().oldest_timestamp_ms, 5000);
  bench.settle();
  bench.nack(std::move(*bench.sent()), token_expired());
  EXPECT_EQ(bench.lane->state().oldest_timestamp_ms, 5000);
  EXPECT_TRUE(bench.take(1, spans(1, 1), "", 6000));
  bench.executor.advance(seconds(1));
  bench.ack(std::move(*bench.sent()));
  EXPECT_EQ(bench.lane->state().oldest_timestamp_ms, 6000);
}

// --- Batch identity ---

TEST(PartitionLane, PlansACutBeforeItIsSent) {
  LaneBench bench;
  bench.options.batch_identity = true;
  bench.begin(10);
  bench.take(10, spans(0, 1));
  bench.take(12, spans(1, 1), "acme");
  bench.settle();
  EXPECT_FALSE(bench.sent()) << "the plan is not committed yet";
  EXPECT_EQ(bench.plans, 1);
  EXPECT_TRUE(bench.lane->plan_pending());
  bench.commit();
  ASSERT_TRUE(bench.committed);
  EXPECT_EQ(bench.committed->offset, 10) << "the offset stands still";
  EXPECT_EQ(bench.committed->metadata, "spanway2:3,0-2");
  EXPECT_FALSE(bench.lane->plan_pending());
  auto none = bench.sent();
  auto acme = bench.sent();
  ASSERT_TRUE(none && acme);
  EXPECT_EQ(none->batch.metadata.batch_id, "otel.traces:3:10-12");
  EXPECT_EQ(acme->batch.metadata.batch_id, "otel.traces:3:10-12:acme");
  bench.ack(std::move(*none));
  bench.ack(std::move(*acme));
  EXPECT_EQ(bench.commit(), 13);
  EXPECT_EQ(bench.committed->metadata, "");
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
    LaneBench bench;
    bench.options.batch_identity = true;
    bench.options.merge.items_max = 5;
    bench.begin(0);
    for (int i = 0; i < 9; ++i) bench.take(i, spans(i * 2, 2));
    bench.settle();
    bench.commit();
    metadata = bench.committed->metadata;
    while (auto taken = bench.sent()) {
      before.push_back({taken->batch.metadata.batch_id, span_names(taken->batch.payload.view())});
      taken->token.nack(busy());
    }
    EXPECT_EQ(before.size(), 5u);
  }
  LaneBench bench;
  bench.options.batch_identity = true;
  bench.options.merge.items_max = 100;  // Other limits, and more records at once.
  bench.begin(0, metadata);
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(bench.take(i, spans(i * 2, 2)));
  bench.settle();
  for (std::size_t i = 0; i < before.size(); ++i) {
    auto taken = bench.sent();
    ASSERT_TRUE(taken) << "planned cuts need no new commit";
    after.push_back({taken->batch.metadata.batch_id, span_names(taken->batch.payload.view())});
    bench.ack(std::move(*taken));
  }
  EXPECT_EQ(after, before);
  EXPECT_FALSE(bench.sent()) << "what was not planned before is planned now";
  bench.commit();
  auto rest = bench.sent();
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->batch.metadata.batch_id, "otel.traces:3:9-11");
}

TEST(PartitionLane, APlannedCutWhoseRecordsHaveGoneIsPassedOver) {
  LaneBench bench;
  bench.options.batch_identity = true;
  bench.begin(0, "spanway1:4,9");
  EXPECT_TRUE(bench.take(7, spans(0, 1)));
  EXPECT_TRUE(bench.take(9, spans(1, 1)));
  bench.executor.run();
  auto taken = bench.sent();
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->batch.metadata.batch_id, "otel.traces:3:7-9");
  bench.ack(std::move(*taken));
  EXPECT_EQ(bench.commit(), 10);
}

TEST(PartitionLane, APlannedCutEndsBeforeTheNextRecordWhenItsLastHasGone) {
  LaneBench bench;
  bench.options.batch_identity = true;
  bench.begin(0, "spanway1:4");
  EXPECT_TRUE(bench.take(3, spans(0, 1)));
  bench.settle();
  EXPECT_FALSE(bench.sent()) << "no linger: the cut is not complete";
  EXPECT_TRUE(bench.take(5, spans(1, 1)));
  auto taken = bench.sent();
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->batch.metadata.batch_id, "otel.traces:3:3-3");
}

TEST(PartitionLane, HalvesHaveNamesThatARepetitionFindsAgain) {
  LaneBench bench;
  bench.options.batch_identity = true;
  bench.begin(0, "spanway1:0");
  std::vector<std::string> ids;
  bench.sink.answer_with([&ids](const pipeline::Batch& batch) -> Result<pipeline::Outcome> {
    ids.push_back(batch.metadata.batch_id);
    if (batch.item_count > 2) return bad_data();
    return pipeline::Outcome{};
  });
  bench.take(0, spans(0, 4));
  bench.executor.run();
  EXPECT_THAT(ids,
              ElementsAre("otel.traces:3:0-0", "otel.traces:3:0-0~0+2", "otel.traces:3:0-0~2+2"));
}

TEST(PartitionLane, LanesThatRepeatPlannedCutsDoNotWaitForEachOthersMemory) {
  LaneBench bench;
  bench.options.batch_identity = true;
  const std::string record = spans(0, 50);
  MemoryBudget small(record.size() * 13);  // Three quarters: less than five records, each twice.
  BudgetShares shares(small, {otlp::Signal::kTraces});
  const LaneDeps deps{bench.executor, bench.mailbox, bench.shipper, bench.letters, small,
                      shares,         bench.events,  bench.ledger,  bench.stalls,  bench.random};
  bench.sink.answer_with([](const auto&) { return pipeline::Outcome{}; });
  LaneOptions other = bench.options;
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
  PartitionLane first(bench.options, deps, hosts[0], start);
  PartitionLane second(other, deps, hosts[1], start);
  PartitionLane* lanes[2] = {&first, &second};
  for (int step = 0; step < 200; ++step) {
    for (int i = 0; i < 2; ++i) {
      kafka::RecordView view;
      view.offset = hosts[i].next;
      view.value = record;
      if (view.offset < 4 && lanes[i]->take(view)) ++hosts[i].next;
    }
    bench.executor.advance(milliseconds(100));
  }
  EXPECT_EQ(bench.sink.items(), 400u) << "both cuts, each once";
  EXPECT_LE(small.peak(), small.limit());
}

TEST(PartitionLane, AForeignPlanIsNotFollowed) {
  LaneBench bench;
  bench.options.batch_identity = true;
  bench.begin(5, "somebody else's metadata");
  bench.take(5, spans(0, 1));
  bench.settle();
  EXPECT_EQ(bench.commit(), 5);
  EXPECT_EQ(bench.committed->metadata, "spanway2:1,0-0");
  EXPECT_TRUE(bench.sent());
}

// --- Everything at once ---

// Random records, refusals of all kinds, a restart: nothing is lost, nothing but the culprits
// becomes a dead letter, commits never run ahead.
TEST(PartitionLane, LosesNothingUnderRandomRefusals) {
  const std::uint64_t bugs = bug_count();
  for (std::uint64_t seed = 1; seed <= 16; ++seed) {
    LaneBench bench;
    Random random(seed);
    bench.options.merge.items_max = 1 + random.next_below(40);
    bench.options.max_in_flight = 1 + random.next_below(8);
    bench.options.batch_identity = random.next_below(2) == 0;
    bench.begin();
    std::set<std::string> bad;
    std::vector<std::pair<std::int64_t, std::string>> log;
    int next_span = 0;
    for (std::int64_t offset = 0; offset < 60; ++offset) {
      const int count = static_cast<int>(random.next_below(6));
      log.emplace_back(offset, count > 0 ? spans(next_span, count) : "");
      if (count > 0 && random.next_below(20) == 0) bad.insert("span-" + std::to_string(next_span));
      next_span += count;
    }
    bench.destination([&](const std::vector<std::string>& names) -> Status {
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
    for (int step = 0; step < 5000 && bench.lane->state().committed < 60; ++step) {
      while (at < log.size() && bench.take(log[at].first, log[at].second)) ++at;
      bench.executor.advance(milliseconds(500));
      bench.commit();
    }
    EXPECT_EQ(bench.lane->state().committed, 60) << "seed " << seed;
    EXPECT_EQ(bench.letters.letters.size(), bad.size()) << "seed " << seed;
    EXPECT_EQ(bench.received.size() + bad.size(), static_cast<std::size_t>(next_span))
        << "seed " << seed;
    EXPECT_EQ(bench.budget.used(), 0u) << "seed " << seed;
  }
  EXPECT_EQ(bug_count(), bugs) << last_bug_site();
}

}  // namespace
}  // namespace spanway::kafka_bridge
