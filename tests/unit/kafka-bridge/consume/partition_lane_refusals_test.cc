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

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

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

TEST(PartitionLane, FindsTheRefusedItemAndDeliversTheRest) {
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

TEST(PartitionLane, FindsAllRefusedItems) {
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
  EXPECT_EQ(fixture.calls, calls) << "the refusal is known: the item is not sent again";
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

TEST(PartitionLane, WhatFailsAloneWhileOthersPassBecomesADeadLetter) {
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

TEST(PartitionLane, TwoUnknownRefusedItemsInBothHalvesAreFoundToo) {
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
// the item or the destination is the cause.
TEST(PartitionLane, InOrderedDeliveryOneBatchBehindMayPassToClassifyTheRefusal) {
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

}  // namespace
}  // namespace spanway::kafka_bridge
