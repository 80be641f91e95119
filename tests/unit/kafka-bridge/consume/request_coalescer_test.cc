#include "services/kafka-bridge/consume/request_coalescer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/fakes/manual_executor.h"
#include "tests/fakes/sink_recorder.h"

namespace spanway::kafka_bridge {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct CoalescerFixture {
  void begin() {
    coalescer = std::make_unique<RequestCoalescer>(options, executor, answers_on, sink, budget);
  }
  // The answer to it lands in `answers` at this index.
  std::size_t send(const std::string& payload, std::uint64_t items = 1,
                   const std::string& tenant = "", const std::string& id = "",
                   otlp::Signal signal = otlp::Signal::kTraces) {
    DeliveryRequest request;
    request.signal = signal;
    request.tenant = tenant;
    request.payload.add(std::make_shared<const Bytes>(payload));
    request.item_count = items;
    request.batch_id = id;
    const std::size_t index = answers.size();
    answers.emplace_back();
    coalescer->send(std::move(request), [this, index](Result<DeliveryResult> result) {
      answers[index] = std::move(result);
    });
    return index;
  }
  std::vector<std::string> sent_payloads() {
    executor.run();
    std::vector<std::string> payloads;
    while (auto taken = sink.take(Duration::zero())) {
      payloads.emplace_back(taken->batch.payload.view());
      tokens.push_back(std::move(taken->token));
    }
    return payloads;
  }
  void answer(std::size_t token, Result<pipeline::Outcome> result) {
    tokens[token].answer(std::move(result));
    executor.run();
  }

  fakes::ManualClock clock;
  fakes::ManualExecutor executor{clock};
  std::shared_ptr<ClosableExecutor> answers_on = std::make_shared<ClosableExecutor>(executor);
  fakes::SinkRecorder sink;
  MemoryBudget budget{1u << 20};
  CoalescerOptions options;
  std::unique_ptr<RequestCoalescer> coalescer;
  std::vector<pipeline::AckToken> tokens;
  std::vector<std::optional<Result<DeliveryResult>>> answers;
};

// A tenant of which nothing is known takes a part of half of the sink's places, the next one a part
// of the rest.
TEST(RequestCoalescer, ATenantThatIsNotAnsweredLeavesRoomForOthers) {
  CoalescerFixture fixture;
  fixture.options.linger = Duration::zero();
  fixture.options.in_flight_max = 8;
  fixture.begin();
  for (int i = 0; i < 20; ++i) fixture.send("hang", 1, "hanging");
  EXPECT_EQ(fixture.sent_payloads().size(), 2u);
  for (int i = 0; i < 20; ++i) fixture.send("other", 1, "other");
  EXPECT_EQ(fixture.sent_payloads().size(), 1u);
  fixture.send("good", 1, "good");
  EXPECT_THAT(fixture.sent_payloads(), ElementsAre("good"));
  for (int i = 0; i < 5; ++i) fixture.send("none", 1, "");
  EXPECT_EQ(fixture.sent_payloads().size(), 5u) << "unnamed telemetry is one stream";
  for (std::size_t i = 3; i < 9; ++i) fixture.answer(i, pipeline::Outcome{});
  EXPECT_THAT(fixture.sent_payloads(), IsEmpty());
  fixture.answer(2, pipeline::Outcome{});
  EXPECT_THAT(fixture.sent_payloads(), ElementsAre("other", "other", "other"))
      << "it is answered: as many as it leaves free";
}

TEST(RequestCoalescer, ManyTenantsThatHangLeaveRoomForOneThatIsAnswered) {
  CoalescerFixture fixture;
  fixture.options.linger = Duration::zero();
  fixture.options.in_flight_max = 16;
  fixture.begin();
  fixture.send("good", 1, "good");
  EXPECT_EQ(fixture.sent_payloads().size(), 1u);
  fixture.answer(0, pipeline::Outcome{});
  for (int i = 0; i < 50; ++i) {
    for (int k = 0; k < 3; ++k) fixture.send("hang", 1, "hanging-" + std::to_string(i));
  }
  EXPECT_EQ(fixture.sent_payloads().size(), 8u);
  for (int i = 0; i < 3; ++i) fixture.send("good", 1, "good");
  EXPECT_THAT(fixture.sent_payloads(), ElementsAre("good", "good", "good"));
  // The next tries of those whose time has passed take no more.
  const Error late = transient_error(Code::kDeadlineExceeded, "no answer in time");
  for (std::size_t i = 1; i <= 8; ++i) fixture.answer(i, late);
  EXPECT_EQ(fixture.sent_payloads().size(), 8u);
}

TEST(RequestCoalescer, JoinsWhatComesTogether) {
  CoalescerFixture fixture;
  fixture.begin();
  fixture.send("a", 2);
  fixture.send("b", 3);
  EXPECT_THAT(fixture.sent_payloads(), IsEmpty());
  fixture.executor.advance(fixture.options.linger);
  auto taken = fixture.sink.take(Duration::zero());
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->batch.payload.view(), "ab");
  EXPECT_EQ(taken->batch.item_count, 5u);
  EXPECT_EQ(taken->batch.deadline.remaining(fixture.clock.now()), fixture.options.send_timeout);
  taken->token.ack();
  fixture.executor.run();
  for (const auto& answer : fixture.answers) {
    ASSERT_TRUE(answer);
    EXPECT_TRUE(answer->ok());
    EXPECT_EQ((*answer)->request_rejected, 0u);
  }
}

