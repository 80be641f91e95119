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
#include "tests/fakes/fake_consumer.h"
#include "tests/unit/kafka-bridge/consume/lane_fixture.h"

namespace spanway::kafka_bridge {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct GroupFixture {
  GroupFixture() {
    config.consumer.destination = "jaeger";
    config.consumer.batch.linger = Duration::zero();  // Each partition by itself.
  }
  void begin() {
    const ConsumerGroupDeps deps{executor, sink, letters, budget, {log, metrics}, Random(1)};
    auto created = ConsumerGroup::create(
        config, deps,
        [this](std::vector<std::string> names,
               kafka::ConsumerListener& listener) -> Result<std::unique_ptr<kafka::Consumer>> {
          topics = std::move(names);
          auto made = std::make_unique<fakes::FakeConsumer>(listener);
          consumer = made.get();
          return std::unique_ptr<kafka::Consumer>(std::move(made));
        });
    ASSERT_TRUE(created.ok());
    group = std::move(created).value();
    ASSERT_TRUE(group->start().ok());
    executor.run();
  }
  void put(const kafka::TopicPartition& partition, std::int64_t offset, int first_span,
           std::int64_t timestamp_ms = 0) {
    consumer->put(partition, {offset, timestamp_ms, spans(first_span, 1), ""});
  }
  std::int64_t committed(const kafka::TopicPartition& partition) const {
    const auto found = consumer->committed.find(partition);
    return found == consumer->committed.end() ? -1 : found->second.offset;
  }

  const kafka::TopicPartition p0{"otel.traces", 0};
  const kafka::TopicPartition p1{"otel.traces", 1};
  fakes::ManualClock clock;
  fakes::ManualExecutor executor{clock};
  fakes::SinkRecorder sink;
  FakeDeadLetters letters;
  MemoryGate gate{256u << 20};
  MemoryBudget budget{64u << 20, &gate};
  telemetry::Logger log = telemetry::Logger::null();
  telemetry::Metrics metrics;
  BridgeConfig config;
  std::vector<std::string> topics;
  fakes::FakeConsumer* consumer = nullptr;
  std::unique_ptr<ConsumerGroup> group;
};

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
  GroupFixture fixture;
  fixture.begin();
  fixture.sink.answer_with([](const auto&) { return pipeline::Outcome{}; });
  fixture.consumer->commit_answer = Status(unavailable("rebalancing"));
  fixture.consumer->assign(fixture.p0, 0);
  fixture.put(fixture.p0, 0, 0);
  fixture.executor.advance(seconds(3));
  EXPECT_EQ(fixture.committed(fixture.p0), -1);
  fixture.consumer->commit_answer = ok_status();
  fixture.executor.advance(seconds(1));
  EXPECT_EQ(fixture.committed(fixture.p0), 1);
}

TEST(ConsumerGroup, ACommitWithoutAnAnswerDoesNotStopTheNext) {
  GroupFixture fixture;
  fixture.begin();
  fixture.sink.answer_with([](const auto&) { return pipeline::Outcome{}; });
  fixture.consumer->hold_commits = true;
  fixture.consumer->assign(fixture.p0, 0);
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
  bool done = false;
  fixture.consumer->listener.on_revoked({fixture.p0}, [&done] { done = true; });
  fixture.executor.advance(seconds(1));
  EXPECT_FALSE(done);
  taken->token.ack();
  fixture.executor.run();
  EXPECT_TRUE(done);
  EXPECT_EQ(fixture.committed(fixture.p0), 1);
  fixture.executor.advance(seconds(1));
  ASSERT_EQ(fixture.group->partitions().size(), 1u);
  EXPECT_EQ(fixture.group->partitions()[0].partition, fixture.p1);
}

TEST(ConsumerGroup, RevocationDoesNotWaitForEver) {
  GroupFixture fixture;
  fixture.begin();
  fixture.consumer->assign(fixture.p0, 0);
  fixture.put(fixture.p0, 0, 0);
  fixture.executor.advance(milliseconds(10));
  auto taken = fixture.sink.take(Duration::zero());
  bool done = false;
  fixture.consumer->listener.on_revoked({fixture.p0}, [&done] { done = true; });
  fixture.executor.advance(fixture.config.destination.timeout);
  EXPECT_FALSE(done) << "the destination may still answer";
  fixture.executor.advance(seconds(5));
  EXPECT_TRUE(done);
  EXPECT_EQ(fixture.committed(fixture.p0), -1) << "what is not answered is not committed";
  taken->token.ack();  // Too late: the partition belongs to somebody else.
  fixture.executor.advance(seconds(5));
  EXPECT_EQ(fixture.committed(fixture.p0), -1);
  EXPECT_EQ(fixture.budget.used(), 0u);
}

