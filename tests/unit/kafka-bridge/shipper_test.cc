#include "services/kafka-bridge/shipper.h"

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

struct ShipperBench {
  void begin() { shipper = std::make_unique<Shipper>(options, executor, mailbox, sink, budget); }
  // The answer to it lands in `answers` at this index.
  std::size_t ship(const std::string& payload, std::uint64_t items = 1,
                   const std::string& tenant = "", const std::string& id = "",
                   otlp::Signal signal = otlp::Signal::kTraces) {
    Shipment shipment;
    shipment.signal = signal;
    shipment.tenant = tenant;
    shipment.payload.add(std::make_shared<const Bytes>(payload));
    shipment.item_count = items;
    shipment.batch_id = id;
    const std::size_t index = answers.size();
    answers.emplace_back();
    shipper->ship(std::move(shipment),
                  [this, index](Result<Shipped> result) { answers[index] = std::move(result); });
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
  std::shared_ptr<Mailbox> mailbox = std::make_shared<Mailbox>(executor);
  fakes::SinkRecorder sink;
  MemoryBudget budget{1u << 20};
  ShipperOptions options;
  std::unique_ptr<Shipper> shipper;
  std::vector<pipeline::AckToken> tokens;
  std::vector<std::optional<Result<Shipped>>> answers;
};

TEST(Shipper, JoinsWhatComesTogether) {
  ShipperBench bench;
  bench.begin();
  bench.ship("a", 2);
  bench.ship("b", 3);
  EXPECT_THAT(bench.sent_payloads(), IsEmpty());
  bench.executor.advance(bench.options.linger);
  auto taken = bench.sink.take(Duration::zero());
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->batch.payload.view(), "ab");
  EXPECT_EQ(taken->batch.item_count, 5u);
  EXPECT_EQ(taken->batch.deadline.remaining(bench.clock.now()), bench.options.send_timeout);
  taken->token.ack();
  bench.executor.run();
  for (const auto& answer : bench.answers) {
    ASSERT_TRUE(answer);
    EXPECT_TRUE(answer->ok());
    EXPECT_EQ((*answer)->request_rejected, 0u);
  }
}

TEST(Shipper, JoinsOnlyWithinOneSignalAndTenant) {
  ShipperBench bench;
  bench.begin();
  bench.ship("a", 1, "acme");
  bench.ship("b", 1, "umbrella");
  bench.ship("c", 1, "acme", "", otlp::Signal::kLogs);
  bench.ship("d", 1, "acme");
  bench.executor.advance(bench.options.linger);
  EXPECT_THAT(bench.sent_payloads(), ::testing::UnorderedElementsAre("ad", "b", "c"));
}

TEST(Shipper, SendsAFullRequestAtOnce) {
  ShipperBench bench;
  bench.options.bytes_max = 10;
  bench.begin();
  bench.ship("123456");
  bench.ship("7890");
  bench.ship("x");
  EXPECT_THAT(bench.sent_payloads(), ElementsAre("1234567890"));
  bench.executor.advance(bench.options.linger);
  EXPECT_THAT(bench.sent_payloads(), ElementsAre("x"));
  bench.ship("a full one");
  EXPECT_THAT(bench.sent_payloads(), ElementsAre("a full one"));
}

TEST(Shipper, BoundsTheItemsOfARequest) {
  ShipperBench bench;
  bench.options.items_max = 10;
  bench.begin();
  bench.ship("a", 6);
  bench.ship("b", 5);
  EXPECT_THAT(bench.sent_payloads(), ElementsAre("a"));
}

TEST(Shipper, WhatHasAnIdentityTravelsAlone) {
  ShipperBench bench;
  bench.begin();
  bench.ship("a", 1, "", "t:0:1-2");
  auto taken = bench.sink.take(Duration::zero());
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->batch.metadata.batch_id, "t:0:1-2");
  taken->token.ack();
}

