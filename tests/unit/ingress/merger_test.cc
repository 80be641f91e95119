#include "services/ingress/merger.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/base/loop.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/manual_executor.h"
#include "tests/fakes/sink_recorder.h"

namespace spanway::ingress {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class MergerTest : public ::testing::Test {
 protected:
  void make(MergeConfig config = {}) {
    merger_ = std::make_unique<Merger>(config, std::vector<Executor*>{&executor_}, next_, budget_,
                                       clock_, Events({log_, metrics_}));
  }
  // Sends one request; its answer goes to answers_[index of the request].
  std::size_t send(std::string payload, std::string tenant = "acme", std::uint64_t items = 1,
                   otlp::Signal signal = otlp::Signal::kTraces, Duration timeout = seconds(10)) {
    const std::size_t index = answers_.size();
    answers_.push_back(std::nullopt);
    pipeline::Batch batch;
    batch.signal = signal;
    batch.permit = *budget_.try_acquire(payload.size());
    batch.payload = Bytes(payload);
    batch.item_count = items;
    batch.metadata.tenant = std::move(tenant);
    batch.deadline = Deadline::after(clock_, timeout);
    batch.scanned = std::make_shared<const otlp::Scanned>();
    merger_->send(std::move(batch), pipeline::AckToken([this, index](Result<pipeline::Outcome> r) {
                    EXPECT_FALSE(answers_[index].has_value()) << "answered twice";
                    answers_[index] = std::move(r);
                  }));
    return index;
  }
  fakes::SinkRecorder::Taken take() {
    auto taken = next_.take(Duration::zero());
    EXPECT_TRUE(taken.has_value()) << "nothing was sent on";
    if (!taken) return {};
    return *std::move(taken);
  }
  bool nothing_sent() { return !next_.take(Duration::zero()).has_value(); }
  double metric(const char* name) { return metrics_.value(name, {{"signal", "traces"}}); }