TEST(ConsumerGroup, LostPartitionsCommitNothing) {
  GroupFixture fixture;
  fixture.begin();
  fixture.sink.answer_with([](const auto&) { return pipeline::Outcome{}; });
  fixture.consumer->assign(fixture.p0, 0);
  fixture.put(fixture.p0, 0, 0);
  fixture.executor.advance(milliseconds(10));
  fixture.consumer->listener.on_lost({fixture.p0});
  fixture.executor.advance(seconds(5));
  EXPECT_EQ(fixture.committed(fixture.p0), -1);
  EXPECT_THAT(fixture.group->partitions(), IsEmpty());
}

TEST(ConsumerGroup, DrainFinishesCommitsAndLeaves) {
  GroupFixture fixture;
  fixture.begin();
  fixture.consumer->assign(fixture.p0, 0);
  fixture.put(fixture.p0, 0, 0);
  fixture.executor.advance(milliseconds(10));
  auto taken = fixture.sink.take(Duration::zero());
  std::optional<bool> clean;
  fixture.group->drain(seconds(20), [&clean](bool is_clean) { clean = is_clean; });
  fixture.executor.advance(seconds(2));
  EXPECT_FALSE(clean);
  EXPECT_FALSE(fixture.consumer->closed);
  taken->token.ack();
  fixture.executor.run();
  EXPECT_EQ(clean, true);
  EXPECT_EQ(fixture.committed(fixture.p0), 1);
  EXPECT_TRUE(fixture.consumer->closed);
}

TEST(ConsumerGroup, DrainWithoutPartitionsIsImmediate) {
  GroupFixture fixture;
  fixture.begin();
  std::optional<bool> clean;
  fixture.group->drain(seconds(20), [&clean](bool is_clean) { clean = is_clean; });
  EXPECT_EQ(clean, true);
  EXPECT_TRUE(fixture.consumer->closed);
}

TEST(ConsumerGroup, DrainGivesUpInTimeAndSaysSo) {
  GroupFixture fixture;
  fixture.begin();
  fixture.consumer->assign(fixture.p0, 0);
  fixture.put(fixture.p0, 0, 0);
  fixture.executor.advance(milliseconds(10));
  auto taken = fixture.sink.take(Duration::zero());
  std::optional<bool> clean;
  fixture.group->drain(seconds(3), [&clean](bool is_clean) { clean = is_clean; });
  fixture.executor.advance(seconds(3));
  EXPECT_EQ(clean, false);
  EXPECT_TRUE(fixture.consumer->closed);
  taken->token.ack();
  fixture.executor.run();
}

TEST(ConsumerGroup, ShutdownTakesOverFromARevocation) {
  GroupFixture fixture;
  fixture.begin();
  fixture.consumer->assign(fixture.p0, 0);
  fixture.put(fixture.p0, 0, 0);
  fixture.executor.advance(milliseconds(10));
  auto taken = fixture.sink.take(Duration::zero());
  fixture.consumer->listener.on_revoked({fixture.p0}, [] {});
  std::optional<bool> clean;
  fixture.group->drain(seconds(20), [&clean](bool is_clean) { clean = is_clean; });
  taken->token.ack();
  fixture.executor.run();
  EXPECT_EQ(clean, true);
  EXPECT_EQ(fixture.committed(fixture.p0), 1);
}