TEST(Shipper, WhatWasRefusedBeforeTravelsAlone) {
  ShipperBench bench;
  bench.begin();
  bench.ship("good");
  Shipment again;
  again.payload.add(std::make_shared<const Bytes>(std::string("refused before")));
  again.alone = true;
  bench.shipper->ship(std::move(again), [](const Result<Shipped>&) {});
  bench.executor.advance(bench.options.linger);
  EXPECT_THAT(bench.sent_payloads(), ::testing::UnorderedElementsAre("good", "refused before"));
}

TEST(Shipper, WithoutLingerNothingIsJoined) {
  ShipperBench bench;
  bench.options.linger = Duration::zero();
  bench.begin();
  bench.ship("a");
  bench.ship("b");
  EXPECT_THAT(bench.sent_payloads(), ElementsAre("a", "b"));
}

TEST(Shipper, TellsEverybodyWhenTheDestinationIsAway) {
  for (const Error& error :
       {unavailable("down"), configuration_error(Code::kUnauthenticated, "expired")}) {
    ShipperBench bench;
    bench.begin();
    bench.ship("a");
    bench.ship("b");
    bench.executor.advance(bench.options.linger);
    ASSERT_EQ(bench.sent_payloads().size(), 1u);
    bench.answer(0, error);
    for (const auto& answer : bench.answers) {
      ASSERT_TRUE(answer);
      EXPECT_EQ(answer->error().refusal, error.refusal);
      EXPECT_EQ(answer->error().message, error.message);
    }
    EXPECT_THAT(bench.sent_payloads(), IsEmpty()) << "trying again is the lanes' business";
  }
}

TEST(Shipper, WhatIsRefusedForItsDataIsSentAgainInParts) {
  for (const Error& error : {invalid_argument("bad"), unknown_error(Code::kInternal, "oops")}) {
    ShipperBench bench;
    bench.begin();
    bench.ship("good");
    bench.ship("bad");
    bench.executor.advance(bench.options.linger);
    ASSERT_EQ(bench.sent_payloads().size(), 1u);
    bench.answer(0, error);
    EXPECT_FALSE(bench.answers[0]);
    EXPECT_THAT(bench.sent_payloads(), ElementsAre("good", "bad"));
    bench.answer(2, error);
    ASSERT_TRUE(bench.answers[1]);
    EXPECT_EQ(bench.answers[1]->error().refusal, error.refusal);
    EXPECT_FALSE(bench.answers[0]) << "each has its own answer";
    bench.answer(1, pipeline::Outcome{});
    EXPECT_TRUE(bench.answers[0]->ok());
  }
}

TEST(Shipper, SharesOutWhatWasRejected) {
  ShipperBench bench;
  bench.begin();
  bench.ship("a", 4);
  bench.ship("b", 6);
  bench.executor.advance(bench.options.linger);
  ASSERT_EQ(bench.sent_payloads().size(), 1u);
  bench.answer(0, pipeline::Outcome{5, "too old"});
  std::uint64_t shares = 0;
  for (const auto& answer : bench.answers) {
    ASSERT_TRUE(answer && answer->ok());
    EXPECT_EQ((*answer)->request_rejected, 5u);
    EXPECT_EQ((*answer)->request_items, 10u);
    EXPECT_EQ((*answer)->message, "too old");
    shares += (*answer)->rejected;
  }
  EXPECT_EQ(shares, 5u);
}

TEST(Shipper, AnswersAfterItsEndAreDropped) {
  ShipperBench bench;
  bench.begin();
  bench.ship("a");
  bench.ship("b");
  bench.executor.advance(bench.options.linger);
  ASSERT_EQ(bench.sent_payloads().size(), 1u);
  bench.ship("waits");
  bench.shipper.reset();
  bench.answer(0, pipeline::Outcome{});
  bench.executor.advance(seconds(1));
  for (const auto& answer : bench.answers) EXPECT_FALSE(answer);
  EXPECT_THAT(bench.sent_payloads(), IsEmpty());
}

}  // namespace
}  // namespace spanway::kafka_bridge