TEST(RequestCoalescer, JoinsOnlyWithinOneSignalAndTenant) {
  CoalescerFixture fixture;
  fixture.begin();
  fixture.send("a", 1, "acme");
  fixture.send("b", 1, "umbrella");
  fixture.send("c", 1, "acme", "", otlp::Signal::kLogs);
  fixture.send("d", 1, "acme");
  fixture.executor.advance(fixture.options.linger);
  EXPECT_THAT(fixture.sent_payloads(), ::testing::UnorderedElementsAre("ad", "b", "c"));
}

TEST(RequestCoalescer, SendsAFullRequestAtOnce) {
  CoalescerFixture fixture;
  fixture.options.bytes_max = 10;
  fixture.begin();
  fixture.send("123456");
  fixture.send("7890");
  fixture.send("x");
  EXPECT_THAT(fixture.sent_payloads(), ElementsAre("1234567890"));
  fixture.executor.advance(fixture.options.linger);
  EXPECT_THAT(fixture.sent_payloads(), ElementsAre("x"));
  fixture.send("a full one");
  EXPECT_THAT(fixture.sent_payloads(), ElementsAre("a full one"));
}

TEST(RequestCoalescer, BoundsTheItemsOfARequest) {
  CoalescerFixture fixture;
  fixture.options.items_max = 10;
  fixture.begin();
  fixture.send("a", 6);
  fixture.send("b", 5);
  EXPECT_THAT(fixture.sent_payloads(), ElementsAre("a"));
}

TEST(RequestCoalescer, WhatHasAnIdentityTravelsAlone) {
  CoalescerFixture fixture;
  fixture.begin();
  fixture.send("a", 1, "", "t:0:1-2");
  auto taken = fixture.sink.take(Duration::zero());
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->batch.metadata.batch_id, "t:0:1-2");
  taken->token.ack();
}

TEST(RequestCoalescer, WhatWasRefusedBeforeTravelsAlone) {
  CoalescerFixture fixture;
  fixture.begin();
  fixture.send("good");
  DeliveryRequest again;
  again.payload.add(std::make_shared<const Bytes>(std::string("refused before")));
  again.alone = true;
  fixture.coalescer->send(std::move(again), [](const Result<DeliveryResult>&) {});
  fixture.executor.advance(fixture.options.linger);
  EXPECT_THAT(fixture.sent_payloads(), ::testing::UnorderedElementsAre("good", "refused before"));
}