  // First, because answers still come while the rest is destroyed.
  std::vector<std::optional<Result<pipeline::Outcome>>> answers_;
  fakes::ManualClock clock_;
  fakes::ManualExecutor executor_{clock_};
  const telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  MemoryBudget budget_{1 << 20};
  fakes::SinkRecorder next_;
  std::unique_ptr<Merger> merger_;
};

TEST_F(MergerTest, JoinsWhatComesWithinTheLingerInOrder) {
  make();
  send("aa", "acme", 2);
  executor_.advance(milliseconds(1));
  send("b", "acme", 1);
  EXPECT_TRUE(nothing_sent());
  EXPECT_EQ(merger_->waiting(), 2u);
  executor_.advance(milliseconds(1));
  auto taken = take();
  EXPECT_EQ(taken.batch.payload.view(), "aab");
  EXPECT_EQ(taken.batch.item_count, 3u);
  EXPECT_EQ(taken.batch.metadata.tenant, "acme");
  EXPECT_EQ(merger_->waiting(), 0u);
  EXPECT_FALSE(answers_[0].has_value());
  taken.token.ack();
  ASSERT_TRUE(answers_[0] && answers_[1]);
  EXPECT_TRUE(answers_[0]->ok());
  EXPECT_TRUE(answers_[1]->ok());
  EXPECT_EQ(metric("spanway_ingress_merged_requests_total"), 2);
  EXPECT_EQ(metric("spanway_ingress_merged_batches_total"), 1);
}

TEST_F(MergerTest, KeepsNoScanOfWhatWaitsOrWasJoined) {
  make();
  send("aaaa");
  executor_.advance(milliseconds(2));
  auto taken = take();
  EXPECT_FALSE(taken.batch.scanned);  // No permit covers it while the request waits.
  taken.token.ack();
  send("aaaa");
  send("bbbb");
  executor_.advance(milliseconds(2));
  taken = take();
  EXPECT_FALSE(taken.batch.scanned);  // It would be of other bytes.
  taken.token.ack();
  send(std::string(MergeConfig{}.small_request_bytes.bytes, 'l'));
  taken = take();
  EXPECT_TRUE(taken.batch.scanned);  // It went straight through.
  taken.token.ack();
}

TEST_F(MergerTest, GivesAllMemoryBackAfterTheAnswer) {
  make();
  send("aaaa");
  send("bbbb");
  executor_.advance(milliseconds(2));
  auto taken = take();
  // The parts and what they were joined to.
  EXPECT_EQ(budget_.used(), 16u);
  taken.token.ack();
  taken = {};
  EXPECT_EQ(budget_.used(), 0u);
}

TEST_F(MergerTest, SendsALoneRequestOnAsItIs) {
  make();
  send("alone");
  executor_.advance(milliseconds(2));
  auto taken = take();
  EXPECT_EQ(taken.batch.payload.view(), "alone");
  EXPECT_EQ(budget_.used(), 5u);
  taken.token.ack({2, "two are bad"});
  ASSERT_TRUE(answers_[0] && answers_[0]->ok());
  // Alone, each result is reported to its own client.
  EXPECT_EQ((*answers_[0])->rejected, 2u);
  EXPECT_EQ(metric("spanway_ingress_merged_batches_total"), 0);
}

TEST_F(MergerTest, KeepsTenantsAndSignalsApart) {
  make();
  send("a", "acme");
  send("b", "umbrella");
  send("c", "acme", 1, otlp::Signal::kLogs);
  executor_.advance(milliseconds(2));
  std::vector<std::string> sent;
  for (int i = 0; i < 3; ++i) {
    auto taken = take();
    sent.emplace_back(taken.batch.payload.view());
    taken.token.ack();
  }
  std::sort(sent.begin(), sent.end());
  EXPECT_EQ(sent, (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(MergerTest, FlushesWhenFullWithoutWaiting) {
  MergeConfig config;
  config.bytes_max = {10};
  config.small_request_bytes = {10};
  make(config);
  send("1234");
  send("5678");
  EXPECT_TRUE(nothing_sent());
  // Does not fit: what is there goes first, the new one waits for others.
  send("abcd");
  auto taken = take();
  EXPECT_EQ(taken.batch.payload.view(), "12345678");
  taken.token.ack();
  send("efghij");
  taken = take();
  EXPECT_EQ(taken.batch.payload.view(), "abcdefghij");
  taken.token.ack();
  EXPECT_EQ(merger_->waiting(), 0u);
  executor_.advance(milliseconds(10));
  EXPECT_TRUE(nothing_sent());
}

TEST_F(MergerTest, FlushesAtItsItemsAndRequests) {
  MergeConfig config;
  config.items_max = 10;
  config.requests_max = 3;
  make(config);
  send("a", "acme", 6);
  send("b", "acme", 4);
  auto taken = take();
  EXPECT_EQ(taken.batch.item_count, 10u);
  taken.token.ack();
  send("c");
  send("d");
  EXPECT_TRUE(nothing_sent());
  send("e");
  taken = take();
  EXPECT_EQ(taken.batch.payload.view(), "cde");
  taken.token.ack();
}

TEST_F(MergerTest, PassesOnAtOnceWhatMustNotBeJoined) {
  MergeConfig config;
  config.small_request_bytes = {8};
  make(config);
  send("12345678");
  EXPECT_EQ(take().batch.payload.view(), "12345678");
  // Its client would not wait for the others.
  send("hurry", "acme", 1, otlp::Signal::kTraces, milliseconds(500));
  EXPECT_EQ(take().batch.payload.view(), "hurry");
  EXPECT_EQ(executor_.pending_timers(), 0u);
}

TEST_F(MergerTest, IsTransparentWhenOffOrWithoutLinger) {
  for (const bool enabled : {true, false}) {
    MergeConfig config;
    config.enabled = enabled;
    if (enabled) config.linger = Duration::zero();
    make(config);
    const std::size_t index = send("x");
    auto taken = take();
    taken.token.ack({1, "m"});
    ASSERT_TRUE(answers_[index] && answers_[index]->ok());
    EXPECT_EQ((*answers_[index])->rejected, 1u);
  }
}

TEST_F(MergerTest, TakesTheEarliestDeadline) {
  make();
  send("a", "acme", 1, otlp::Signal::kTraces, seconds(10));
  send("b", "acme", 1, otlp::Signal::kTraces, seconds(3));
  send("c", "acme", 1, otlp::Signal::kTraces, seconds(20));
  const SteadyTime earliest = clock_.now() + seconds(3);
  executor_.advance(milliseconds(2));
  auto taken = take();
  EXPECT_EQ(taken.batch.deadline.when(), earliest);
  taken.token.ack();
}

TEST_F(MergerTest, ResendsThePartsOfARefusedRequestSoThatEachClientGetsItsOwnAnswer) {
  for (const Refusal refusal : {Refusal::kData, Refusal::kUnknown}) {
    make();
    answers_.clear();
    send("good");
    send("bad");
    executor_.advance(milliseconds(2));
    Error error = invalid_argument("one of them is bad");
    error.refusal = refusal;
    take().token.nack(std::move(error));
    EXPECT_FALSE(answers_[0].has_value());
    auto first = take();
    auto second = take();
    EXPECT_EQ(first.batch.payload.view(), "good");
    EXPECT_EQ(second.batch.payload.view(), "bad");
    first.token.ack();
    second.token.nack(invalid_argument("this one"));
    ASSERT_TRUE(answers_[0] && answers_[1]);
    EXPECT_TRUE(answers_[0]->ok());
    ASSERT_FALSE(answers_[1]->ok());
    EXPECT_EQ(answers_[1]->error().message, "this one");
    EXPECT_TRUE(nothing_sent());
  }
  EXPECT_EQ(metric("spanway_ingress_merge_resent_requests_total"), 4);
}

TEST_F(MergerTest, DoesNotResendForClientsThatWaitNoLonger) {
  make();
  send("late", "acme", 1, otlp::Signal::kTraces, seconds(3));
  send("patient", "acme", 1, otlp::Signal::kTraces, seconds(30));
  executor_.advance(milliseconds(2));
  auto joined = take();
  clock_.advance(seconds(4));
  joined.token.nack(unknown_error(Code::kInternal, "?"));
  ASSERT_TRUE(answers_[0]);
  EXPECT_EQ(answers_[0]->error().code, Code::kDeadlineExceeded);
  auto patient = take();
  EXPECT_EQ(patient.batch.payload.view(), "patient");
  patient.token.ack();
  EXPECT_TRUE(answers_[1]->ok());
}

TEST_F(MergerTest, ReportsEveryClientOfATransientOrConfigurationRefusal) {
  for (const Refusal refusal : {Refusal::kTransient, Refusal::kConfiguration}) {
    make();
    answers_.clear();
    send("a");
    send("b");
    executor_.advance(milliseconds(2));
    Error error = unavailable("no").with_retry_after(seconds(3)).with_reason("kafka_down");
    error.refusal = refusal;
    take().token.nack(std::move(error));
    for (const auto& answer : answers_) {
      ASSERT_TRUE(answer && !answer->ok());
      EXPECT_EQ(answer->error().refusal, refusal);
      EXPECT_EQ(answer->error().retry_after, seconds(3));
      EXPECT_STREQ(answer->error().reason, "kafka_down");
    }
    EXPECT_TRUE(nothing_sent());
  }
}

// P2: a bridge with stricter limits. It refuses all of the joined request, and each client gets the
// count of its own items.
TEST_F(MergerTest, WhatStricterLimitsBehindRejectIsAnsweredToTheClientThatSentIt) {
  make();
  send("good", "acme", 2);
  send("large", "acme", 3);
  executor_.advance(milliseconds(2));
  auto joined = take();
  EXPECT_TRUE(joined.batch.metadata.all_or_nothing);
  joined.token.nack(invalid_argument("1 span of a joined request would be rejected"));
  for (const std::uint64_t rejected : {0u, 1u}) {
    auto alone = take();
    EXPECT_FALSE(alone.batch.metadata.all_or_nothing) << "alone its items are rejected one by one";
    alone.token.ack({rejected, rejected == 0 ? "" : "too large"});
  }
  ASSERT_TRUE(answers_[0] && answers_[0]->ok() && answers_[1] && answers_[1]->ok());
  EXPECT_EQ((*answers_[0])->rejected, 0u);
  EXPECT_EQ((*answers_[1])->rejected, 1u);
  EXPECT_EQ(metric("spanway_ingress_merge_unattributed_rejected_items_total"), 0);
}

// P2: another receiver does not know all_or_nothing. What it rejects is never answered with
// rejected = 0 by all.
TEST_F(MergerTest, RejectionsBehindAJoinedRequestAddUpAndTheNextRequestsGoAlone) {
  make();
  send("a", "acme", 2);
  send("b", "acme", 6);
  executor_.advance(milliseconds(2));
  take().token.ack({3, "too old"});
  std::uint64_t reported = 0;
  for (const auto& answer : answers_) {
    ASSERT_TRUE(answer && answer->ok());
    reported += (*answer)->rejected;
    EXPECT_NE((*answer)->message.find("3 of 8 spans"), std::string::npos);
    EXPECT_NE((*answer)->message.find("too old"), std::string::npos);
  }
  EXPECT_EQ(reported, 3u);
  EXPECT_TRUE(nothing_sent()) << "partial success is never sent again";
  EXPECT_EQ(metric("spanway_ingress_merge_unattributed_rejected_items_total"), 3);

  const std::size_t alone = send("c", "acme", 4);
  take().token.ack({1, "too old"});
  EXPECT_EQ((*answers_[alone])->rejected, 1u) << "its own, exactly";
  send("d", "umbrella", 4);
  EXPECT_TRUE(nothing_sent()) << "other tenants are joined as before";
  executor_.advance(minutes(5));
  take().token.ack();
  send("e", "acme", 4);
  EXPECT_TRUE(nothing_sent()) << "after a while it is tried again";
  executor_.advance(milliseconds(2));
  take().token.ack();
}

TEST_F(MergerTest, SendsThePartsUnjoinedWithoutMemoryForJoining) {
  make();
  send("aaaa");
  send("bbbb");
  const Permit rest = *budget_.try_acquire(budget_.limit() - budget_.used() - 7);
  executor_.advance(milliseconds(2));
  auto first = take();
  auto second = take();
  EXPECT_EQ(first.batch.payload.view(), "aaaa");
  EXPECT_EQ(second.batch.payload.view(), "bbbb");
  first.token.ack();
  second.token.ack();
  EXPECT_TRUE(answers_[0]->ok() && answers_[1]->ok());
}

TEST_F(MergerTest, HoldsABoundedNumberOfBuckets) {
  MergeConfig config;
  config.buckets_max = 2;
  make(config);
  send("a", "one");
  send("b", "two");
  send("c", "three");
  EXPECT_EQ(take().batch.payload.view(), "c");
  EXPECT_EQ(merger_->waiting(), 2u);
  send("d", "two");
  executor_.advance(milliseconds(2));
  EXPECT_EQ(take().batch.payload.view().size() + take().batch.payload.view().size(), 3u);
  // The buckets are free again.
  send("e", "three");
  EXPECT_EQ(merger_->waiting(), 1u);
}

TEST_F(MergerTest, DrainSendsOnWhatWaitsAndThenRefuses) {
  make();
  next_.answer_with([](const pipeline::Batch&) { return pipeline::Outcome{}; });
  send("a");
  EXPECT_TRUE(merger_->drain(Deadline::after(clock_, Duration::zero())));
  ASSERT_TRUE(answers_[0].has_value());
  EXPECT_TRUE(answers_[0]->ok());
  send("b");
  ASSERT_TRUE(answers_[1].has_value());
  EXPECT_EQ(answers_[1]->error().code, Code::kUnavailable);
  EXPECT_TRUE(merger_->drain(Deadline::after(clock_, Duration::zero())));
}

TEST_F(MergerTest, DrainSaysWhenAnswersAreStillMissing) {
  make();
  send("a");
  send("b");
  EXPECT_FALSE(merger_->drain(Deadline::after(clock_, Duration::zero())));
  take().token.ack();
  EXPECT_TRUE(merger_->drain(Deadline::after(clock_, Duration::zero())));
}

TEST_F(MergerTest, AnswersMayComeAfterItIsGone) {
  make();
  send("a");
  send("b");
  executor_.advance(milliseconds(2));
  auto taken = take();
  send("c");
  merger_.reset();
  // Waiting requests are refused, so that their clients send them elsewhere.
  ASSERT_TRUE(answers_[2].has_value());
  EXPECT_EQ(answers_[2]->error().code, Code::kUnavailable);
  executor_.advance(milliseconds(10));
  taken.token.nack(invalid_argument("late"));
  ASSERT_TRUE(answers_[0] && answers_[1]);
  EXPECT_EQ(answers_[0]->error().message, "late");
  EXPECT_TRUE(nothing_sent());
}

// Accepts on a thread of its own, and refuses whatever holds an 'x'.
class FarSink final : public pipeline::Sink {
 public:
  void send(pipeline::Batch batch, pipeline::AckToken token) noexcept override {
    auto held = std::make_shared<pipeline::AckToken>(std::move(token));
    const bool bad = batch.payload.view().find('x') != std::string_view::npos;
    loop_.post([held, bad] {
      if (bad) return held->nack(invalid_argument("x"));
      held->ack();
    });
  }
  bool drain(Deadline) override { return true; }

 private:
  Loop loop_{"far"};
};

TEST(MergerOnThreads, GivesEveryRequestItsOwnAnswerOnce) {
  constexpr int kPerThread = 400;
  telemetry::Metrics metrics;
  const telemetry::Logger log = telemetry::Logger::null();
  MemoryBudget budget(1 << 20);
  FarSink next;
  Loop first("io-1"), second("io-2");
  MergeConfig config;
  config.linger = milliseconds(1);
  config.requests_max = 7;
  Merger merger(config, {&first, &second}, next, budget, system_clock(), Events({log, metrics}));
  std::atomic<int> good{0}, refused{0}, wrong{0};
  const auto send_all = [&] {
    for (int i = 0; i < kPerThread; ++i) {
      const bool bad = i % 10 == 0;
      pipeline::Batch batch;
      batch.payload = Bytes(bad ? "x" : "good");
      batch.item_count = 1;
      batch.metadata.tenant = i % 2 == 0 ? "acme" : "umbrella";
      batch.deadline = Deadline::after(system_clock(), seconds(60));
      merger.send(std::move(batch), pipeline::AckToken([&, bad](Result<pipeline::Outcome> answer) {
                    if (answer.ok() == bad) ++wrong;
                    ++(answer.ok() ? good : refused);
                  }));
    }
  };
  first.post(send_all);
  second.post(send_all);
  // Not an io thread: it may land in any shard.
  send_all();
  std::promise<void> sent_first, sent_second;
  first.post([&] { sent_first.set_value(); });
  second.post([&] { sent_second.set_value(); });
  sent_first.get_future().wait();
  sent_second.get_future().wait();
  EXPECT_TRUE(merger.drain(Deadline::after(system_clock(), seconds(60))));
  EXPECT_EQ(good + refused, 3 * kPerThread);
  EXPECT_EQ(refused, 3 * kPerThread / 10);
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace spanway::ingress
