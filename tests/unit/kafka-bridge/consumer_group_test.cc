#include "services/kafka-bridge/consumer_group.h"

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
#include "tests/unit/kafka-bridge/lane_bench.h"

namespace spanway::kafka_bridge {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct GroupBench {
  GroupBench() {
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
  GroupBench bench;
  bench.config.consumer.signals = {"logs", "traces"};
  bench.begin();
  EXPECT_THAT(bench.topics, ElementsAre("otel.traces", "otel.logs"));
  EXPECT_TRUE(bench.consumer->started);
}

TEST(ConsumerGroup, DeliversAndCommitsEverySecond) {
  GroupBench bench;
  bench.begin();
  bench.consumer->assign(bench.p0, 5);
  bench.consumer->assign(bench.p1, 0);
  bench.put(bench.p0, 5, 0);
  bench.put(bench.p1, 0, 1);
  bench.executor.advance(milliseconds(10));
  auto a = bench.sink.take(Duration::zero());
  auto b = bench.sink.take(Duration::zero());
  ASSERT_TRUE(a && b);
  a->token.ack();
  b->token.ack();
  EXPECT_EQ(bench.committed(bench.p0), -1);
  bench.executor.advance(seconds(1));
  EXPECT_EQ(bench.committed(bench.p0), 6);
  EXPECT_EQ(bench.committed(bench.p1), 1);
  EXPECT_EQ(bench.consumer->commits, 1) << "one request for all partitions";
  bench.executor.advance(seconds(10));
  EXPECT_EQ(bench.consumer->commits, 1) << "nothing new, nothing to commit";
}

TEST(ConsumerGroup, PartitionsShareARequest) {
  GroupBench bench;
  bench.config.consumer.batch.linger = milliseconds(5);
  bench.begin();
  bench.consumer->assign(bench.p0, 0);
  bench.consumer->assign(bench.p1, 0);
  bench.put(bench.p0, 0, 0);
  bench.put(bench.p1, 0, 1);
  bench.executor.advance(milliseconds(10));
  auto taken = bench.sink.take(Duration::zero());
  ASSERT_TRUE(taken);
  EXPECT_THAT(span_names(taken->batch.payload.view()), ElementsAre("span-0", "span-1"));
  EXPECT_EQ(bench.sink.sent(), 1u);
  taken->token.ack();
  bench.executor.advance(seconds(1));
  EXPECT_EQ(bench.committed(bench.p0), 1);
  EXPECT_EQ(bench.committed(bench.p1), 1);
}

TEST(ConsumerGroup, NearTheMemoryLimitPartitionsArePausedUntilThereIsRoom) {
  GroupBench bench;
  bench.begin();
  bench.consumer->assign(bench.p0, 0);
  bench.consumer->assign(bench.p1, 0);
  bench.gate.measured(250u << 20, false);
  bench.group->shed_load();
  EXPECT_THAT(bench.consumer->paused, ElementsAre(bench.p0, bench.p1));
  bench.executor.advance(seconds(5));
  EXPECT_THAT(bench.consumer->paused, ElementsAre(bench.p0, bench.p1));
  bench.gate.measured(100u << 20, true);
  bench.executor.advance(seconds(2));
  EXPECT_THAT(bench.consumer->paused, IsEmpty());
}

TEST(ConsumerGroup, RepeatsACommitThatFailed) {
  GroupBench bench;
  bench.begin();
  bench.sink.answer_with([](const auto&) { return pipeline::Outcome{}; });
  bench.consumer->commit_answer = Status(unavailable("rebalancing"));
  bench.consumer->assign(bench.p0, 0);
  bench.put(bench.p0, 0, 0);
  bench.executor.advance(seconds(3));
  EXPECT_EQ(bench.committed(bench.p0), -1);
  bench.consumer->commit_answer = ok_status();
  bench.executor.advance(seconds(1));
  EXPECT_EQ(bench.committed(bench.p0), 1);
}

TEST(ConsumerGroup, ACommitWithoutAnAnswerDoesNotStopTheNext) {
  GroupBench bench;
  bench.begin();
  bench.sink.answer_with([](const auto&) { return pipeline::Outcome{}; });
  bench.consumer->hold_commits = true;
  bench.consumer->assign(bench.p0, 0);
  bench.put(bench.p0, 0, 0);
  bench.executor.advance(seconds(5));
  EXPECT_EQ(bench.consumer->pending_commits.size(), 1u) << "one at a time";
  bench.consumer->hold_commits = false;
  bench.executor.advance(seconds(10));
  EXPECT_EQ(bench.committed(bench.p0), 1);
}

TEST(ConsumerGroup, RevokedPartitionsAreFinishedAndCommittedBeforeTheyGo) {
  GroupBench bench;
  bench.begin();
  bench.consumer->assign(bench.p0, 0);
  bench.consumer->assign(bench.p1, 0);
  bench.put(bench.p0, 0, 0);
  bench.executor.advance(milliseconds(10));
  auto taken = bench.sink.take(Duration::zero());
  ASSERT_TRUE(taken);
  bool done = false;
  bench.consumer->listener.on_revoked({bench.p0}, [&done] { done = true; });
  bench.executor.advance(seconds(1));
  EXPECT_FALSE(done);
  taken->token.ack();
  bench.executor.run();
  EXPECT_TRUE(done);
  EXPECT_EQ(bench.committed(bench.p0), 1);
  bench.executor.advance(seconds(1));
  ASSERT_EQ(bench.group->partitions().size(), 1u);
  EXPECT_EQ(bench.group->partitions()[0].partition, bench.p1);
}

TEST(ConsumerGroup, RevocationDoesNotWaitForEver) {
  GroupBench bench;
  bench.begin();
  bench.consumer->assign(bench.p0, 0);
  bench.put(bench.p0, 0, 0);
  bench.executor.advance(milliseconds(10));
  auto taken = bench.sink.take(Duration::zero());
  bool done = false;
  bench.consumer->listener.on_revoked({bench.p0}, [&done] { done = true; });
  bench.executor.advance(bench.config.destination.timeout);
  EXPECT_FALSE(done) << "the destination may still answer";
  bench.executor.advance(seconds(5));
  EXPECT_TRUE(done);
  EXPECT_EQ(bench.committed(bench.p0), -1) << "what is not answered is not committed";
  taken->token.ack();  // Too late: the partition belongs to somebody else.
  bench.executor.advance(seconds(5));
  EXPECT_EQ(bench.committed(bench.p0), -1);
  EXPECT_EQ(bench.budget.used(), 0u);
}

TEST(ConsumerGroup, LostPartitionsCommitNothing) {
  GroupBench bench;
  bench.begin();
  bench.sink.answer_with([](const auto&) { return pipeline::Outcome{}; });
  bench.consumer->assign(bench.p0, 0);
  bench.put(bench.p0, 0, 0);
  bench.executor.advance(milliseconds(10));
  bench.consumer->listener.on_lost({bench.p0});
  bench.executor.advance(seconds(5));
  EXPECT_EQ(bench.committed(bench.p0), -1);
  EXPECT_THAT(bench.group->partitions(), IsEmpty());
}

TEST(ConsumerGroup, DrainFinishesCommitsAndLeaves) {
  GroupBench bench;
  bench.begin();
  bench.consumer->assign(bench.p0, 0);
  bench.put(bench.p0, 0, 0);
  bench.executor.advance(milliseconds(10));
  auto taken = bench.sink.take(Duration::zero());
  std::optional<bool> clean;
  bench.group->drain(seconds(20), [&clean](bool is_clean) { clean = is_clean; });
  bench.executor.advance(seconds(2));
  EXPECT_FALSE(clean);
  EXPECT_FALSE(bench.consumer->closed);
  taken->token.ack();
  bench.executor.run();
  EXPECT_EQ(clean, true);
  EXPECT_EQ(bench.committed(bench.p0), 1);
  EXPECT_TRUE(bench.consumer->closed);
}

TEST(ConsumerGroup, DrainWithoutPartitionsIsImmediate) {
  GroupBench bench;
  bench.begin();
  std::optional<bool> clean;
  bench.group->drain(seconds(20), [&clean](bool is_clean) { clean = is_clean; });
  EXPECT_EQ(clean, true);
  EXPECT_TRUE(bench.consumer->closed);
}

TEST(ConsumerGroup, DrainGivesUpInTimeAndSaysSo) {
  GroupBench bench;
  bench.begin();
  bench.consumer->assign(bench.p0, 0);
  bench.put(bench.p0, 0, 0);
  bench.executor.advance(milliseconds(10));
  auto taken = bench.sink.take(Duration::zero());
  std::optional<bool> clean;
  bench.group->drain(seconds(3), [&clean](bool is_clean) { clean = is_clean; });
  bench.executor.advance(seconds(3));
  EXPECT_EQ(clean, false);
  EXPECT_TRUE(bench.consumer->closed);
  taken->token.ack();
  bench.executor.run();
}

TEST(ConsumerGroup, ShutdownTakesOverFromARevocation) {
  GroupBench bench;
  bench.begin();
  bench.consumer->assign(bench.p0, 0);
  bench.put(bench.p0, 0, 0);
  bench.executor.advance(milliseconds(10));
  auto taken = bench.sink.take(Duration::zero());
  bench.consumer->listener.on_revoked({bench.p0}, [] {});
  std::optional<bool> clean;
  bench.group->drain(seconds(20), [&clean](bool is_clean) { clean = is_clean; });
  taken->token.ack();
  bench.executor.run();
  EXPECT_EQ(clean, true);
  EXPECT_EQ(bench.committed(bench.p0), 1);
}

TEST(ConsumerGroup, CountsLostRecordsAndGoesOn) {
  GroupBench bench;
  bench.begin();
  bench.sink.answer_with([](const auto&) { return pipeline::Outcome{}; });
  bench.consumer->assign(bench.p0, 10);
  bench.consumer->listener.on_gap(bench.p0, 10, 110, 100);
  bench.put(bench.p0, 110, 0);
  bench.executor.advance(seconds(1));
  EXPECT_EQ(bench.metrics.value("spanway_kafka_bridge_lost_records_total"), 100);
  EXPECT_EQ(bench.committed(bench.p0), 111);
}

TEST(ConsumerGroup, ATopicMadeAnewIsReadFromItsNewBeginning) {
  GroupBench bench;
  bench.begin();
  bench.consumer->assign(bench.p0, 1000);
  bench.put(bench.p0, 1000, 0);
  bench.executor.advance(milliseconds(10));
  auto old = bench.sink.take(Duration::zero());
  bench.consumer->listener.on_gap(bench.p0, 1001, 0, 0);
  bench.put(bench.p0, 0, 1);
  bench.executor.advance(milliseconds(10));
  auto fresh = bench.sink.take(Duration::zero());
  ASSERT_TRUE(old && fresh);
  old->token.ack();
  fresh->token.ack();
  bench.executor.advance(seconds(1));
  EXPECT_EQ(bench.committed(bench.p0), 1);
  EXPECT_EQ(bench.metrics.value("spanway_kafka_bridge_offset_resets_total"), 1);
}

TEST(ConsumerGroup, PausesOnlyWhatStallsForLongAndTellsWhy) {
  GroupBench bench;
  bench.begin();
  bool expired = true;
  bench.sink.answer_with([&expired](const auto&) -> Result<pipeline::Outcome> {
    if (expired) return token_expired();
    return pipeline::Outcome{};
  });
  bench.consumer->assign(bench.p0, 0);
  bench.put(bench.p0, 0, 0);
  bench.executor.advance(seconds(20));
  EXPECT_THAT(bench.consumer->paused, IsEmpty());
  ASSERT_EQ(bench.group->partitions().size(), 1u);
  EXPECT_TRUE(bench.group->partitions()[0].stalled);
  EXPECT_THAT(bench.group->partitions()[0].reason, HasSubstr("token expired"));
  EXPECT_EQ(bench.metrics.value("spanway_kafka_bridge_stalled_partitions"), 1);
  bench.executor.advance(seconds(20));
  EXPECT_THAT(bench.consumer->paused, ElementsAre(bench.p0));
  expired = false;
  bench.executor.advance(seconds(31));
  EXPECT_THAT(bench.consumer->paused, IsEmpty());
  EXPECT_EQ(bench.metrics.value("spanway_kafka_bridge_stalled_partitions"), 0);
  EXPECT_EQ(bench.committed(bench.p0), 1);
}

TEST(ConsumerGroup, TellsTheLagAlsoWhileStalled) {
  GroupBench bench;
  bench.begin();
  bench.sink.answer_with([](const auto&) -> Result<pipeline::Outcome> { return token_expired(); });
  bench.consumer->assign(bench.p0, 40);
  bench.consumer->marks[bench.p0] = {0, 100};
  const auto now =
      std::chrono::duration_cast<milliseconds>(bench.clock.system_now().time_since_epoch()).count();
  bench.put(bench.p0, 40, 0, now);
  bench.executor.advance(seconds(60));
  ASSERT_EQ(bench.group->partitions().size(), 1u);
  EXPECT_EQ(bench.group->partitions()[0].lag_messages, 60);
  EXPECT_NEAR(bench.group->partitions()[0].lag_seconds, 60, 1.1);
  const telemetry::Labels labels = {{"topic", "otel.traces"}, {"partition", "0"}};
  EXPECT_EQ(bench.metrics.value("spanway_kafka_bridge_lag_messages", labels), 60);
  EXPECT_NEAR(bench.metrics.value("spanway_kafka_bridge_lag_seconds", labels), 60, 1.1);
  bench.consumer->listener.on_lost({bench.p0});
  EXPECT_EQ(bench.metrics.expose().find("spanway_kafka_bridge_lag_messages{"), std::string::npos);
}

TEST(ConsumerGroup, NoLagMeansZeroSeconds) {
  GroupBench bench;
  bench.begin();
  bench.sink.answer_with([](const auto&) { return pipeline::Outcome{}; });
  bench.consumer->assign(bench.p0, 0);
  bench.consumer->marks[bench.p0] = {0, 1};
  bench.put(bench.p0, 0, 0, 1);
  bench.executor.advance(seconds(3));
  ASSERT_EQ(bench.group->partitions().size(), 1u);
  EXPECT_EQ(bench.group->partitions()[0].lag_messages, 0);
  EXPECT_EQ(bench.group->partitions()[0].lag_seconds, 0);
}

TEST(ConsumerGroup, AClockThatIsAheadDoesNotHideThatNothingMoves) {
  for (const bool ahead : {true, false}) {
    GroupBench bench;
    bench.begin();
    bench.sink.answer_with(
        [](const auto&) -> Result<pipeline::Outcome> { return token_expired(); });
    bench.consumer->assign(bench.p0, 40);
    bench.consumer->marks[bench.p0] = {0, 100};
    const auto now =
        std::chrono::duration_cast<milliseconds>(bench.clock.system_now().time_since_epoch());
    bench.put(bench.p0, 40, 0, ahead ? (now + seconds(3600)).count() : 0);
    bench.executor.advance(seconds(60));
    ASSERT_EQ(bench.group->partitions().size(), 1u);
    EXPECT_NEAR(bench.group->partitions()[0].lag_seconds, 60, 1.1);
  }
}

TEST(ConsumerGroup, WhatIsDeliveredAsItComesHasNoLagInSeconds) {
  GroupBench bench;
  bench.begin();
  bench.sink.answer_with([](const auto&) { return pipeline::Outcome{}; });
  bench.consumer->assign(bench.p0, 0);
  for (int i = 0; i < 30; ++i) {
    bench.consumer->marks[bench.p0] = {0, i + 2};  // One record is always on its way.
    bench.put(bench.p0, i, i);
    bench.executor.advance(seconds(1));
    ASSERT_EQ(bench.group->partitions().size(), 1u);
    EXPECT_EQ(bench.group->partitions()[0].lag_seconds, 0);
  }
}

TEST(ConsumerGroup, MarkersAndDeletedRecordsAtTheEndOfTheLogAreNoLag) {
  GroupBench bench;
  bench.begin();
  bench.consumer->assign(bench.p0, 0);
  bench.consumer->marks[bench.p0] = {0, 3};
  bench.put(bench.p0, 0, 0);
  bench.executor.advance(milliseconds(10));
  auto taken = bench.sink.take(Duration::zero());
  ASSERT_TRUE(taken);
  bench.consumer->listener.on_end(bench.p0, 3);
  bench.executor.advance(seconds(2));
  EXPECT_EQ(bench.committed(bench.p0), -1) << "not before the records below are done";
  taken->token.ack();
  bench.executor.advance(seconds(3));
  EXPECT_EQ(bench.committed(bench.p0), 3);
  EXPECT_EQ(bench.group->partitions()[0].lag_messages, 0);
}

TEST(ConsumerGroup, CountsWhatTheLogHasLost) {
  GroupBench bench;
  bench.begin();
  bench.sink.answer_with([](const auto&) { return pipeline::Outcome{}; });
  bench.consumer->assign(bench.p0, 159);
  bench.consumer->listener.on_gap(bench.p0, 159, 100, 59);
  bench.put(bench.p0, 100, 0);
  bench.executor.advance(seconds(1));
  EXPECT_EQ(bench.sink.sent(), 1u);
  EXPECT_EQ(bench.committed(bench.p0), 101);
  EXPECT_EQ(bench.metrics.value("spanway_kafka_bridge_truncated_records_total"), 59);
  EXPECT_EQ(bench.metrics.value("spanway_kafka_bridge_lost_records_total"), 0);
  EXPECT_EQ(bench.group->lost_records(), 59u);
}

TEST(ConsumerGroup, EveryItemReadIsDeliveredDeadLetteredReleasedOrInFlight) {
  GroupBench bench;
  bench.begin();
  const std::uint64_t bugs = bug_count();
  const auto count = [&](const char* name) {
    return bench.metrics.value("spanway_kafka_bridge_" + std::string(name), {{"signal", "traces"}});
  };
  bench.sink.answer_with([](const pipeline::Batch& batch) -> Result<pipeline::Outcome> {
    if (batch.metadata.tenant == "refused") return token_expired();
    const auto names = span_names(batch.payload.view());
    if (std::count(names.begin(), names.end(), "span-2") > 0) return bad_data();
    return pipeline::Outcome{batch.metadata.tenant == "partly" ? 1u : 0u, "one is too old"};
  });
  bench.consumer->assign(bench.p0, 0);
  bench.consumer->put(bench.p0, {0, 0, spans(0, 10), ""});
  bench.consumer->put(bench.p0, {1, 0, spans(10, 5), "refused"});
  bench.consumer->put(bench.p0, {2, 0, spans(15, 4), "partly"});
  bench.consumer->put(bench.p0, {3, 0, "this is no protobuf", ""});
  bench.executor.advance(seconds(60));
  EXPECT_EQ(count("consumed_items_total"), 19);
  EXPECT_EQ(count("delivered_items_total"), 9 + 3);
  EXPECT_EQ(count("destination_rejected_items_total"), 1);
  EXPECT_EQ(count("dead_letter_items_total"), 1);
  EXPECT_EQ(count("in_flight_items"), 5);
  EXPECT_EQ(count("released_items_total"), 0);
  EXPECT_TRUE(bench.group->items()[0].add_up());
  bench.consumer->listener.on_lost({bench.p0});
  bench.executor.advance(seconds(2));
  EXPECT_EQ(count("in_flight_items"), 0);
  EXPECT_EQ(count("released_items_total"), 5);
  EXPECT_TRUE(bench.group->items()[0].add_up());
  EXPECT_EQ(bug_count(), bugs) << last_bug_site();
}

TEST(ConsumerGroup, ReadsAgainWhenMemoryMayBeFree) {
  GroupBench bench;
  bench.begin();
  bench.sink.answer_with([](const auto&) { return pipeline::Outcome{}; });
  bench.consumer->assign(bench.p0, 0);
  auto other = bench.budget.try_acquire(bench.budget.limit());
  bench.put(bench.p0, 0, 0);
  bench.executor.advance(seconds(1));
  EXPECT_EQ(bench.sink.sent(), 0u);
  other->release();
  bench.executor.advance(seconds(1));
  EXPECT_EQ(bench.sink.sent(), 1u);
}

TEST(ConsumerGroup, PlansOfManyCutsShareOneCommit) {
  GroupBench bench;
  bench.config.consumer.batch_identity = true;
  bench.config.consumer.batch.items_max = 1;
  bench.config.consumer.batch.linger = milliseconds(5);
  bench.begin();
  bench.consumer->assign(bench.p0, 0);
  bench.consumer->hold_commits = true;
  for (int i = 0; i < 5; ++i) bench.put(bench.p0, i, i);
  bench.executor.advance(milliseconds(10));
  ASSERT_EQ(bench.consumer->pending_commits.size(), 1u);
  EXPECT_EQ(bench.sink.sent(), 0u) << "nothing is sent before its plan is committed";
  bench.consumer->pending_commits[0].done(ok_status());
  bench.executor.run();
  EXPECT_GE(bench.sink.sent(), 1u);
  ASSERT_LE(bench.consumer->pending_commits.size(), 2u);
  bench.consumer->hold_commits = false;
  if (bench.consumer->pending_commits.size() == 2) {
    bench.consumer->pending_commits[1].done(ok_status());
  }
  bench.executor.advance(seconds(1));
  EXPECT_EQ(bench.sink.sent(), 5u);
}

// --- Stalls ---

// A destination that knows no logs: its stall holds no more memory than its share, and says so.
TEST(ConsumerGroup, OneRefusedSignalDoesNotStarveTheOthers) {
  GroupBench bench;
  bench.config.consumer.batch.items_max = 1;
  bench.begin();
  bench.sink.answer_with([](const pipeline::Batch& batch) -> Result<pipeline::Outcome> {
    if (batch.signal == otlp::Signal::kLogs) return configuration_error(Code::kNotFound, "no logs");
    return pipeline::Outcome{};
  });
  const std::string log_record =
      fakes::otlp_request_of({fakes::otlp_log_record(std::string(200'000, 'x'))});
  for (int partition = 0; partition < 12; ++partition) {
    const kafka::TopicPartition p{"otel.logs", partition};
    bench.consumer->assign(p, 0);
    for (int i = 0; i < 40; ++i) bench.consumer->put(p, {i, 0, log_record, ""});
  }
  bench.executor.advance(seconds(60));
  EXPECT_LT(bench.budget.used(), bench.budget.limit() / 2);
  bench.consumer->assign(bench.p0, 0);
  for (int i = 0; i < 100; ++i) {
    bench.put(bench.p0, i, i);
    bench.executor.advance(milliseconds(100));
  }
  bench.executor.advance(seconds(2));
  EXPECT_EQ(bench.committed(bench.p0), 100);
  const auto stalls = bench.group->stalls();
  ASSERT_EQ(stalls.size(), 1u);
  EXPECT_EQ(stalls[0].signal, otlp::Signal::kLogs);
  EXPECT_EQ(stalls[0].scope, StallStatus::Scope::kSignal);
  EXPECT_EQ(stalls[0].reason, "no logs");
  EXPECT_EQ(bench.metrics.value("spanway_kafka_bridge_stalled_streams", {{"signal", "logs"}}), 1);
  EXPECT_THAT(bench.letters.letters, IsEmpty());
}

// Each of many partitions may keep some batches of a refused tenant: together they take no more of
// the memory than they leave, so that another tenant of the same partitions is delivered.
TEST(ConsumerGroup, OneRefusedTenantDoesNotTakeTheMemoryOfTheOthers) {
  GroupBench bench;
  bench.config.consumer.batch.items_max = 1;
  bench.begin();
  MemoryBudget small(8u << 20);
  const ConsumerGroupDeps deps{
      bench.executor, bench.sink, bench.letters, small, {bench.log, bench.metrics}, Random(1)};
  fakes::FakeConsumer* consumer = nullptr;
  auto group = ConsumerGroup::create(
      bench.config, deps,
      [&](const std::vector<std::string>&,
          kafka::ConsumerListener& listener) -> Result<std::unique_ptr<kafka::Consumer>> {
        auto created = std::make_unique<fakes::FakeConsumer>(listener);
        consumer = created.get();
        return std::unique_ptr<kafka::Consumer>(std::move(created));
      });
  ASSERT_TRUE(group.ok() && (*group)->start().ok());
  bench.sink.answer_with([](const pipeline::Batch& batch) -> Result<pipeline::Outcome> {
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
  bench.executor.advance(seconds(30));
  EXPECT_LT(small.used(), small.limit() / 2);
  const std::size_t sent = bench.sink.items();
  for (int i = 11; i < 20; ++i) {
    for (const auto& p : partitions) consumer->put(p, {i, 0, large, "good"});
    bench.executor.advance(seconds(1));
  }
  EXPECT_EQ(
      bench.metrics.value("spanway_kafka_bridge_delivered_items_total", {{"signal", "traces"}}),
      12 * 10);
  EXPECT_GE(bench.sink.items(), sent + 12 * 9);
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
      GroupBench bench;
      bench.config.consumer.batch.items_max = 4;
      bench.config.consumer.max_in_flight_per_partition = static_cast<std::int64_t>(in_flight);
      bench.begin();
      bench.consumer->committed = committed;
      bench.sink.answer_with([&](const pipeline::Batch& batch) -> Result<pipeline::Outcome> {
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
        bench.consumer->log[p] = log[p];
        bench.consumer->assign(p, start.offset, start.metadata);
        for (const auto& stored : log[p]) {
          if (stored.offset >= start.offset) bench.consumer->queues[p].push_back(stored);
        }
        bench.consumer->deliver(p);
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
          bench.consumer->put(p, stored);
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
              bench.consumer->put(p, stored);
            }
          }
        }
        bench.executor.advance(milliseconds(500));
      }
      if (!kills || life == 4) {
        bench.group->drain(seconds(20), [](bool) {});
        bench.executor.advance(seconds(30));
      }
      committed = bench.consumer->committed;
      if (getenv("DBG"))
        for (const auto& p : partitions)
          fprintf(stderr, "seed %d life %d p%d commit %ld %s end %zu\n", static_cast<int>(seed),
                  life, p.partition, static_cast<long>(committed[p].offset),
                  committed[p].metadata.c_str(), log[p].size());
      for (const DeadLetter& letter : bench.letters.letters) {
        for (const auto& name : span_names(letter.payload.view())) letters.insert(name);
      }
      bench.group.reset();
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
  GroupBench bench;
  bench.begin();
  EXPECT_TRUE(bench.group->fatal().ok());
  bench.consumer->listener.on_fatal(configuration_error(Code::kAborted, "fenced"));
  ASSERT_FALSE(bench.group->fatal().ok());
  EXPECT_EQ(bench.group->fatal().error().message, "fenced");
}

TEST(ConsumerGroup, PartitionsBeyondThePlanTakeTheirPrefetchFromTheBudget) {
  GroupBench bench;
  bench.config.consumer.kafka.partitions_max = 1;
  bench.begin();
  bench.consumer->assign(bench.p0, 0);
  EXPECT_EQ(bench.budget.used(), 0u);
  bench.consumer->assign(bench.p1, 0);
  EXPECT_EQ(bench.budget.used(), 2u << 20);
  bench.consumer->listener.on_lost({bench.p1});
  EXPECT_EQ(bench.budget.used(), 0u);
}

}  // namespace
}  // namespace spanway::kafka_bridge