TEST(RequestCoalescer, WithoutLingerNothingIsJoined) {
  CoalescerFixture fixture;
  fixture.options.linger = Duration::zero();
  fixture.begin();
  fixture.send("a");
  fixture.send("b");
  EXPECT_THAT(fixture.sent_payloads(), ElementsAre("a", "b"));
}

TEST(RequestCoalescer, AnswersAllWhenTheDestinationIsAway) {
  for (const Error& error :
       {unavailable("down"), configuration_error(Code::kUnauthenticated, "expired")}) {
    CoalescerFixture fixture;
    fixture.begin();
    fixture.send("a");
    fixture.send("b");
    fixture.executor.advance(fixture.options.linger);
    ASSERT_EQ(fixture.sent_payloads().size(), 1u);
    fixture.answer(0, error);
    for (const auto& answer : fixture.answers) {
      ASSERT_TRUE(answer);
      EXPECT_EQ(answer->error().refusal, error.refusal);
      EXPECT_EQ(answer->error().message, error.message);
    }
    EXPECT_THAT(fixture.sent_payloads(), IsEmpty()) << "trying again is the lanes' business";
  }
}

TEST(RequestCoalescer, WhatIsRefusedForItsDataIsSentAgainInParts) {
  for (const Error& error : {invalid_argument("bad"), unknown_error(Code::kInternal, "oops")}) {
    CoalescerFixture fixture;
    fixture.begin();
    fixture.send("good");
    fixture.send("bad");
    fixture.executor.advance(fixture.options.linger);
    ASSERT_EQ(fixture.sent_payloads().size(), 1u);
    fixture.answer(0, error);
    EXPECT_FALSE(fixture.answers[0]);
    EXPECT_THAT(fixture.sent_payloads(), ElementsAre("good", "bad"));
    fixture.answer(2, error);
    ASSERT_TRUE(fixture.answers[1]);
    EXPECT_EQ(fixture.answers[1]->error().refusal, error.refusal);
    EXPECT_FALSE(fixture.answers[0]) << "each has its own answer";
    fixture.answer(1, pipeline::Outcome{});
    EXPECT_TRUE(fixture.answers[0]->ok());
  }
}

TEST(RequestCoalescer, SharesOutWhatWasRejected) {
  CoalescerFixture fixture;
  fixture.begin();
  fixture.send("a", 4);
  fixture.send("b", 6);
  fixture.executor.advance(fixture.options.linger);
  ASSERT_EQ(fixture.sent_payloads().size(), 1u);
  fixture.answer(0, pipeline::Outcome{5, "too old"});
  std::uint64_t shares = 0;
  for (const auto& answer : fixture.answers) {
    ASSERT_TRUE(answer && answer->ok());
    EXPECT_EQ((*answer)->request_rejected, 5u);
    EXPECT_EQ((*answer)->request_items, 10u);
    EXPECT_EQ((*answer)->message, "too old");
    shares += (*answer)->rejected;
  }
  EXPECT_EQ(shares, 5u);
}

TEST(RequestCoalescer, AnswersAfterItsEndAreDropped) {
  CoalescerFixture fixture;
  fixture.begin();
  fixture.send("a");
  fixture.send("b");
  fixture.executor.advance(fixture.options.linger);
  ASSERT_EQ(fixture.sent_payloads().size(), 1u);
  fixture.send("waits");
  fixture.coalescer.reset();
  fixture.answer(0, pipeline::Outcome{});
  fixture.executor.advance(seconds(1));
  for (const auto& answer : fixture.answers) EXPECT_FALSE(answer);
  EXPECT_THAT(fixture.sent_payloads(), IsEmpty());
}

}  // namespace
}  // namespace spanway::kafka_bridge