TEST(ConsumerGroup, CountsLostRecordsAndGoesOn) {
  GroupFixture fixture;
  fixture.begin();
  fixture.sink.answer_with([](const auto&) { return pipeline::Outcome{}; });
  fixture.consumer->assign(fixture.p0, 10);
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

TEST(ConsumerGroup, PausesOnlyWhatStallsForLongAndTellsWhy) {
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

TEST(ConsumerGroup, TellsTheLagAlsoWhileStalled) {
  GroupFixture fixture;
  fixture.begin();
  fixture.sink.answer_with(
      [](const auto&) -> Result<pipeline::Outcome> { return token_expired(); });
  fixture.consumer->assign(fixture.p0, 40);
  fixture.consumer->marks[fixture.p0] = {0, 100};
  const auto now =
      std::chrono::duration_cast<milliseconds>(fixture.clock.system_now().time_since_epoch())
          .count();
  fixture.put(fixture.p0, 40, 0, now);
  fixture.executor.advance(seconds(60));
  ASSERT_EQ(fixture.group->partitions().size(), 1u);
  EXPECT_EQ(fixture.group->partitions()[0].lag_messages, 60);
  EXPECT_NEAR(fixture.group->partitions()[0].lag_seconds, 60, 1.1);
  const telemetry::Labels labels = {{"topic", "otel.traces"}, {"partition", "0"}};
  EXPECT_EQ(fixture.metrics.value("spanway_kafka_bridge_lag_messages", labels), 60);
  EXPECT_NEAR(fixture.metrics.value("spanway_kafka_bridge_lag_seconds", labels), 60, 1.1);
  fixture.consumer->listener.on_lost({fixture.p0});
  EXPECT_EQ(fixture.metrics.expose().find("spanway_kafka_bridge_lag_messages{"), std::string::npos);
}

TEST(ConsumerGroup, NoLagMeansZeroSeconds) {
  GroupFixture fixture;
  fixture.begin();
  fixture.sink.answer_with([](const auto&) { return pipeline::Outcome{}; });
  fixture.consumer->assign(fixture.p0, 0);
  fixture.consumer->marks[fixture.p0] = {0, 1};
  fixture.put(fixture.p0, 0, 0, 1);
  fixture.executor.advance(seconds(3));
  ASSERT_EQ(fixture.group->partitions().size(), 1u);
  EXPECT_EQ(fixture.group->partitions()[0].lag_messages, 0);
  EXPECT_EQ(fixture.group->partitions()[0].lag_seconds, 0);
}

TEST(ConsumerGroup, AClockThatIsAheadDoesNotHideThatNothingMoves) {
  for (const bool ahead : {true, false}) {
    GroupFixture fixture;
    fixture.begin();
    fixture.sink.answer_with(
        [](const auto&) -> Result<pipeline::Outcome> { return token_expired(); });
    fixture.consumer->assign(fixture.p0, 40);
    fixture.consumer->marks[fixture.p0] = {0, 100};
    const auto now =
        std::chrono::duration_cast<milliseconds>(fixture.clock.system_now().time_since_epoch());
    fixture.put(fixture.p0, 40, 0, ahead ? (now + seconds(3600)).count() : 0);
    fixture.executor.advance(seconds(60));
    ASSERT_EQ(fixture.group->partitions().size(), 1u);
    EXPECT_NEAR(fixture.group->partitions()[0].lag_seconds, 60, 1.1);
  }
}

TEST(ConsumerGroup, WhatIsDeliveredAsItComesHasNoLagInSeconds) {
  GroupFixture fixture;
  fixture.begin();
  fixture.sink.answer_with([](const auto&) { return pipeline::Outcome{}; });
  fixture.consumer->assign(fixture.p0, 0);
  for (int i = 0; i < 30; ++i) {
    fixture.consumer->marks[fixture.p0] = {0, i + 2};  // One record is always on its way.
    fixture.put(fixture.p0, i, i);
    fixture.executor.advance(seconds(1));
    ASSERT_EQ(fixture.group->partitions().size(), 1u);
    EXPECT_EQ(fixture.group->partitions()[0].lag_seconds, 0);
  }
}

TEST(ConsumerGroup, MarkersAndDeletedRecordsAtTheEndOfTheLogAreNoLag) {
  GroupFixture fixture;
  fixture.begin();
  fixture.consumer->assign(fixture.p0, 0);
  fixture.consumer->marks[fixture.p0] = {0, 3};
  fixture.put(fixture.p0, 0, 0);
  fixture.executor.advance(milliseconds(10));
  auto taken = fixture.sink.take(Duration::zero());
  ASSERT_TRUE(taken);
  fixture.consumer->listener.on_end(fixture.p0, 3);
  fixture.executor.advance(seconds(2));
  EXPECT_EQ(fixture.committed(fixture.p0), -1) << "not before the records below are done";
  taken->token.ack();
  fixture.executor.advance(seconds(3));
  EXPECT_EQ(fixture.committed(fixture.p0), 3);
  EXPECT_EQ(fixture.group->partitions()[0].lag_messages, 0);
}

TEST(ConsumerGroup, CountsWhatTheLogHasLost) {
  GroupFixture fixture;
  fixture.begin();
  fixture.sink.answer_with([](const auto&) { return pipeline::Outcome{}; });
  fixture.consumer->assign(fixture.p0, 159);
  fixture.consumer->listener.on_gap(fixture.p0, 159, 100, 59);
  fixture.put(fixture.p0, 100, 0);
  fixture.executor.advance(seconds(1));
  EXPECT_EQ(fixture.sink.sent(), 1u);
  EXPECT_EQ(fixture.committed(fixture.p0), 101);
  EXPECT_EQ(fixture.metrics.value("spanway_kafka_bridge_truncated_records_total"), 59);
  EXPECT_EQ(fixture.metrics.value("spanway_kafka_bridge_lost_records_total"), 0);
  EXPECT_EQ(fixture.group->lost_records(), 59u);
}

TEST(ConsumerGroup, EveryItemReadIsDeliveredDeadLetteredReleasedOrInFlight) {
  GroupFixture fixture;
  fixture.begin();
  const std::uint64_t bugs = bug_count();
  const auto count = [&](const char* name) {
    return fixture.metrics.value("spanway_kafka_bridge_" + std::string(name),
                                 {{"signal", "traces"}});
  };
  fixture.sink.answer_with([](const pipeline::Batch& batch) -> Result<pipeline::Outcome> {
    if (batch.metadata.tenant == "refused") return token_expired();
    const auto names = span_names(batch.payload.view());
    if (std::count(names.begin(), names.end(), "span-2") > 0) return bad_data();
    return pipeline::Outcome{batch.metadata.tenant == "partly" ? 1u : 0u, "one is too old"};
  });
  fixture.consumer->assign(fixture.p0, 0);
  fixture.consumer->put(fixture.p0, {0, 0, spans(0, 10), ""});
  fixture.consumer->put(fixture.p0, {1, 0, spans(10, 5), "refused"});
  fixture.consumer->put(fixture.p0, {2, 0, spans(15, 4), "partly"});
  fixture.consumer->put(fixture.p0, {3, 0, "this is no protobuf", ""});
  fixture.executor.advance(seconds(60));
  EXPECT_EQ(count("consumed_items_total"), 19);
  EXPECT_EQ(count("delivered_items_total"), 9 + 3);
  EXPECT_EQ(count("destination_rejected_items_total"), 1);
  EXPECT_EQ(count("dead_letter_items_total"), 1);
  EXPECT_EQ(count("in_flight_items"), 5);
  EXPECT_EQ(count("released_items_total"), 0);
  EXPECT_TRUE(fixture.group->items()[0].add_up());
  fixture.consumer->listener.on_lost({fixture.p0});
  fixture.executor.advance(seconds(2));
  EXPECT_EQ(count("in_flight_items"), 0);
  EXPECT_EQ(count("released_items_total"), 5);
  EXPECT_TRUE(fixture.group->items()[0].add_up());
  EXPECT_EQ(bug_count(), bugs) << last_bug_site();
}

TEST(ConsumerGroup, ReadsAgainWhenMemoryMayBeFree) {
  GroupFixture fixture;
  fixture.begin();
  fixture.sink.answer_with([](const auto&) { return pipeline::Outcome{}; });
  fixture.consumer->assign(fixture.p0, 0);
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

// --- Stalls ---

// A destination that knows no logs: its stall holds no more memory than its share, and says so.
TEST(ConsumerGroup, OneRefusedSignalDoesNotStarveTheOthers) {
  GroupFixture fixture;
  fixture.config.consumer.batch.items_max = 1;
  fixture.begin();
  fixture.sink.answer_with([](const pipeline::Batch& batch) -> Result<pipeline::Outcome> {
    if (batch.signal == otlp::Signal::kLogs) return configuration_error(Code::kNotFound, "no logs");
    return pipeline::Outcome{};
  });
  const std::string log_record =
      fakes::otlp_request_of({fakes::otlp_log_record(std::string(200'000, 'x'))});
  for (int partition = 0; partition < 12; ++partition) {
    const kafka::TopicPartition p{"otel.logs", partition};
    fixture.consumer->assign(p, 0);
    for (int i = 0; i < 40; ++i) fixture.consumer->put(p, {i, 0, log_record, ""});
  }
  fixture.executor.advance(seconds(60));
  EXPECT_LT(fixture.budget.used(), fixture.budget.limit() / 2);
  fixture.consumer->assign(fixture.p0, 0);
  for (int i = 0; i < 100; ++i) {
    fixture.put(fixture.p0, i, i);
    fixture.executor.advance(milliseconds(100));
  }
  fixture.executor.advance(seconds(2));
  EXPECT_EQ(fixture.committed(fixture.p0), 100);
  const auto stalls = fixture.group->stalls();
  ASSERT_EQ(stalls.size(), 1u);
  EXPECT_EQ(stalls[0].signal, otlp::Signal::kLogs);
  EXPECT_EQ(stalls[0].scope, StallStatus::Scope::kSignal);
  EXPECT_EQ(stalls[0].reason, "no logs");
  EXPECT_EQ(fixture.metrics.value("spanway_kafka_bridge_stalled_streams", {{"signal", "logs"}}), 1);
  EXPECT_THAT(fixture.letters.letters, IsEmpty());
}

// Each of many partitions may keep some batches of a refused tenant: together they take no more of
// the memory than they leave, so that another tenant of the same partitions is delivered.
TEST(ConsumerGroup, OneRefusedTenantDoesNotTakeTheMemoryOfTheOthers) {
  GroupFixture fixture;
  fixture.config.consumer.batch.items_max = 1;
  fixture.begin();
  MemoryBudget small(8u << 20);
  const ConsumerGroupDeps deps{
      fixture.executor, fixture.sink, fixture.letters, small, {fixture.log, fixture.metrics},
      Random(1)};
  fakes::FakeConsumer* consumer = nullptr;
  auto group = ConsumerGroup::create(
      fixture.config, deps,
      [&](const std::vector<std::string>&,
          kafka::ConsumerListener& listener) -> Result<std::unique_ptr<kafka::Consumer>> {
        auto created = std::make_unique<fakes::FakeConsumer>(listener);
        consumer = created.get();
        return std::unique_ptr<kafka::Consumer>(std::move(created));
      });
  ASSERT_TRUE(group.ok() && (*group)->start().ok());
  fixture.sink.answer_with([](const pipeline::Batch& batch) -> Result<pipeline::Outcome> {
    if (batch.metadata.tenant == "evil") return busy();
    return pipeline::Outcome{};
  });
  std::vector<fakes::ProtoMessage> attributes = {
      fakes::otlp_attribute("large", std::string(300'000, 'x'))};
  const std::string large =
      fakes::otlp_request_of({fakes::otlp_span(1, 1, "span-large/", attributes)});
  std::vector<kafka::TopicPartition> partitions;
  for (int i = 0; i < 12; ++i) partitions.push_back({"otel.traces", i});
  for (const auto& p : partitions) {
    consumer->assign(p, 0);
    consumer->put(p, {0, 0, spans(0, 1), "good"});
    for (int i = 1; i <= 10; ++i) consumer->put(p, {i, 0, large, "evil"});
  }
  fixture.executor.advance(seconds(30));
  EXPECT_LT(small.used(), small.limit() / 2);
  const std::size_t sent = fixture.sink.items();
  for (int i = 11; i < 20; ++i) {
    for (const auto& p : partitions) consumer->put(p, {i, 0, large, "good"});
    fixture.executor.advance(seconds(1));
  }
  EXPECT_EQ(
      fixture.metrics.value("spanway_kafka_bridge_delivered_items_total", {{"signal", "traces"}}),
      12 * 10);
  EXPECT_GE(fixture.sink.items(), sent + 12 * 9);
}

// Random tenants and refusals, poisoned spans of every kind, kills and drains: every span is
// delivered or a dead letter, only poison becomes one, and everything is committed in the end.
// Without a kill nothing ends twice.
TEST(ConsumerGroup, LosesNothingWhateverIsRefusedAndWhoeverRestarts) {
  const std::uint64_t bugs = bug_count();
  const Error errors[] = {busy(), token_expired(), bad_data(), broken()};
  const Error outages[] = {busy(), token_expired(), broken()};
  const std::string tenants[] = {"", "a", "b", "c"};
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    Random random(seed);
    std::map<kafka::TopicPartition, std::deque<fakes::FakeConsumer::Stored>> log;
    std::map<kafka::TopicPartition, kafka::OffsetCommit> committed;
    std::map<std::string, Error> poison;
    std::map<std::string, int> received;
    std::map<std::string, Error> refusing;  // Tenants.
    std::set<std::string> letters;
    const bool kills = seed % 2 == 0;
    const std::uint64_t in_flight = 1 + random.next_below(8);
    int next_span = 0;
    const kafka::TopicPartition partitions[] = {{"otel.traces", 0}, {"otel.traces", 1}};
    for (int life = 0; life < 5; ++life) {
      GroupFixture fixture;
      fixture.config.consumer.batch.items_max = 4;
      fixture.config.consumer.max_in_flight_per_partition = static_cast<std::int64_t>(in_flight);
      fixture.begin();
      fixture.consumer->committed = committed;
      fixture.sink.answer_with([&](const pipeline::Batch& batch) -> Result<pipeline::Outcome> {
        const auto refused = refusing.find(batch.metadata.tenant);
        if (refused != refusing.end()) return refused->second;
        const auto names = span_names(batch.payload.view());
        for (const auto& name : names) {
          if (const auto found = poison.find(name); found != poison.end()) return found->second;
        }
        for (const auto& name : names) ++received[name];
        return pipeline::Outcome{};
      });
      for (const auto& p : partitions) {
        const auto& start = committed[p];
        fixture.consumer->log[p] = log[p];
        fixture.consumer->assign(p, start.offset, start.metadata);
        for (const auto& stored : log[p]) {
          if (stored.offset >= start.offset) fixture.consumer->queues[p].push_back(stored);
        }
        fixture.consumer->deliver(p);
      }
      const int steps = life == 4 ? 3000 : 100;
      for (int step = 0; step < steps; ++step) {
        if (step < 60) {
          const auto& p = partitions[random.next_below(2)];
          const auto offset = static_cast<std::int64_t>(log[p].size());
          const int count = 1 + static_cast<int>(random.next_below(3));
          const std::string name = "span-" + std::to_string(next_span);
          if (random.next_below(25) == 0) poison.emplace(name, errors[random.next_below(4)]);
          const fakes::FakeConsumer::Stored stored{offset, 0, spans(next_span, count),
                                                   tenants[random.next_below(4)]};
          next_span += count;
          log[p].push_back(stored);
          fixture.consumer->put(p, stored);
        }
        if (life < 4 && random.next_below(20) == 0) {
          const std::string& tenant = tenants[1 + random.next_below(3)];
          if (refusing.erase(tenant) == 0) refusing.emplace(tenant, outages[random.next_below(3)]);
        }
        if (life == 4) refusing.clear();
        // Healthy traffic goes on, so that a culprit is told from its destination.
        if (life == 4 && step % 10 == 0 && step < 2500) {
          for (const auto& tenant : tenants) {
            for (const auto& p : partitions) {
              const auto offset = static_cast<std::int64_t>(log[p].size());
              const fakes::FakeConsumer::Stored stored{offset, 0, spans(next_span++, 1), tenant};
              log[p].push_back(stored);
              fixture.consumer->put(p, stored);
            }
          }
        }
        fixture.executor.advance(milliseconds(500));
      }
      if (!kills || life == 4) {
        fixture.group->drain(seconds(20), [](bool) {});
        fixture.executor.advance(seconds(30));
      }
      committed = fixture.consumer->committed;
      if (getenv("DBG"))
        for (const auto& p : partitions)
          fprintf(stderr, "seed %d life %d p%d commit %ld %s end %zu\n", static_cast<int>(seed),
                  life, p.partition, static_cast<long>(committed[p].offset),
                  committed[p].metadata.c_str(), log[p].size());
      for (const DeadLetter& letter : fixture.letters.letters) {
        for (const auto& name : span_names(letter.payload.view())) letters.insert(name);
      }
      fixture.group.reset();
    }
    for (const auto& name : letters) {
      EXPECT_EQ(poison.count(name), 1u) << name << " is no poison, seed " << seed;
    }
    int missing = 0;
    for (int i = 0; i < next_span; ++i) {
      const std::string name = "span-" + std::to_string(i);
      const bool is_letter = letters.count(name) > 0;
      if (received.count(name) == 0 && !is_letter) ++missing;
      if (kills) continue;
      EXPECT_LE(received[name] + (is_letter ? 1 : 0), 1) << name << ", seed " << seed;
    }
    EXPECT_EQ(missing, 0) << "seed " << seed;
    for (const auto& p : partitions) {
      EXPECT_EQ(committed[p].offset, static_cast<std::int64_t>(log[p].size())) << "seed " << seed;
      EXPECT_EQ(committed[p].metadata, "") << "seed " << seed;
    }
  }
  EXPECT_EQ(bug_count(), bugs) << last_bug_site();
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
