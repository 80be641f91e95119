#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "services/kafka-bridge/consume/consumer_group.h"
#include "services/lib/base/check.h"
#include "tests/unit/kafka-bridge/consume/group_fixture.h"

namespace spanway::kafka_bridge {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::IsEmpty;

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
// Without a kill nothing is repeated (P4).
void lose_nothing(std::uint64_t seed) {
  const std::uint64_t bugs = bug_count();
  const Error errors[] = {busy(), token_expired(), bad_data(), broken()};
  const Error outages[] = {busy(), token_expired(), broken()};
  const std::string tenants[] = {"", "a", "b", "c"};
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
      // Healthy traffic continues: it is the evidence against a poisoned span.
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
    for (const DeadLetter& letter : fixture.letters.letters) {
      for (const auto& name : span_names(letter.payload.view())) letters.insert(name);
    }
    fixture.group.reset();
  }
  for (const auto& name : letters) {
    EXPECT_EQ(poison.count(name), 1u) << name << " is no poison, seed " << seed;
  }
  int missing = 0;
  int repeated = 0;
  for (int i = 0; i < next_span; ++i) {
    const std::string name = "span-" + std::to_string(i);
    const bool is_letter = letters.count(name) > 0;
    if (received.count(name) == 0 && !is_letter) ++missing;
    repeated += std::max(0, received[name] + (is_letter ? 1 : 0) - 1);
  }
  EXPECT_EQ(missing, 0) << "seed " << seed;
  EXPECT_EQ(kills ? 0 : repeated, 0) << "seed " << seed;
  for (const auto& p : partitions) {
    EXPECT_EQ(committed[p].offset, static_cast<std::int64_t>(log[p].size())) << "seed " << seed;
    EXPECT_EQ(committed[p].metadata, "") << "seed " << seed;
  }
  EXPECT_EQ(bug_count(), bugs) << last_bug_site();
}

// SPANWAY_SEEDS: how many seeds, 200 unless said. The others have found faults: items that met two
// outages became dead letters (577, 1305); batches that a stall gave back during the second reading
// were lost (157, 409, 827); a stall had nothing but poison to probe with (1010, 1071).
TEST(ConsumerGroup, LosesNothingWhateverIsRefusedAndWhicheverMemberRestarts) {
  const char* const wished = std::getenv("SPANWAY_SEEDS");
  const std::uint64_t seeds = wished == nullptr ? 200 : std::strtoull(wished, nullptr, 10);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) lose_nothing(seed);
  for (const std::uint64_t seed : {577, 1305, 157, 409, 827, 1010, 1071}) lose_nothing(seed);
}

}  // namespace
}  // namespace spanway::kafka_bridge
